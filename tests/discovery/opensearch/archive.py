"""OpenSearch archives to try the source on: real servers that evaluate what they are asked.

One is described by a document and answers GeoJSON or Atom, the other is the Data Hub's search.
"""

import hashlib
import json
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape

import shapely
from aiohttp import web

from tests.discovery.odata.language import Record, Refused, moment

HUB_NAMES = {
    "cloudCover": ("double", "cloudcoverpercentage"),
    "relativeOrbitNumber": ("int", "relativeorbitnumber"),
    "orbitNumber": ("int", "orbitnumber"),
    "orbitDirection": ("str", "orbitdirection"),
    "processingLevel": ("str", "processinglevel"),
    "instrumentShortName": ("str", "instrumentshortname"),
    "tileId": ("str", "tileid"),
}


def attributes(record: Record) -> dict[str, Any]:
    """A record's attributes by name."""
    return {each["Name"]: each["Value"] for each in record["Attributes"]}


def place(record: Record) -> Any:
    """A record's footprint; None where it has none."""
    geometry = record["GeoFootprint"]
    return None if geometry is None else shapely.from_geojson(json.dumps(geometry))


def ends(record: Record) -> tuple[str, str]:
    """When a record's sensing began and ended, as the archive has it."""
    start = record["ContentDate"]["Start"]
    return start, record["ContentDate"]["End"] or start


def entry(record: Record) -> dict[str, Any]:
    """A record as the Data Hub's search answers it; what is one alone stands without a list."""
    told: dict[str, list[dict[str, str]]] = {"str": [], "date": [], "double": [], "int": []}
    for name, value in attributes(record).items():
        if name in HUB_NAMES:
            kind, field_name = HUB_NAMES[name]
            told[kind].append({"name": field_name, "content": str(value)})
    start, end = ends(record)
    told["date"] += [{"name": "beginposition", "content": start}, {"name": "endposition", "content": end}]
    told["date"].append({"name": "ingestiondate", "content": record["PublicationDate"]})
    told["str"].append({"name": "identifier", "content": record["Name"]})
    footprint = place(record)
    if footprint is not None:
        told["str"].append({"name": "footprint", "content": footprint.wkt})
    address = f"https://hub.test/odata/v1/Products('{record['Id']}')/"
    links = [{"href": f"{address}$value"}, {"rel": "alternative", "href": address}]
    links.append({"rel": "icon", "href": f"{address}Products('Quicklook')/$value"})
    kept = {kind: (each[0] if len(each) == 1 else each) for kind, each in told.items() if each}
    return {"title": record["Name"], "id": record["Id"], "link": links, **kept}


def onda(record: Record) -> dict[str, Any]:
    """A record as ONDA's catalogue answers it."""
    return {
        "id": record["Id"],
        "name": f"{record['Name']}.zip",
        "created": record["PublicationDate"],
        "beginPosition": record["ContentDate"]["Start"],
        "offline": not record["Online"],
        "size": 5,
        "footprint": None if place(record) is None else place(record).wkt,
    }


def _plain(query: Any) -> dict[str, str]:
    """What ONDA is asked, in the Data Hub's words."""
    search = query["$search"]
    if search[0] != '"' or search[-1] != '"':
        raise Refused("no quotes around the search")
    told = {"orderby": query["$orderby"], "start": query["$skip"], "rows": query["$top"]}
    return told | {"q": search[1:-1].replace('\\"', '"')}


def feature(record: Record) -> dict[str, Any]:
    """A record as resto answers it."""
    start, end = ends(record)
    properties = {
        "title": record["Name"],
        "productIdentifier": record["Name"],
        "parentIdentifier": None,
        "collection": "MINE",
        "startDate": start,
        "completionDate": end,
        "published": record["PublicationDate"],
        "services": {"download": {"url": f"https://resto.test/{record['Id']}/download", "size": 5}},
        "storage": {"mode": "disk" if record["Online"] else "tape"},
        **{name: value for name, value in attributes(record).items() if name != "instrumentShortName"},
        "instrument": attributes(record).get("instrumentShortName"),
    }
    return {
        "type": "Feature",
        "id": record["Id"],
        "geometry": record["GeoFootprint"],
        "properties": properties,
    }


def atom(record: Record) -> str:
    """A record as an entry of an Atom feed."""
    start, end = ends(record)
    told = attributes(record)
    eo = "".join(f"<eo:{name}>{escape(str(value))}</eo:{name}>" for name, value in told.items())
    footprint = record["GeoFootprint"]
    where = ""
    if footprint is not None:
        numbers = " ".join(f"{lat!r} {lon!r}" for lon, lat in footprint["coordinates"][0])
        where = f"<georss:polygon>{numbers}</georss:polygon>"
    return (
        f"<entry><title>{escape(record['Name'])}</title><dc:identifier>{escape(record['Name'])}</dc:identifier>"
        f"<dc:date>{start}/{end}</dc:date>{eo}{where}<published>{record['PublicationDate']}</published>"
        f'<link rel="enclosure" type="application/zip" href="https://atom.test/{record["Id"]}"/></entry>'
    )


