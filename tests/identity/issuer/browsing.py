"""A browser for tests, over real sockets: cookies, redirects when told to, forms as pages show them."""

import base64
import hashlib
import http.client
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit


class _Forms(HTMLParser):
    """Reads the forms of a page: where they go, and what they hold."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[tuple[str, str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append((told.get("method", "get").upper(), told.get("action", ""), {}))
        elif tag == "input" and self.forms and "name" in told:
            self.forms[-1][2][told["name"]] = told.get("value", "")


@dataclass
class Page:
    """An answer."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def location(self) -> str:
        return urljoin(self.url, self.headers["location"])

    @property
    def query(self) -> dict[str, str]:
        """The query of where it leads to."""
        return {name: values[0] for name, values in parse_qs(urlsplit(self.location).query).items()}

    @property
    def forms(self) -> list[tuple[str, str, dict[str, str]]]:
        reader = _Forms()
        reader.feed(self.text)
        return reader.forms


@dataclass
class Browser:
    """A browser; its cookies are of the host, so of all its ports, as everywhere."""

    cookies: dict[str, str] = field(default_factory=dict)

    def send(
        self,
        method: str,
        url: str,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Page:
        """Send a request; no redirect is followed."""
        parts = urlsplit(url)
        assert parts.hostname == "127.0.0.1", f"the browser was led to {url}"
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
        sent = dict(headers or {})
        if self.cookies:
            sent["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        body = None
        if form is not None:
            body = urlencode(form).encode()
            sent["content-type"] = "application/x-www-form-urlencoded"
        try:
            connection.request(method, parts._replace(scheme="", netloc="", fragment="").geturl(), body, sent)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        for cookie in answer.msg.get_all("set-cookie") or []:
            name, _, rest = cookie.partition("=")
            self.cookies[name] = rest.partition(";")[0]
        return Page(url, answer.status, {k.lower(): v for k, v in answer.getheaders()}, content)

    def get(self, url: str, **headers: str) -> Page:
        return self.send("GET", url, headers=headers)

    def post(self, url: str, form: Mapping[str, str], secret: tuple[str, str] | None = None) -> Page:
        return self.send("POST", url, form, basic(*secret) if secret else None)

    def submit(self, page: Page, **fields: str) -> Page:
        """Send the page's last form, with its fields filled in; what it does not hold is a button."""
        method, action, held = page.forms[-1]
        url = urljoin(page.url, action)
        if method == "GET":
            return self.get(f"{url}?{urlencode(held | fields)}")
        return self.post(url, held | fields)

    def log_in(self, page: Page, name: str = "alice", password: str | None = None) -> Page:
        """Fill in a login page and go on to where it leads."""
        done = self.submit(page, name=name, password=f"{name}-pw" if password is None else password)
        return self.get(done.location) if done.status == 303 else done


def basic(name: str, secret: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()}


def pkce() -> tuple[str, str]:
    """A verifier and its challenge."""
    verifier = secrets.token_urlsafe(48)
    digest = hashlib.sha256(verifier.encode()).digest()
    return verifier, base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
