"""Who is in: the members of a federation."""

from collections.abc import Sequence

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from cscale.federation import Member
from cscale.net.responses import reply


def routes(members: Sequence[Member]) -> list[BaseRoute]:
    """`/sites`: what the configuration says of each member."""
    shown = [
        {
            "id": member.id,
            "title": member.name,
            "endpoints": [{"kind": each.kind, "url": each.url} for each in member.endpoints],
            "collections": dict(member.collections),
            "timeout": member.timeout,
            "policies": {name: policy.model_dump() for name, policy in member.policies.items()},
        }
        for member in members
    ]
    body = msgspec.json.encode({"sites": shown})

    async def sites(request: Request) -> Response:
        return await reply(request, body)

    return [Route("/sites", sites, methods=["GET"])]