_SPACES = (
    'xmlns="http://www.w3.org/2005/Atom" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:georss="http://www.georss.org/georss" xmlns:os="http://a9.com/-/spec/opensearch/1.1/" '
    'xmlns:eo="http://a9.com/-/spec/opensearch/extensions/eo/1.0/"'
)


@dataclass
class Archive:
    """A server under way.

    Attributes:
        records: What it holds, in the form of `tests.discovery.odata`.
        media: What it answers: `application/geo+json` or `application/atom+xml`.
        within: Whether it finds what lies in a stretch of time, not what overlaps it.
        paging: The parameters of paging that it describes.
        sorts: Whether it describes sort keys.
        most: The longest page.
        counted: Whether it tells how many match.
        asked: The addresses that were asked for.
    """

    records: Sequence[Record]
    media: str = "application/geo+json"
    within: bool = False
    paging: tuple[str, ...] = ("startIndex",)
    sorts: bool = False
    most: int = 100
    counted: bool = True
    asked: list[str] = field(default_factory=list)
    url: str = ""

    @property
    def description(self) -> str:
        """Its description document."""
        parameters = [
            "n={count?}",
            "from={time:start?}",
            "to={t:end?}".replace("t:", "time:"),
            "g={geo:geometry?}",
        ]
        parameters += ["b={geo:box?}", "cc={eo:cloudCover?}", "lang=en"]
        parameters += [f"{name}={{{name}?}}" for name in self.paging]
        parameters += ["sort={sru:sortKeys?}"] if self.sorts else []
        return (
            '<?xml version="1.0"?><OpenSearchDescription xmlns="http://a9.com/-/spec/opensearch/1.1/" '
            'xmlns:geo="http://a9.com/-/opensearch/extensions/geo/1.0/" '
            'xmlns:time="http://a9.com/-/opensearch/extensions/time/1.0/" '
            'xmlns:sru="http://a9.com/-/opensearch/extensions/sru/2.0/" '
            'xmlns:eo="http://a9.com/-/opensearch/extensions/eo/1.0/"><ShortName>Mine</ShortName>'
            '<Url type="text/html" template="http://elsewhere.test/?q={searchTerms}"/>'
            f'<Url type="{self.media}" template="/search?{escape("&".join(parameters))}"/>'
            "</OpenSearchDescription>"
        )

    async def respond(self, request: web.Request) -> web.Response:
        """Answer a request."""
        self.asked.append(str(request.rel_url))
        if request.path == "/description.xml":
            return web.Response(text=self.description, content_type="application/opensearchdescription+xml")
        page, found = self._found(request)
        if self.media == "application/atom+xml":
            matched = f"<os:totalResults>{found}</os:totalResults>" if self.counted else ""
            body = f"<feed {_SPACES}>{matched}{''.join(map(atom, page))}</feed>"
            return web.Response(text=body, content_type=self.media)
        answer: dict[str, Any] = {"type": "FeatureCollection", "features": [feature(each) for each in page]}
        if self.counted:
            answer["properties"] = {"totalResults": found}
        return web.json_response(answer)

    def _found(self, request: web.Request) -> tuple[list[Record], int]:
        query = request.query
        assert query["lang"] == "en"
        found = [record for record in self.records if self._fits(record, query)]
        found.sort(key=lambda record: record["Id"])
        if "sort" in query:
            rises = query["sort"] == "start,time,1"
            found.sort(key=lambda record: moment(record["ContentDate"]["Start"]), reverse=not rises)
        size = min(int(query["n"]), self.most)
        first = int(query.get("startIndex", 1)) - 1
        if "startPage" in query:
            first = (int(query["startPage"]) - 1) * size
        return found[first : first + size], len(found)

    def _fits(self, record: Record, query: Any) -> bool:
        start, end = (moment(text) for text in ends(record))
        last = max(start, end)
        if "from" in query and (start if self.within else last) < moment(query["from"]):
            return False
        if "to" in query and (last if self.within else start) > moment(query["to"]):
            return False
        footprint = place(record)
        if "g" in query and (footprint is None or not footprint.intersects(shapely.from_wkt(query["g"]))):
            return False
        if "b" in query:
            box = shapely.box(*map(float, query["b"].split(",")))
            if footprint is None or not footprint.intersects(box):
                return False
        if "cc" in query:
            low, high = map(float, query["cc"].strip("[]").split(","))
            cover = attributes(record).get("cloudCover")
            return cover is not None and low <= cover <= high
        return True


