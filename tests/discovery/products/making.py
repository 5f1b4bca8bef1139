"""Products as they are, and the forms in which sites give them; real items, and what is known of them."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

Item = dict[str, Any]
DATA = Path(__file__).parents[4] / "shared" / "data" / "discovery"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"{DATA} (real provider answers) is not here")


def features(value: Any) -> Iterator[Item]:
    """The items in an answer, however deep."""
    if isinstance(value, dict):
        if value.get("type") == "Feature" and "id" in value:
            yield value
            return
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from features(each)


def odata(value: Any) -> Iterator[tuple[str, str]]:
    """The ids and names of products in an answer of OData."""
    if isinstance(value, dict):
        low = {key.lower(): each for key, each in value.items()}
        if isinstance(low.get("id"), str) and isinstance(low.get("name"), str) and len(low["name"]) > 40:
            yield low["id"], low["name"]
            return
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from odata(each)


def real_items() -> Iterator[tuple[str, Item]]:
    """All real items of STAC, and those of OData as an adapter gives them: the name in a property."""
    for path in sorted(DATA.rglob("*json")):
        told = json.loads(path.read_text())
        place = path.relative_to(DATA).as_posix()
        for item in features(told):
            yield place, item
        for uid, name in odata(told):
            yield place, {"id": uid, "properties": {"title": name}}
    places = ("s2_safe/*", "s1_aws_form/*", "safe_manifests/*.S*", "products/*")
    for path in sorted(path for place in places for path in DATA.glob(place)):
        if "manifest.safe." not in path.name:
            yield path.name, {"id": path.name, "properties": {}}


_OFFICIAL = re.compile(
    r"S1[A-D]_\w\w_\w{4}_\d\w{3}_\d{8}T\d{6}_\d{8}T\d{6}_\d{6}_[0-9A-F]{6}_[0-9A-F]{4}"
    r"|S2[A-D]_MSIL\d\w_\d{8}T\d{6}_(?:N\d{4}_)?R\d{3}_T\w{5}_\d{8}T\d{6}"
    r"|S3[AB_]_\w\w_\d_\w{6}_(?:\d{8}T\d{6}_){3}[A-Z0-9_]{17}_\w{3}_[A-Z]_\w\w_\d{3}"
    r"|S5P_\w{4}_\w{10}_\d{8}T\d{6}_\d{8}T\d{6}_\d{5}_\d\d_\d{6}_\d{8}T\d{6}"
    r"|L[CE]0[78]_L2SP_\d{6}_\d{8}_\d{8}_\d\d_T\d"
)
_PROVENANCE = ("derived_from", "sentinel:product_ids", "landsat:landsat_product_id")


def truth(item: Item) -> str:
    """Which product an item is of, by all the official names that stand anywhere in it; else its id.

    Found by looking for names in the item's text, which is not how identities are read.
    """
    kept = {**item, "links": [link for link in item.get("links", []) if link.get("rel") != "derived_from"]}
    kept["properties"] = {key: each for key, each in item["properties"].items() if key not in _PROVENANCE}
    names = {_unversioned(name) for name in _OFFICIAL.findall(json.dumps(kept))}
    assert len(names) <= 1, names
    return names.pop() if names else f"{item.get('collection')}: {item['id']}"


def _unversioned(name: str) -> str:
    if name.startswith("S2"):
        return re.sub(r"_N\d{4}", "", name)
    if name.startswith("S3"):
        return name[:-4]
    return re.sub(r"_\d\d_\d{6}(?=_\d{8}T\d{6}$)", "", name) if name.startswith("S5P") else name


def stamp(moment: datetime) -> str:
    return f"{moment:%Y%m%dT%H%M%S}"


def rfc3339(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.024Z"


@dataclass(frozen=True)
class Made:
    """One product: what is equal for its copies, and the items by which sites give it.

    Attributes:
        product: Equal for copies, and for nothing else.
        acquisition: Equal for processings of one acquisition.
        name: Its official name.
        order: Orders processings of one acquisition, the newest last; None where names do not tell it.
        items: In all forms that tell the product.
        partial: In the forms that do not tell its processing.
    """

    product: tuple[object, ...]
    acquisition: tuple[object, ...]
    name: str
    order: tuple[str, str] | None
    items: tuple[Item, ...]
    partial: tuple[Item, ...] = ()


_NEAR = 1_591_005_600  # so that many are drawn a second apart, or at one time
MOMENTS = (
    st.integers(_NEAR, _NEAR + 2) | st.integers(_NEAR, _NEAR + 2) | st.integers(1_435_700_000, 1_890_000_000)
).map(lambda second: datetime.fromtimestamp(second, UTC))
SOON = st.integers(0, 3).map(lambda seconds: timedelta(hours=2, seconds=seconds))
TILES = st.sampled_from(("01WCP", "32TPS", "09VXK", "20EPT"))
UUID = "578f1768-e66e-5b86-9363-b19f8931cc7b"


def item(own_id: str, collection: str | None = None, /, *hrefs: str, **told: object) -> Item:
    """An item; a property's name has two underscores for its colon."""
    properties = {key.replace("__", ":"): value for key, value in told.items()}
    assets = {f"a{number}": {"href": href} for number, href in enumerate(hrefs)}
    return {"id": own_id, "collection": collection, "properties": properties, "assets": assets}


