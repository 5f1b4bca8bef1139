"""One site's words and the federation's: what is asked there is what is meant here."""

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from cscale.discovery.hub.translation import BAR, PRODUCT, Translation, total_order
from cscale.federation import Member
from cscale.stac.evaluation import matcher, order_key, sort_value
from cscale.stac.items import Item
from cscale.stac.search import SearchRequest, SortField
from tests.discovery.federations import NAMES, OWN_PRODUCT, member

NATIVES = ("c", "d", "A-C", "x|y")
MAPS: tuple[dict[str, str], ...] = (
    {},
    {"c": "A-C"},
    {"c": "A-C", "d": "c"},
    {"c": "d", "d": "c"},
    {"z": "x|y"},
)
ASKED = ("c", "d", "z", "A-C", "alpha|A-C", "alpha|c", "alpha|x|y", "beta|c", "alpha|", "nowhere")

members = st.builds(
    lambda collections, product: member("alpha", collections=collections, product=product),
    st.sampled_from(MAPS),
    st.sampled_from([None, OWN_PRODUCT]),
)
collections = st.none() | st.lists(st.sampled_from(ASKED), min_size=1, max_size=3, unique=True).map(tuple)
items = st.builds(
    lambda item_id, collection, properties: {
        "id": item_id,
        "collection": collection,
        "properties": properties,
    },
    st.sampled_from(NAMES),
    st.sampled_from(NATIVES),
    st.fixed_dictionaries(
        {"datetime": st.just("2020-01-01T00:00:00Z")},
        optional={OWN_PRODUCT: st.sampled_from(NAMES), "eo:cloud_cover": st.sampled_from([0, 10])},
    ),
)


def _conditions() -> st.SearchStrategy[dict[str, Any]]:
    name = st.sampled_from(["id", "collection", "properties.id", "properties.collection", "eo:cloud_cover"])
    value = st.sampled_from([*NAMES, *ASKED, 5, True])
    return st.one_of(
        st.builds(_op, st.sampled_from(["=", "<>", "<", ">="]), name, value),
        st.builds(lambda own, values: _op("in", own, values), name, st.lists(value, min_size=1, max_size=3)),
        st.builds(lambda own, low, high: _op("between", own, low, high), name, value, value),
        st.builds(
            lambda own, pattern: _op("like", own, pattern), name, st.sampled_from(["%|%", "alpha%", "P"])
        ),
        st.builds(lambda own: _op("isNull", own), name),
        st.builds(
            lambda op, own, other: _op(op, own, {"property": other}), st.sampled_from(["<", ">"]), name, name
        ),
        st.builds(
            lambda own, text: {"op": "=", "args": [_op("casei", own), {"op": "casei", "args": [text]}]},
            st.sampled_from(["id", "collection"]),
            st.sampled_from([*NAMES, *ASKED]),
        ),
    )


def _op(op: str, name: str, *values: Any) -> dict[str, Any]:
    return {"op": op, "args": [{"property": name}, *values]}


