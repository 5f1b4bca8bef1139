"""stac-geoparquet: whatever goes out comes back as it was, and what is none is refused."""

import copy
import random
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from cscale.archive.folders import Folders
from cscale.catalogue import SqliteStore
from cscale.catalogue.export import export, format_of
from cscale.catalogue.ingest import Options, ingest
from cscale.catalogue.ingest.geoparquet import EXACT, METADATA, differences, groups_of, items_of
from cscale.catalogue.ingest.geoparquet import _mend as mend
from cscale.errors import BadInput, BadRequest, NotFound
from cscale.stac.search import SearchRequest, from_query
from cscale.testing.archives import MOMENTS, collections, plain_item
from tests.catalogue.conftest import Opened
from tests.catalogue.ingest.conftest import SHARED, Take, held, write

EXAMPLE = "https://example.org/data"


async def round_trip(state: Path, request: SearchRequest | None = None, form: str = "parquet") -> Path:
    source = SqliteStore(state).source(data_url=EXAMPLE, secret=b"s")
    path = state / f"out.{form}"
    await export(source, request or SearchRequest(), path, form)  # type: ignore[arg-type]  # it is one
    source.close()
    return path


def hidden(folder: Path) -> list[Path]:
    return list(folder.glob(".*"))


def items_in(path: Path) -> list[dict[str, Any]]:
    return list(items_of(path, range(len(groups_of(path)))))


async def exported(tmp_path: Path, take: Take, *items: Any) -> tuple[list[bytes], list[bytes]]:
    """The items' JSON as the catalogue gives it, and as the parquet file does."""
    take(write(tmp_path / "data" / "items.ndjson", *items))
    lines = (await round_trip(tmp_path, form="ndjson")).read_bytes().splitlines()
    wanted = [line for line in lines if b'"type":"Collection"' not in line]
    return wanted, [msgspec.json.encode(item) for item in items_in(await round_trip(tmp_path))]


AWKWARD: dict[str, Any] = {
    "whole number": {
        "properties": {"datetime": MOMENTS[0], "a": 10, "b": 10.0, "c": -(2**63), "d": 2**53 + 1}
    },
    "beyond 64 bits": {"properties": {"datetime": MOMENTS[0], "a": 2**64, "b": 1e300}},
    "nulls": {"properties": {"datetime": MOMENTS[0], "a": None, "b": {"c": None, "d": [None, 1]}}},
    "empties": {"properties": {"datetime": MOMENTS[0], "a": {}, "b": [], "c": "", "d": [{}], "e": {"f": {}}}},
    "mixed kinds": {"properties": {"datetime": MOMENTS[0], "a": [1, "x", 2.5, None, {"y": [1]}], "b": True}},
    "range of time": {
        "properties": {
            "datetime": None,
            "start_datetime": MOMENTS[0],
            "end_datetime": "2024-01-01T00:00:00+01:00",
        }
    },
    "form of times": {
        "properties": {"datetime": "2020-06-01T10:30:00.000Z", "created": "2020-06-01 10:30:00z"}
    },
    "nanoseconds": {"properties": {"datetime": "2020-06-01T10:30:00.123456789Z", "updated": "no time"}},
    "across the antimeridian": {
        "bbox": [170.0, -10.0, -170.0, 10.0],
        "geometry": {
            "type": "MultiPolygon",
            "coordinates": [
                [[[170.0, -10.0], [180.0, -10.0], [180.0, 10.0], [170.0, 10.0], [170.0, -10.0]]],
                [[[-180.0, -10.0], [-170.0, -10.0], [-170.0, 10.0], [-180.0, 10.0], [-180.0, -10.0]]],
            ],
        },
    },
    "heights": {
        "bbox": [10.0, 50.0, -5.5, 10.0, 50.0, 90.0],
        "geometry": {"type": "Point", "coordinates": [10.0, 50.0, 90.0]},
    },
    "no place": {"geometry": None, "bbox": None},
    "no place, no box": {"geometry": None},
    "members of the item's names": {
        "properties": {"datetime": MOMENTS[0], "id": "x", "links": 1, EXACT: "x"}
    },
    "own members": {"x:own": {"a": [1]}, "federation:sites": []},
    "links": {
        "links": [{"rel": "license", "href": "https://x", "a": 1}, {"rel": "via", "href": "https://y"}]
    },
    "assets": {
        "assets": {
            "a": {"href": "https://x/a", "bands": [{"name": "B01", "gsd": 10}, {"name": "B02"}]},
            "Ü.b c": {"href": "s3://x", "roles": [], "proj:transform": [10, 0, 1.5, 0, -10, 2]},
        }
    },
    "projected": {
        "properties": {
            "datetime": MOMENTS[0],
            "proj:geometry": {"type": "Point", "coordinates": [600000.0, 1.5]},
        },
        "assets": {"a": {"href": "https://x", "proj:geometry": {"type": "Point", "coordinates": [1.0, 2.0]}}},
    },
    "projected, but no geometry": {
        "properties": {"datetime": MOMENTS[0], "proj:geometry": {"type": "Point"}}
    },
    "extensions": {"stac_extensions": ["https://x"], "stac_version": "1.1.0"},
    "other order": dict(
        reversed(list(plain_item(properties={"z": 1, "datetime": MOMENTS[0], "a": 1}).items()))
    ),
    "text": {"properties": {"datetime": MOMENTS[0], "a": '\x00\x7f"\\ü\U0001f6f0\n'}},
}


