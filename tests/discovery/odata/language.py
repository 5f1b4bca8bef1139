"""OData's `$filter` as far as the archives know it, evaluated on their records: for servers of tests.

What the Copernicus Data Space refuses is refused: several polygons in one area, texts of attributes that
are compared otherwise than for equality, properties that it does not know.
"""

import re
from collections.abc import Callable
from typing import Any

import shapely

Record = dict[str, Any]
Test = Callable[[Record], bool]

_TOKEN = re.compile(
    r"\s*(?:(?P<geo>geography'SRID=4326;[^']*')|(?P<date>datetime'[^']*')|(?P<text>'(?:[^']|'')*')"
    r"|(?P<time>\d{4}-\d\d-\d\dT[\d:.]+Z)|(?P<number>-?\d+(?:\.\d+)?(?:e[-+]?\d+)?)"
    r"|(?P<word>[A-Za-z_.]+(?:/[A-Za-z_.]+)*)|(?P<mark>[(),:=]))"
)
_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
}


class Refused(Exception):
    """What the archive does not understand."""


def parsed(text: str, *, version: int) -> Test:
    """The function that says whether a record fits.

    Args:
        text: The `$filter`.
        version: 4 for the Copernicus Space Component, 2 for the Data Hub.
    """
    tokens, at = [], 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if match is None:
            raise Refused(f"at {text[at:][:30]!r}")
        tokens.append((str(match.lastgroup), match[str(match.lastgroup)]))
        at = match.end()
    reader = _Reader([*tokens, ("end", "")], version)
    test = reader.any()
    if reader.next()[0] != "end":
        raise Refused("something after its end")
    return test


class _Reader:
    def __init__(self, tokens: list[tuple[str, str]], version: int) -> None:
        self._tokens, self._version, self._at = tokens, version, 0

    def next(self) -> tuple[str, str]:
        self._at += 1
        return self._tokens[self._at - 1]

    def _next_is(self, value: str) -> bool:
        if self._tokens[self._at][1] != value:
            return False
        self._at += 1
        return True

    def _expect(self, *values: str) -> str:
        _, value = self.next()
        if value not in values:
            raise Refused(f"{value!r} instead of {values}")
        return value

    def any(self) -> Test:
        parts = [self.all()]
        while self._next_is("or"):
            parts.append(self.all())
        return lambda record: any(part(record) for part in parts)

    def all(self) -> Test:
        parts = [self.one()]
        while self._next_is("and"):
            parts.append(self.one())
        return lambda record: all(part(record) for part in parts)

    def one(self) -> Test:
        if self._next_is("("):
            inner = self.any()
            self._expect(")")
            return inner
        kind, word = self.next()
        if kind != "word":
            raise Refused(f"{word!r} where a property should be")
        if word in ("startswith", "contains", "substringof"):
            return self._named(word)
        if word == "OData.CSC.Intersects" and self._version == 4:
            return self._intersects()
        match = re.fullmatch(r"Attributes/OData\.CSC\.(String|Double|Integer)Attribute/any", word)
        if match is not None and self._version == 4:
            return self._attribute(match[1])
        return self._compared(word)

    def _named(self, function: str) -> Test:
        if function == ("substringof" if self._version == 4 else "contains"):
            raise Refused(function)
        self._expect("(")
        if function == "substringof":
            text = self._text()
            self._expect(","), self._expect("Name"), self._expect(")")
            return lambda record: text in record["Name"]
        self._expect("Name"), self._expect(",")
        text = self._text()
        self._expect(")")
        if function == "contains":
            return lambda record: text in record["Name"]
        return lambda record: record["Name"].startswith(text)

    def _text(self) -> str:
        kind, value = self.next()
        if kind != "text":
            raise Refused(f"{value!r} is no text")
        return value[1:-1].replace("''", "'")

    def _intersects(self) -> Test:
        self._expect("("), self._expect("area"), self._expect("=")
        kind, value = self.next()
        self._expect(")")
        area = shapely.from_wkt(value[len("geography'SRID=4326;") : -1]) if kind == "geo" else None
        if not isinstance(area, shapely.Polygon | shapely.Point) or not area.is_valid:
            raise Refused("MULTIPOLYGON is currently not supported")
        west, south, east, north = area.bounds
        if west < -180 or east > 180 or south < -90 or north > 90:
            raise Refused("coordinates outside the world")

        def test(record: Record) -> bool:
            place = record.get("GeoFootprint")
            return place is not None and shapely.from_geojson(str(place).replace("'", '"')).intersects(area)

        return test

    def _attribute(self, kind: str) -> Test:
        value_path = f"att/OData.CSC.{kind}Attribute/Value"
        for word in ("(", "att", ":", "att/Name", "eq"):
            self._expect(word)
        name = self._text()
        tests = []
        while self._next_is("and"):
            self._expect(value_path)
            order = self._expect(*(("eq",) if kind == "String" else ("eq", "lt", "le", "gt", "ge")))
            literal = self._literal()
            if isinstance(literal, str) is not (kind == "String"):
                raise Refused(f"{literal!r} is no {kind}")
            if kind == "Integer" and not (isinstance(literal, int) and abs(literal) < 1 << 31):
                raise Refused(f"{literal!r} is no integer")
            tests.append((_ORDERS[order], literal))
        self._expect(")")

        def test(record: Record) -> bool:
            return any(
                each["Name"] == name
                and each["@odata.type"] == f"#OData.CSC.{kind}Attribute"
                and all(order(each["Value"], literal) for order, literal in tests)
                for each in record["Attributes"]
            )

        return test

    def _literal(self) -> Any:
        kind, value = self.next()
        if kind == "text":
            return value[1:-1].replace("''", "'")
        if kind == "number":
            return float(value) if re.search("[.e]", value) else int(value)
        if kind == ("time" if self._version == 4 else "date"):
            return moment(value.removeprefix("datetime'").rstrip("'Z"))
        raise Refused(f"{value!r} is no literal")

    def _compared(self, path: str) -> Test:
        times = (
            "ContentDate/Start",
            "ContentDate/End",
            "PublicationDate",
            "IngestionDate",
            "ModificationDate",
        )
        if path not in (*times, "Name", "Collection/Name"):
            raise Refused(f"no property {path}")
        order = self._expect(*_ORDERS)
        literal = self._literal()
        if path in times and not isinstance(literal, tuple):
            raise Refused(f"{literal!r} is no time")
        compare = _ORDERS[order]

        def test(record: Record) -> bool:
            value = held(record, "PublicationDate" if path == "IngestionDate" else path)
            return value is not None and compare(value, literal)

        return test


def moment(text: str) -> tuple[str, str]:
    """A time as it sorts: to the second, and what is behind the point."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    return whole, fraction.rstrip("0")


def held(record: Record, path: str) -> Any:
    """What a record holds under a path; times as they sort."""
    value: Any = record
    for step in path.split("/"):
        value = value.get(step) if isinstance(value, dict) else None
    if value is None or path in ("Name", "Collection/Name"):
        return value
    return moment(value)
