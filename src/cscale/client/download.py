"""Downloads: written aside, verified, then renamed; what stands under its name is whole and right."""

import hashlib
import os
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from cscale.errors import BadInput, ChecksumMismatch, SiteError
from cscale.net.http import HttpPool

_HASHES = {
    "1220": ("sha256", 32),
    "1340": ("sha512", 64),
    "1114": ("sha1", 20),
    "d50110": ("md5", 16),
}
"""Multihash prefix (code and length): the algorithm's name and its length in bytes."""


@dataclass(frozen=True, slots=True)
class Download:
    """A file that has arrived.

    Attributes:
        path: Where it is.
        size: Its length in bytes.
        verified: By which algorithm its checksum was verified; None where the item promises none.
    """

    path: Path
    size: int
    verified: str | None


def file_name(href: str, fallback: str) -> str:
    """A safe local name for what an href leads to: its last part, without what could lead elsewhere."""
    last = unquote(urlsplit(href).path).replace("\\", "/").rpartition("/")[2]
    safe = re.sub(r"[^\w.()+=@,-]", "_", last).lstrip(".")[-200:]
    return safe or re.sub(r"[^\w.-]", "_", fallback).lstrip(".") or "asset"


async def download(
    http: HttpPool,
    asset: Mapping[str, Any],
    to: Path,
    progress: Callable[[int, int | None], None],
    token_for: Callable[[str], Awaitable[str | None]] | None = None,
) -> Download:
    """Download an asset.

    Args:
        http: The connections to use.
        asset: A STAC asset with `href`, and `file:checksum` and `file:size` where known.
        to: The file to make; one that exists is replaced once the new one is verified.
        progress: Called with the bytes that have arrived and, where known, are to arrive.
        token_for: The token to send to an address, if any.

    Raises:
        SiteError: If the site does not send it whole.
        ChecksumMismatch: If what was sent is not what the item promises; nothing is kept.
        BadInput: If the asset has no HTTP address, or its checksum's algorithm is not known.
    """
    href = str(asset.get("href", ""))
    if not href.startswith(("http://", "https://")):
        raise BadInput(f"{href!r} is not an http address that can be downloaded from")
    promised = str(asset.get("file:checksum") or "").lower()
    algorithm, digest = _hash_of(promised)
    to.parent.mkdir(parents=True, exist_ok=True)
    aside = to.with_name(f".{to.name}.{secrets.token_hex(4)}.part")
    try:
        size = 0
        with aside.open("xb") as file:
            async with http.stream(href, token_for) as (length, chunks):
                expected = length if length is not None else asset.get("file:size")
                async for chunk in chunks:
                    file.write(chunk)
                    digest.update(chunk)
                    size += len(chunk)
                    progress(size, expected)
            file.flush()
            os.fsync(file.fileno())
        for expected in (length, asset.get("file:size")):
            if isinstance(expected, int) and size != expected:
                raise SiteError(f"{href}: {size} of {expected} bytes arrived; nothing was kept")
        if algorithm and not promised.endswith(digest.hexdigest()):
            raise ChecksumMismatch(
                f"{href}: its {algorithm} is not the one its item promises; nothing was kept"
            )
        aside.replace(to)
    finally:
        aside.unlink(missing_ok=True)
    return Download(to, size, algorithm)


def _hash_of(checksum: str) -> tuple[str | None, Any]:
    """The algorithm of a multihash in hexadecimal, and one to feed; sha256 where nothing is promised."""
    if not checksum:
        return None, hashlib.sha256()
    for prefix, (name, length) in _HASHES.items():
        if checksum.startswith(prefix) and len(checksum) == len(prefix) + 2 * length:
            return name, hashlib.new(name, usedforsecurity=False)
    raise BadInput(f"the checksum {checksum[:16]}... is of no algorithm known here ({', '.join(_HASHES)})")