@pytest.mark.parametrize("name", AWKWARD)
async def test_an_item_alone_comes_back_as_it_was(tmp_path: Path, take: Take, data: Path, name: str) -> None:
    wanted, found = await exported(tmp_path, take, plain_item() | AWKWARD[name])
    assert found == wanted
    assert len(found) == 1


async def test_all_of_them_in_one_file_come_back_as_they_were(tmp_path: Path, take: Take, data: Path) -> None:
    items = [plain_item(id=f"{n}") | change for n, change in enumerate(AWKWARD.values())]
    wanted, found = await exported(tmp_path, take, *(each | {"id": f"{n}"} for n, each in enumerate(items)))
    assert found == wanted
    assert len(found) == len(AWKWARD)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abcde"), inner, max_size=4),
    max_leaves=12,
)


@given(
    have=st.dictionaries(st.sampled_from("abcd"), json_values),
    want=st.dictionaries(st.sampled_from("abcd"), json_values),
)
def test_differences_lead_from_any_object_to_any_other(have: dict[str, Any], want: dict[str, Any]) -> None:
    changed = copy.deepcopy(have)
    mend(changed, msgspec.json.encode(differences(have, want)).decode())
    assert repr(changed) == repr(msgspec.json.decode(msgspec.json.encode(want)))
    assert differences(want, want) == []


async def test_random_properties_come_back_as_they_were(tmp_path: Path, take: Take, data: Path) -> None:
    draw = random.Random(5)

    def value(depth: int) -> Any:
        kind = draw.randrange(9 if depth else 6)
        if kind < 6:
            return [None, True, draw.randrange(-9, 9), draw.random(), "text", float(draw.randrange(9))][kind]
        if kind == 6:
            return [value(depth - 1) for _ in range(draw.randrange(4))]
        return {draw.choice("abcd"): value(depth - 1) for _ in range(draw.randrange(4))}

    items = [
        plain_item(
            id=f"{n}",
            properties={draw.choice("vwxyz"): value(3) for _ in range(5)} | {"datetime": MOMENTS[0]},
        )
        for n in range(300)
    ]
    wanted, found = await exported(tmp_path, take, *items)
    assert found == wanted


async def test_what_was_exported_changes_nothing_when_it_is_taken_again(
    tmp_path: Path, take: Take, data: Path, opened: Opened
) -> None:
    write(data / "x.bin", b"content")
    own = plain_item(id="own", assets={"data": {"href": "x.bin"}})
    take(write(data / "items.ndjson", own, *(plain_item(id=f"{n}") for n in range(2500)), collections()[0]))
    path = await round_trip(tmp_path)
    assert groups_of(path) == [1000, 1000, 501]
    before = await held(opened)
    report = take(path)
    assert report.items == {
        "unchanged": 2500,
        "changed": 1,
    }  # an own file is now one of a site, at its address
    assert report.collections == {"unchanged": 1}
    assert await held(opened) == before


