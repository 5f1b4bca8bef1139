"""The folders that a site serves: a configured name and a path in it open a regular file, or nothing."""

import errno
import fcntl
import io
import os
import re
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from cscale.archive.openat2 import is_local, open_cached
from cscale.errors import BadConfiguration, NotFound
from cscale.net.ranges import OpenFile

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_TRICKS = re.compile(r"[\0\\\ud800-\udfff]")  # the last are bytes that are not UTF-8
_ZARR = {".zarray", ".zattrs", ".zgroup", ".zmetadata"}  # a dot begins them, but they are data
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_ABSENT = {
    errno.EACCES, errno.EINVAL, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENODEV,
    errno.ENOENT, errno.ENOTDIR, errno.ENXIO, errno.EPERM,
}  # fmt: skip


class Folders:
    """Named directories of files.

    A file is served by the name of its folder and its path in it, `scenes/2019/x.tif`. Links may lead
    from place to place in a folder, never out of it; what is hidden by a leading dot is not served,
    but for the metadata of zarr.

    Args:
        folders: Directories by name; each is resolved once, here.

    Raises:
        BadConfiguration: If a name cannot stand in an address, or its directory does not exist.
    """

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self._roots = {name: _root(name, path) for name, path in folders.items()}
        self._local = {root for root in self._roots.values() if is_local(root)}

    def open(self, name: str, relative_path: str) -> OpenFile:
        """Open a regular file for reading.

        Args:
            name: The folder's name.
            relative_path: The path in it, with `/`, already percent-decoded, once.

        Returns:
            The open file, the caller's to close, and the status of what was opened.

        Raises:
            NotFound: If there is no such file to serve, whatever the reason: none is told.
            OSError: If the file is there but the machine fails, as when it has no descriptor left.
        """
        root = self._roots.get(name)
        if root is not None and _is_plain(relative_path):
            try:
                opened = _open_regular(root, relative_path)
            except OSError as error:
                if error.errno not in _ABSENT:
                    raise
            else:
                if opened:
                    return opened
        raise not_here(name, relative_path)

    def open_cached(self, name: str, relative_path: str) -> OpenFile | None:
        """Open as `open` does, but only if that is done at once; None says nothing but: ask `open`."""
        root = self._roots.get(name)
        if root in self._local and _is_plain(relative_path):
            descriptor = open_cached(root, relative_path)
            if descriptor is not None:
                return OpenFile(io.FileIO(descriptor, "rb"), os.fstat(descriptor))
        return None

    def canonical(self, address: str) -> str | None:
        """The address that `locate` gives for what an address leads to by links; None if that is not served.

        Args:
            address: `folder/path/in/it`; nothing need be there.
        """
        name, _, path = address.partition("/")
        root = self._roots.get(name)
        if root is None or not _is_plain(path):
            return None
        try:
            return self.locate(Path(root + path))
        except OSError:  # links in a circle
            return None

    def locate(self, path: Path) -> str | None:
        """The address `folder/path/in/it` under which a local file is served, None if it is not."""
        real = os.path.realpath(path)
        within = [(root, name) for name, root in self._roots.items() if _is_inside(real, root)]
        if not within:
            return None
        root, name = max(within, key=lambda found: len(found[0]))
        return f"{name}/{real.removeprefix(root)}"


def not_here(name: str, relative_path: str) -> NotFound:
    """The error for what is not served, whatever the reason: none is told."""
    return NotFound(
        f"no file {relative_path[:200]!r} in {name[:80]!r} here; take addresses of files from items"
    )


def percent_encoded(address: str) -> str:
    """An address as it stands in a URL."""
    return quote(address, safe="/")


def _root(name: str, path: Path) -> str:
    """A folder's real path, ending in a slash."""
    if not _NAME.fullmatch(name):
        raise BadConfiguration(f"data folder {name!r}: name it in letters, digits, '-', '_' and '.' only")
    if not path.is_dir():
        raise BadConfiguration(f"data folder {name!r}: there is no directory {path}; create it or correct it")
    return os.path.realpath(path).rstrip("/") + "/"


def _is_plain(path: str) -> bool:
    """Whether a path has only ordinary steps: none empty, hidden or `..`, nor any trick of characters."""
    steps = path.split("/")
    return not _TRICKS.search(path) and all(step in _ZARR or (step and step[0] != ".") for step in steps)


def _is_inside(real: str, root: str) -> bool:
    return real.startswith(root) and _is_plain(real.removeprefix(root))


def _open_regular(root: str, path: str) -> OpenFile | None:
    """Open what is a regular file in `root`; judged once more when open, since names can be swapped."""
    where = Path(root + path)
    if not stat.S_ISREG(where.stat().st_mode):
        return None  # opening a pipe or a device would be noticed on its other side
    file = io.FileIO(where, "rb", opener=lambda path, _: os.open(path, _READ))
    status = os.fstat(file.fileno())
    if stat.S_ISREG(status.st_mode) and _is_inside(_real_path(file.fileno()), root):
        return OpenFile(file, status)
    file.close()
    return None


def _real_path(descriptor: int) -> str:
    """The path of what was opened, free of links, as the kernel knows it."""
    if sys.platform == "darwin":
        return os.fsdecode(fcntl.fcntl(descriptor, fcntl.F_GETPATH, bytes(1024)).rstrip(b"\0"))
    return str(Path(f"/proc/self/fd/{descriptor}").readlink())
