"""The catalogue of ONDA: OData in form, but searched in Solr's language (`$search`); short records.

A record tells where sensing began, not where it ended, and no attributes; so the item is of that instant.
Written after version 1.7 of the service's user guide, and a recorded answer.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import msgspec

from cscale.discovery.odata.asked.attributes import Named, Property
from cscale.discovery.odata.asked.conditions import ANYTHING, Condition
from cscale.discovery.odata.asked.vocabulary import CONSTELLATIONS, PLATFORMS, by_name
from cscale.discovery.odata.asking import Parameters, count, record
from cscale.discovery.odata.dhus import collection_of
from cscale.discovery.odata.paging import Batch
from cscale.discovery.odata.products import Product, name_told, time_told
from cscale.discovery.opensearch.records import Flat, product_of
from cscale.discovery.opensearch.solr import Solr, timed
from cscale.errors import BadInput

_START = "beginPosition"
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class _Record(msgspec.Struct):
    """A product as it comes; nothing of it is believed. Its picture is not read."""

    id: Any = None
    name: Any = None
    created: Any = None
    begin: Any = msgspec.field(name=_START, default=None)
    offline: Any = None
    size: Any = None
    footprint: Any = None

    def time(self, field: str) -> int | None:
        """A time by its field."""
        return time_told({_START: self.begin}.get(field))


class _Answer(msgspec.Struct):
    value: list[msgspec.Raw]
    next: Any = msgspec.field(name="@odata.nextLink", default=None)
    matched: Any = msgspec.field(name="@odata.count", default=None)


class Onda(Solr):
    """ONDA's catalogue: how it is asked, and how it answers; see `odata.walking.Archive`."""

    path: ClassVar[str] = "/Products"
    name: ClassVar[str] = "name"
    properties: ClassVar[Mapping[str, Property]] = by_name(
        (Named("platform", PLATFORMS), Named("constellation", CONSTELLATIONS))
    )
    sorts: ClassVar[Mapping[str, str]] = {"datetime": _START, "start_datetime": _START}
    second: ClassVar[str] = "creationDate"

    @staticmethod
    def parameters(condition: str, order: str, top: int, skip: int, *, counted: bool) -> Parameters:  # noqa: ARG004
        """The parameters of a request."""
        told = [("$format", "json"), ("$orderby", order), ("$top", str(top)), ("$skip", str(skip))]
        return [*told, ("$search", '"' + (condition or "*").replace('"', '\\"') + '"')]

    @staticmethod
    def batch(body: msgspec.Raw, top: int, skip: int) -> Batch[msgspec.Raw]:  # noqa: ARG004  # as others
        """The records of an answer.

        Raises:
            msgspec.DecodeError: If it is none.
        """
        answer = msgspec.json.decode(body, type=_Answer)
        more = len(answer.value) >= top or answer.next is not None
        return Batch(answer.value, more, count(answer.matched))

    @staticmethod
    def record(raw: msgspec.Raw) -> Any:
        """A record; None where it is none."""
        return record(raw, _Record)

    @staticmethod
    def product(told: Any, root: str, asked: Sequence[str]) -> Product:  # noqa: ARG004  # as others
        """The product that a record describes.

        Raises:
            BadInput: If it describes none.
        """
        name = name_told(told.name)
        collection = collection_of(name) if name is not None else None
        if name is None or collection is None or not _UUID.fullmatch(str(told.id)[:40]):
            raise BadInput("a product without an identifier, or whose name does not tell its collection")
        address = f"{root}/Products({told.id})"
        return product_of(
            Flat(
                name=name,
                collection=collection,
                start=told.time(_START),
                wkt=told.footprint,
                values={"productType": collection.partition("/")[2]},
                published=time_told(told.created),
                download=f"{address}/$value",
                size=told.size,
                via=address,
                online=not told.offline if isinstance(told.offline, bool) else None,
            )
        )

    def named(self, names: Sequence[str]) -> Condition:
        """See `filters.Site`; names there have the ending of their file."""
        known = [name for name in names if name_told(name) == name]
        return self.words.either(self.equals(self.name, f"{name}.zip") for name in known)

    def starts(self, op: str, moment: int) -> Condition:
        """See `filters.Site`."""
        return timed(_START, op, moment)

    def ends(self, op: str, moment: int) -> Condition:
        """See `filters.Site`; an item of this source is of one instant."""
        return timed(_START, op, moment)

    def stamped(self, name: str, op: str, moment: int) -> Condition:  # as others
        """See `filters.Site`."""
        return ANYTHING
