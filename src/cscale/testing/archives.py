"""Archives to try a source on: small, and as awkward as real ones are.

Few distinct times and values make many ties; ids are shared between collections; places touch each
other and the antimeridian; properties are absent, or of another type than their name suggests.
"""

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from shapely.geometry import shape

from cscale.stac.items import STAC_VERSION, Collection, Item

COLLECTIONS = ("one", "sentinel-2-l2a", "two")
"""The collections that `items` draws from."""
IDS = ("a", "B", "b", "a b", "a/b", "a+b", "50%", "50%25", "é", "e\u0301", "雲", "😀", "x" * 120)
"""The ids that `items` draws from: what an address must quote, and what looks alike and is not."""
MOMENTS = (
    "2020-06-01T10:30:00Z",
    "2020-06-01T10:30:00.000Z",
    "2020-06-01T12:30:00+02:00",
    "2020-06-01T10:30:00.000001Z",
    "2020-06-01T10:45:00Z",
    "2021-01-01T00:00:00Z",
    "1899-12-31T23:59:59.5Z",
    "9999-12-31T23:59:59Z",
)
"""The times that `items` draws from; the first three are one instant."""
PROPERTIES: dict[str, Sequence[Any]] = {
    "eo:cloud_cover": (0, 10, 10.0, 10.5, 100, -1, "10", True, None, [10], {"mean": 10}),
    "gsd": (10, 20, 0.3, "10 m"),
    "platform": ("sentinel-2a", "sentinel-2b", "Sentinel-2A", "", "süd_100%", 2, None),
    "created": ("2020-06-02T00:00:00Z", "2020-06-02T00:00:00.5Z", "yesterday"),
    "test:count": (0, -1, 2**53, 2**53 + 1, 2**63 - 1, -(2**63), 1e300, 5e-324, False, "0"),
    "test:tags": (["a"], ["a", "b"], ["b", "a"], [], "a", None),
    "test:deep": ({"value": 1}, {"value": "1"}, {"other": 1}, 1),
    "test.dotted": (1, 2, "1"),
    "instruments": (["msi"], ["c-sar", "msi"], ["msi", "msi"], "msi", [], [5, "msi", [1], None]),
    "sat:relative_orbit": (7, 7.0, 120, 0.5, "7"),
    "title": ("Sentinel-2 over Cluj", "SENTINEL 2", "über Straße_1", "", "...", 2, None),
    "description": ("Cluj, by night", "two\nlines | of 2", ["Cluj"]),
    "keywords": (["Earth Observation", "EO"], ["earth", "observation"], ["eo", 2], [], "EO"),
}
"""The properties that `items` draws from, and their values."""
LONGITUDES = (-180.0, -170.0, -10.0, 0.0, 10.0, 10.5, 170.0, 180.0)
LATITUDES = (-90.0, -10.0, 0.0, 10.0, 10.5, 90.0)
HEIGHTS = (-5.0, 0.0, 10.0, 8000.0)


def items(max_size: int = 10) -> st.SearchStrategy[list[Item]]:
    """The items of an archive, no two of one collection with one id, all of them valid STAC."""
    return st.lists(_ITEM, max_size=max_size, unique_by=lambda item: (item["collection"], item["id"]))


def collections() -> list[Collection]:
    """The descriptions of all of `COLLECTIONS`; an archive may have no item of one."""
    return [
        {
            "type": "Collection",
            "stac_version": STAC_VERSION,
            "id": name,
            "description": f"Items to try a source on, of {name}",
            "license": "CC0-1.0",
            "extent": {
                "spatial": {"bbox": [[-180, -90, 180, 90]]},
                "temporal": {"interval": [["1899-01-01T00:00:00Z", None]]},
            },
            "links": [{"rel": "license", "href": "https://example.org/licence"}],
        }
        for name in COLLECTIONS
    ]


def plain_item(**members: Any) -> Item:
    """A valid item with nothing awkward about it, but for these members."""
    item = _item("one", "a", {"geometry": None}, {"datetime": MOMENTS[0]}, 0, {})
    return item | members


def positions() -> st.SearchStrategy[list[float]]:
    """Longitude and latitude."""
    return st.tuples(st.sampled_from(LONGITUDES), st.sampled_from(LATITUDES)).map(list)


def geometries() -> st.SearchStrategy[dict[str, Any]]:
    """A geometry of any of GeoJSON's seven types, flat, not crossing the antimeridian."""
    points = st.lists(positions(), min_size=2, max_size=3, unique_by=tuple)
    plain = st.one_of(
        _of("Point", positions()),
        _of("MultiPoint", points),
        _of("LineString", points),
        _of("MultiLineString", st.lists(points, min_size=1, max_size=2)),
        _of("Polygon", _rings()),
        _of("MultiPolygon", st.tuples(_rings(west=True), _rings(west=False)).map(list)),
    )
    several = st.lists(plain, min_size=2, max_size=2)  # CQL2 knows no collection of one
    return plain | several.map(lambda parts: {"type": "GeometryCollection", "geometries": parts})


