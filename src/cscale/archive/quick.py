"""The answer to what is asked most of `/data`: one range of a file whose bytes are in memory.

It is given before any routing and from files that were opened a moment ago, and is the answer that the
routes would give, at a fifth of their cost. All else is left to them.
"""

import asyncio
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from cscale.archive.folders import Folders
from cscale.net.ranges import OpenFile, Span, read_cached, validators

_RANGE = re.compile(rb"bytes=([0-9]{1,15})-([0-9]{1,15})")
_AT_MOST = 1024 * 1024
_KEPT = 256
_SECONDS = 1.0
"""How long a file stays open: for so long it may be served although its name is gone."""

Headers = list[tuple[bytes, bytes]]


@dataclass(slots=True)
class _Kept:
    """A file that was asked for just now.

    Attributes:
        opened: The file and its status.
        headers: Those of any answer from it.
    """

    opened: OpenFile
    headers: Headers


class QuickRanges:
    """Ranges of files that can be answered at once.

    Args:
        folders: What is served.
        headers: The headers of a file by its path, beside those that its status tells.
    """

    def __init__(self, folders: Folders, headers: Callable[[str], Mapping[str, str]]) -> None:
        self._folders = folders
        self._headers = headers
        self._kept: dict[str, _Kept] = {}

    def answer(self, path: str, fields: Iterable[tuple[bytes, bytes]]) -> tuple[Headers, bytearray] | None:
        """The headers and the body of a 206, to a GET.

        Args:
            path: `folder/path/in/it`, decoded.
            fields: The request's headers, names in small letters.

        Returns:
            None says nothing but: ask the routes.
        """
        span = _asked(fields)
        kept = self._current(path) if span else None
        if span is None or kept is None:
            return None
        size = kept.opened.status.st_size
        span = Span(span.start, min(span.stop, size))
        length = span.stop - span.start
        if not 0 < length <= _AT_MOST:
            return None
        body = read_cached(kept.opened.file.fileno(), span)
        if body is None:
            return None
        return [
            *kept.headers,
            (b"content-length", b"%d" % length),
            (b"content-range", b"bytes %d-%d/%d" % (span.start, span.stop - 1, size)),
        ], body

    def close(self) -> None:
        """Close all files."""
        for path in list(self._kept):
            self._close(path)

    def _current(self, path: str) -> _Kept | None:
        """A file as it is now; one that was opened just now need not be opened again."""
        kept = self._kept.get(path)
        if kept is None:
            return self._open(path)
        now, then = os.fstat(kept.opened.file.fileno()), kept.opened.status
        if (now.st_mtime_ns, now.st_size) == (then.st_mtime_ns, then.st_size):
            return kept
        self._close(path)
        return self._open(path)

    def _open(self, path: str) -> _Kept | None:
        name, _, rest = path.partition("/")
        opened = self._folders.open_cached(name, rest)
        if opened is None:
            return None
        if len(self._kept) >= _KEPT:
            self._close(next(iter(self._kept)))
        headers = {**validators(opened.status), **self._headers(rest)}
        raw = [(key.encode(), value.encode("latin-1")) for key, value in headers.items()]
        kept = self._kept[path] = _Kept(opened, raw)
        asyncio.get_running_loop().call_later(_SECONDS, self._expire, path, kept)
        return kept

    def _expire(self, path: str, kept: _Kept) -> None:
        if self._kept.get(path) is kept:
            self._close(path)

    def _close(self, path: str) -> None:
        self._kept.pop(path).opened.file.close()


def _asked(fields: Iterable[tuple[bytes, bytes]]) -> Span | None:
    """The one range that is asked for, where nothing else decides the answer."""
    found: re.Match[bytes] | None = None
    for name, value in fields:
        if name == b"range" and found is None:
            found = _RANGE.fullmatch(value)
            if found is None:
                return None
        elif name.startswith(b"if-") or name in _DECIDING:
            return None
    return Span(int(found[1]), int(found[2]) + 1) if found else None


_DECIDING = frozenset({b"range", b"via", b"authorization", b"cookie"})
