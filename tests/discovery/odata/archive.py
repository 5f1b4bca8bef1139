"""An OData archive to try the source on: a real server that evaluates what it is asked.

Products of one instant come in an order that changes from condition to condition, as no archive
promises another; pages and skipping are capped as at the Copernicus Data Space.
"""

import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from tests.discovery.odata.language import Record, Refused, held, parsed


@dataclass
class Archive:
    """A server under way.

    Attributes:
        records: What it holds, in the form of the Copernicus Space Component, with `Collection`.
        version: 4, or 2 for the Data Hub's OData.
        most: The longest page that it gives, whatever is asked for.
        deepest: How many records it skips at most.
        asked: The addresses that were asked for.
    """

    records: Sequence[Record]
    version: int = 4
    most: int = 1000
    deepest: int = 10_000
    asked: list[str] = field(default_factory=list)
    url: str = ""

    async def respond(self, request: web.Request) -> web.Response:
        """Answer a search."""
        self.asked.append(str(request.rel_url))
        if not request.path.endswith("/Products"):
            return web.json_response({"detail": "Not Found"}, status=404)
        try:
            return web.json_response(self._found(request))
        except Refused as error:
            return web.json_response({"detail": str(error)}, status=400)

    def _found(self, request: web.Request) -> dict[str, Any]:
        query = request.query
        condition = query.get("$filter", "")
        found = list(self.records)
        if condition:
            test = parsed(condition, version=self.version)
            found = [record for record in found if test(record)]
        top, skip = int(query.get("$top", 20)), int(query.get("$skip", 0))
        if top > (1000 if self.version == 4 else 100):
            raise Refused("$top: Input should be less than or equal to 1000, or 100")
        if skip > self.deepest:
            raise Refused(f"$skip: Input should be less than or equal to {self.deepest}")
        path, direction = query["$orderby"].split(" ")
        path = "PublicationDate" if path == "IngestionDate" else path  # as the records here call it
        found.sort(key=lambda record: hashlib.sha1((condition + record["Id"]).encode()).digest())
        found.sort(key=lambda record: held(record, path) or ("", ""), reverse=direction == "desc")
        page = found[skip : skip + min(top, self.most)]
        if self.version == 2:
            told: dict[str, Any] = {"results": [as_hub(record) for record in page]}
            return {"d": told | ({"__count": str(len(found))} if "$inlinecount" in query else {})}
        answer: dict[str, Any] = {"value": [_shown(each, query.getall("$expand", [])) for each in page]}
        if "$count" in query:
            answer["@odata.count"] = len(found)
        if skip + len(page) < len(found) and skip + len(page) <= self.deepest:
            answer["@odata.nextLink"] = f"https://elsewhere.test/odata/v1/Products?$skip={skip + len(page)}"
        return answer


def _shown(record: Record, expanded: Sequence[str]) -> Record:
    hidden = {"Collection"} | ({"Attributes", "Assets"} - set(expanded))
    return {name: value for name, value in record.items() if name not in hidden}


def as_hub(record: Record) -> Record:
    """A record in the Data Hub's form."""
    fields = ("ContentLength", "Online", "Id")
    attributes = [
        {"Name": _HUB_NAMES[each["Name"]], "Value": str(each["Value"])}
        for each in record["Attributes"]
        if each["Name"] in _HUB_NAMES
    ]
    return {name: record.get(name) for name in fields} | {
        "Name": record["Name"],
        "IngestionDate": _milliseconds(record["PublicationDate"]),
        "ModificationDate": _milliseconds(record["ModificationDate"]),
        "ContentDate": {name: _milliseconds(text) for name, text in record["ContentDate"].items()},
        "ContentGeometry": _gml(record["GeoFootprint"]),
        "Attributes": {"results": attributes},
    }


_HUB_NAMES = {
    "cloudCover": "Cloud cover percentage",
    "relativeOrbitNumber": "Relative orbit (start)",
    "orbitDirection": "Pass direction",
    "processingLevel": "Processing level",
}


def _milliseconds(text: str | None) -> str | None:
    if text is None:
        return None
    passed = datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)
    return f"/Date({passed.days * 86_400_000 + passed.seconds * 1000 + passed.microseconds // 1000})/"


def _gml(geometry: dict[str, Any] | None) -> str | None:
    if geometry is None:
        return None
    pairs = " ".join(f"{latitude},{longitude}" for longitude, latitude in geometry["coordinates"][0])
    return f"<gml:Polygon><gml:coordinates>{pairs}</gml:coordinates></gml:Polygon>"


@asynccontextmanager
async def served(archive: Archive) -> AsyncIterator[Archive]:
    """Serve an archive until the block ends."""
    app = web.Application()
    app.router.add_get("/{any:.*}", archive.respond)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    archive.url = f"http://127.0.0.1:{port}" + ("/odata/v1" if archive.version == 4 else "/dhus/odata/v1")
    try:
        yield archive
    finally:
        await runner.cleanup()
