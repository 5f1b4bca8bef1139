"""The search form: what is asked for stands in it again on the page of its answer."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from cscale.stac.html.frame import Here

DAYS = ("from", "to")
"""The parameters of the form that become `datetime`: a first and a last day."""

_ORDERS = {
    "": "Newest first",
    "+datetime": "Oldest first",
    "+eo:cloud_cover": "Least cloud first",
}
_LIMITS = {"": "10", "25": "25", "50": "50", "100": "100"}


def search_form(here: Here, collections: Sequence[Mapping[str, Any]] | None = None) -> str:
    """The form that leads to `/search`.

    Args:
        here: The page; its own parameters stand in the form.
        collections: To choose from; None to write their ids.
    """
    asked = dict(here.asked)
    first, _, last = asked.get("datetime", "").partition("/")
    days = {"from": _day(first), "to": _day(last)}
    if collections is None:
        chosen = _field(
            "collections", "Collections", asked.get("collections", ""), "ids, with commas between"
        )
    else:
        options = {
            "": "All",
            **{str(each["id"]): str(each.get("title") or each["id"]) for each in collections},
        }
        chosen = _choice("collections", "Collection", options, asked.get("collections", ""))
    return (
        f'<form action="{escape(here.root)}/search" method="get" role="search">'
        + _field("q", "Words", asked.get("q", ""), "title, keywords, ...")
        + chosen
        + _field("from", "From", days["from"], "", "date")
        + _field("to", "To", days["to"], "", "date")
        + _field("bbox", "West, south, east, north", asked.get("bbox", ""), "20.2,43.6,29.7,48.3")
        + _field("filter", "Filter (CQL2)", asked.get("filter", ""), "eo:cloud_cover < 20")
        + _choice("sortby", "Order", _ORDERS, asked.get("sortby", ""))
        + _choice("limit", "On a page", _LIMITS, asked.get("limit", ""))
        + "<button>Search</button></form>"
    )


def collections_form(here: Here) -> str:
    """The form that leads to `/collections`."""
    asked = dict(here.asked)
    return (
        f'<form action="{escape(here.root)}/collections" method="get" role="search">'
        + _field("q", "Words", asked.get("q", ""), "id, title, keywords, ...")
        + _field("bbox", "West, south, east, north", asked.get("bbox", ""), "20.2,43.6,29.7,48.3")
        + "<button>Search</button></form>"
    )


def _day(moment: str) -> str:
    return moment[:10] if moment[:4].isdecimal() else ""


def _field(name: str, label: str, value: str, example: str, kind: str = "text") -> str:
    return (
        f'<label>{escape(label)}<input type="{kind}" name="{name}" value="{escape(value)}"'
        f' placeholder="{escape(example)}"></label>'
    )


def _choice(name: str, label: str, options: Mapping[str, str], value: str) -> str:
    known = options if value in options else {**options, value: value}
    shown = "".join(
        f'<option value="{escape(each)}"{" selected" if each == value else ""}>{escape(text)}</option>'
        for each, text in known.items()
    )
    return f'<label>{escape(label)}<select name="{name}">{shown}</select></label>'
