"""Who is in: the members of a federation."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from cscale.federation import Member
from cscale.net.responses import reply


def routes(
    members: Sequence[Member], standing: Callable[[], Mapping[str, Mapping[str, Any]]] = dict
) -> list[BaseRoute]:
    """`/sites`: what the configuration says of each member, and how it is.

    Args:
        members: The members.
        standing: How each is, by id, as far as it is known.
    """
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

    async def sites(request: Request) -> Response:
        known = standing()
        told = [{**each, **known.get(str(each["id"]), {})} for each in shown]
        return await reply(request, msgspec.json.encode({"sites": told}))

    return [Route("/sites", sites, methods=["GET"])]