def _logic(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    several = st.lists(inner, min_size=2, max_size=3)
    both = st.builds(
        lambda op, args: {"op": op, "args": args}, st.sampled_from(["and", "or", "AND"]), several
    )
    return both | inner.map(lambda one: {"op": "not", "args": [one]})


filters = st.recursive(_conditions(), _logic, max_leaves=4)


def shown(site: Member, item: Item, asked: tuple[str, ...] | None) -> Item | None:
    """The item as the federation shows it; None where it is not asked for."""
    native = item["collection"]
    names = {own: name for name, own in site.collections.items()}
    taken = native not in names and (native in site.collections or BAR in native)
    collection = names.get(native, f"alpha|{native}" if taken else native)
    if asked is not None and collection not in asked:
        collection = f"alpha|{native}"
        if collection not in asked:
            return None
    named = site.product and BAR not in collection
    name = item["properties"].get(site.product, item["id"]) if named else item["id"]
    return item | {"id": name, "collection": collection}


def matches(translated: SearchRequest | None, item: Item) -> bool:
    return translated is not None and matcher(translated)(item)


def there(site: Member, request: SearchRequest) -> SearchRequest | None:
    natives = Translation(site).collections(request.collections)
    return None if natives == {} else Translation(site).request(request, natives, NATIVES)


@settings(max_examples=300)
@given(
    members,
    collections,
    st.none() | filters,
    st.none() | st.sampled_from([("P",), ("Q", "R")]),
    st.lists(items),
)
@example(
    member("alpha"),
    None,
    {"op": "not", "args": [_op(">", "collection", 5)]},
    None,
    [{"id": "P", "collection": "c", "properties": {}}],
)  # what cannot be told is no match, nor is its contrary
def test_what_matches_at_the_site_is_what_matches_as_shown(
    site: Member,
    asked: tuple[str, ...] | None,
    expression: dict[str, Any] | None,
    ids: tuple[str, ...] | None,
    held: list[Item],
) -> None:
    request = SearchRequest(collections=asked, filter=expression, ids=ids)
    translated = there(site, request)
    for item in held:
        as_shown = shown(site, item, asked)
        assert matches(translated, item) == (as_shown is not None and matcher(request)(as_shown))


@given(members, collections, st.sampled_from(NATIVES))
def test_a_collection_is_shown_under_the_name_it_is_asked_by(
    site: Member, asked: tuple[str, ...] | None, native: str
) -> None:
    expected = shown(site, {"id": "P", "collection": native, "properties": {}}, asked)
    natives = Translation(site).collections(asked)
    name = Translation(site).shown(native) if natives is None else natives.get(native)
    assert name == (expected and expected["collection"])
    if asked is not None and name is not None:
        assert name in asked


@given(members)
def test_no_two_collections_are_shown_under_one_name(site: Member) -> None:
    names = [Translation(site).shown(native) for native in NATIVES]
    assert len(set(names)) == len(names)
    natives = Translation(site).collections(tuple(names)) or {}
    assert natives == dict(zip(NATIVES, names, strict=True)), "a name shown does not find its collection"


ORDERS = st.lists(
    st.builds(SortField, st.sampled_from(["id", "datetime", "eo:cloud_cover", OWN_PRODUCT]), st.booleans()),
    min_size=1,
    max_size=3,
).map(tuple)


@given(members, st.sampled_from([None, ("c",), ("alpha|c", "alpha|A-C")]), ORDERS, st.lists(items))
def test_the_order_asked_of_a_site_is_the_federations(
    site: Member, asked: tuple[str, ...] | None, sortby: tuple[SortField, ...], held: list[Item]
) -> None:
    translation = Translation(site)
    ordered = total_order(SearchRequest(collections=asked, sortby=sortby))
    translated = there(site, ordered)
    if translated is None:
        return
    own = translation.product(translation.collections(asked)) or "id"

    def key_there(item: Item) -> Any:
        values = [sort_value(item, field.name) for field in translated.sortby]
        return order_key(values, translated.sortby)

    def key_here(item: Item) -> Any:
        names = [own if field.name == PRODUCT else field.name for field in ordered.sortby]
        return order_key([sort_value(item, name) for name in names], ordered.sortby)

    keys = [key_here(item) for item in sorted(held, key=key_there)]
    assert keys == sorted(keys)


def test_an_order_by_anything_but_time_leaves_only_copies_of_one_id_tied() -> None:
    ordered = total_order(SearchRequest(sortby=(SortField("platform"),)))
    assert [field.name for field in ordered.sortby] == ["platform", PRODUCT, "id"]
    assert total_order(SearchRequest()) == SearchRequest(), "an order by time needs no more"


def test_a_site_keeps_an_order_by_collection_where_its_names_stand_as_those_shown() -> None:
    order = (SortField("collection"),)
    renaming = Translation(member("alpha", collections={"c": "A-C"}))
    assert not renaming.sorts(order, None, ["A-C", "B"])
    assert renaming.sorts(order, None, ["A-C", "d"])
    assert not renaming.sorts(order, None, None), "what it holds is not known"
    assert renaming.sorts(order, {"A-C": "c"}, None)
    assert renaming.sorts((SortField("datetime"),), None, None)
    assert not Translation(member("beta", collections={"c": ("a", "b")})).sorts(order, None, ["a", "b"])


def test_a_collection_that_is_known_by_many_names_is_shown_under_the_one_in_use() -> None:
    words = Translation(member("alpha"))
    assert words.shown("S2_MSI_L2A") == "sentinel-2-l2a"
    assert words.collections(("sentinel-2-l2a",), ["S2_MSI_L2A", "other"]) == {"S2_MSI_L2A": "sentinel-2-l2a"}
    assert words.collections(("S2_MSI_L2A",), ["S2_MSI_L2A"]) == {}
    assert words.shown("x|sentinel-s2-l2a") == "alpha|x|sentinel-s2-l2a"
    told = Translation(member("alpha", collections={"sentinel-2-l2a": "mine", "other": ["a", "b"]}))
    assert told.shown("S2_MSI_L2A") == "alpha|S2_MSI_L2A", "configuration goes before"
    assert told.collections(("sentinel-2-l2a",), ["S2_MSI_L2A", "mine"]) == {"mine": "sentinel-2-l2a"}
    assert told.collections(("other",), None) == {"a": "other", "b": "other"}
