"""Log in on another device: a page, and a code to enter there (RFC 8628)."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from cscale.client.login.asking import Unreachable, Web, refusal
from cscale.client.login.provider import Provider
from cscale.client.login.words import LoginFailed, Shown, origin_of, plain

_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_INTERVAL = 5.0  # seconds, where the issuer tells none
_LONGEST = 60.0
_SLOWER = 5.0


async def by_device(
    web: Web,
    provider: Provider,
    client_id: str,
    scope: str,
    show: Callable[[Shown], None],
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> dict[str, Any]:
    """Log in with a code; the token endpoint's answer.

    Args:
        web: What asks.
        provider: The issuer.
        client_id: As which program.
        scope: What for.
        show: Shows the person where to go.
        pause: Waits so many seconds between two questions.

    Raises:
        LoginFailed: If it is refused, or nobody comes in time.
    """
    issuer = provider.issuer
    if provider.device_authorization_endpoint is None:
        raise LoginFailed(f"{issuer} knows no login by code; try --browser")
    status, codes = await web.post(
        provider.device_authorization_endpoint, {"client_id": client_id, "scope": scope}
    )
    if status != 200:
        raise refusal(issuer, status, codes)
    shown, device_code = _shown(issuer, codes), str(codes["device_code"])
    show(shown)
    form = {"grant_type": _GRANT, "device_code": device_code, "client_id": client_id}
    interval, until = _number(codes.get("interval"), _INTERVAL), time.monotonic() + shown.seconds
    while time.monotonic() < until:
        await pause(interval)
        try:
            status, answer = await web.post(provider.token_endpoint, form)
        except Unreachable:
            interval = min(2 * interval, _LONGEST)  # RFC 8628 3.5
            continue
        if status == 200:
            return answer
        error = answer.get("error")
        if error == "slow_down":
            interval += _SLOWER
        elif error == "access_denied":
            raise LoginFailed(f"{issuer}: the login was refused on the page; nothing was kept")
        elif error == "expired_token":
            break
        elif error != "authorization_pending":
            raise refusal(issuer, status, answer)
    raise LoginFailed(f"{issuer}: nobody entered the code in time; ask for a new one: cscale login")


def _shown(issuer: str, codes: dict[str, Any]) -> Shown:
    url = codes.get("verification_uri") or codes.get("verification_url")  # the second is the draft's
    code, complete = codes.get("user_code"), codes.get("verification_uri_complete")
    if not isinstance(url, str) or not isinstance(code, str) or not codes.get("device_code"):
        raise LoginFailed(f"{issuer} gave no code to log in with")
    if origin_of(url) is None or (complete is not None and origin_of(str(complete)) is None):
        raise LoginFailed(f"{issuer} sends to {plain(url)!r}, which is not on https")
    seconds = _number(codes.get("expires_in"), 600.0)
    return Shown(issuer, plain(url), plain(code, 64), plain(complete, 1000) if complete else None, seconds)


def _number(value: Any, otherwise: float) -> float:
    return float(value) if isinstance(value, int | float) and 0 < value < 1e6 else otherwise
