"""Values, links and tables; the only place where an address that an item gives becomes a link."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import urlsplit

import msgspec

_LONGEST = 2000
"""A longer text is cut, in characters."""
_PICTURES = frozenset({"image/png", "image/jpeg", "image/webp", "image/gif", "image/avif"})


def web_address(value: object) -> str | None:
    """An address that may become a link: http or https, without control characters; None for any other."""
    if not isinstance(value, str) or not value.isprintable() or value != value.strip():
        return None
    try:
        parts = urlsplit(value)
    except ValueError:
        return None
    return value if parts.scheme in ("http", "https") and parts.netloc else None


def link(value: object, text: str | None = None) -> str:
    """A link where an address may be one, else its text."""
    address = web_address(value)
    shown = escape(cut(text if text is not None else value))
    return shown if address is None else f'<a href="{escape(address)}" rel="nofollow">{shown}</a>'


def cut(value: object) -> str:
    """A value as text that is not too long."""
    shown = value if isinstance(value, str) else "" if value is None else str(value)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]} …"


def shown(value: Any) -> str:
    """A JSON value as HTML: texts and numbers as they are, lists of them with commas, the rest as JSON."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "-"}[value]
    if isinstance(value, str):
        return link(value)
    if isinstance(value, int | float):
        return escape(cut(value))
    if isinstance(value, list) and value and all(isinstance(each, str | int | float) for each in value):
        return escape(cut(", ".join(map(str, value))))
    if isinstance(value, dict) and value.keys() == {"minimum", "maximum"}:
        return f"{shown(value['minimum'])} to {shown(value['maximum'])}"
    return f"<code>{escape(cut(msgspec.json.encode(value).decode()))}</code>"


def pairs(members: Mapping[str, Any], caption: str = "") -> str:
    """A table of names and values."""
    rows = "".join(
        f'<tr><th scope="row">{escape(cut(name))}</th><td>{shown(value)}</td></tr>'
        for name, value in members.items()
    )
    head = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f'<table class="pairs stack">{head}{rows}</table>' if rows else ""


def table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table under these names.

    Args:
        names: Of the columns; text.
        rows: Their cells; HTML.
    """
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    body = "".join(
        "<tr>"
        + "".join(
            f'<td data-name="{escape(n)}">{c}</td>' if n else f"<td>{c}</td>"
            for n, c in zip(names, row, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    return f'<table class="stack"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def size(value: object) -> str:
    """A number of bytes for people; nothing where it is none."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        return ""
    amount, unit = float(value), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.3g} {unit}"


def objects(value: object) -> list[dict[str, Any]]:
    """The objects of a list, whatever was in its place."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def member(value: object, name: str) -> dict[str, Any]:
    """A member that is an object; an empty one where it is none."""
    found = value.get(name) if isinstance(value, Mapping) else None
    return found if isinstance(found, dict) else {}


def link_to(document: Mapping[str, Any], relation: str) -> str | None:
    """Where a document's own link of a relation leads."""
    for each in objects(document.get("links")):
        if each.get("rel") == relation:
            return web_address(each.get("href"))
    return None


def thumbnail(item: Mapping[str, Any]) -> str:
    """The picture of an item, if it has one that a browser can show."""
    found = ""
    for key, asset in member(item, "assets").items():
        roles = asset.get("roles") if isinstance(asset, dict) else None
        named = key == "thumbnail" or (isinstance(roles, list) and "thumbnail" in roles)
        if named and str(asset.get("type")).partition(";")[0] in _PICTURES:
            found = found or web_address(asset.get("href")) or ""
    if not found:
        return ""
    return f'<img class="thumbnail" src="{escape(found)}" alt="" width="96" height="96" loading="lazy">'


def links(document: Mapping[str, Any], hidden: frozenset[str]) -> str:
    """A table of the links that lead elsewhere."""
    rows = [
        [escape(cut(each.get("rel"))), link(each.get("href"), _title(each)), escape(cut(each.get("type")))]
        for each in objects(document.get("links"))
        if each.get("rel") not in hidden
    ]
    return "<h2>Links</h2>" + table(("Relation", "Where", "Type"), rows) if rows else ""


def _title(of: Mapping[str, Any]) -> str:
    title = of.get("title")
    return title if isinstance(title, str) and title else cut(of.get("href"))


def federation(document: Mapping[str, Any]) -> str:
    """Who answered, where many sites were asked."""
    rows = [
        [escape(cut(site.get("id"))), _state(site), escape(cut(site.get("reason")))]
        for site in objects(member(document, "federation").get("sites"))
    ]
    return "<h2>Who answered</h2>" + table(("Site", "How", "Why"), rows) if rows else ""


def _state(site: Mapping[str, Any]) -> str:
    returned, waited = site.get("returned"), site.get("elapsed_ms")
    parts = [cut(site.get("state"))]
    parts += [f"{returned} shown"] if isinstance(returned, int) else []
    parts += [f"{waited} ms"] if isinstance(waited, int) else []
    return escape(", ".join(parts))
