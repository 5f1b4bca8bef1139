"""What is around each page: its head, its style, the way to where it stands."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

STYLE = """
:root{color-scheme:light dark;--ink:#17242d;--soft:#5a6b76;--line:#d8e0e5;--back:#fbfcfd;
--mark:#0b6e8f;--code:#eef3f6;--area:#0b6e8f1f;--bad:#b3402a}
@media(prefers-color-scheme:dark){:root{--ink:#e4ebef;--soft:#9aabb6;--line:#2d3a43;--back:#121a20;
--mark:#5cc0e0;--code:#1c272f;--area:#5cc0e01f;--bad:#f0907c}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--ink);font:16px/1.5 system-ui,sans-serif;
overflow-wrap:anywhere}
header,main,footer{max-width:64rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:1.25rem;color:var(--soft)}
header nav a+a::before,header nav a+span::before{content:"/";padding:0 .5rem;color:var(--line);
display:inline-block}
main{padding-bottom:2rem}
footer{padding-top:1rem;padding-bottom:3rem;border-top:1px solid var(--line);color:var(--soft)}
h1{margin:1rem 0 0;font-size:1.7rem;line-height:1.25;letter-spacing:-.01em}
h2{margin:2rem 0 .5rem;font-size:1.1rem}
p.lead{color:var(--soft);margin:.4rem 0 0;max-width:46rem;white-space:pre-line}
p.bad{color:var(--bad)}
a{color:var(--mark);text-underline-offset:.25em}
a:focus-visible,input:focus-visible,select:focus-visible,button:focus-visible,summary:focus-visible{
outline:3px solid var(--mark);outline-offset:2px}
a.skip{position:absolute;left:-99rem}
a.skip:focus{left:1rem;top:.5rem}
table{border-collapse:collapse;width:100%}
caption{text-align:left;color:var(--soft)}
td,th{text-align:left;padding:.4rem 1rem .4rem 0;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--soft);font-weight:500;font-size:.9rem}
tbody th,table.pairs th{width:16rem}
.number{text-align:right;font-variant-numeric:tabular-nums}
code{font:.86em ui-monospace,monospace;background:var(--code);padding:.1em .3em;border-radius:.25rem}
img.thumbnail{display:block;width:6rem;height:6rem;object-fit:cover;border-radius:.4rem;
background:var(--code)}
.map{display:block;width:100%;max-height:28rem;background:var(--code);border-radius:.5rem;margin:1rem 0}
.map .grid{stroke:var(--line);fill:none;vector-effect:non-scaling-stroke}
.map text{fill:var(--soft);font-family:system-ui,sans-serif}
.map .area{fill:var(--area);stroke:var(--mark);vector-effect:non-scaling-stroke;fill-rule:evenodd}
.map a:focus-visible .area,.map a:hover .area{fill:var(--mark)}
form{display:grid;grid-template-columns:repeat(auto-fit,minmax(13rem,1fr));gap:.7rem 1rem;margin:1rem 0}
label{display:block;color:var(--soft);font-size:.9rem}
input,select,button{display:block;width:100%;font:inherit;color:var(--ink);background:var(--back);
border:1px solid var(--soft);border-radius:.4rem;padding:.4rem .6rem}
button{background:var(--mark);color:var(--back);border-color:var(--mark);cursor:pointer;align-self:end}
nav.pages{display:flex;gap:1.5rem;margin:1rem 0}
meter{width:100%;min-width:min(18rem,60vw);height:.8rem}
ul{padding-left:1.2rem}
@media(max-width:40rem){body{font-size:17px}h1{font-size:1.4rem}
.map text{font-size:30px}
table.stack thead{display:none}
table.stack tr{display:block;border-bottom:1px solid var(--line);padding:.6rem 0}
table.stack td,table.stack th{display:block;border:0;padding:.1rem 0;width:auto;text-align:left}
table.stack td[data-name]::before{content:attr(data-name) ": ";color:var(--soft)}}
"""

_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()


@dataclass(frozen=True, slots=True)
class Here:
    """Where a page stands.

    Attributes:
        service: The API's name.
        root: The address of its landing page, without a slash at the end.
        json: The address of the same as JSON.
        asked: The parameters of the page's own address.
    """

    service: str
    root: str
    json: str
    asked: Sequence[tuple[str, str]] = ()


def content_security(root: str) -> str:
    """The Content-Security-Policy of all pages: their own style, pictures, a form that leads to the API."""
    scheme, _, rest = root.partition("://")
    origin = f"{scheme}://{rest.partition('/')[0]}"
    return (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src http: https:; "
        f"form-action 'self' {origin}; base-uri 'none'; frame-ancestors 'none'"
    )


def page(here: Here, title: str, way: Sequence[tuple[str, str]], body: str) -> str:
    """A page.

    Args:
        here: Where it stands.
        title: What it is; text.
        way: Name and address of what it stands below, from the landing page's first child on.
        body: What it shows; HTML.
    """
    above = "".join(f'<a href="{escape(to)}">{escape(name)}</a>' for name, to in [_root(here), *way])
    shown = title if title == here.service else f"{title} · {here.service}"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f'<link rel="alternate" type="application/json" href="{escape(here.json)}">'
        f"<title>{escape(shown)}</title><style>{STYLE}</style></head><body>"
        '<a class="skip" href="#main">To the content</a>'
        f'<header><nav aria-label="Where this stands">{above}</nav></header>'
        f'<main id="main"><h1>{escape(title)}</h1>{body}</main>'
        f"<footer>{_links(here)}</footer></body></html>"
    )


def _root(here: Here) -> tuple[str, str]:
    return here.service, f"{here.root}/"


def _links(here: Here) -> str:
    root = escape(here.root)
    return (
        f'<a href="{escape(here.json)}">This page as JSON</a> · <a href="{root}/search">Search</a> · '
        f'<a href="{root}/collections">Collections</a> · <a href="{root}/api.html">The interface</a>'
    )