def _of(kind: str, coordinates: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return coordinates.map(lambda drawn: {"type": kind, "coordinates": drawn})


def _rings(*, west: bool | None = None) -> st.SearchStrategy[list[Any]]:
    """The rings of a box, perhaps with a hole or a cut corner, in one half of the world or in both."""
    half = len(LONGITUDES) // 2
    longitudes = {None: LONGITUDES, True: LONGITUDES[:half], False: LONGITUDES[half:]}[west]
    return st.builds(
        lambda xs, ys, form: form(min(xs), min(ys), max(xs), max(ys)),
        st.lists(st.sampled_from(longitudes), min_size=2, max_size=2, unique=True),
        st.lists(st.sampled_from(LATITUDES), min_size=2, max_size=2, unique=True),
        st.sampled_from([_box, _holed, _triangle]),
    )


def _box(west: float, south: float, east: float, north: float) -> list[Any]:
    return [[[west, south], [east, south], [east, north], [west, north], [west, south]]]


def _holed(west: float, south: float, east: float, north: float) -> list[Any]:
    wide, high = (east - west) / 4, (north - south) / 4
    hole = _box(west + wide, south + high, east - wide, north - high)[0]
    return [*_box(west, south, east, north), hole[::-1]]


def _triangle(west: float, south: float, east: float, north: float) -> list[Any]:
    return [[[west, south], [east, south], [east, north], [west, south]]]


def _crossing() -> st.SearchStrategy[dict[str, Any]]:
    """The place of an item over the antimeridian, cut there as GeoJSON wants it."""
    edges = st.tuples(st.sampled_from((170.0, 175.0)), st.sampled_from((-170.0, -175.0)))
    return edges.map(
        lambda edge: {
            "bbox": [edge[0], -10.0, edge[1], 10.0],
            "geometry": {
                "type": "MultiPolygon",
                "coordinates": [_box(edge[0], -10.0, 180.0, 10.0), _box(-180.0, -10.0, edge[1], 10.0)],
            },
        }
    )


def _raised(geometry: dict[str, Any], heights: tuple[float, float]) -> dict[str, Any]:
    """The place of an item with heights."""
    bottom, top = sorted(heights)
    west, south, east, north = shape(geometry).bounds

    def lift(coordinates: Any) -> Any:
        if isinstance(coordinates[0], list):
            return [lift(each) for each in coordinates]
        return [*coordinates, bottom]

    lifted = {"type": geometry["type"], "coordinates": lift(geometry["coordinates"])}
    return {"bbox": [west, south, bottom, east, north, top], "geometry": lifted}


def _places() -> st.SearchStrategy[dict[str, Any]]:
    """An item's `geometry`, and its `bbox` where it has one."""
    flat = geometries().map(lambda drawn: {"geometry": drawn, "bbox": list(shape(drawn).bounds)})
    heights = st.tuples(st.sampled_from(HEIGHTS), st.sampled_from(HEIGHTS))
    raised = st.builds(_raised, _of("Polygon", _rings()) | _of("Point", positions()), heights)
    return st.one_of(flat, flat, _crossing(), raised, st.just({"geometry": None}))


def _times() -> st.SearchStrategy[dict[str, Any]]:
    moment = st.sampled_from(MOMENTS)
    stretch = {"start_datetime": moment, "end_datetime": moment}
    return st.one_of(
        st.fixed_dictionaries({"datetime": moment}),
        st.fixed_dictionaries({"datetime": st.none(), **stretch}),
        st.fixed_dictionaries({"datetime": moment, **stretch}),
    ).map(_in_order)


def _in_order(drawn: dict[str, Any]) -> dict[str, Any]:
    ends = [drawn[name] for name in ("start_datetime", "end_datetime") if name in drawn]
    ends.sort(key=MOMENTS_IN_ORDER.index)
    return drawn | dict(zip(("start_datetime", "end_datetime"), ends, strict=False))


MOMENTS_IN_ORDER = (MOMENTS[6], *MOMENTS[:6], MOMENTS[7])


_LINKS = [{"rel": "license", "href": "https://example.org/licence"}, {"rel": "self", "href": "a.json"}]
_ASSETS = {"data": {"href": "https://example.org/a%20b.tif", "file:size": 1}}


def _item(collection: str, item_id: str, place: Item, properties: Item, links: int, assets: Item) -> Item:
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": item_id,
        **place,
        "properties": properties,
        "links": _LINKS[:links],
        "assets": assets,
        "collection": collection,
    }


_ITEM = st.builds(
    _item,
    st.sampled_from(COLLECTIONS),
    st.sampled_from(IDS),
    _places(),
    st.builds(
        lambda times, rest: times | rest,
        _times(),
        st.fixed_dictionaries(
            {}, optional={name: st.sampled_from(values) for name, values in PROPERTIES.items()}
        ),
    ),
    st.integers(0, len(_LINKS)),
    st.sampled_from([{}, _ASSETS]),
)
