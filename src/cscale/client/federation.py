"""A federation as its user sees it: searched by one question, however many pages and sites answer."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from cscale.client.download import Download, download
from cscale.client.login import Credentials, last_hub
from cscale.client.loop import LoopThread
from cscale.errors import CscaleError, NotFound, SiteError
from cscale.net.http import Answer, HttpPool

DEFAULT_HUB = "http://127.0.0.1:8300"
_PAGE = 250


def default_hub() -> str:
    """The hub that is asked when none is named: `CSCALE_HUB`, else the last login's, else this machine's."""
    return os.environ.get("CSCALE_HUB") or last_hub() or DEFAULT_HUB


@dataclass
class Found:
    """What a search found.

    Attributes:
        items: STAC Items, in order.
        more: Whether there are more than were asked for.
        matched: How many match in all, if the hub says so.
        sites: By site id, its worst status over all pages, with `returned` summed up.
        missing: The sites missing from at least one page.
    """

    items: list[dict[str, Any]] = field(default_factory=list)
    more: bool = False
    matched: int | None = None
    sites: dict[str, dict[str, Any]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def _take(self, page: Mapping[str, Any]) -> None:
        self.items += page.get("features", [])
        if self.matched is None:
            self.matched = page.get("numberMatched")
        self.missing += [name for name in page.get("federation:missing", []) if name not in self.missing]
        for status in (page.get("federation") or {}).get("sites", []):
            seen = self.sites.setdefault(status["id"], {**status, "returned": 0})
            seen["returned"] += status.get("returned") or 0
            if status["state"] not in ("ok", seen["state"]):
                seen |= {"state": status["state"], "reason": status.get("reason")}


class Federation:
    """A hub, or a single site: both answer alike.

    Args:
        url: Its address; None for `default_hub()`.
    """

    def __init__(self, url: str | None = None) -> None:
        self.url = (url or default_hub()).rstrip("/")
        self._loop = LoopThread()
        self._http = HttpPool()
        self._credentials = Credentials(self.url)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._loop.run(self._http.close())
        self._loop.close()

    def search(
        self,
        query: Mapping[str, Any],
        limit: int = 10,
        progress: Callable[[int], None] = lambda _found: None,
    ) -> Found:
        """Search, page by page up to `limit` items.

        Args:
            query: Members of a STAC API search body, without `limit` and `token`.
            limit: How many items are wanted.
            progress: Called with the number of items found so far.

        Raises:
            SiteError: If the hub does not answer, or refuses the search; says why.
        """
        return self._loop.run(self._search(dict(query), limit, progress))

    async def _search(self, query: dict[str, Any], limit: int, progress: Callable[[int], None]) -> Found:
        found = Found()
        body: dict[str, Any] | None = query
        while body is not None and len(found.items) < limit:
            asked = {**body, "limit": min(limit - len(found.items), _PAGE)}
            page = await self._json("POST", "/stac/search", asked)
            found._take(page)  # noqa: SLF001  # its only maker
            token = _next_token(page)
            found.more = token is not None
            body = {**query, "token": token} if token is not None else None
            progress(len(found.items))
        return found

    def item(self, item_id: str, collection: str | None = None) -> dict[str, Any]:
        """One item by its id.

        Raises:
            NotFound: If no site that answered holds it, or several collections do; says which.
        """
        query: dict[str, Any] = {"ids": [item_id]}
        if collection is not None:
            query["collections"] = [collection]
        found = self.search(query, limit=50)
        if not found.items:
            away = f"; {', '.join(found.missing)} did not answer and may hold it" if found.missing else ""
            raise NotFound(f"{self.url} finds no item {item_id!r}{away}")
        if len(found.items) > 1:
            held = ", ".join(str(item.get("collection")) for item in found.items)
            raise NotFound(f"{item_id!r} is the id of items in {held}; say which with --collection")
        return found.items[0]

    def sites(self) -> Sequence[Mapping[str, Any]]:
        """The members of the federation."""
        sites: Sequence[Mapping[str, Any]] = self._loop.run(self._json("GET", "/sites"))["sites"]
        return sites

    def download(
        self,
        asset: Mapping[str, Any],
        to: Path,
        progress: Callable[[int, int | None], None] = lambda _done, _size: None,
    ) -> Download:
        """Download an asset and verify its checksum; see `cscale.client.download.download`."""
        return self._loop.run(download(self._http, asset, to, progress, self._credentials.token_for))

    async def _json(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        token = await self._credentials.token_for(self.url + path)
        headers = {"authorization": f"Bearer {token}"} if token else {}
        try:
            answer = await self._http.request(method, self.url + path, json_body=body, headers=headers)
        except SiteError as error:
            raise SiteError(
                f"{self.url}: {error}; is it the address of a hub? (--hub, CSCALE_HUB)"
            ) from error
        return _checked(self.url, answer)


def _checked(url: str, answer: Answer) -> dict[str, Any]:
    try:
        body = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise SiteError(f"{url}: answered {answer.status}, and not in JSON") from error
    if answer.status == 200 and isinstance(body, dict):
        return body
    said = body.get("description") if isinstance(body, dict) else None
    if answer.status == 401:
        said = f"{said or 'it wants to know who asks'}; log in: cscale login --hub {url}"
    raise (CscaleError if answer.status == 400 else SiteError)(
        f"{url}: {said or f'answered {answer.status}'}"
    )


def _next_token(page: Mapping[str, Any]) -> str | None:
    for link in page.get("links", []):
        if link.get("rel") == "next":
            token: str | None = (link.get("body") or {}).get("token")
            return token
    return None
