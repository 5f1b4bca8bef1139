"""A member that speaks OData: Copernicus Data Space, CREODIAS and others of the Copernicus Space Component.

A site of the older Data Hub Software (DHuS) is told by its address, `.../dhus/odata/v1` or
`.../apihub/odata/v1`, and asked as `dhus` says.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from cscale.discovery.odata.collections import TYPES, described
from cscale.discovery.odata.csc import Csc
from cscale.discovery.odata.dhus import Dhus
from cscale.discovery.odata.walking import Walker
from cscale.federation import Endpoint
from cscale.federation.profiles import Profiled, unknown
from cscale.identity import Caller
from cscale.net.http import HttpPool

_DHUS = re.compile(r"/(dhus|apihub)/odata/v1/?")


class OData(Walker):
    """An OData service as a `Source`.

    Args:
        endpoint: Its address, without `/Products`.
        http: The connections to use.
        profile: What the site was seen to do.
    """

    def __init__(self, endpoint: Endpoint, http: HttpPool, profile: Profiled = unknown) -> None:
        root = endpoint.url.rstrip("/").removesuffix("/Products")
        super().__init__(root, http, Dhus() if _DHUS.fullmatch(urlsplit(root).path) else Csc())

    async def collections(self, caller: Caller) -> tuple[Sequence[Mapping[str, Any]], Sequence[str]]:
        """See `Source.collections`; of the missions that the site lists, where it lists them."""
        missions = set(TYPES)
        if isinstance(self._site, Csc):
            answer = await self._http.request("GET", f"{self._root}/Attributes")
            listed = _object(answer.body) if answer.status == 200 else {}
            missions = missions & listed.keys() or missions
        return [
            described(f"{mission}/{kind}")
            for mission, kinds in TYPES.items()
            if mission in missions
            for kind in kinds
        ], ()


def _object(body: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return {}
