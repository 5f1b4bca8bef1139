"""The caller of a web request."""

from starlette.requests import Request

from cscale.identity.caller import ANONYMOUS, Caller


def caller_of(request: Request) -> Caller:
    """Who sends a request.

    Nobody can log in yet, so everyone is anonymous; a bearer token that was sent is kept, to be passed
    on where a site's policy says so.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return Caller(token=token.strip()) if scheme.lower() == "bearer" and token.strip() else ANONYMOUS
