"""Where a static catalogue lies: how its documents are read, and which links stay inside it."""

import asyncio
import os
import stat
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from cscale.errors import NotFound, SiteError
from cscale.identity import Caller
from cscale.net.http import MAX_ANSWER, HttpPool

_LONGEST = 8192  # characters of an address
_STARTS = ("catalog.json", "collection.json")


class Outside(ValueError):
    """A link that leads out of the catalogue, or nowhere at all."""


class Place(Protocol):
    """Where a catalogue lies.

    Attributes:
        start: The address of its first document.
    """

    start: str

    def follow(self, href: str, beside: str) -> str:
        """The address that a link means.

        Args:
            href: As it is written.
            beside: The address of the document that holds it.

        Raises:
            Outside: If it leads out of the catalogue.
        """
        ...

    async def read(self, address: str, caller: Caller) -> bytes:
        """A document.

        Raises:
            NotFound: If there is none at this address.
            SiteError: If it cannot be told what is there.
        """
        ...


def joined(href: str, beside: str) -> str:
    """An href made absolute, without fragment.

    Raises:
        Outside: If it is no address.
    """
    try:
        address = urldefrag(urljoin(beside, href.strip())).url
        urlsplit(address).port  # noqa: B018  # a port that is no number raises
    except ValueError as error:
        raise Outside(f"{href[:100]!r} is no address") from error
    if len(address) > _LONGEST or any(not each.isprintable() for each in address):
        raise Outside(f"{href[:100]!r} is no address")
    return address


class Web:
    """A catalogue on a web server: all of it has one origin (scheme, host and port)."""

    def __init__(self, url: str, http: HttpPool) -> None:
        self.start = url
        self._origin = _origin(url)
        self._http = http

    def follow(self, href: str, beside: str) -> str:
        """See `Place.follow`."""
        address = joined(href, beside)
        if _origin(address) != self._origin:
            raise Outside(f"{href[:100]!r} leads to another server")
        return address

    async def read(self, address: str, caller: Caller) -> bytes:
        """See `Place.read`."""
        answer = await self._http.request("GET", address, bearer=caller.token)
        if answer.status in (404, 410):
            raise NotFound("there is no such document")
        if answer.status != 200:
            raise SiteError(f"{address}: it answered {answer.status}")
        return answer.body


def _origin(address: str) -> tuple[str, str | None, int | None, str | None]:
    """Scheme, host, port, user: names of hosts in any case, ports also where they go without saying."""
    parts = urlsplit(address)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname, port, parts.username


class Disk:
    """A catalogue on disk: all of it lies below the folder of its first document, links resolved.

    Args:
        url: A `file://` address of a document, or of a folder with a catalog.json or collection.json.
    """

    def __init__(self, url: str) -> None:
        path = _path(url)
        if path.is_dir():
            path = next((path / name for name in _STARTS if (path / name).exists()), path / _STARTS[0])
        self.start = path.absolute().as_uri()
        self._home = os.path.realpath(path.parent)

    def follow(self, href: str, beside: str) -> str:
        """See `Place.follow`; what a symbolic link does is looked at when it is read."""
        address = joined(href, beside)
        parts = urlsplit(address)
        if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
            raise Outside(f"{href[:100]!r} leads to a server")
        if parts.query or "\0" in unquote(parts.path):
            raise Outside(f"{href[:100]!r} is no path")
        return Path(os.path.normpath(_path(address))).as_uri()

    async def read(self, address: str, caller: Caller) -> bytes:
        """See `Place.read`."""
        return await asyncio.to_thread(self._read, address)

    def _read(self, address: str) -> bytes:
        path = _path(address)
        try:
            real = os.path.realpath(path, strict=True)
            if os.path.commonpath((real, self._home)) != self._home:
                raise NotFound("it lies outside of the catalogue's folder")
            # Without waiting for whoever writes to a pipe, and not by a link that was put there just now.
            with os.fdopen(os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW), "rb") as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise NotFound("it is no file")
                content = file.read(MAX_ANSWER + 1)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise NotFound("there is no such document") from error
        except OSError as error:
            raise SiteError(f"{address}: {error.strerror}") from error
        if len(content) > MAX_ANSWER:
            raise SiteError(f"{address}: longer than {MAX_ANSWER >> 20} MiB")
        return content


def _path(address: str) -> Path:
    return Path(unquote(urlsplit(address).path, errors="surrogateescape"))
