"""Files and parts of files: the Range header, conditional requests and the sending (RFC 9110, 13 to 15).

What is answered is decided before the first byte, on the status of the *opened* file, so that size,
entity tag and content are one file's even while its name is given to another.
"""

import asyncio
import io
import os
import re
import secrets
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC
from email.utils import formatdate, parsedate_to_datetime
from typing import NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from cscale.errors import RangeNotSatisfiable

MAX_RANGES = 16
"""The most ranges that are answered at once."""

_AT_ONCE = 1024 * 1024  # bytes sent as one message, a quarter cheaper than as several
_CHUNK = 256 * 1024  # bytes a message in longer answers, where larger ones are no faster
_PATIENCE = 60.0  # seconds for a client to take a chunk: a silent one may not hold a file for ever
_BODY = "http.response.body"
_RANGE = re.compile(r"([0-9]+)-([0-9]*)|-([0-9]+)")
_TAG = re.compile(r'(?:W/)?"[^"]*"')


class OpenFile(NamedTuple):
    """A regular file opened for reading, and the status of what was opened."""

    file: io.FileIO
    status: os.stat_result


class Span(NamedTuple):
    """The bytes of a file from `start` up to, not including, `stop`."""

    start: int
    stop: int


def parse_range(header: str, size: int) -> list[Span] | None:
    """The parts of a file that a Range header asks for, in the order asked for.

    Args:
        header: The header's value, such as `bytes=0-99,200-,-10`.
        size: The file's size in bytes.

    Returns:
        The parts that lie in the file, none of them empty; None where the header is to be ignored
        (another unit, or not the standard's syntax) and the whole file is the answer.

    Raises:
        RangeNotSatisfiable: If no part lies in the file, or they are more than `MAX_RANGES`, or they
            overlap so much that together they are longer than the file.
    """
    unit, _, listed = header.partition("=")
    specs = [_RANGE.fullmatch(spec) for part in listed.split(",") if (spec := part.strip(" \t"))]
    asked = [_span(spec, size) for spec in specs]
    if unit.lower() != "bytes" or not asked or None in asked:
        return None
    spans = [span for span in asked if span and span.start < span.stop]
    if len(asked) > MAX_RANGES:
        raise RangeNotSatisfiable(f"{len(asked)} ranges at once; ask for at most {MAX_RANGES}", size)
    if sum(stop - start for start, stop in spans) > size:
        raise RangeNotSatisfiable(f"the ranges overlap beyond the {size} bytes there are; ask for all", size)
    if spans:
        return spans
    if size == 0 and any(spec and spec[3] for spec in specs):
        return None  # the last bytes of an empty file are all of it, which no Content-Range can say
    raise RangeNotSatisfiable(f"no range begins within the file's {size} bytes", size)


def _span(spec: re.Match[str] | None, size: int) -> Span | None:
    """One range in a file; empty if it lies outside, None if it is not valid."""
    if spec is None:
        return None
    first, last, suffix = spec.groups()
    if suffix:
        return Span(max(0, size - _number(suffix)), size)
    start, end = _number(first), _number(last) if last else size
    return Span(start, min(end + 1, size)) if start <= end or not last else None


def _number(digits: str) -> int:
    """A decimal number; one too long for any file counts as merely large."""
    digits = digits.lstrip("0") or "0"
    return int(digits) if len(digits) < 20 else 10**20


def entity_tag(status: os.stat_result) -> str:
    """A file's strong entity tag, from size and time of change: the same for every replica."""
    return f'"{status.st_mtime_ns:x}-{status.st_size:x}"'


def validators(status: os.stat_result) -> dict[str, str]:
    """The headers that name a file's state, and that it can be read in parts."""
    changed = formatdate(_modified(status), usegmt=True)
    return {"accept-ranges": "bytes", "etag": entity_tag(status), "last-modified": changed}


def _modified(status: os.stat_result) -> int:
    return max(0, min(int(status.st_mtime), int(time.time())))  # RFC 9110 8.8.2.1: not in the future


def file_response(
    request: Request, opened: OpenFile, media_type: str, headers: Mapping[str, str] | None = None
) -> Response:
    """The answer to a GET or HEAD of a file: whole, in parts, or the word that the caller has it.

    Args:
        request: The request, for its method and its Range and conditional headers.
        opened: The file, which now belongs to the response: it is closed however the response ends.
        media_type: The file's media type.
        headers: Further headers for the answer, whatever it is.

    Raises:
        RangeNotSatisfiable: As `parse_range` does; the file is closed then.
    """
    try:
        plan = _plan(request.method, _fields(request.scope), opened.status, media_type)
    except RangeNotSatisfiable:
        opened.file.close()
        raise
    return _FileBody(plan, opened.file, headers or {})


class _Plan(NamedTuple):
    """What will be sent: the body is text of our own and spans of the file, in this order."""

    status: int
    headers: dict[str, str]
    body: Sequence[bytes | Span]


def _plan(method: str, fields: Mapping[str, str], status: os.stat_result, media_type: str) -> _Plan:
    size, etag, modified = status.st_size, entity_tag(status), _modified(status)
    headers = validators(status)
    if refusal := _precondition(fields, etag, modified):
        return _Plan(refusal, headers, ())
    spans = None
    if method == "GET" and "range" in fields and _is_current(fields.get("if-range"), etag, modified):
        spans = parse_range(fields["range"], size)
    if spans is None:
        headers |= {"content-type": media_type, "content-length": str(size)}
        return _Plan(200, headers, [Span(0, size)] if method == "GET" else ())
    if len(spans) > 1:
        return _multipart(spans, size, media_type, headers)
    headers |= {"content-type": media_type, "content-length": str(_length(spans[0]))}
    return _Plan(206, headers | {"content-range": _content_range(spans[0], size)}, spans)