def plain_forms(name: str, end: str) -> tuple[Item, ...]:
    """The forms in which any mission's products are given."""
    return (
        item(name),
        item(f"{name}{end}"),
        item(f"urn:eop:VITO:CGS_X:{name}"),
        item(UUID, title=f"{name}{end}"),
        item(UUID, productIdentifier=f"/eodata/a/b/{name}{end}"),
        item(f"URN:FEATURE:DATA:gdh:{UUID}:V1", identifier=name, datetime="2035-01-01T00:00:00Z"),
    )


@st.composite
def sentinel1(draw: st.DrawFn) -> Made:
    unit, mode = draw(st.sampled_from("AB")), draw(st.sampled_from(("IW", "EW")))
    kind = draw(st.sampled_from(("GRDH_1SDV", "GRDH_1SDH", "SLC__1SDV")))
    start = draw(MOMENTS)
    stop = start + timedelta(seconds=draw(st.integers(20, 30)))
    orbit, datatake = draw(st.integers(1, 3)), draw(st.integers(0x05989A, 0x05989C))
    unique = draw(st.sampled_from(("6FF8", "BB15", "91FC")))
    short = f"S1{unit}_{mode}_{kind}_{stamp(start)}_{stamp(stop)}_{orbit:06}_{datatake:06X}"
    name = f"{short}_{unique}"
    href = f"s3://sentinel-s1-l1c/GRD/2025/7/31/IW/SH/{name}"
    middle = rfc3339(start + (stop - start) / 2)
    return Made(
        (short, unique),
        (unit, mode, kind, start, orbit, datatake),
        name,
        None,
        (
            *plain_forms(name, ".SAFE"),
            item(f"{name}_COG.SAFE"),
            item(short, "sentinel-1-grd", s1__product_identifier=name, datetime=middle),
            item(short, "SENTINEL1_GRD", f"{href}/manifest.safe", f"{href}/annotation/vv.xml"),
        ),
        (item(short, "sentinel-1-grd", datetime=middle),),
    )


@st.composite
def sentinel2(draw: st.DrawFn) -> Made:
    unit, level, tile = draw(st.sampled_from("AB")), draw(st.sampled_from(("1C", "2A"))), draw(TILES)
    start, orbit = draw(MOMENTS), draw(st.integers(72, 73))
    made = start + draw(SOON)
    major, minor = draw(st.sampled_from(("05", "04"))), draw(st.sampled_from(("09", "00")))
    ends = f"R{orbit:03}_T{tile}_{stamp(made)}"
    name = f"S2{unit}_MSIL{level}_{stamp(start)}_N{major}{minor}_{ends}"
    bare = f"S2{unit}_MSIL{level}_{stamp(start)}_{ends}"
    sensed = start + timedelta(seconds=draw(st.integers(-50, 2000)))
    collection = f"sentinel-2-l{level.lower()}"
    dated = f"S2{unit}_{tile.lstrip('0')}_{sensed:%Y%m%d}_0"
    timed = f"S2{unit}_T{tile}_{stamp(sensed)}_L{level}"
    datatake = f"GS2{unit}_{stamp(start)}_041489_N{major}.{minor}"
    near = {"datetime": rfc3339(sensed), "s2__datatake_id": datatake}
    uri = f"{name}.SAFE"
    href = f"https://sentinel2l2a01.blob.core.windows.net/sentinel2-l2/06/V/VN/{uri}/GRANULE/B01.tif"
    return Made(
        (unit, level, start, orbit, tile, made),
        (unit, level, start, tile),
        name,
        (stamp(made), f"{major}.{minor}"),
        (
            *plain_forms(name, ".SAFE"),
            item(bare, collection, datetime=rfc3339(start), s2__product_uri=uri),
            item(bare, collection, s2__processing_baseline=f"{major}.{minor}"),
            item(f"{dated}_L{level}", collection, s2__product_uri=uri, **near),
            item(dated, collection, sentinel__product_id=name, datetime=rfc3339(sensed)),
            item(timed, collection, s2__product_uri=uri, **near),
            item(timed, collection, href, **near),
        ),
        (
            item(f"{dated}_L{level}", collection, **near),
            item(dated, collection, datetime=rfc3339(sensed)),
            item(timed, collection),
        ),
    )


