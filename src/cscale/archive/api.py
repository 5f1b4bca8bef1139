"""The routes of `/data`: files of the archive, whole or in parts, for GDAL, browsers and scripts."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cscale.archive.delivery import Admitted, Delivery
from cscale.archive.folders import Folders
from cscale.archive.quick import QuickRanges
from cscale.errors import CscaleError
from cscale.identity.api import caller_of
from cscale.net.ranges import file_response
from cscale.net.responses import error_response

_METHODS = ["GET", "HEAD", "OPTIONS"]
_HEADERS = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "Accept-Ranges, Content-Length, Content-Range, ETag, Retry-After",
    "x-content-type-options": "nosniff",
}
_PREFLIGHT = _HEADERS | {
    "access-control-allow-methods": ", ".join(_METHODS),
    "access-control-allow-headers": "Authorization, If-Match, If-Modified-Since, If-None-Match, If-Range, "
    "If-Unmodified-Since, Range",
    "access-control-max-age": "86400",
    "allow": ", ".join(_METHODS),
}
_MEDIA_TYPES = {
    "csv": "text/csv",
    "gif": "image/gif",
    "geojson": "application/geo+json",
    "gml": "application/gml+xml",
    "gpkg": "application/geopackage+sqlite3",
    "gz": "application/gzip",
    "h5": "application/x-hdf5",
    "hdf": "application/x-hdf",
    "htm": "text/html",
    "html": "text/html",
    "jp2": "image/jp2",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "json": "application/json",
    "kml": "application/vnd.google-earth.kml+xml",
    "md": "text/markdown",
    "nc": "application/x-netcdf",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
    "pdf": "application/pdf",
    "png": "image/png",
    "safe": "application/xml",
    "svg": "image/svg+xml",
    "tar": "application/x-tar",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "txt": "text/plain",
    "webp": "image/webp",
    "xhtml": "application/xhtml+xml",
    "xml": "application/xml",
    "zarray": "application/json",
    "zattrs": "application/json",
    "zgroup": "application/json",
    "zip": "application/zip",
    "zmetadata": "application/json",
    "zst": "application/zstd",
}  # our own: the standard library's depend on the machine
_OCTETS = "application/octet-stream"
_SCRIPTED = {"text/html", "image/svg+xml", "application/xhtml+xml", "application/xml"}


def media_type(path: str) -> str:
    """The media type of a file by its suffix; zarr's chunks and all others are octets."""
    _, dot, suffix = path.rpartition(".")
    return _MEDIA_TYPES.get(suffix.lower(), _OCTETS) if dot else _OCTETS


def routes(folders: Folders, delivery: Delivery | None = None) -> list[BaseRoute]:
    """The routes that serve `folders`, to be mounted at `/data`.

    Args:
        folders: What is served.
        delivery: Decides who is given what; None where all is given to all, and nothing noted.
    """

    async def data(request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=_PREFLIGHT)
        address = request.path_params["address"]
        try:
            if delivery is None:
                return await answer(request, address)
            from_ = request.client.host if request.client else ""
            admitted = await delivery.admit(caller_of(request), address, from_)
            try:
                response = await answer(request, address)
            except BaseException:
                delivery.leave(admitted, 500, 0)
                raise
            if admitted.private:
                response.headers["cache-control"] = "private"
            return _Metered(response, delivery, admitted)
        except CscaleError as error:
            response = await error_response(request, error)
            response.headers.update(_HEADERS)
            return response

    async def answer(request: Request, address: str) -> Response:
        name, _, path = address.partition("/")
        opened = folders.open_cached(name, path)
        if opened is None:
            opened = await run_in_threadpool(folders.open, name, path)
        kind = media_type(path)
        return file_response(request, opened, kind, _headers(kind))

    return [Route("/{address:path}", data, methods=_METHODS)]


class _Metered(Response):
    """A response whose bytes are counted, and noted when it ends, however it ends."""

    def __init__(self, response: Response, delivery: Delivery, admitted: Admitted) -> None:
        self.status_code = response.status_code
        self.background = None
        self.raw_headers = response.raw_headers
        self._response = response
        self._delivery = delivery
        self._admitted = admitted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent = 0

        async def counting(message: Message) -> None:
            nonlocal sent
            await send(message)
            sent += len(message.get("body", b""))

        try:
            await self._response(scope, receive, counting)
        finally:
            self._delivery.leave(self._admitted, self.status_code, sent)


class FirstHand:
    """An application before which `QuickRanges` answers what it can.

    Args:
        app: The application.
        folders: What its routes serve.
        at: The path that they are mounted at.
        delivery: As of the routes: what it gives to anybody is answered here, all else by the routes.
    """

    def __init__(
        self, app: ASGIApp, folders: Folders, at: str = "/data", delivery: Delivery | None = None
    ) -> None:
        self._app = app
        self._quick = QuickRanges(folders, _answer_headers)
        self._prefix = f"{at}/"
        self._delivery = delivery

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "http" and scope["method"] == "GET" and scope["path"].startswith(self._prefix):
            path, delivery = scope["path"][len(self._prefix) :], self._delivery
            answer = None
            if delivery is None or delivery.is_free(path):
                answer = self._quick.answer(path, scope["headers"])
            if answer is not None:
                await send({"type": "http.response.start", "status": 206, "headers": answer[0]})
                await send({"type": "http.response.body", "body": answer[1]})
                if delivery is not None:
                    delivery.note_free(path, 206, len(answer[1]))
                return
        await self._app(scope, receive, send)
        if scope["type"] == "lifespan":
            self._quick.close()


def _answer_headers(path: str) -> dict[str, str]:
    kind = media_type(path)
    return _headers(kind) | {"content-type": kind}


def _headers(kind: str) -> dict[str, str]:
    """A document that could run scripts in this site's name is shut in a sandbox."""
    return _HEADERS | {"content-security-policy": "sandbox"} if kind in _SCRIPTED else _HEADERS