@dataclass
class Hub:
    """A Data Hub's search under way; see `Archive`."""

    records: Sequence[Record]
    most: int = 100
    path: str = "/dhus/search"
    asked: list[str] = field(default_factory=list)
    url: str = ""

    async def respond(self, request: web.Request) -> web.Response:
        """Answer a search."""
        self.asked.append(str(request.rel_url))
        query = dict(request.query) if self.path == "/dhus/search" else _plain(request.query)
        try:
            test = solr(query["q"])
        except Refused as error:
            return web.json_response({"error": {"message": str(error)}}, status=400)
        found = [record for record in self.records if test(record)]
        fields = {
            "beginposition": "Start",
            "ingestiondate": "PublicationDate",
            "creationdate": "PublicationDate",
        }
        name, direction = query["orderby"].lower().split(" ")
        found.sort(key=lambda record: hashlib.sha1((query["q"] + record["Id"]).encode()).digest())
        found.sort(
            key=lambda record: moment({**record, **record["ContentDate"]}[fields[name]]),
            reverse=direction == "desc",
        )
        first, rows = int(query["start"]), min(int(query["rows"]), self.most)
        held = found[first : first + rows]
        if self.path != "/dhus/search":
            more = {"@odata.nextLink": "http://elsewhere.test/"} if first + rows < len(found) else {}
            return web.json_response({"value": [onda(record) for record in held], **more})
        page = [entry(record) for record in held]
        feed: dict[str, Any] = {"opensearch:totalResults": str(len(found))}
        if page:
            feed["entry"] = page if len(page) > 1 else page[0]
        return web.json_response({"feed": feed})


_TOKEN = re.compile(
    r'\s*(?:(?P<range>\w+:\[[^\]]*\])|(?P<phrase>\w+:"(?:[^"\\]|\\.)*")|(?P<word>\w+:(?:\\.|[\w*])+)|(?P<mark>[()*]|AND|OR))'
)


def solr(text: str) -> Callable[[Record], bool]:
    """The function that says whether a record fits a query of Solr's, as far as the Data Hub knows it."""
    tokens, at = [], 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if match is None:
            raise Refused(f"at {text[at:][:30]!r}")
        tokens.append((str(match.lastgroup), match[str(match.lastgroup)]))
        at = match.end()
    tokens.append(("end", ""))

    def joined(
        word: str, inner: Callable[[], Callable[[Record], bool]], join: Any
    ) -> Callable[[Record], bool]:
        parts = [inner()]
        while tokens[0][1] == word:
            tokens.pop(0)
            parts.append(inner())
        return lambda record: join(part(record) for part in parts)

    def either() -> Callable[[Record], bool]:
        return joined("OR", lambda: joined("AND", one, all), any)

    def one() -> Callable[[Record], bool]:
        kind, token = tokens.pop(0)
        if token == "(":
            inner = either()
            if tokens.pop(0)[1] != ")":
                raise Refused("a bracket is missing")
            return inner
        if token == "*":
            return lambda _: True
        name, _, value = token.partition(":")
        if kind not in ("range", "phrase", "word"):
            raise Refused(f"{token!r} where a field should be")
        return _field(kind, name, value)

    test = either()
    if tokens != [("end", "")]:
        raise Refused(f"something after its end: {tokens[0][1]!r}")
    return test


def _field(kind: str, name: str, value: str) -> Callable[[Record], bool]:
    if kind == "range":
        low, high = value.strip("[]").split(" TO ")
        read: Callable[[str], Any] = moment if name.lower().endswith(("position", "date")) else float
        bounds = (None if low == "*" else read(low), None if high == "*" else read(high))

        def ranged(record: Record) -> bool:
            held = _value(record, name)
            if held is None:
                return False
            return (bounds[0] is None or held >= bounds[0]) and (bounds[1] is None or held <= bounds[1])

        return ranged
    if name == "footprint":
        match = re.fullmatch(r'"Intersects\((.*)\)"', value)
        area = shapely.from_wkt(match[1]) if match else None
        if area is None:
            raise Refused(value)
        return lambda record: place(record) is not None and place(record).intersects(area)
    if kind == "phrase":
        phrase = re.sub(r"\\(.)", r"\1", value[1:-1])
        return lambda record: str(_value(record, name)).lower() == phrase.lower()
    parts = [re.escape(re.sub(r"\\(.)", r"\1", part)) for part in re.split(r"(?<!\\)\*", value)]
    pattern = re.compile(".*".join(parts), re.IGNORECASE)
    return lambda record: pattern.fullmatch(str(_value(record, name))) is not None


def _value(record: Record, name: str) -> Any:
    """What the Data Hub's index holds of a record under a field."""
    if name == "beginPosition":
        return moment(record["ContentDate"]["Start"])
    if name == "name":
        return f"{record['Name']}.zip"
    told = entry(record)
    for kind in ("str", "date", "double", "int"):
        listed = told.get(kind, [])
        for each in listed if isinstance(listed, list) else [listed]:
            if each["name"] == name:
                content = each["content"]
                return moment(content) if kind == "date" else content if kind == "str" else float(content)
    return None


@asynccontextmanager
async def served(archive: Archive | Hub) -> AsyncIterator[Archive | Hub]:
    """Serve an archive until the block ends."""
    app = web.Application()
    app.router.add_get("/{any:.*}", archive.respond)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    path = "/description.xml" if isinstance(archive, Archive) else archive.path
    archive.url = f"http://127.0.0.1:{runner.addresses[0][1]}{path}"
    try:
        yield archive
    finally:
        await runner.cleanup()
