"""A member that speaks OpenSearch EO, found by its description document, or the Data Hub's search.

The Data Hub Software (DHuS) is told by its address, `.../dhus/search` or `.../apihub/search`, and asked as
`solr` says; ONDA's catalogue is `.../dias-catalogue`. Everything else is the address of an OpenSearch
description.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from cscale.discovery.odata.asking import address, fetched, queryables_of
from cscale.discovery.odata.collections import TYPES, described
from cscale.discovery.odata.products import item_of
from cscale.discovery.odata.walking import Walker
from cscale.discovery.opensearch.description import Template, read_description
from cscale.discovery.opensearch.forms import Answer, read_answer
from cscale.discovery.opensearch.onda import Onda
from cscale.discovery.opensearch.query import parameters_of
from cscale.discovery.opensearch.records import Flat, product_of
from cscale.discovery.opensearch.solr import Solr
from cscale.discovery.source import SourcePage
from cscale.errors import BadCursor, BadInput, SiteError
from cscale.federation import Endpoint
from cscale.federation.profiles import Profiled, unknown
from cscale.identity import Caller
from cscale.net.http import HttpPool
from cscale.stac.search import SearchRequest

_DHUS = re.compile(r"/(dhus|apihub)/search/?")
_ONDA = re.compile(r"/dias-catalogue/?")
_MOST = 100
"""The longest page that is asked for where a site does not tell its own."""
_ACCEPT = "application/geo+json, application/json, application/atom+xml"


class _Place(msgspec.Struct, frozen=True, array_like=True):
    """Where a walk stands: how many records and pages have been read, the last one's name and time."""

    skip: int
    page: int
    size: int
    last: str
    moment: int | None


class OpenSearch:
    """An OpenSearch service as a `Source`.

    Args:
        endpoint: The address of its description, or of the Data Hub's search.
        http: The connections to use.
        profile: What the site was seen to do.
    """

    def __init__(self, endpoint: Endpoint, http: HttpPool, profile: Profiled = unknown) -> None:
        self._url = endpoint.url
        self._http = http
        self._template: Template | None = None
        path = urlsplit(endpoint.url).path
        site = Solr() if _DHUS.fullmatch(path) else Onda() if _ONDA.fullmatch(path) else None
        self._hub = Walker(endpoint.url.rstrip("/"), http, site) if site is not None else None

    async def search(self, caller: Caller, request: SearchRequest, token: str | None) -> SourcePage:
        """See `Source.search`; the page tells what the site left to the hub."""
        if self._hub is not None:
            return await self._hub.search(caller, request, token)
        place = _read(token)
        template = await self._described()
        parameters, left = parameters_of(request, template)
        if request.q is not None:  # items made from these records have no texts
            return SourcePage([], left=left)
        size = min(request.limit, template.most or _MOST) if place is None else place.size
        paging = _paging(template, place, size)
        url = address(template.url, [*template.fixed, *parameters, *paging])
        answer = read_answer(await fetched(self._http, url, accept=_ACCEPT), template.title or "products")
        features, rejected = _features(answer.records)
        if "sortby" not in left:
            _check_order(place, answer.records, descending=request.sortby[0].descending)
        after = _next(
            place, answer, size, paged="startIndex" in template.names or "startPage" in template.names
        )
        return SourcePage(features, after, None, left=left, rejected=rejected)

    async def _described(self) -> Template:
        """How the site is asked; its description is read once."""
        if self._template is None:
            accept = "application/opensearchdescription+xml, application/xml"
            body = await fetched(self._http, self._url, accept=accept)
            self._template = read_description(body, self._url)
        return self._template

    async def collections(self, caller: Caller) -> tuple[Sequence[Mapping[str, Any]], Sequence[str]]:
        """See `Source.collections`: those that the description lists, else those of the newest products."""
        if self._hub is not None:
            listed = [f"{mission}/{kind}" for mission, kinds in TYPES.items() for kind in kinds]
            return [described(each) for each in listed if not each.endswith("-COG")], ()
        names = (await self._described()).collections
        if not names:
            page = await self.search(caller, SearchRequest(limit=_MOST), None)
            found = (msgspec.json.decode(feature, type=_Collected).collection for feature in page.features)
            names = tuple(dict.fromkeys(found))
        return [described(name) for name in names], ()

    async def queryables(self, caller: Caller, collection_id: str | None) -> Mapping[str, Any]:
        """See `Source.queryables`."""
        return queryables_of(Solr.properties)

    def item_url(self, collection_id: str, item_id: str) -> str:
        """See `Source.item_url`; but for the Data Hub, there is no address that any site would have."""
        return self._url if self._hub is None else self._hub.item_url(collection_id, item_id)

    def collection_url(self, collection_id: str) -> str:
        """See `Source.collection_url`."""
        return self._url if self._hub is None else self._hub.collection_url(collection_id)


class _Collected(msgspec.Struct):
    collection: str


def _read(token: str | None) -> _Place | None:
    if token is None:
        return None
    try:
        place = msgspec.json.decode(token, type=_Place)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadCursor("token: not one of this source") from error
    if place.skip < 1 or place.page < 1 or not 1 <= place.size <= _MOST * 100:
        raise BadCursor("token: not one of this source")
    return place


def _paging(template: Template, place: _Place | None, size: int) -> list[tuple[str, str]]:
    """The parameters of a page; none where the site has none."""
    told = {
        "count": str(size),
        "startIndex": str(template.first[0] + (place.skip if place else 0)),
        "startPage": str(template.first[1] + (place.page if place else 0)),
    }
    if "startIndex" in template.names:
        told.pop("startPage")
    return [(template.names[name], value) for name, value in told.items() if name in template.names]


def _features(records: Sequence[Flat | None]) -> tuple[list[msgspec.Raw], int]:
    """The items of records, and how many of them are none."""
    features = []
    for record in records:
        try:
            if record is not None:
                features.append(msgspec.Raw(msgspec.json.encode(item_of(product_of(record)))))
        except BadInput:  # counted below
            continue
    return features, len(records) - len(features)


def _check_order(place: _Place | None, records: Sequence[Flat | None], *, descending: bool) -> None:
    before = place.moment if place is not None else None
    for record in records:
        moment = record.start if record is not None else None
        if moment is None:
            continue
        if before is not None and (moment > before if descending else moment < before):
            raise SiteError("its answer is not in the order that was asked for")
        before = moment


def _next(place: _Place | None, answer: Answer, size: int, *, paged: bool) -> str | None:
    """What leads to the next page; None on the last."""
    records = answer.records
    skip = len(records) + (place.skip if place else 0)
    more = answer.more or len(records) >= size or skip < (answer.matched or 0)
    if not records or not more:
        return None
    if not paged:
        raise SiteError(f"it offers no way beyond its first {skip} products")
    first = _names(records)
    if place is not None and place.last == first:
        raise SiteError("it answers the same page again instead of the next")
    told = [record.start for record in records if record is not None and record.start is not None]
    moment = told[-1] if told else (place.moment if place else None)
    page = 1 + (place.page if place else 0)
    return msgspec.json.encode(_Place(skip, page, size, first, moment)).decode()


def _names(records: Sequence[Flat | None]) -> str:
    """What tells a page from the one before: the name of its first product."""
    return next((record.name[:200] for record in records if record is not None), "")
