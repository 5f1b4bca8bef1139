"""Records and searches to try the source with: few times, values and places, so that there are many ties."""

import uuid
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from cscale.stac.search import NEWEST_FIRST, SearchRequest, SortField
from cscale.stac.times import Interval
from cscale.testing.searches import boxes
from cscale.testing.searches import requests as any_requests
from tests.discovery.odata.language import Record

MOMENTS = ("2020-08-08T01:03:11.024000Z", "2020-08-08T01:03:11.025000Z", "2020-08-15T00:00:00.000000Z",
           "2014-10-04T00:58:44.620000Z", "2021-01-01T00:00:00.500000Z")  # fmt: skip
BEGINNINGS = ("S2A_MSIL1C_", "S2B_MSIL1C_", "S2B_MSIL2A_", "S1A_IW_GRDH_1SDV_", "S3A_OL_1_EFR____", "S9X_")
_KINDS = {"S2A_MSIL1C_": "S2MSI1C", "S2B_MSIL1C_": "S2MSI1C", "S2B_MSIL2A_": "S2MSI2A",
          "S1A_IW_GRDH_1SDV_": "IW_GRDH_1S", "S3A_OL_1_EFR____": "OL_1_EFR___"}  # fmt: skip
NAMES = tuple(f"{begin}{number}" for begin in BEGINNINGS for number in ("a", "b'c", "d%"))
ENDINGS = ("", ".SAFE", ".zip")
COLLECTIONS = ("SENTINEL-2/S2MSI1C", "SENTINEL-2/S2MSI2A", "SENTINEL-1/IW_GRDH_1S", "SENTINEL-3/OL_1_EFR___",
               "SENTINEL-2")  # fmt: skip
_VALUES: dict[str, tuple[str, tuple[Any, ...]]] = {
    "cloudCover": ("Double", (0, 9.9, 10, 10.0, 100, -1, 101.5)),
    "relativeOrbitNumber": ("Integer", (1, 45, 175, 0)),
    "orbitNumber": ("Integer", (26783, 26784)),
    "orbitDirection": ("String", ("ASCENDING", "DESCENDING", "ascending", "Sideways")),
    "processingLevel": ("String", ("S2MSI1C", "S2MSI2A", "LEVEL1", "odd")),
    "operationalMode": ("String", ("IW", "INS-NOBS")),
    "tileId": ("String", ("54PXA", "33UUP", "x")),
    "instrumentShortName": ("String", ("MSI", "SAR", "MSI ", "SYNERGY")),
    "polarisationChannels": ("String", ("VV", "VV&VH", "VH,VV", "XX")),
    "processorVersion": ("String", ("05.00", "5", "it's")),
    "timeliness": ("String", ("Fast-24h", "NRT-3h")),
}


def _ring(west: float, south: float, size: float) -> dict[str, Any]:
    east, north = min(west + size, 180), min(south + size, 90)
    return {
        "type": "Polygon",
        "coordinates": [[[west, south], [east, south], [east, north], [west, north], [west, south]]],
    }


def _record(begin: str, name: str, ending: str, start: str, end: str | None, **told: Any) -> Record:
    kind = _KINDS.get(begin)
    attributes = [
        {"@odata.type": f"#OData.CSC.{_VALUES[each][0]}Attribute", "Name": each, "Value": value}
        for each, value in told["attributes"].items()
    ]
    if kind is not None:
        attributes.append({"@odata.type": "#OData.CSC.StringAttribute", "Name": "productType", "Value": kind})
    mission = f"Sentinel-{begin[1]}" if begin != "S9X_" else "Sentinel-2"
    return {
        "Name": f"{name}{ending}",
        "ContentLength": 5,
        "Online": told["online"],
        "PublicationDate": told["published"],
        "ModificationDate": told["published"],
        "ContentDate": {"Start": start, "End": end},
        "GeoFootprint": told["place"],
        "S3Path": f"/eodata/{mission}/{name}",
        "Collection": {"Name": mission.upper()},
        "Attributes": attributes,
        "Assets": [],
    }


def records(endings: Sequence[str] = ENDINGS, max_size: int = 14) -> st.SearchStrategy[list[Record]]:
    """What an archive holds, no two of one name."""
    attributes = st.fixed_dictionaries(
        {}, optional={name: st.sampled_from(values) for name, (_, values) in _VALUES.items()}
    )
    places = st.none() | st.builds(
        _ring,
        st.sampled_from((-180.0, -10.5, 0.0, 170.0)),
        st.sampled_from((-90.0, 0.0, 10.0)),
        st.just(10.5),
    )
    one = st.sampled_from(NAMES).flatmap(
        lambda name: st.builds(
            _record,
            st.just(next(begin for begin in BEGINNINGS if name.startswith(begin))),
            st.just(name),
            st.sampled_from(endings),
            st.sampled_from(MOMENTS),
            st.none() | st.sampled_from(MOMENTS),
            attributes=attributes,
            online=st.booleans() | st.none(),
            published=st.sampled_from(MOMENTS),
            place=places,
        )
    )
    unique = st.lists(one, max_size=max_size, unique_by=lambda record: record["Name"].partition(".")[0])
    return unique.map(_identified)


def _identified(drawn: list[Record]) -> list[Record]:
    return [
        {**record, "Id": str(uuid.uuid5(uuid.NAMESPACE_DNS, str(number)))}
        for number, record in enumerate(drawn)
    ]


