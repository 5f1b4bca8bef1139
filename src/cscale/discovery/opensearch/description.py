"""OpenSearch description documents: where a site is searched, and which parameters it takes.

OpenSearch 1.1 with the extensions Geo, Time (OGC 10-032r8), Parameter, EO (OGC 13-026r8) and SRU.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

from cscale.catalogue.products.markup import Node, parse_xml
from cscale.errors import BadInput, SiteError

MAX_DESCRIPTION = 1 << 20
"""The longest description, in bytes."""
_TYPES = ("application/geo+json", "application/vnd.geo+json", "application/json", "application/atom+xml")
"""The forms of answers that are read, the best first."""
_SPACE = re.compile(r'xmlns:([A-Za-z_][\w.-]*)\s*=\s*["\']([^"\']*)["\']')
_EXTENSION = re.compile(r"/extensions/([a-z]+)/|/(geojson|resto|eum)\b")
_PARAMETER = re.compile(r"\{([^{}?]{1,100})(\?)?\}")


@dataclass(frozen=True)
class Template:
    """How a site is searched.

    Attributes:
        url: Its address without parameters.
        fixed: Parameters that are always sent.
        names: The site's names of parameters, by the names of the specifications: `count`, `time:start`.
        media: The media type of the answer.
        first: The number of the first record, and of the first page.
        most: The longest page, where it is told.
        collections: The collections that the description lists.
        title: The site's name of itself.
    """

    url: str
    fixed: tuple[tuple[str, str], ...]
    names: Mapping[str, str]
    media: str
    first: tuple[int, int] = (1, 1)
    most: int | None = None
    collections: tuple[str, ...] = field(default=())
    title: str = ""


def read_description(body: bytes, address: str) -> Template:
    """Read a description document.

    Args:
        body: The document.
        address: Where it came from; templates must lead to the same site.

    Raises:
        SiteError: If it is none, or offers no form of answers that is known.
    """
    if len(body) > MAX_DESCRIPTION:
        raise SiteError("its OpenSearch description is longer than 1 MiB")
    try:
        root = parse_xml(body, "its OpenSearch description")
    except BadInput as error:
        raise SiteError(str(error)) from error
    if root.name != "OpenSearchDescription":
        raise SiteError(f"at {address} is no OpenSearch description, but {root.name[:50]!r}")
    spaces = dict(_SPACE.findall(body.decode("utf-8-sig")))
    offered = [node for node in root.all("Url") if node.attribute("type") in _TYPES]
    searching = [node for node in offered if (node.attribute("rel") or "results") == "results"]
    if not searching:
        raise SiteError("its OpenSearch description offers neither GeoJSON nor Atom")
    best = min(searching, key=lambda node: _TYPES.index(str(node.attribute("type"))))
    return _template(best, spaces, address, root.find("ShortName") or "")


def _template(node: Node, spaces: Mapping[str, str], address: str, title: str) -> Template:
    told = node.attribute("template") or ""
    try:
        parts = urlsplit(urljoin(address, told))
        home = parts[:2] == urlsplit(address)[:2] and "{" not in parts.path
    except ValueError:  # no address at all
        home = False
    if not home:
        raise SiteError(f"its OpenSearch description leads away from it, to {ascii(told)[:100]}")
    fixed: list[tuple[str, str]] = []
    names: dict[str, str] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True, max_num_fields=500):
        known = _known(value, spaces)
        if known is not None:
            names.setdefault(known, name)
        elif "{" not in value:
            fixed.append((name, value))
    more = _parameters(node, spaces)
    names |= {known: name for known, (name, _) in more.items() if known not in names}
    most = more.get("count", ("", {}))[1].get("maxInclusive")
    collections = more.get("eo:parentIdentifier", ("", {}))[1].get("options", ())
    return Template(
        parts._replace(query="", fragment="").geturl(),
        tuple(fixed),
        names,
        str(node.attribute("type")),
        (_offset(node.attribute("indexOffset")), _offset(node.attribute("pageOffset"))),
        int(most) if most is not None and re.fullmatch(r"[1-9]\d{0,5}", most, re.ASCII) else None,
        tuple(collections),
        title[:200],
    )


def _parameters(node: Node, spaces: Mapping[str, str]) -> dict[str, tuple[str, dict[str, Any]]]:
    """The `Parameter` elements by what they stand for: their names, and what they tell."""
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    for each in node.all("Parameter"):
        known, name = _known(each.attribute("value") or "", spaces), each.attribute("name")
        if known is None or name is None:
            continue
        options = [option.attribute("value") for option in each.all("Option")]
        told: dict[str, Any] = {"options": [option for option in options if option][:1000]}
        found[known] = (name, told | {"maxInclusive": each.attribute("maxInclusive")})
    return found


def _known(value: str, spaces: Mapping[str, str]) -> str | None:
    """What `{geo:box?}` stands for, by its namespace whatever the prefix; None where it is no parameter."""
    match = _PARAMETER.fullmatch(value)
    if match is None:
        return None
    prefix, colon, name = match[1].rpartition(":")
    if not colon:
        return name
    extension = _EXTENSION.search(spaces.get(prefix, ""))
    return f"{(extension[1] or extension[2]) if extension else prefix}:{name}"


def _offset(text: str | None) -> int:
    return int(text) if text in ("0", "1") else 1
