"""Responses: the table of errors and status codes, entity tags, one compression of a whole body."""

import gzip
from collections.abc import Mapping
from typing import Any

import msgspec
import xxhash
import zstandard
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from cscale import errors

STATUS: dict[type[errors.CscaleError], int] = {
    errors.BadRequest: 400,
    errors.LoginNeeded: 401,
    errors.Refused: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.PreconditionFailed: 412,
    errors.RangeNotSatisfiable: 416,
    errors.QuotaExceeded: 429,
    errors.SitesMissing: 502,
    errors.SiteError: 502,
    errors.SiteTimeout: 504,
    errors.LoopDetected: 508,
}
"""The HTTP status of each error; an error that is not here takes its nearest ancestor's, or 500."""

_COMPRESS_FROM = 1024
_THREAD_FROM = 128 * 1024
_LONGEST_DESCRIPTION = 1000  # an error repeats what was sent, and that may be long


def status_of(error: errors.CscaleError) -> int:
    """The HTTP status that `error` becomes."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


async def error_response(request: Request, error: Exception) -> Response:
    """The JSON a caller gets for an error: a code and a sentence to act on.

    Raises:
        Exception: The error itself, if it is none that a caller can do anything about.
    """
    if not isinstance(error, errors.CscaleError) or status_of(error) == 500:
        raise error
    said = str(error)
    said = said if len(said) <= _LONGEST_DESCRIPTION else f"{said[:_LONGEST_DESCRIPTION]} ..."
    body: dict[str, Any] = {"code": type(error).__name__, "description": said}
    headers = {}
    if isinstance(error, errors.SitesMissing) and error.sites:
        body["federation"] = {"sites": error.sites}
    if isinstance(error, errors.Refused):
        body["needs"] = error.needs
    if isinstance(error, errors.LoginNeeded):
        headers["www-authenticate"] = 'Bearer realm="cscale"'
    if isinstance(error, errors.QuotaExceeded):
        headers["retry-after"] = str(error.retry_after)
    if isinstance(error, errors.RangeNotSatisfiable):
        headers["content-range"] = f"bytes */{error.size}"
    return Response(
        b"" if request.method == "HEAD" else msgspec.json.encode(body),
        status_of(error),
        headers=headers,
        media_type="application/json",
    )


async def refuse(scope: Scope, receive: Receive, send: Send, error: errors.CscaleError) -> None:
    """Answer a request with an error, from outside the application."""
    response = await error_response(Request(scope), error)
    await response(scope, receive, send)


async def reply(
    request: Request,
    body: bytes,
    media_type: str = "application/json",
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A finished body as a response: tagged, compressed once as the client likes, or 304.

    The entity tag names the body before compression and the coding, as RFC 9110 8.8.3 wants for
    representations that differ in bytes.
    """
    coding = _coding(request.headers.get("accept-encoding", "")) if len(body) >= _COMPRESS_FROM else ""
    etag = f'"{xxhash.xxh3_64_hexdigest(body)}{"-" if coding else ""}{coding}"'
    out = {"etag": etag, "vary": "accept, accept-encoding, authorization", **(headers or {})}
    if request.method in ("GET", "HEAD") and _matches(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=out)
    if coding:
        out["content-encoding"] = coding
        work = _CODINGS[coding]
        body = await run_in_threadpool(work, body) if len(body) >= _THREAD_FROM else work(body)
    response = Response(body, status, headers=out, media_type=media_type)
    if request.method == "HEAD":
        response.body = b""  # content-length stays that of the GET
    return response


def _zstd(body: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=3).compress(body)


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, compresslevel=5, mtime=0)


_CODINGS = {"zstd": _zstd, "gzip": _gzip}  # in order of preference


def _coding(accepted: str) -> str:
    """The best coding that an Accept-Encoding header allows; empty for none."""
    weights: dict[str, float] = {}
    for part in accepted.lower().split(","):
        name, _, parameters = part.strip().partition(";")
        try:
            weights[name.strip()] = float(parameters.partition("=")[2]) if parameters else 1.0
        except ValueError:
            weights[name.strip()] = 0.0
    weights.setdefault("gzip", weights.get("*", 0.0))  # who takes anything may yet not read zstd
    likes = {name: weights.get(name, 0.0) for name in _CODINGS}
    best = max(likes, key=lambda name: likes[name])
    return best if likes[best] > 0 else ""


def _matches(condition: str | None, etag: str) -> bool:
    if condition is None:
        return False
    tags = {tag.strip().removeprefix("W/") for tag in condition.split(",")}
    return "*" in tags or etag in tags