_NUMBERS = ("eo:cloud_cover", "sat:relative_orbit", "sat:absolute_orbit")
_TEXTS = ("sat:orbit_state", "product:type", "processing:level", "processing:version",
          "sar:instrument_mode", "grid:code", "platform", "constellation",
          "product:timeliness_category", "id", "nowhere")  # fmt: skip
_WORDS = ("ascending", "S2MSI1C", "L1C", "L1", "05.00", "it's", "IW", "MGRS-54PXA", "MGRS-x", "sentinel-2a",
          "sentinel-2", "NRT-3h", "Sideways", "", *NAMES[:4])  # fmt: skip
_LISTS = ("instruments", "sar:polarizations")


def _op(op: str, *args: Any) -> dict[str, Any]:
    return {"op": op, "args": list(args)}


def _named(name: str) -> dict[str, str]:
    return {"property": name}


def filters() -> st.SearchStrategy[dict[str, Any]]:
    """CQL2 on what the archive knows, and on what it does not."""
    orders = st.sampled_from(["=", "<>", "<", "<=", ">", ">="])
    numbers = st.sampled_from([0, 9.9, 10, 45, 45.5, 100, -1, 1e300, -1e300, 26783, "10"])
    number = st.sampled_from(_NUMBERS).map(_named)
    text = st.sampled_from(_TEXTS).map(_named)
    word = st.sampled_from(_WORDS)
    moments = st.sampled_from([*MOMENTS, "2020-08-08T01:03:11.0245Z", "2020-08-08T01:03:11Z"])
    instants = moments.map(lambda told: {"timestamp": told}) | st.just({"date": "2020-08-08"})
    stretches = st.tuples(st.sampled_from(MOMENTS), st.sampled_from((*MOMENTS, ".."))).map(
        lambda two: {"interval": [min(two), max(two)] if two[1] != ".." else list(two)}
    )
    patterns = st.sampled_from(["S2%", "%MSIL1C%", "%SAFE%", "S2_\\_%", "%", "S2A_MSIL1C_a", "%a", "S2A%a"])
    one = st.one_of(
        st.builds(_op, orders, number, numbers),
        st.builds(_op, orders, numbers, number),
        st.builds(_op, orders, text, word | numbers),
        st.builds(_op, st.just("between"), number, numbers, numbers),
        st.builds(_op, st.just("in"), text, st.lists(word, min_size=1, max_size=3)),
        st.builds(_op, st.just("in"), number, st.lists(numbers, min_size=1, max_size=3)),
        st.builds(_op, st.just("isNull"), number | text),
        st.builds(_op, st.just("like"), st.just(_named("id")) | text, patterns),
        st.builds(_op, orders, st.sampled_from(["datetime", "published", "updated"]).map(_named), instants),
        st.builds(_op, st.sampled_from(["t_after", "t_before", "t_intersects", "t_disjoint", "t_during",
                                        "t_equals", "t_contains"]), st.just(_named("datetime")), stretches),
        st.builds(_op, st.sampled_from(["a_contains", "a_equals", "a_overlaps", "a_containedBy"]),
                  st.sampled_from(_LISTS).map(_named),
                  st.lists(st.sampled_from(["msi", "c-sar", "VV", "VH"]), min_size=1, max_size=2)),
        st.builds(_op, st.sampled_from(["s_intersects", "s_within", "s_disjoint"]),
                  st.just(_named("geometry")),
                  boxes().map(lambda box: {"bbox": [box.west, box.south, box.east, box.north]})),
    )  # fmt: skip
    return st.recursive(
        one,
        lambda inner: (
            st.builds(_op, st.sampled_from(["and", "or"]), inner, inner)
            | st.builds(_op, st.just("not"), inner)
        ),
        max_leaves=4,
    )


def _intervals() -> st.SearchStrategy[Interval]:
    texts = st.tuples(st.sampled_from(MOMENTS), st.sampled_from(MOMENTS)).map(
        lambda two: f"{min(two)}/{max(two)}"
    )
    one = st.sampled_from(MOMENTS)
    return (texts | one | one.map(lambda told: f"../{told}") | one.map(lambda told: f"{told}/..")).map(
        Interval.parse
    )


def requests() -> st.SearchStrategy[SearchRequest]:
    """Searches on what such an archive holds, and any others."""
    names = st.sampled_from(("datetime", "published", "updated", "start_datetime", "eo:cloud_cover", "id"))
    orders = st.lists(st.builds(SortField, names, st.booleans()), min_size=1, max_size=2,
                      unique_by=lambda each: each.name).map(tuple)  # fmt: skip
    optional = {
        "collections": st.lists(st.sampled_from(COLLECTIONS), min_size=1, max_size=3, unique=True).map(tuple),
        "ids": st.lists(st.sampled_from((*NAMES, "x.SAFE")), min_size=1, max_size=4, unique=True).map(tuple),
        "bbox": boxes(),
        "datetime": _intervals(),
        "filter": filters(),
    }
    part = st.sampled_from([*optional, "filter"]).flatmap(
        lambda name: optional[name].map(lambda drawn: {name: drawn})
    )
    own = st.builds(
        lambda parts, sortby, limit: SearchRequest(
            **{name: value for each in parts for name, value in each.items()}, sortby=sortby, limit=limit
        ),
        st.lists(part, max_size=3),
        st.just(NEWEST_FIRST) | orders,
        st.sampled_from((1, 2, 3, 100)),
    )
    return st.one_of(own, own, own, any_requests())