def _multipart(spans: Sequence[Span], size: int, media_type: str, headers: dict[str, str]) -> _Plan:
    boundary = secrets.token_hex(16)
    body: list[bytes | Span] = []
    for span in spans:
        head = (
            f"\r\n--{boundary}\r\ncontent-type: {media_type}\r\ncontent-range: {_content_range(span, size)}"
        )
        body += [f"{head}\r\n\r\n".encode(), span]
    body.append(f"\r\n--{boundary}--\r\n".encode())
    headers |= {
        "content-type": f"multipart/byteranges; boundary={boundary}",
        "content-length": str(sum(map(_length, body))),
    }
    return _Plan(206, headers, body)


def _content_range(span: Span, size: int) -> str:
    return f"bytes {span.start}-{span.stop - 1}/{size}"


def _length(piece: bytes | Span) -> int:
    return piece.stop - piece.start if isinstance(piece, Span) else len(piece)


def _fields(scope: Scope) -> dict[str, str]:
    """The request's headers, those that came more than once joined (RFC 9110 5.3)."""
    fields: dict[str, str] = {}
    for raw, value in scope["headers"]:
        name, text = raw.decode("latin-1"), value.decode("latin-1")
        fields[name] = f"{fields[name]}, {text}" if name in fields else text
    return fields


def _precondition(fields: Mapping[str, str], etag: str, modified: int) -> int | None:
    """The status that ends the request before its method is done, in the order of RFC 9110 13.2.2."""
    if "if-match" in fields:
        if not _lists(fields["if-match"], etag):
            return 412
    elif (date := _timestamp(fields.get("if-unmodified-since"))) is not None and modified > date:
        return 412
    if "if-none-match" in fields:
        return 304 if _lists(fields["if-none-match"].replace("W/", ""), etag) else None
    date = _timestamp(fields.get("if-modified-since"))
    return 304 if date is not None and modified <= date else None


def _lists(tags: str, etag: str) -> bool:
    return tags.strip() == "*" or etag in _TAG.findall(tags)


def _is_current(if_range: str | None, etag: str, modified: int) -> bool:
    """Whether the parts that a caller already has are of this file; a weak tag never tells."""
    if if_range is None or if_range.strip() == etag:
        return True
    return _timestamp(if_range) == modified


def _timestamp(date: str | None) -> int | None:
    """Seconds since 1970 of an HTTP date in any of its three forms, None if it is no date."""
    if date is None:
        return None
    try:
        moment = parsedate_to_datetime(date)
        return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp())
    except (ValueError, OverflowError):
        return None


class _FileBody(Response):
    """Sends what was planned, a chunk at a time, and closes the file."""

    def __init__(self, plan: _Plan, file: io.FileIO, headers: Mapping[str, str]) -> None:
        super().__init__(status_code=plan.status, headers={**plan.headers, **headers})
        self._pieces = plan.body
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        length = sum(map(_length, self._pieces))
        with self._file:
            await send(start)
            if length <= _AT_ONCE:
                await self._send_at_once(send)
            else:
                await self._send_by_and_by(length, receive, send)

    async def _send_at_once(self, send: Send) -> None:
        parts = [await self._bytes(piece) for piece in self._pieces]
        await send({"type": _BODY, "body": parts[0] if len(parts) == 1 else b"".join(parts)})

    async def _send_by_and_by(self, left: int, receive: Receive, send: Send) -> None:
        gone = asyncio.create_task(_gone(receive))
        try:
            for piece in _chunks(self._pieces):
                body = await self._bytes(piece)
                left -= len(body)
                if not await _patiently(send, {"type": _BODY, "body": body, "more_body": left > 0}):
                    return  # what was promised and not sent tells the client that this is not the end
                await asyncio.sleep(0)  # neither reading nor sending need wait: others have their turn here
                if gone.done():
                    return
        finally:
            gone.cancel()

    async def _bytes(self, piece: bytes | Span) -> bytes | bytearray:
        return piece if isinstance(piece, bytes) else await _read(self._file.fileno(), piece)


async def _patiently(send: Send, message: Message) -> bool:
    """Whether a message was taken before our patience was at its end."""
    try:
        async with asyncio.timeout(_PATIENCE):
            await send(message)
    except TimeoutError:
        return False
    return True


async def _gone(receive: Receive) -> None:
    """Ends when the client is no longer there: sending to it would be silently in vain."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _chunks(pieces: Sequence[bytes | Span]) -> Iterator[bytes | Span]:
    for piece in pieces:
        if isinstance(piece, Span):
            for start in range(piece.start, piece.stop, _CHUNK):
                yield Span(start, min(start + _CHUNK, piece.stop))
        else:
            yield piece


async def _read(descriptor: int, span: Span) -> bytes | bytearray:
    """A span's bytes: at once what is in memory, in a thread what a disk must be waited for."""
    body = read_cached(descriptor, span)
    return await run_in_threadpool(_pread, descriptor, span) if body is None else body


def read_cached(descriptor: int, span: Span) -> bytearray | None:
    """A span's bytes if they are in memory, so that nothing is waited for; None where that is not known."""
    if sys.platform != "linux":
        return None
    body = bytearray(_length(span))
    try:
        return body if os.preadv(descriptor, [body], span.start, os.RWF_NOWAIT) == len(body) else None
    except OSError:  # not in memory, or the file system cannot tell
        return None


def _pread(descriptor: int, span: Span) -> bytes:
    body = b""
    while missing := _length(span) - len(body):
        more = os.pread(descriptor, missing, span.start + len(body))
        if not more:
            raise OSError(f"a file was cut short at byte {span.start + len(body)} while it was being sent")
        body += more
    return body
