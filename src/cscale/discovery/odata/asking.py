"""One request to an archive: its address, its answer read with care."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from cscale.discovery.odata.products import MAX_RECORD
from cscale.errors import SiteError
from cscale.net.http import HttpPool

MAX_RECORDS = 10_000
"""The longest page that is read, in records."""
Parameters = list[tuple[str, str]]
"""The parameters of an address; some come twice."""
T = TypeVar("T")


def address(root: str, parameters: Sequence[tuple[str, str]]) -> str:
    """An address with parameters, quoted so that nothing in them can be anything but a value."""
    asked = "&".join(f"{quote(name, safe='$')}={quote(value, safe='')}" for name, value in parameters)
    return f"{root}?{asked}" if asked else root


async def answered(http: HttpPool, url: str, kind: type[T], *, accept: str = "application/json") -> T:
    """The JSON that a site answers, as far as it is of a kind.

    Raises:
        SiteError: If it does not answer, answers something else, or tells of an error.
    """
    body = await fetched(http, url, accept=accept)
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise SiteError(f"its answer is not what was asked for ({error}): {excerpt(body)}") from error


async def fetched(http: HttpPool, url: str, *, accept: str) -> bytes:
    """What a site answers.

    Raises:
        SiteError: If it does not answer, or tells of an error.
    """
    answer = await http.request("GET", url, headers={"accept": accept})
    if answer.status != 200:
        raise SiteError(f"it answered {answer.status}: {excerpt(answer.body)}")
    return answer.body


def excerpt(body: bytes) -> str:
    """The start of an answer as one printable line."""
    text = body[:300].decode(errors="replace")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:160]


def record(raw: msgspec.Raw, kind: type[T]) -> T | None:
    """A record of an answer; None where it is none, or too long."""
    if len(memoryview(raw)) > MAX_RECORD:
        return None
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def count(value: Any) -> int | None:
    """A number of matches that a site tells."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 18:
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def queryables_of(properties: Mapping[str, Any]) -> dict[str, Any]:
    """What filters may speak of: the table's properties, and what every item has."""
    times = {"type": "string", "format": "date-time"}
    basic = {"id": {"type": "string"}, "datetime": times, "published": times, "updated": times}
    return basic | {name: dict(known.schema()) for name, known in properties.items()}
