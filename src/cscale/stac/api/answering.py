"""One answer in two forms: JSON for programs, a page for people, by what the client asks for.

A client that does not ask for HTML gets JSON; `f=html` and `f=json` in the address decide over its headers.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from cscale.errors import BadRequest, CscaleError
from cscale.net.responses import error_response, reply
from cscale.stac import html
from cscale.stac.api.offer import JSON, Service
from cscale.stac.html import pages
from cscale.stac.html.forms import DAYS
from cscale.stac.items import GEOJSON

Page = Callable[[Mapping[str, Any], html.Here], str]
"""What makes a page of an answer's JSON."""

HTML = "text/html; charset=utf-8"
_FORM = "f"
_READ = ("GET", "HEAD")


def asked(request: Request) -> list[tuple[str, str]]:
    """The parameters of an address, without the one that chooses the form of the answer.

    Of what a form sent, the fields left empty are left out, and the days become a `datetime`.
    """
    given = [each for each in request.query_params.multi_items() if each[0] != _FORM]
    if not wants_page(request):
        return given
    days = {name: value for name, value in given if name in DAYS}
    kept = [(name, value) for name, value in given if value and name not in DAYS]
    if any(days.values()) and not any(name == "datetime" for name, _ in kept):
        start, end = (days.get(name) for name in DAYS)
        first = f"{start}T00:00:00Z" if start else ".."
        kept.append(("datetime", f"{first}/{f'{end}T23:59:59.999999Z' if end else '..'}"))
    return kept


def wants_page(request: Request) -> bool:
    """Whether a client would rather have HTML."""
    if request.method not in _READ:
        return False
    form = request.query_params.get(_FORM)
    if form is not None:
        if form not in ("html", "json"):
            raise BadRequest(f"{_FORM}: {form!r} is neither html nor json")
        return form == "html"
    accepted = request.headers.get("accept", "")
    return "text/html" in accepted and _weight(accepted, "text/html") > max(
        _weight(accepted, JSON), _weight(accepted, GEOJSON)
    )


def _weight(accepted: str, media_type: str) -> float:
    """How much an Accept header likes a media type: by the range that names it most closely."""
    ranges = (media_type, f"{media_type.partition('/')[0]}/*", "*/*")
    found = {}
    for part in accepted.lower().split(","):
        name, *parameters = (each.strip() for each in part.split(";"))
        weights = [each.partition("=")[2] for each in parameters if each.startswith("q=")]
        try:
            found[name] = float(weights[0]) if weights else 1.0
        except ValueError:
            found[name] = 0.0
    return next((found[name] for name in ranges if name in found), 0.0)


async def answered(
    request: Request,
    service: Service,
    body: bytes,
    page: Page,
    media_type: str = JSON,
) -> Response:
    """A finished body, or the page of it.

    Args:
        request: What is answered.
        service: What the API says of itself.
        body: The answer as JSON.
        page: What makes the page.
        media_type: Of the JSON.
    """
    if not wants_page(request):
        return await reply(request, body, media_type)
    text = page(msgspec.json.decode(body), _here(request, service))
    return await reply(request, text.encode(errors="replace"), HTML, headers=_headers(service))


def _headers(service: Service) -> dict[str, str]:
    return {
        "content-security-policy": html.content_security(service.url),
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
    }


def _here(request: Request, service: Service) -> html.Here:
    """Where a page stands; by the configured address, never by the request's."""
    path: str = request.scope.get("raw_path", b"").decode("ascii", "replace").partition("?")[0]
    below = path.removeprefix(urlsplit(service.url).path)
    try:
        given = asked(request)
    except BadRequest:
        given = []
    query = urlencode([*given, (_FORM, "json")])
    collection_id = request.path_params.get("collection_id")
    if collection_id is not None and not any(name == "collections" for name, _ in given):
        given = [("collections", collection_id), *given]
    return html.Here(service.title, service.url, f"{service.url}{below}?{query}", given)


def told(
    endpoint: Callable[[Request], Awaitable[Response]], service: Service
) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint, whose errors are pages, too, where the client would rather have one."""

    async def respond(request: Request) -> Response:
        try:
            return await endpoint(request)
        except CscaleError as error:
            if not _would_have_page(request):
                raise
            return in_form(request, service, await error_response(request, error))

    return respond


def _would_have_page(request: Request) -> bool:
    try:
        return wants_page(request)
    except BadRequest:
        return False


def in_form(request: Request, service: Service, refused: Response) -> Response:
    """An error as JSON, or its page where the client would rather have one.

    Args:
        request: What was refused.
        service: What the API says of itself.
        refused: The error as JSON.
    """
    if not _would_have_page(request):
        return refused
    document = msgspec.json.decode(bytes(refused.body) or b'{"description":""}')
    text = pages.error(document, _here(request, service)).encode(errors="replace")
    out = {**_headers(service), "vary": "accept, accept-encoding"}
    if "allow" in refused.headers:
        out["allow"] = refused.headers["allow"]
    body = b"" if request.method == "HEAD" else text
    return Response(body, refused.status_code, out, media_type=HTML)
