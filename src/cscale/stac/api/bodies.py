"""The bodies that requests bring: read up to a size, and JSON objects."""

from typing import Any

import msgspec
from starlette.requests import Request

from cscale.errors import BadRequest

MAX_BODY = 1024 * 1024
"""The longest search body that is read, in bytes."""


async def json_object(request: Request, longest: int = MAX_BODY) -> dict[str, Any]:
    """The JSON object that a request brings; an empty body is an empty one.

    Raises:
        BadRequest: If there are parameters in the address, too; if it is longer, or no JSON object.
    """
    if request.query_params:
        names = ", ".join(request.query_params)
        raise BadRequest(f"{names}: in the address of a {request.method}; put it into the body")
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > longest:
            raise BadRequest(f"the body is longer than {longest} bytes")
        chunks.append(chunk)
    try:
        body: Any = msgspec.json.decode(b"".join(chunks) or b"{}")
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BadRequest(f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise BadRequest("the body is not a JSON object")
    return body