async def test_two_sites_that_exchange_files_hold_the_same(tmp_path: Path, take: Take, data: Path) -> None:
    write(data / "x.bin", b"content")
    own = plain_item(id="own", assets={"data": {"href": "x.bin"}})
    take(write(data / "items.ndjson", own, plain_item(id="b"), *collections()[:2]))
    first = (await round_trip(tmp_path, form="ndjson")).read_bytes()
    assert first.count(b"\n") == 4
    assert b'"https://example.org/data/scenes/x.bin"' in first
    for form in ("ndjson", "parquet"):
        other = tmp_path / f"other-{form}"
        report = ingest(SqliteStore(other), [await round_trip(tmp_path, form=form)], Options(Folders({})))
        assert (report.items, report.collections, report.refused) == ({"added": 2}, {"added": 2}, [])
        assert (await round_trip(other, form="ndjson")).read_bytes() == first


async def test_only_what_is_asked_is_exported(tmp_path: Path, take: Take, data: Path) -> None:
    east = {"geometry": {"type": "Point", "coordinates": [100.0, 0.0]}, "bbox": [100.0, 0.0, 100.0, 0.0]}
    items = [plain_item(id="a"), plain_item(id="b", collection="two"), plain_item(id="c") | east]
    items.append(plain_item(id="d", properties={"datetime": "1999-01-01T00:00:00Z"}))
    take(write(data / "items.ndjson", *items))
    for query, ids in {
        (("collections", "one"),): {"a", "c", "d"},
        (("bbox", "90,-5,110,5"),): {"c"},
        (("datetime", "../2000-01-01T00:00:00Z"),): {"d"},
        (("collections", "two"), ("datetime", "../2000-01-01T00:00:00Z")): set(),
    }.items():
        path = await round_trip(tmp_path, from_query(query))
        assert {item["id"] for item in items_in(path)} == ids
        described = msgspec.json.decode(pq.read_schema(path).metadata[METADATA])
        asked = dict(query).get("collections")
        assert set(described["collections"]) == ({asked} if asked else {"one", "two"})
    with pytest.raises(NotFound, match="no collection 'three'"):
        await round_trip(tmp_path, from_query([("collections", "three")]))
    assert hidden(tmp_path) == []  # nothing half-written


async def test_the_file_is_geoparquet_for_others(tmp_path: Path, take: Take, data: Path) -> None:
    take(
        write(
            data / "items.ndjson", plain_item(id="a") | AWKWARD["heights"], plain_item(id="b", geometry=None)
        )
    )
    table = pq.read_table(await round_trip(tmp_path))
    geo = msgspec.json.decode(table.schema.metadata[b"geo"])
    assert (geo["version"], geo["primary_column"]) == ("1.1.0", "geometry")
    assert geo["columns"]["geometry"]["encoding"] == "WKB"
    assert geo["columns"]["geometry"]["covering"]["bbox"]["xmin"] == ["bbox", "xmin"]
    assert table.schema.field("datetime").type == pa.timestamp("us", "UTC")
    assert pa.types.is_struct(table.schema.field("bbox").type)
    shapes = [wkb and shapely.from_wkb(wkb) for wkb in table["geometry"].to_pylist()]
    assert shapely.equals(shapes[0], shapely.Point(10, 50, 90))
    assert shapes[1] is None


def foreign(path: Path, metadata: dict[bytes, bytes] | None = None, **columns: Any) -> Path:
    """A file as others write it: without our column."""
    point = shapely.to_wkb(shapely.Point(10, 50))
    box = {"xmin": 10.0, "ymin": 50.0, "xmax": 10.0, "ymax": 50.0}
    table = {
        "id": ["a", "b"],
        "geometry": [point, point],
        "bbox": [box, box],
        "collection": ["one", "one"],
        "links": pa.array([[], []], pa.list_(pa.struct([("href", pa.string())]))),
        "assets": [
            {"data": {"href": "https://x", "title": None}, "other": None},
            {"other": {"href": "https://y"}},
        ],
        "datetime": pa.array([1_590_000_000_000, None], pa.timestamp("ms", "UTC")),
        "start_datetime": pa.array([None, 1_590_000_000_000_000_000], pa.timestamp("ns", "UTC")),
        "end_datetime": pa.array([None, 1_590_000_000_123_000], pa.timestamp("us")),
    } | columns
    made = pa.table({name: column for name, column in table.items() if column is not None})
    pq.write_table(made.replace_schema_metadata(metadata or {}), path)
    return path


