"""Versions: what the extension wants, and that the links tell the order in which products were made."""

from collections import defaultdict
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cscale.discovery.products import Identity, identify, identify_name, versions
from cscale.discovery.products.versions import EXTENSION, RELATIONS, Version
from tests.discovery.products.making import PRODUCTS, Made, item

S2 = "S2A_MSIL2A_20230602T100601_N{}_R022_T32TPS_{}"
S1 = "S1A_IW_GRDH_1SDV_20230110T052010_20230110T052035_046718_0599A8_"


def named(*names: str) -> list[tuple[Identity, str]]:
    return [(one, f"https://hub.test/{one.product}") for name in names if (one := identify_name(name))]


def targets(version: Version | None) -> dict[str, list[str]]:
    assert version is not None
    found = defaultdict(list)
    for link in version.links:
        found[link["rel"]].append(link["href"].rpartition("/")[2])
    return dict(found)


def check_schema(shown: Version) -> None:
    """What the schema of the extension and that of links ask for."""
    assert shown.extension == EXTENSION == "https://stac-extensions.github.io/version/v1.2.0/schema.json"
    properties: Any = shown.properties
    assert properties.keys() == {"version", "deprecated"}
    assert isinstance(properties["version"], str)
    assert properties["version"] != ""
    assert isinstance(properties["deprecated"], bool)
    for link in shown.links:
        assert link.keys() == {"rel", "href", "type", "title"}
        assert all(isinstance(each, str) for each in link.values())
        assert all(link.values())
        assert link["rel"] in RELATIONS
    if properties["deprecated"]:  # then it should say what to use instead
        assert "latest-version" in {link["rel"] for link in shown.links}


def test_three_processings_in_a_row() -> None:
    made = (("0400", "20230602T150000"), ("0509", "20230602T162001"), ("0510", "20240101T000000"))
    old, middle, new = (S2.format(*each) for each in made)
    found = versions(named(new, old, middle))
    keys = [one.product for one, _ in named(new, old, middle)]
    assert [each.properties for each in found if each] == [
        {"version": "20240101T000000 05.10", "deprecated": False},
        {"version": "20230602T150000 04.00", "deprecated": True},
        {"version": "20230602T162001 05.09", "deprecated": True},
    ]
    assert targets(found[0]) == {"predecessor-version": [keys[2]], "latest-version": [keys[0]]}
    assert targets(found[1]) == {"successor-version": [keys[2]], "latest-version": [keys[0]]}
    assert targets(found[2]) == {
        "predecessor-version": [keys[1]], "successor-version": [keys[0]], "latest-version": [keys[0]],
    }  # fmt: skip


def test_what_is_alone_or_of_no_known_acquisition_says_nothing() -> None:
    one = S2.format("0509", "20230602T162001")
    assert versions(named(one)) == [None]
    assert versions(named(one, one.replace("32TPS", "33TPS"), one.replace("_N0509", ""))) == [None] * 3
    less = identify(item("S2A_32TPS_20230602_0_L2A", s2__datatake_id="GS2A_20230602T100601_041489_N05.09"))
    assert less.acquisition == named(one)[0][0].acquisition
    assert versions([*named(one), (less, "a")]) == [None, None], "perhaps they are copies"
    unknown = [(identify(item(own, "naip")), own) for own in ("a", "b")]
    assert versions(unknown) == [None, None]
    assert versions([]) == []


def test_what_does_not_tell_when_it_was_made_is_named_and_not_ranked() -> None:
    found = versions(named(f"{S1}DB57", f"{S1}0001"))
    assert [each.properties for each in found if each] == [
        {"version": "DB57", "deprecated": False},
        {"version": "0001", "deprecated": False},
    ]
    assert [targets(each) for each in found] == [{}, {}]
    told = identify(item(f"{S1}DB57", processing__datetime="2023-01-10T07:19:58Z"))
    one, other = versions([(told, "a"), *named(f"{S1}0001")])
    assert targets(one) == targets(other) == {}


@given(st.lists(PRODUCTS, max_size=8), st.randoms())
def test_links_follow_the_order_in_which_products_were_made(many: list[Made], chance: Any) -> None:
    shown = {identify(made.items[0]).product: made for made in many}
    held = [(identify(made.items[0]), key) for key, made in shown.items()]
    chance.shuffle(held)
    found = {one.product: version for (one, _), version in zip(held, versions(held), strict=True)}
    for one, _ in held:
        made, version = shown[one.product], found[one.product]
        others = [each for each in shown.values() if each.acquisition == made.acquisition]
        assert (version is None) == (len(others) == 1)
        if version is None:
            continue
        check_schema(version)
        links = defaultdict(set)
        for link in version.links:
            links[link["rel"]].add(shown[link["href"]].order)
        if made.order is None:
            assert not links
            continue
        orders = [each.order for each in others if each.order is not None]
        older, newer = [o for o in orders if o < made.order], [o for o in orders if o > made.order]
        assert version.properties["deprecated"] == bool(newer)
        assert links["predecessor-version"] == ({max(older)} if older else set())
        assert links["successor-version"] == ({min(newer)} if newer else set())
        assert links["latest-version"] == ({max(orders)} if older or newer else set())


def test_the_order_of_items_does_not_matter_and_copies_share_what_they_say() -> None:
    pair = named(S2.format("0509", "20230602T162001"), S2.format("0510", "20240101T000000"))
    copy = (pair[0][0], "https://elsewhere.test/")
    first, second, third = versions([*pair, copy])
    assert first == third
    assert [each["href"] for each in second.links if each["rel"] == "predecessor-version"] == [pair[0][1]]  # type: ignore[union-attr]
    assert versions(pair[::-1]) == [second, first]
