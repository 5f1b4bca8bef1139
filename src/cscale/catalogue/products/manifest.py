"""The manifest that Sentinel-1, -2 and -3 share: the SAFE format's profile of XFDU (CCSDS 661.0-B-1)."""

import re
from typing import Any, NamedTuple

from cscale.catalogue.products.files import MANIFESTS, Files, inner
from cscale.catalogue.products.footprints import read_ring
from cscale.catalogue.products.markup import Node, parse_xml, read_whole
from cscale.errors import BadInput
from cscale.stac.geometry import Coordinates

_MULTIHASH = {
    "MD5": ("d50110", 32), "SHA1": ("1114", 40), "SHA256": ("1220", 64), "SHA512": ("1340", 128),
    "SHA3256": ("1620", 64), "SHA3512": ("1440", 128),
}  # fmt: skip
"""Code and length of a checksum's multihash, and how many hexadecimal digits follow (multicodec table)."""
_HEX = re.compile(r"[0-9a-f]+", re.ASCII)


class DataObject(NamedTuple):
    """A file that a manifest names.

    Attributes:
        id: The object's id in the manifest.
        kind: The id of the schema that it follows; empty where it names none.
        path: Its path within the product.
        about: What the manifest says of it; may be empty.
        fields: `file:size` and `file:checksum`, as far as the manifest states them.
    """

    id: str
    kind: str
    path: str
    about: str
    fields: dict[str, Any]


class Manifest(NamedTuple):
    """A product's manifest.

    Attributes:
        name: The manifest's file name.
        node: The document.
        objects: The files that it names.
    """

    name: str
    node: Node
    objects: list[DataObject]

    @property
    def place(self) -> str:
        """Where it is, for messages."""
        return self.node.place

    def rings(self) -> list[Coordinates]:
        """The footprints, each as in `read_ring`.

        Raises:
            BadInput: If there is none, or one cannot be read.
        """
        texts = [
            position.text
            for outline in self.node.all("footPrint")
            for kind in ("coordinates", "posList")
            for position in outline.all(kind)
        ]
        if not any(texts):
            raise BadInput(f"{self.place}: has no footprint, which an item needs; get the product again")
        return [read_ring(text, self.place) for text in texts if text]

    def period(self) -> tuple[str, str]:
        """When the sensing began and ended; the same where only one time is told.

        Raises:
            BadInput: If no time is told.
        """
        start = self.node.need("acquisitionPeriod/startTime")
        return start, self.node.find("acquisitionPeriod/stopTime") or start

    def orbit(self) -> dict[str, Any]:
        """Fields of the satellite extension that all manifests have."""
        state = self.node.find("orbitReference/pass")
        absolute = self.node.first("orbitReference/orbitNumber")
        if state is None and absolute is not None:
            state = absolute.attribute("groundTrackDirection")
        known = state is not None and state.lower() in ("ascending", "descending")
        return {
            "sat:orbit_state": state.lower() if known and state is not None else None,
            "sat:absolute_orbit": self.node.whole("orbitReference/orbitNumber"),
            "sat:relative_orbit": self.node.whole("orbitReference/relativeOrbitNumber"),
        }

    def processing(self) -> dict[str, Any]:
        """Fields of the processing extension: of the last step, which is the outermost."""
        step = self.node.first("processing")
        facility = step.first("facility") if step else None
        software = facility.first("software") if facility else None
        parts = [facility.attribute(name) for name in ("organisation", "name", "site")] if facility else []
        named = software.attribute("name") if software else None
        version = software.attribute("version") if software else None
        return {
            "processing:facility": ", ".join(dict.fromkeys(part for part in parts if part)) or None,
            "processing:software": {named: version} if named and version else None,
            "processing:datetime": step.attribute("stop") or step.attribute("start") if step else None,
        }


def read_manifest(files: Files) -> Manifest:
    """Read a product's manifest.

    Raises:
        BadInput: If it is missing, is no manifest, or names a file outside the product.
    """
    name = next((each for each in MANIFESTS if files.has(each)), MANIFESTS[0])
    place = f"{files.place}: {name}"
    node = parse_xml(files.read(name), place)
    if node.name != "XFDU":
        raise BadInput(f"{place}: is not a manifest of a product (its root is {node.name[:60]!r}, not XFDU)")
    return Manifest(name, node, [_object(each, place) for each in node.all("dataObject")])


def _object(node: Node, place: str) -> DataObject:
    location = node.first("fileLocation")
    href = (location.attribute("href") if location else None) or ""
    path = inner(href)
    if path is None or location is None:
        raise BadInput(f"{place}: names the file {href[:200]!r}, which is outside the product")
    fields: dict[str, Any] = {}
    stream, checksum = node.first("byteStream"), node.first("checksum")
    try:
        size = read_whole((stream.attribute("size") if stream else None) or "-1")
    except ValueError as error:
        raise BadInput(f"{place}: the size of {path} is no number") from error
    if size >= 0:
        fields["file:size"] = size
    if checksum is not None and (known := multihash(checksum.attribute("checksumName") or "", checksum.text)):
        fields["file:checksum"] = known
    about = location.attribute("textInfo") or ""
    return DataObject(node.attribute("ID") or "", node.attribute("repID") or "", path, about, fields)


def multihash(algorithm: str, digest: str) -> str | None:
    """A checksum as the file extension writes it; None where the algorithm is unknown or does not fit."""
    code, length = _MULTIHASH.get(algorithm.upper().replace("-", ""), ("", 0))
    digest = digest.lower()
    return code + digest if len(digest) == length and _HEX.fullmatch(digest) else None
