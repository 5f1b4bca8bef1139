"""Products in zips: read where they lie, and only what is needed of them."""

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from cscale.catalogue.products import is_product, read_product
from cscale.errors import BadInput

PAIR = "discovery/s2_safe/S2A_MSIL2A_20230625T234621_N0509_R073_T01WCP_20230626T022157.SAFE"
SMALL = "discovery/safe_manifests/S1A_S3_SLC__1SDV_20210401T152855_20210401T152914_037258_04638E_6001.SAFE"
SRAL = (
    "discovery/products/S3A_SR_1_SRA____20230309T204558_20230309T204623_20230309T225028_0024_096_214______"
    "PS1_O_NR_004.zip"
)

Real = Callable[[str], Path]


def packed(
    source: Path, target: Path, written: Callable[[str], str] = str, method: int = zipfile.ZIP_DEFLATED
) -> Path:
    """A zip of a folder, with the names in it as `written` makes them."""
    with zipfile.ZipFile(target, "w", method) as archive:
        for path in sorted(source.rglob("*")):
            if path.is_file():
                info = zipfile.ZipInfo(written(f"{source.name}/{path.relative_to(source)}"))
                info.filename = written(f"{source.name}/{path.relative_to(source)}")
                info.compress_type = method
                archive.writestr(info, path.read_bytes())
    return target


WRITTEN: dict[str, Callable[[str], str]] = {
    "plain": str,
    "backslashes": lambda name: name.replace("/", "\\"),
    "dotted": lambda name: f"./{name}",
    "at the top": lambda name: name.split("/", 1)[1],
    "deeper": lambda name: f"archive/2023/{name}",
}


@pytest.mark.parametrize("form", WRITTEN)
@pytest.mark.parametrize("name", [PAIR, SMALL])
def test_a_zip_is_the_same_item_with_itself_as_asset(
    real: Real, tmp_path: Path, name: str, form: str
) -> None:
    folder = real(name)
    path = packed(folder, tmp_path / f"{folder.stem}.zip", WRITTEN[form])
    assert is_product(path)
    item, base, missing = read_product(path)
    plain, _, plainly_missing = read_product(folder)
    assert base == tmp_path
    assert missing == plainly_missing
    for same in ("id", "collection", "geometry", "bbox", "properties"):
        assert item[same] == plain[same]
    assert list(item["assets"]) == ["product"]
    asset = item["assets"]["product"]
    assert (base / asset["href"]).samefile(path)
    assert (asset["type"], asset["file:size"]) == ("application/zip", path.stat().st_size)


def test_a_zip_by_another_name_has_the_products_own(real: Real, tmp_path: Path) -> None:
    folder = real(SMALL)
    path = packed(folder, tmp_path / "download (1).zip")
    assert is_product(path)
    item, base, _ = read_product(path)
    assert item["id"] == folder.stem
    assert item["assets"]["product"]["href"] == "./download%20%281%29.zip"
    assert base == tmp_path


def test_a_complete_zip_misses_nothing_and_is_not_unpacked(real: Real) -> None:
    path = real(SRAL)
    before = sorted(path.parent.iterdir())
    assert read_product(path).missing == ()
    assert sorted(path.parent.iterdir()) == before


def test_two_products_in_one_zip_are_refused(real: Real, tmp_path: Path) -> None:
    path = tmp_path / "both.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in (PAIR, SMALL):
            archive.write(real(name) / "manifest.safe", f"{Path(name).name}/manifest.safe")
    assert not is_product(path)
    with pytest.raises(BadInput, match="holds 2 products"):
        read_product(path)


def test_a_zip_of_something_else_is_no_product(tmp_path: Path) -> None:
    path = tmp_path / "other.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert not is_product(path)
    with pytest.raises(BadInput, match="no product's manifest"):
        read_product(path)


@pytest.mark.parametrize(
    "name", ["../manifest.safe", "/etc/manifest.safe", "a/../../b", "c:\\x\\manifest.safe"]
)
def test_names_that_leave_the_product_are_refused(real: Real, tmp_path: Path, name: str) -> None:
    folder = real(SMALL)
    path = packed(folder, tmp_path / f"{folder.stem}.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, b"x")
    with pytest.raises(BadInput, match="leaves the product"):
        read_product(path)


def test_a_manifest_that_would_inflate_without_end_is_refused(tmp_path: Path) -> None:
    name = Path(SMALL).stem
    path = tmp_path / f"{name}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{name}.SAFE/manifest.safe", b" " * 40_000_000)
    with pytest.raises(BadInput, match="would inflate to 40000000 bytes"):
        read_product(path)


def test_a_member_that_is_larger_than_it_says_is_refused(tmp_path: Path) -> None:
    """The size in the directory is a promise of whoever wrote it."""
    name = Path(SMALL).stem
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{name}.SAFE/manifest.safe", b" " * 40_000_000)
    raw = bytearray(data.getvalue())
    entry = raw.rindex(b"PK\x01\x02")
    raw[entry + 24 : entry + 28] = struct.pack("<I", 100)
    path = tmp_path / f"{name}.zip"
    path.write_bytes(raw)
    with pytest.raises(BadInput, match=r"damaged|not XML"):
        read_product(path)


def test_a_directory_larger_than_a_products_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / f"{Path(SMALL).stem}.zip"
    path.write_bytes(struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 60_000, 60_000, 0xFFFF_FFF0, 0, 0))
    with pytest.raises(BadInput, match="more than a product has"):
        read_product(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_ways_to_pack_that_products_do_not_use_are_refused(real: Real, tmp_path: Path, method: int) -> None:
    folder = real(SMALL)
    path = packed(folder, tmp_path / f"{folder.stem}.zip", method=method)
    with pytest.raises(BadInput, match="encrypted or not deflated"):
        read_product(path)
