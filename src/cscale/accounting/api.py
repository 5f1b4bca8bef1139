"""The routes of `/licences`: what a caller has accepted, and accepting."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from cscale.accounting.licences import Licences
from cscale.accounting.pseudonyms import Pseudonyms
from cscale.errors import BadRequest, LoginNeeded
from cscale.identity.api import caller_of
from cscale.net.responses import reply

_LONGEST = 4096
_PRIVATE = {"cache-control": "private, no-store"}


class _Asked(msgspec.Struct, forbid_unknown_fields=True):
    licence: str


def routes(licences: Licences, pseudonyms: Pseudonyms) -> list[BaseRoute]:
    """`GET /licences/accepted` lists what the caller has accepted, `POST` of `{"licence": "ID"}` accepts."""

    def user_of(request: Request) -> str:
        user = pseudonyms.of(caller_of(request))
        if not user:
            raise LoginNeeded("licences are accepted by those who are logged in; log in (cscale login)")
        return user

    async def accepted(request: Request) -> Response:
        user = user_of(request)
        if request.method == "POST":
            await licences.accept(user, await _asked(request, licences.offered))
        found = await licences.accepted(user)
        body = {"accepted": sorted(found), "offered": sorted(licences.offered)}
        return await reply(request, msgspec.json.encode(body), headers=_PRIVATE)

    return [Route("/licences/accepted", accepted, methods=["GET", "POST"])]


async def _asked(request: Request, offered: frozenset[str]) -> str:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise BadRequest("content-type: the body has to be application/json")  # a form of another site is not
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LONGEST:
            raise BadRequest(f"the body is longer than {_LONGEST} bytes")
    try:
        licence = msgspec.json.decode(body, type=_Asked).licence
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadRequest(f'the body is not {{"licence": "ID"}}: {error}') from error
    if licence not in offered:
        known = ", ".join(sorted(offered)) or "none"
        raise BadRequest(f"licence: {licence!r} is none that is accepted here; there are {known}")
    return licence
