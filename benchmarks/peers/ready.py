"""A Starlette application that sends ready bytes and does nothing else; run in the peers' environment.

Its pages are the files 0, 1, 2, ... of the folder `READY`.
"""

import os
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_PAGES = [
    path.read_bytes() for path in sorted(Path(os.environ["READY"]).iterdir(), key=lambda p: int(p.name))
]


async def page(request: Request) -> Response:
    return Response(_PAGES[request.path_params["n"]], media_type="application/geo+json")


app = Starlette(routes=[Route("/{n:int}", page)])
