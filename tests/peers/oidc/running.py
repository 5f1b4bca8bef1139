"""The OpenID provider of npm's `oidc-provider`, as a process; and a browser that logs in to it."""

import html
import re
import secrets
import shutil
import subprocess
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import aiohttp
import pytest

from tests.ports import free_port

_HERE = Path(__file__).parent
_CALLBACK = "http://127.0.0.1:9999/callback"
_STEPS = 12


@contextmanager
def provider() -> Iterator[str]:
    """A provider under way; its address. Skips the test where it is not installed."""
    node = shutil.which("node")
    if node is None or not (_HERE / "node_modules" / "oidc-provider").is_dir():
        pytest.skip("npm's oidc-provider is not here: tools/servers installs it (npm ci in tests/peers/oidc)")
    port = free_port()
    command = [node, "op.mjs", str(port)]
    with subprocess.Popen(
        command, cwd=_HERE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            lines = iter(process.stdout.readline, "")
            assert any(line == "ready\n" for line in lines), "it did not start"
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


async def posted(url: str, form: dict[str, str], auth: tuple[str, str] | None = None) -> Any:
    """What is answered to a form."""
    headers = {"authorization": f"Basic {b64encode(':'.join(auth).encode()).decode()}"} if auth else {}
    async with aiohttp.ClientSession() as session, session.post(url, data=form, headers=headers) as answer:
        body = await answer.read()
        assert answer.status == 200, f"{answer.status}: {body[:300]!r}"
        return await answer.json() if body else None


async def logged_in(issuer: str, name: str, scope: str, resource: str | None = None) -> dict[str, Any]:
    """The tokens of somebody who logged in by the authorization code flow, with PKCE."""
    verifier = secrets.token_urlsafe(48)
    challenge = urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")
    asked = {
        "response_type": "code",
        "client_id": "cli",
        "redirect_uri": _CALLBACK,
        "scope": scope,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "prompt": "consent",
    } | ({"resource": resource} if resource else {})
    jar = aiohttp.CookieJar(unsafe=True)  # it is an address, not a name
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        back = await _walked(session, f"{issuer}/auth?{urlencode(asked)}", name)
    form = {
        "grant_type": "authorization_code",
        "client_id": "cli",
        "redirect_uri": _CALLBACK,
        "code": parse_qs(urlsplit(back).query)["code"][0],
        "code_verifier": verifier,
    } | ({"resource": resource} if resource else {})
    return dict(await posted(f"{issuer}/token", form))


async def _walked(session: aiohttp.ClientSession, url: str, name: str) -> str:
    """Fill in the forms that come, and follow redirects to the client; where that is."""
    form: dict[str, str] | None = None
    for _ in range(_STEPS):
        method = "GET" if form is None else "POST"
        async with session.request(method, url, data=form, allow_redirects=False) as answer:
            text, location = await answer.text(), answer.headers.get("location")
        if location is not None:
            url, form = urljoin(url, location), None
            if url.startswith(_CALLBACK):
                return url
            continue
        action = re.search(r'<form[^>]*action="([^"]+)"', text)
        assert action, f"neither a form nor a redirect: {text[:500]}"
        form = dict(re.findall(r'name="(prompt)" value="([^"]+)"', text))
        if 'name="login"' in text:
            form |= {"login": name, "password": "any"}
        url = urljoin(url, html.unescape(action[1]))
    raise AssertionError("the login does not come to an end")
