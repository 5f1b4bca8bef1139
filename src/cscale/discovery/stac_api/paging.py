"""The way from a page to the next: links of any kind as a token that says all that is needed.

A token is a letter for the kind, letters for the parts of the search that the site leaves (see `plan`),
a colon, and what leads on:

- `t`: the site's own token, sent with the search anew;
- `l`: the path and query of an address, for GET;
- `j`: a JSON object with method, path, body and headers, for anything else.

A capital letter: the same, compressed.
"""

import re
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from urllib.parse import parse_qsl, urljoin, urlsplit

import msgspec

from cscale.discovery.stac_api.plan import LETTERS, Plan
from cscale.errors import SiteError

_MAX_TOKEN = 16 * 1024
_SHORT = 300  # characters that are not worth compressing
_MAX_HREF = 100_000  # characters
_MAX_EDGES = 20_000
_MAX_WAY = 2_000  # edges, from one page on
_HEADERS = frozenset(
    {"accept", "accept-language", "prefer", "cmr-search-after", "x-next-token", "x-next-page", "x-page"}
)
"""What a link may ask to be sent; never what says who is asking."""
_WORDS = frozenset({"collections", "ids", "bbox", "intersects", "datetime", "filter", "filter-lang"}) | {
    "filter-crs", "q", "query", "sortby", "limit", "fields", "token",
}  # fmt: skip
_COUNTED = frozenset({"page", "offset", "startindex", "startpage", "skip", "startposition", "from", "start"})


@dataclass(frozen=True, slots=True)
class Step:
    """A request for a page after the first.

    Attributes:
        kind: `t`, `l` or `j`.
        token: The site's own token, for `t`.
        method: For the others.
        href: Path and query, for the others.
        body: What is sent; None for nothing.
        headers: Beside the usual ones.
    """

    kind: str
    token: str = ""
    method: Literal["GET", "POST"] = "GET"
    href: str = ""
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def counts(self) -> int | None:
        """The page or record that it begins at, where it tells that as a number."""
        told = dict(parse_qsl(urlsplit(self.href).query)) | dict(self.body or {})
        numbers = [str(value) for name, value in told.items() if name.lower() in _COUNTED]
        fitting = [int(each) for each in numbers if re.fullmatch(r"\d{1,15}", each, re.ASCII)]
        return fitting[0] if len(fitting) == 1 else None


def same_origin(root: str, href: object) -> str:
    """The path and query that a site's answer leads to, at the site.

    Behind a proxy, sites tell another scheme or port than they are reached by: theirs do not count.

    Args:
        root: The site's address.
        href: What was told; relative to the address of its search.

    Raises:
        SiteError: If it leads to another host, or nowhere.
    """
    try:
        found = urlsplit(
            urljoin(f"{root}/search", href) if isinstance(href, str) and len(href) <= _MAX_HREF else ""
        )
        own = urlsplit(root)
        fitting = found.scheme in ("http", "https") and found.username is None and found.password is None
        if fitting and found.hostname == own.hostname and (found.port is None or found.port >= 0):
            return found._replace(scheme="", netloc="", fragment="").geturl() or "/"
    except ValueError:  # no address at all
        pass
    raise SiteError(f"its answer leads away from it, to {line(str(href))[:100]!r}")