def test_a_file_of_others_is_read(tmp_path: Path) -> None:
    path = foreign(
        tmp_path / "x.parquet",
        gsd=[float("nan"), 10.0],
        **{"proj:code": pa.array(["EPSG:1", "EPSG:1"]).dictionary_encode()},
    )
    first, second = items_in(path)
    assert first == {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": "a",
        "collection": "one",
        "links": [],
        "geometry": {"type": "Point", "coordinates": [10.0, 50.0]},
        "bbox": [10.0, 50.0, 10.0, 50.0],
        "assets": {"data": {"href": "https://x"}},
        "properties": {"datetime": "2020-05-20T18:40:00Z", "proj:code": "EPSG:1"},
    }
    assert second["assets"] == {"other": {"href": "https://y"}}
    assert second["properties"] == {
        "datetime": None,
        "start_datetime": "2020-05-20T18:40:00Z",
        "end_datetime": "2020-05-20T18:40:00.123Z",
        "gsd": 10.0,
        "proj:code": "EPSG:1",
    }


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"geometry": None}, "no column geometry"),
        ({"assets": None}, "no column assets"),
        ({"geometry": [b"x", b"y"]}, "not WKB"),
        ({"thumbnail": [b"\x00", b"\x01"]}, "holds what is no JSON"),
        ({EXACT: ['[[["properties", "x", "y"], 1]]', None]}, "does not fit"),
        ({EXACT: ["{", None]}, "does not fit"),
        ({EXACT: ['[["assets", "order", [1]]]', None]}, "does not fit"),
        ({"metadata": {b"geo": b'{"columns": {"geometry": {"encoding": "point"}}}'}}, "encoded as point"),
        ({"metadata": {b"geo": b"["}}, "not JSON"),
        (
            {
                "metadata": {
                    b"geo": b'{"columns": {"geometry": {"crs": {"id": {"authority": "EPSG", "code": 3857}}}}}'
                }
            },
            "not in longitude and latitude",
        ),
    ],
)
def test_a_file_that_is_none_is_refused(data: Path, take: Take, change: dict[str, Any], reason: str) -> None:
    report = take(foreign(data / "x.parquet", **change))
    assert report.items == {}
    assert reason in report.refused[0][1]


def test_rubbish_is_refused(data: Path, take: Take) -> None:
    good = foreign(data / "good.parquet").read_bytes()
    draw = random.Random(3)
    for number in range(60):
        torn = bytearray(good)
        for _ in range(draw.randrange(1, 20)):
            torn[draw.randrange(len(torn))] = draw.randrange(256)
        (data / f"{number}.parquet").write_bytes(torn if number % 3 else torn[: draw.randrange(len(torn))])
    (data / "empty.parquet").write_bytes(b"")
    (data / "text.parquet").write_bytes(b"PAR1 not really PAR1")
    report = take(data)
    assert len(report.refused) >= 20
    assert all(reason for _, reason in report.refused)


def test_a_row_that_cannot_be_taken_is_named(data: Path, take: Take) -> None:
    path = foreign(data / "x.parquet", collection=["one", None])
    report = take(path)
    assert report.items == {"added": 1}
    assert report.refused == [(f"{path}:2", "it names no collection; say which with --collection")]


async def test_the_file_cannot_be_written_where_there_is_no_folder(
    tmp_path: Path, take: Take, data: Path
) -> None:
    take(write(data / "item.json", plain_item()))
    source = SqliteStore(tmp_path).source(data_url=EXAMPLE, secret=b"s")
    with pytest.raises(BadInput, match="cannot be written"):
        await export(source, SearchRequest(), tmp_path / "nowhere" / "x.ndjson", "ndjson")
    source.close()


def test_the_format_is_told_by_the_suffix_or_the_option() -> None:
    assert format_of(Path("x.GeoParquet"), None) == format_of(Path("x"), "parquet") == "parquet"
    assert format_of(Path("x.ndjson"), None) == format_of(Path("x.parquet"), "ndjson") == "ndjson"
    for path, wanted in ((Path("x"), None), (Path("x.ndjson"), "csv")):
        with pytest.raises(BadRequest, match="which format"):
            format_of(path, wanted)


async def test_real_items_come_back_as_they_were(tmp_path: Path, take: Take, data: Path) -> None:
    folder = SHARED / "discovery"
    if not folder.is_dir():
        pytest.skip(f"no real items here: {folder} is absent")
    take(*sorted((folder / "stac_items").rglob("*.json")), folder / "eodc" / "items.json")
    wanted = (await round_trip(tmp_path, form="ndjson")).read_bytes().splitlines()
    found = [msgspec.json.encode(item) for item in items_in(await round_trip(tmp_path))]
    assert len(found) >= 10
    assert found == wanted[-len(found) :]
