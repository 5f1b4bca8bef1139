"""Which real products there are, and what their items must hold."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NOT_HERE = {"created", "providers", "proj:centroid", "proj:epsg"}
"""Of every item: when it was written, which is the catalogue's to say; what is the collection's; what
follows from the footprint; and the older way to write `proj:code`."""
OF_THE_TILE = {"view:azimuth", "view:incidence_angle", "view:sun_azimuth", "view:sun_elevation"}
OF_METADATA = {"eo:snow_cover", "eo:cloud_cover", *OF_THE_TILE}
RASTER = {"proj:bbox", "proj:shape", "proj:transform"}
"""Of Sentinel-1: radar images have tie points, and no transform that would place them in EPSG:4326."""
PIXELS = {"sar:pixel_spacing_range", "sar:pixel_spacing_azimuth", "s1:shape"}
"""In annotations, which are not beside these manifests."""


@dataclass(frozen=True)
class Case:
    """A product, and what its item must hold.

    Attributes:
        path: In the shared data.
        collection: Of the item.
        missing: How many of the files it names are not there.
        item: Its name.
        theirs: Another's item of it; `.../expected_output.json` stands beside it.
        lacks: What theirs has and ours has not, by property or its prefix with a colon at the end.
        overlap: At least of both footprints: intersection over union.
        holds: Properties that it must have.
    """

    path: str
    collection: str
    missing: int
    item: str | None = None
    theirs: str | None = None
    lacks: frozenset[str] | set[str] = frozenset()
    overlap: float = 0.999
    holds: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return Path(self.path).name


SAFES, S2, S1, S3 = (
    "discovery/safe_manifests",
    "discovery/s2_safe",
    "discovery/s1_stactools",
    "discovery/s3_stactools",
)
AWS = "discovery/s2_aws_form"
OURS = "expected_output.json"
GSD = {"s3:gsd"}  # `gsd` says it in common words

CASES = [
    Case(
        f"{SAFES}/S1A_EW_SLC__1SDH_20210403T122536_20210403T122630_037286_046484_8152.SAFE",
        "sentinel-1-slc",
        43,
        holds={
            "sar:polarizations": ["HH", "HV"],
            "sar:instrument_mode": "EW",
            "sat:orbit_state": "descending",
        },
    ),
    Case(
        f"{SAFES}/S1A_IW_GRDH_1SDV_20210809T173953_20210809T174018_039156_049F13_6FF8.SAFE",
        "sentinel-1-grd",
        11,
        theirs=f"{S1}/grd/S1A_IW_GRDH_1SDV_20210809T173953_20210809T174018_039156_049F13",
        lacks=RASTER | PIXELS,
        holds={"product:type": "IW_GRDH_1S", "product:timeliness": "PT3H", "processing:version": "003.31"},
    ),
    Case(
        f"{SAFES}/S1A_S3_SLC__1SDV_20210401T152855_20210401T152914_037258_04638E_6001.SAFE",
        "sentinel-1-slc",
        11,
        holds={"sar:instrument_mode": "SM", "sar:product_type": "SLC"},
    ),
    Case(
        f"{SAFES}/S1A_S6_SLC__1SDV_20210402T115512_20210402T115535_037271_046407_39FD.SAFE",
        "sentinel-1-slc",
        11,
        holds={"sar:instrument_mode": "SM", "sat:absolute_orbit": 37271},
    ),
    Case(
        f"{SAFES}/S1B_IW_SLC__1SDV_20210401T052622_20210401T052650_026269_032297_EFA4.SAFE",
        "sentinel-1-slc",
        27,
        holds={"platform": "sentinel-1b", "sat:platform_international_designator": "2016-025A"},
    ),
    Case(
        f"{SAFES}/S1C_S4_GRDH_1SDH_20250118T171404_20250118T171421_000638_000538_4B8B.SAFE",
        "sentinel-1-grd",
        13,
        holds={
            "platform": "sentinel-1c",
            "sat:platform_international_designator": "2024-235A",
            "sat:relative_orbit": 15,
            "sar:resolution_range": 23,
            "s1:orbit_source": "PREORB",
        },
    ),
    Case(
        "discovery/s1_aws_form/S1A_EW_GRDM_1SDH_20221130T014342_20221130T014446_046117_058549_BB15",
        "sentinel-1-grd",
        13,
        theirs=f"{S1}/grd/S1A_EW_GRDM_1SDH_20221130T014342_20221130T014446_046117_058549",
        lacks=RASTER | PIXELS,
    ),
    Case(
        "sar/pyrosar/S1A_IW_GRDH_1SDV_20150222T170750_20150222T170815_004739_005DD8_3768.zip",
        "sentinel-1-grd",
        2,
        holds={
            "s1:shape": [25368, 16685],
            "sar:pixel_spacing_range": 10,
            "sat:orbit_state": "ascending",
            "sat:platform_international_designator": "2014-016A",
        },  # the manifest says 0000-000A
    ),
    Case(
        "sar/sarsen_rome/S1B_IW_GRDH_1SDV_20211223T051122_20211223T051147_030148_039993_5371.SAFE",
        "sentinel-1-grd",
        9,
        holds={"s1:shape": [26102, 16705], "view:incidence_angle": 38.91812789621374},
    ),
    Case(
        f"{SAFES}/S2A_MSIL1C_20210403T101021_N0300_R022_T33TUM_20210403T110551.SAFE",
        "sentinel-2-l1c",
        19,
        holds={
            "datetime": "2021-04-03T10:10:21.024000Z",
            "grid:code": "MGRS-33TUM",
            "proj:code": "EPSG:32633",
            "sat:orbit_state": "descending",
            "s2:processing_baseline": "03.00",
        },
    ),
    Case(
        f"{S2}/S2A_MSIL1C_20210908T042701_N0301_R133_T46RER_20210908T070248.SAFE",
        "sentinel-2-l1c",
        18,
        theirs=OURS,
        lacks=OF_THE_TILE,  # the tile's metadata are not there
    ),
    Case(
        f"{S2}/S2A_MSIL2A_20190212T192651_N0212_R013_T07HFE_20201007T160857.SAFE",
        "sentinel-2-l2a",
        38,
        theirs=OURS,
    ),
    Case(
        f"{S2}/S2A_MSIL2A_20230625T234621_N0509_R073_T01WCP_20230626T022157.SAFE",
        "sentinel-2-l2a",
        43,
        theirs=OURS,
        holds={
            "sat:absolute_orbit": 41826,
            "processing:facility": "2APS",
            "s2:mean_solar_zenith": 42.8949736512547,
        },
    ),
    Case(
        f"{S2}/S2A_MSIL2A_20230625T234621_N0509_R073_T01WCP_20230626T022158.SAFE",
        "sentinel-2-l2a",
        43,
        theirs=OURS,
    ),
    Case(
        "optical/s2_l1c_safe/S2A_MSIL1C_20180101T105441_N0206_R051_T31TDH_20180101T124911",
        "sentinel-2-l1c",
        13,
        holds={
            "eo:cloud_cover": 11.9204,
            "view:sun_azimuth": 166.328513490143,
            "s2:datatake_type": "INS-NOBS",
        },
    ),
    # Only tileInfo.json is there of these; what else theirs hold is of metadata.xml. Their outlines are
    # simplified to a few corners, ours by 20 m.
    Case(
        f"{AWS}/S2A_OPER_MSI_L1C_TL_SGS__20181231T203637_A018414_T10SDG",
        "sentinel-2-l1c",
        14,
        "S2A_MSIL1C_20181231T185801_N0207_R113_T10SDG_20181231T203637",
        OURS,
        OF_METADATA | {"s2:"},
        holds={"eo:cloud_cover": 0.01},  # rounded in tileInfo.json: 0.0138
    ),
    Case(
        f"{AWS}/S2A_OPER_MSI_L2A_TL_SGS__20181231T210250_A018414_T10SDG",
        "sentinel-2-l2a",
        35,
        "S2A_MSIL2A_20181231T185801_N0211_R113_T10SDG_20181231T210250",
        OURS,
        OF_METADATA | {"s2:"},
    ),
    Case(
        f"{AWS}/S2A_OPER_MSI_L2A_TL_VGS1_20220401T110010_A035382_T34LBQ",
        "sentinel-2-l2a",
        35,
        "S2A_MSIL2A_20220401T083601_N0400_R064_T34LBQ_20220401T110010",
        OURS,
        OF_METADATA | {"s2:"},
        0.98,
    ),
    Case(
        f"{AWS}/S2A_T60CWS_20240109T203651_L2A",
        "sentinel-2-l2a",
        35,
        "S2A_MSIL2A_20240109T184751_N0510_R041_T60CWS_20240109T203651",
        OURS,
        OF_METADATA | {"s2:"},
        0.99,
    ),
    Case(
        f"{SAFES}/S3A_OL_2_WFR____20210604T001016_20210604T001316_"
        "20210604T021918_0179_072_273_1440_MAR_O_NR_003.SEN3",
        "sentinel-3-olci-2-wfr",
        31,
        theirs=f"{S3}/S3A_OL_2_WFR_20210604T001016_20210604T001316_0179_072_273_1440.json",
        lacks=GSD,
        holds={"gsd": 300, "product:timeliness": "PT3H", "processing:version": "003"},
    ),
    Case(
        f"{SAFES}/S3A_SL_2_LST____20210510T002955_20210510T003255_"
        "20210511T101010_0179_071_301_5760_LN2_O_NT_004.SEN3",
        "sentinel-3-slstr-2-lst",
        11,
        theirs=f"{S3}/S3A_SL_2_LST_20210510T002955_20210510T003255_0179_071_301_5760.json",
        lacks=GSD,
    ),
    Case(
        f"{SAFES}/S3A_SR_2_WAT____20210704T012815_20210704T021455_"
        "20210729T173140_2800_073_316______MAR_O_NT_004.SEN3",
        "sentinel-3-sral-2-wat",
        3,
        theirs=f"{S3}/S3A_SR_2_WAT_20210704T012815_20210704T021455_2800_073_316.json",
        lacks=GSD,
    ),
    Case(
        "discovery/products/S3A_SR_1_SRA____20230309T204558_20230309T204623_20230309T225028_0024_096_214______"
        "PS1_O_NR_004.zip",
        "sentinel-3-sral-1-sra",
        0,
        holds={
            "s3:open_ocean": 100,
            "sat:absolute_orbit": 36762,
            "instruments": ["sral"],
            "start_datetime": "2023-03-09T20:45:58.338747Z",
        },
    ),
]