def line(text: str) -> str:
    """A text as one printable line."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def link(links: Any, relation: str) -> dict[str, Any] | None:
    """The first link of a relation."""
    for each in links if isinstance(links, list) else []:
        if isinstance(each, dict) and each.get("rel") == relation:
            return each
    return None


def next_step(links: Any, root: str, plan: Plan, before: Mapping[str, Any] | None) -> Step | None:
    """What leads to the next page; None where nothing does.

    Args:
        links: Of the page.
        root: The site's address.
        plan: The search.
        before: The body that brought this page; None if it was asked for by GET.

    Raises:
        SiteError: If it leads away from the site, or cannot be followed.
    """
    told = link(links, "next")
    if told is None:
        return None
    headers = _allowed(told.get("headers"))
    body = told.get("body")
    if str(told.get("method") or "GET").upper() == "POST":
        return _posted(told, body, root, plan.body() if before is None else before, headers)
    href = same_origin(root, told.get("href"))
    query = dict(parse_qsl(urlsplit(href).query))
    at_search = urlsplit(href).path == urlsplit(f"{root}/search").path
    if at_search and not headers and "token" in query and query.keys() <= _WORDS:
        return Step("t", token=query["token"])
    return Step("j" if headers else "l", href=href, headers=headers)


def _posted(
    told: Mapping[str, Any], body: Any, root: str, before: Mapping[str, Any], headers: Mapping[str, str]
) -> Step:
    if body is not None and not isinstance(body, dict):
        raise SiteError("its link to the next page has a body that is no object")
    body = body or {}
    if isinstance(body.get("token"), str) and body.keys() <= _WORDS and not headers:
        return Step("t", token=body["token"])
    whole = body if body and told.get("merge") is not True else {**before, **body}
    href = same_origin(root, told.get("href") or f"{root}/search")
    return Step("j", method="POST", href=href, body=whole, headers=headers)


def _allowed(headers: Any) -> dict[str, str]:
    """The headers of a link that are sent."""
    return {
        name.lower(): value
        for name, value in (headers.items() if isinstance(headers, dict) else ())
        if name.lower() in _HEADERS and isinstance(value, str) and re.fullmatch(r"[ -~]{1,1000}", value)
    }


def written(step: Step, plan: Plan, left: frozenset[str]) -> str:
    """The token that leads to a step.

    Args:
        step: The step.
        plan: The search, as it was sent.
        left: What the site leaves of it.

    Raises:
        SiteError: If it would be too long.
    """
    kind, text = step.kind, step.token
    if step.kind == "l":
        text = step.href
    elif step.kind == "j":
        own, said = plan.body(), step.body
        told: dict[str, Any] = {"m": step.method, "p": step.href, "h": step.headers, "b": said}
        if said is not None and own.items() <= {**own, **said}.items() and own.keys() <= said.keys():
            told["b"] = {name: value for name, value in said.items() if own.get(name, ...) != value}
            told["o"] = True
        text = msgspec.json.encode({name: value for name, value in told.items() if value}).decode()
    if kind != "t" and len(text) > _SHORT:
        kind, text = kind.upper(), urlsafe_b64encode(zlib.compress(text.encode(), 9)).decode()
    if len(text) > _MAX_TOKEN:
        raise SiteError("its link to the next page is too long")
    return f"{kind}{_code(plan, left)}:{text}"


def _code(plan: Plan, left: frozenset[str]) -> str:
    """The letters of the parts that are left; capital ones where they are sent all the same."""
    letters = ((part, letter) for part, letter in LETTERS.items() if part in left)
    return "".join(letter.upper() if part in plan.sent else letter for part, letter in letters)


def resumed(token: str, plan: Plan) -> Plan:
    """A plan as it was when the walk began that a token belongs to."""
    letters = token.partition(":")[0][1:]
    dropped = {part for part, letter in LETTERS.items() if letter in letters}
    sent = {part for part, letter in LETTERS.items() if letter.upper() in letters}
    return replace(plan, dropped=(plan.dropped | dropped) - sent)


def left_by(token: str) -> frozenset[str]:
    """The parts of the search that the site left when a walk began."""
    letters = token.partition(":")[0][1:].lower()
    return frozenset(part for part, letter in LETTERS.items() if letter in letters)


def read(token: str, root: str, plan: Plan) -> Step:
    """The step that a token leads to.

    Raises:
        SiteError: If it is none of this source, or leads away from the site.
    """
    code, colon, text = token.partition(":")
    kind = code[:1]
    try:
        if kind in ("L", "J"):
            inflate = zlib.decompressobj()
            text = inflate.decompress(urlsafe_b64decode(text), 64 * _MAX_TOKEN).decode()
            if not inflate.eof:
                raise ValueError("cut short, or too long")
        kind = kind.lower()
        if colon and kind == "t":
            return Step("t", token=text)
        if colon and kind == "l":
            return Step("l", href=same_origin(root, text))
        if colon and kind == "j":
            told = _JSON.decode(text)
            body = {**plan.body(), **(told.b or {})} if told.o else told.b
            return Step("j", "", told.m, same_origin(root, told.p), body, _allowed(told.h))
    except (ValueError, zlib.error, RecursionError):
        pass
    raise SiteError("its next page is asked for by a token that is none")


class _Told(msgspec.Struct):
    m: Literal["GET", "POST"] = "GET"
    p: str = ""
    h: dict[str, str] = {}
    b: dict[str, Any] | None = None
    o: bool = False


_JSON = msgspec.json.Decoder(_Told)


class Circles:
    """Which page has led to which, to see where a walk would go on for ever.

    On a site that is sound, no page leads back to one that has led to it, whoever walks.
    """

    def __init__(self) -> None:
        self._led: OrderedDict[tuple[str, str | None], str] = OrderedDict()

    def note(self, search: str, here: str | None, there: str) -> None:
        """Note that a page leads to another.

        Args:
            search: What is searched, as a name that tells it from other searches.
            here: The token of the page; None for the first.
            there: The token of the next one.

        Raises:
            SiteError: If that one has led here.
        """
        at: str | None = there
        for _ in range(_MAX_WAY):
            if at == here:
                raise SiteError("its next page is one that came before")
            at = self._led.get((search, at))
            if at is None:
                break
        self._led[search, here] = there
        self._led.move_to_end((search, here))
        while len(self._led) > _MAX_EDGES:
            self._led.popitem(last=False)
