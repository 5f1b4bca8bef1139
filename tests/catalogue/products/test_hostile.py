"""What is broken, garbled or meant ill is refused, with the file and the reason; never anything else."""

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cscale.catalogue.products import is_product, read_product
from cscale.catalogue.products.files import inner
from cscale.catalogue.products.markup import parse_xml
from cscale.errors import BadInput

RADAR = "discovery/safe_manifests/S1C_S4_GRDH_1SDH_20250118T171404_20250118T171421_000638_000538_4B8B.SAFE"
OPTICAL = "discovery/s2_safe/S2A_MSIL2A_20190212T192651_N0212_R013_T07HFE_20201007T160857.SAFE"
TILE = "discovery/s2_aws_form/S2A_T60CWS_20240109T203651_L2A"
AWS_RADAR = "discovery/s1_aws_form/S1A_EW_GRDM_1SDH_20221130T014342_20221130T014446_046117_058549_BB15"
ALTIMETER = (
    "discovery/safe_manifests/S3A_SR_2_WAT____20210704T012815_20210704T021455_20210729T173140_2800_073_316"
    "______MAR_O_NT_004.SEN3"
)
SRAL = (
    "discovery/products/S3A_SR_1_SRA____20230309T204558_20230309T204623_20230309T225028_0024_096_214______"
    "PS1_O_NR_004.zip"
)
GRANULE = "GRANULE/L2A_T07HFE_A019029_20190212T192646/MTD_TL.xml"
SPOILT = [
    (RADAR, "manifest.safe"),
    (OPTICAL, "manifest.safe"),
    (OPTICAL, "MTD_MSIL2A.xml"),
    (OPTICAL, GRANULE),
    (TILE, "tileInfo.json"),
    (AWS_RADAR, "productInfo.json"),
    (ALTIMETER, "xfdumanifest.xml"),
]

Copied = Callable[..., Path]


def read_or_refuse(path: Path) -> None:
    """Read a product that may be spoilt: an item, or an error that names it."""
    is_product(path)
    refused = ""
    try:
        item = read_product(path).item
    except BadInput as error:
        refused = str(error)
    if refused:
        assert str(path) in refused
    else:
        assert item["geometry"]
        assert item["properties"]["datetime"]


def garbled(data: st.DataObject, whole: bytes) -> bytes:
    """Bytes cut short, with a stretch of others in them, or with a word exchanged."""
    at = data.draw(st.integers(0, len(whole) - 1))
    match data.draw(st.sampled_from(("cut", "stretch", "number", "word"))):
        case "cut":
            return whole[:at]
        case "stretch":
            return (
                whole[:at] + data.draw(st.binary(max_size=40)) + whole[at + data.draw(st.integers(0, 60)) :]
            )
        case "number":
            digits = [
                place for place in range(at, min(at + 3000, len(whole))) if whole[place : place + 1].isdigit()
            ]
            at = digits[0] if digits else at
            return (
                whole[:at]
                + data.draw(st.sampled_from((b"x", b"-", b"9" * 400, b"NaN", b"1e999")))
                + whole[at + 1 :]
            )
        case _:
            old, new = data.draw(
                st.sampled_from(
                    (
                        (b"href=", b"hrev="),
                        (b"./", b"../../"),
                        (b"Time>", b"Tyme>"),
                        (b"2", b"\xff"),
                        (b"gml:", b""),
                    )
                )
            )
            return whole.replace(old, new)


@pytest.mark.parametrize(("name", "file"), SPOILT, ids=lambda value: Path(value).name)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=40)
@given(data=st.data())
def test_garbled_metadata_are_read_or_refused(
    real: Callable[[str], Path], tmp_path: Path, name: str, file: str, data: st.DataObject
) -> None:
    source = real(name)
    path = tmp_path / source.name
    if not path.exists():
        shutil.copytree(source, path)
    (path / file).write_bytes(garbled(data, (source / file).read_bytes()))
    read_or_refuse(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=150)
@given(data=st.data())
def test_garbled_zips_are_read_or_refused(
    real: Callable[[str], Path], tmp_path: Path, data: st.DataObject
) -> None:
    source = real(SRAL)
    path = tmp_path / source.name
    if not path.exists():
        shutil.copy(source, path)
    whole = source.read_bytes()
    near_end = data.draw(st.integers(1, 1200))
    at = data.draw(st.sampled_from((len(whole) - near_end, data.draw(st.integers(0, 6000)))))
    spoilt = bytearray(whole)
    spoilt[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(min_size=1, max_size=4))
    path.write_bytes(spoilt[: data.draw(st.sampled_from((len(spoilt), at)))])
    read_or_refuse(path)