@st.composite
def sentinel3(draw: st.DrawFn) -> Made:
    unit, kind = draw(st.sampled_from("AB")), draw(st.sampled_from(("OL_2_WFR___", "SL_2_LST___")))
    start = draw(MOMENTS)
    stop = start + timedelta(seconds=180)
    made = start + draw(SOON)
    centre, stream = draw(st.sampled_from(("MAR", "LN2"))), draw(st.sampled_from(("NR", "NT")))
    frame = draw(st.sampled_from(("1440", "5760", "____")))
    baseline = draw(st.sampled_from(("002", "003")))
    place = f"0179_072_273_{frame}"
    name = (
        f"S3{unit}_{kind}_{stamp(start)}_{stamp(stop)}_{stamp(made)}_{place}_{centre}_O_{stream}_{baseline}"
    )
    short = f"S3{unit}_{kind.rstrip('_')}_{stamp(start)}_{stamp(stop)}_{place.rstrip('_')}"
    return Made(
        (unit, kind, start, stop, made, frame, centre, stream),
        # a frame of one cycle and orbit is one acquisition
        (unit, kind, frame) if frame != "____" else (unit, kind, start),
        name,
        (stamp(made), baseline),
        (
            *plain_forms(name, ".SEN3"),
            item(short, None, f"../data/{name}.SEN3/xfdumanifest.xml", f"../data/{name}.SEN3/a.nc"),
        ),
        (item(short, "sentinel-3-x", s3__processing_timeliness=stream),),
    )


@st.composite
def sentinel5p(draw: st.DrawFn) -> Made:
    stream, kind = (
        draw(st.sampled_from(("NRTI", "OFFL", "RPRO"))),
        draw(st.sampled_from(("L2__NO2___", "L2__CO____"))),
    )
    start, orbit = draw(MOMENTS), draw(st.integers(20056, 20057))
    stop = start + timedelta(minutes=100)
    made = start + draw(SOON)
    versions = draw(st.sampled_from(("02_020200", "01_010302")))
    name = f"S5P_{stream}_{kind}_{stamp(start)}_{stamp(stop)}_{orbit}_{versions}_{stamp(made)}"
    return Made(
        (stream, kind, start, orbit, made),
        (kind, orbit, start if stream == "NRTI" else None),
        name,
        (stamp(made), versions),
        plain_forms(name, ".nc"),
    )


@st.composite
def landsat(draw: st.DrawFn) -> Made:
    unit, level = draw(st.sampled_from(("LC08", "LE07"))), draw(st.sampled_from(("L2SP", "L1TP")))
    scene, day = draw(st.sampled_from(("028030", "044033"))), draw(MOMENTS)
    made = day + timedelta(days=draw(st.integers(10, 12)))
    collection, tier = draw(st.sampled_from(("01", "02"))), draw(st.sampled_from(("T1", "T2")))
    name = f"{unit}_{level}_{scene}_{day:%Y%m%d}_{made:%Y%m%d}_{collection}_{tier}"
    short = f"{unit}_{level}_{scene}_{day:%Y%m%d}_{collection}_{tier}"
    href = f"https://landsateuwest.blob.core.windows.net/landsat-c2/level-2/{name}/{name}_SR_B1.TIF"
    return Made(
        (unit, level, scene, f"{day:%Y%m%d}", f"{made:%Y%m%d}", collection, tier),
        (unit, level[:2], scene, f"{day:%Y%m%d}"),
        name,
        (f"{made:%Y%m%d}", collection),
        (
            *plain_forms(name, ".tar"),
            item(f"{name}_SR", "landsat-c2l2-sr"),
            item(f"{name}_ST", "landsat-c2l2-st"),
            item(short, "landsat-c2-l2", href, datetime=rfc3339(day)),
        ),
        (item(short, "landsat-c2-l2"),),
    )


@st.composite
def land(draw: st.DrawFn) -> Made:
    unit, tile, start = draw(st.sampled_from(("S2A", "S2B"))), draw(TILES), draw(MOMENTS)
    version, layer = draw(st.sampled_from(("100", "101"))), draw(st.sampled_from(("FAPAR", "LAI")))
    index = f"VI_{stamp(start)}_{unit}_T{tile}-010m_V{version}_{layer}"
    area = f"{layer}300_{start:%Y%m%d}0000_GLOBE_OLCI_V1.{version}.1"
    if draw(st.booleans()):
        detail = (unit, tile, start, layer)
        return Made((*detail, version), detail, index, ("", version), (*plain_forms(index, ".tif"),))
    forms = (*plain_forms(f"c_gls_{area}", ".nc"), item(area), item(f"c_gls_{area}_cog"), item(f"{area}_nc"))
    day = (f"{start:%Y%m%d}", layer)
    return Made((*day, version), day, f"c_gls_{area}", ("", version), forms)


PRODUCTS = st.one_of(sentinel1(), sentinel2(), sentinel3(), sentinel5p(), landsat(), land())
