"""The front page, as HTML that needs nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Front:
    """What the front page is made of.

    Attributes:
        title: The service's name.
        description: What it holds.
        url: Its address.
        members: Id, name and address of each member site; empty for a site by itself.
    """

    title: str
    description: str
    url: str
    members: Sequence[tuple[str, str, str]] = ()


_STYLE = """
:root{color-scheme:light dark;--ink:#17242d;--soft:#5a6b76;--line:#d8e0e5;--back:#fbfcfd;
--mark:#0b6e8f;--code:#eef3f6}
@media(prefers-color-scheme:dark){:root{--ink:#e4ebef;--soft:#9aabb6;--line:#2d3a43;--back:#121a20;
--mark:#5cc0e0;--code:#1c272f}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--ink);font:17px/1.55 system-ui,sans-serif}
main{max-width:56rem;margin:0 auto;padding:3rem 1.25rem 4rem}
h1{margin:0;font-size:2.1rem;letter-spacing:-.02em}
h2{margin:2.5rem 0 .6rem;font-size:1.15rem}
p.lead{color:var(--soft);margin:.5rem 0 0;max-width:44rem}
a{color:var(--mark);text-underline-offset:.3em}
table{border-collapse:collapse;width:100%}
td,th{text-align:left;padding:.45rem 1rem .45rem 0;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--soft);font-weight:500;font-size:.9rem}
pre{background:var(--code);padding:1rem;border-radius:.5rem;overflow-x:auto;font-size:.86rem}
code{font-family:ui-monospace,monospace}
.away{color:#b3402a}
"""


def render(front: Front, collections: Sequence[Mapping[str, Any]], missing: Sequence[str]) -> str:
    """The page.

    Args:
        front: What the service says of itself.
        collections: Its collections.
        missing: The members that did not answer just now.
    """
    parts = [f"<h1>{escape(front.title)}</h1>", f'<p class="lead">{escape(front.description)}</p>']
    if front.members:
        parts.append("<h2>Who is in</h2>" + _members(front.members, missing))
    parts.append("<h2>What there is</h2>" + _collections(front.url, collections))
    parts.append("<h2>How to ask</h2>" + _ways(front.url, collections))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(front.title)}</title><style>{_STYLE}</style></head>"
        f"<body><main>{''.join(parts)}</main></body></html>"
    )


def _members(members: Sequence[tuple[str, str, str]], missing: Sequence[str]) -> str:
    away = {name.partition("/")[0] for name in missing}
    rows = "".join(
        f'<tr><td><a href="{escape(url)}">{escape(name)}</a></td>'
        f"<td>{_AWAY if site in away else 'answers'}</td></tr>"
        for site, name, url in members
    )
    return f"<table><tr><th>Site</th><th>Just now</th></tr>{rows}</table>"


_AWAY = '<span class="away">no answer</span>'


def _collections(url: str, collections: Sequence[Mapping[str, Any]]) -> str:
    if not collections:
        return "<p>Nothing yet.</p>"
    rows = "".join(
        f'<tr><td><a href="{escape(url)}/stac/collections/{quote(each["id"], safe="")}">'
        f"<code>{escape(each['id'])}</code></a></td>"
        f"<td>{escape(str(each.get('title') or ''))}</td><td>{escape(' to '.join(_period(each)))}</td></tr>"
        for each in sorted(collections, key=_federated_first)
    )
    return f"<table><tr><th>Collection</th><th>Title</th><th>Period</th></tr>{rows}</table>"


def _federated_first(collection: Mapping[str, Any]) -> tuple[bool, str]:
    """One site's own collections (`alpha|S2_L2A`) after those of all."""
    return ("|" in collection["id"], collection["id"])


def _period(collection: Mapping[str, Any]) -> tuple[str, str]:
    """The first and the last day of a collection."""
    try:
        start, end = collection["extent"]["temporal"]["interval"][0]
    except (KeyError, IndexError, TypeError, ValueError):
        start = end = None
    return str(start or "..")[:10], str(end or "..")[:10]


def _ways(url: str, collections: Sequence[Mapping[str, Any]]) -> str:
    here = escape(url)
    _, last = _period(min(collections, key=_federated_first)) if collections else ("", "..")
    since = f"{int(last[:4]) - 1}-01-01" if last[:4].isdecimal() else "2020-01-01"
    return (
        f"<pre><code>cscale search --hub {here} --datetime {since}/.. --limit 5\n\n"
        f"curl '{here}/stac/search?datetime={since}T00:00:00Z/..&amp;limit=5'\n\n"
        "from pystac_client import Client\n"
        f'items = Client.open("{here}/stac").search(max_items=5).item_collection()</code></pre>'
        f'<p>The whole interface: <a href="{here}/stac/api.html">STAC API</a>'
        f' (<a href="{here}/stac/api">OpenAPI</a>). State: <a href="{here}/health">health</a>.</p>'
    )