@given(st.binary(max_size=300))
def test_bytes_that_are_no_product_are_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / f"{Path(RADAR).stem}.zip"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=path.name):
        read_product(path)


@pytest.mark.parametrize(("name", "file"), SPOILT, ids=lambda value: Path(value).name)
def test_a_broken_metadata_file_is_named(copied: Copied, name: str, file: str) -> None:
    path = copied(name)
    (path / file).write_bytes(b"<broken")
    with pytest.raises(BadInput, match=file):
        read_product(path)


@pytest.mark.parametrize(
    ("name", "file"), [(RADAR, "manifest.safe"), (ALTIMETER, "xfdumanifest.xml")], ids=("radar", "altimeter")
)
def test_a_missing_manifest_is_named(copied: Copied, name: str, file: str) -> None:
    path = copied(name)
    (path / file).unlink()
    assert is_product(path)
    with pytest.raises(BadInput, match=f"{file if name == RADAR else 'manifest'}.* missing"):
        read_product(path)


def test_a_folder_with_nothing_of_a_product_is_none(tmp_path: Path) -> None:
    assert not is_product(tmp_path)
    assert not is_product(tmp_path / "absent")
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(BadInput, match="hand in"):
            read_product(path)


def test_a_folder_around_a_product_is_not_the_product(tmp_path: Path, real: Callable[[str], Path]) -> None:
    source = real(RADAR)
    around = tmp_path / source.stem
    shutil.copytree(source, around / source.name)
    assert not is_product(around)
    assert is_product(around / source.name)


def test_a_product_without_its_name_says_so(copied: Copied) -> None:
    path = copied(RADAR, called="radar")
    assert is_product(path)
    with pytest.raises(BadInput, match="give the folder its name back"):
        read_product(path)


@pytest.mark.parametrize(
    "document",
    [
        b'<!DOCTYPE a [<!ENTITY b "c">]><XFDU>&b;</XFDU>',
        b'<?xml version="1.0"?><!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
        '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'.encode("utf-16"),
        b'<?xml version="1.0" encoding="cp037"?>' + "<!DOCTYPE a><a/>".encode("cp037"),
        b'<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE a+AD4-<a/>',
        b"<a>&b;</a>",
        b"<a>" * 300 + b"</a>" * 300,
        b"<a>" + b"<b/>" * 2_000_001 + b"</a>",
        b"",
        b"\xff\xfe",
        b"<a>\x00</a>",
    ],
    ids=range(12),
)
def test_tricks_of_xml_are_refused(document: bytes) -> None:
    with pytest.raises(BadInput, match=r"^here: "):
        parse_xml(document, "here")


def test_marked_up_text_is_read_with_or_without_a_byte_order_mark() -> None:
    for start in (b"", b"\xef\xbb\xbf"):
        node = parse_xml(
            start + '<?xml version="1.0" encoding="UTF-8"?><a><b>µ &amp; 1</b></a>'.encode(), "here"
        )
        assert node.find("b") == "µ & 1"


@pytest.mark.parametrize(
    "href", ["../x", "/etc/passwd", "a/../../b", "http://x/y", "C:\\x", "a\x00b", "", "."]
)
def test_paths_that_leave_a_product_are_none(href: str) -> None:
    assert inner(href) is None


@pytest.mark.parametrize("href", ["../../../etc/passwd", "/etc/passwd", "https://example.org/x.tiff"])
def test_a_manifest_that_names_files_elsewhere_is_refused(copied: Copied, href: str) -> None:
    path = copied(RADAR)
    manifest = path / "manifest.safe"
    manifest.write_bytes(manifest.read_bytes().replace(b"./preview/quick-look.png", href.encode()))
    with pytest.raises(BadInput, match="outside the product"):
        read_product(path)


def test_a_map_of_names_that_leads_elsewhere_is_refused(copied: Copied) -> None:
    path = copied(AWS_RADAR)
    info = path / "productInfo.json"
    info.write_bytes(info.read_bytes().replace(b'"annotation/ew-hh.xml"', b'"../../secret"'))
    with pytest.raises(BadInput, match="outside the product"):
        read_product(path)


def test_a_zip_by_a_products_name_that_is_cut_short_is_refused(
    real: Callable[[str], Path], tmp_path: Path
) -> None:
    path = tmp_path / Path(SRAL).name
    path.write_bytes(real(SRAL).read_bytes()[:-5000])
    assert not zipfile.is_zipfile(path)
    assert is_product(path)  # by its name: it should be one
    with pytest.raises(BadInput, match="get the product again"):
        read_product(path)
