"""The files of a product: a folder, or a zip that is read without being unpacked.

What a product holds is outside input. A name that leaves the product is refused, a file is read up to
a bound, and of a zip only the members asked for are inflated.
"""

import os
import struct
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Protocol

from cscale.errors import BadInput

METADATA_BYTES = 64 * 1024 * 1024
"""The largest metadata file that is read."""
_RATIO = 500  # deflate reaches 1032 on zeros; the tables of an annotation reach 30
_MEMBERS, _DIRECTORY_BYTES = 200_000, 64 * 1024 * 1024
_END, _LOCATOR, _TAIL = b"PK\x05\x06", b"PK\x06\x07", 65_536 + 22 + 20

MANIFESTS = ("manifest.safe", "xfdumanifest.xml")
"""The manifests of the SAFE format: Sentinel-1 and -2, Sentinel-3."""


class Files(Protocol):
    """The files of one product, by their path within it."""

    @property
    def place(self) -> str:
        """Where the product is, for messages."""

    @property
    def name(self) -> str:
        """The name of the folder that holds it."""

    def has(self, name: str) -> bool:
        """Whether it holds a file."""

    def read(self, name: str, limit: int = METADATA_BYTES) -> bytes:
        """A file's bytes.

        Raises:
            BadInput: If it is not there, is larger than `limit`, or cannot be read.
        """

    def names(self) -> Iterable[str]:
        """The names in its uppermost folder."""


def inner(href: str) -> str | None:
    """A relative path without `.`; None where it is none or leaves its folder."""
    path = href.replace("\\", "/")
    if not path or path.startswith("/") or ":" in path or any(ord(sign) < 32 for sign in path):
        return None
    parts = PurePosixPath(path).parts
    return None if ".." in parts or not parts else "/".join(parts)


class Folder:
    """A product's folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.place = str(path)
        self.name = path.resolve().name if path.name in ("", "..") else path.name

    def has(self, name: str) -> bool:
        """Whether it holds a file."""
        try:
            return (self.path / name).is_file()
        except (OSError, ValueError):  # a name longer than names can be
            return False

    def read(self, name: str, limit: int = METADATA_BYTES) -> bytes:
        """A file's bytes; see `Files.read`."""
        try:
            with (self.path / name).open("rb") as file:
                data = file.read(limit + 1)
        except FileNotFoundError as error:
            raise _absent(self.place, name) from error
        except (OSError, ValueError) as error:
            raise BadInput(f"{self.place}: {name} cannot be read ({error}); make it readable") from error
        return _bounded(data, self.place, name, limit)

    def names(self) -> Iterable[str]:
        """The names in the folder."""
        try:
            return os.listdir(self.path)  # noqa: PTH208 - names, not paths
        except OSError as error:
            raise BadInput(f"{self.place} cannot be listed ({error}); make it readable") from error


class Zip:
    """A product in a zip: in its one folder, or at its top.

    Raises:
        BadInput: If it is no zip that can be read, or not of exactly one product.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.place = str(path)
        self._members = _members(path)
        roots = {_folder(name) for name in self._members if _folder(name) is not None}
        if len(roots) != 1:
            found = "no product's manifest or metadata" if not roots else f"{len(roots)} products"
            raise BadInput(f"{path}: holds {found}; a zip of exactly one product is needed")
        self._root = roots.pop() or ""
        self.name = PurePosixPath(self._root).name or path.stem

    def has(self, name: str) -> bool:
        """Whether it holds a file."""
        return self._root + name in self._members

    def read(self, name: str, limit: int = METADATA_BYTES) -> bytes:
        """A member's bytes; see `Files.read`."""
        member = self._members.get(self._root + name)
        if member is None:
            raise _absent(self.place, name)
        if member.file_size > limit or member.file_size > 65_536 + _RATIO * member.compress_size:
            raise BadInput(
                f"{self.place}: {name} would inflate to {member.file_size} bytes, more than is read here; "
                "check where the zip is from"
            )
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or member.flag_bits & 1:
            raise BadInput(f"{self.place}: {name} is encrypted or not deflated; zip the product anew")
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(member) as file:
                data = file.read(limit + 1)
        except _BROKEN as error:
            raise BadInput(f"{self.place}: {name} is damaged ({error}); get the product again") from error
        return _bounded(data, self.place, name, limit)

    def names(self) -> Iterable[str]:
        """The names in the product's folder."""
        return {
            name[len(self._root) :].split("/")[0] for name in self._members if name.startswith(self._root)
        }


_BROKEN = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    OSError,
    EOFError,
    ValueError,
    NotImplementedError,
    RuntimeError,
    struct.error,
    MemoryError,
)


def _absent(place: str, name: str) -> BadInput:
    return BadInput(f"{place}: {name} is missing, which tells what the product is; get the product again")


def _bounded(data: bytes, place: str, name: str, limit: int) -> bytes:
    if len(data) > limit:
        raise BadInput(f"{place}: {name} is larger than the {limit} bytes that are read of it")
    return data


def _folder(name: str) -> str | None:
    """The folder, with its slash, of a member that marks a product; None of others."""
    folder, slash, file = name.rpartition("/")
    return folder + slash if marks(file) else None


def marks(file: str) -> bool:
    """Whether a file of this name is found in the uppermost folder of a product and nowhere else."""
    return file in MANIFESTS or file in ("MTD_MSIL1C.xml", "MTD_MSIL2A.xml", "tileInfo.json")


def holds_product(path: Path) -> bool:
    """Whether a zip holds exactly one product, by the names in it."""
    try:
        Zip(path)
    except BadInput:
        return False
    return True


def _members(path: Path) -> dict[str, zipfile.ZipInfo]:
    """The files in a zip, by their path."""
    try:
        _check_directory(path)
        with zipfile.ZipFile(path) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
    except _BROKEN as error:
        raise BadInput(f"{path}: not a zip that can be read ({error}); get the product again") from error
    members: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        name = inner(info.filename)
        if name is None:
            raise BadInput(
                f"{path}: the name {info.filename[:200]!r} in it leaves the product; not a product"
            )
        if not name.startswith("__MACOSX/") and not name.endswith("/"):
            members[name] = info
    return members


def _check_directory(path: Path) -> None:
    """Refuse a zip whose directory would fill the memory; the library reads all of it at once.

    Sizes stand in the record at the end (APPNOTE.TXT 4.3.16), or in the larger one that a locator before
    it points to (4.3.14, 4.3.15).
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _TAIL))
        tail = file.read(_TAIL)
        at = tail.rfind(_END)
        if at < 0 or len(tail) < at + 22:
            raise BadInput(f"{path}: not a whole zip (its end is missing); get the product again")
        members, directory = struct.unpack_from("<HL", tail, at + 10)
        if at >= 20 and tail[at - 20 : at - 16] == _LOCATOR:
            file.seek(struct.unpack_from("<Q", tail, at - 12)[0])
            members, directory = struct.unpack_from("<QQ", file.read(56), 32)
    if members > _MEMBERS or directory > _DIRECTORY_BYTES:
        raise BadInput(f"{path}: lists {members} files in {directory} bytes, more than a product has")
