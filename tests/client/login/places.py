"""Where one can log in: the embedded issuer, and npm's `oidc-provider`; and a hub that trusts them."""

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from cscale.client.login import Shown, Way
from tests.identity.issuer.browsing import Browser, Page


@dataclass
class Place:
    """An issuer, and how a person deals with its pages."""

    issuer: str
    client_id: str
    kind: str

    @property
    def way(self) -> Way:
        """The quicker way: between two questions the peer has a device wait for 5 s."""
        return "device" if self.kind == "embedded" else "browser"

    def show(self, shown: Shown, name: str = "alice") -> None:
        """Log in where `log_in` says, by `way`."""
        if self.way == "device":
            self.by_code(shown, name)
        else:
            Browser().get(self.by_browser(shown, name).location)

    def by_code(self, shown: Shown, name: str = "alice", *, allow: bool = True) -> Page:
        """Log in with a device's code, and allow it or not."""
        assert shown.complete is not None
        browser = Browser()
        page = browser.get(shown.complete)
        if self.kind == "embedded":
            return browser.submit(browser.log_in(page, name), decision="allow" if allow else "deny")
        page = browser.submit(page)  # the code is in it
        assert shown.code is not None
        assert shown.code in page.text
        if not allow:
            return browser.submit(page, abort="yes")
        return self._through(browser, browser.submit(page, confirm="yes"), name)

    def by_browser(self, shown: Shown, name: str = "alice", *, allow: bool = True) -> Page:
        """Log in on the page that a program opened, up to where it sends back to; that is not opened."""
        browser = Browser()
        page = browser.get(shown.url)
        if self.kind == "embedded":
            return browser.submit(browser.log_in(page, name), decision="allow" if allow else "deny")
        return self._through(browser, page, name)

    def _through(self, browser: Browser, page: Page, name: str) -> Page:
        for _ in range(12):
            if "location" in page.headers:
                if not page.location.startswith(self.issuer):
                    return page
                page = browser.get(page.location)
            elif page.forms and 'name="login"' in page.text:
                page = browser.submit(page, prompt="login", login=name, password="any")
            elif page.forms and "prompt" in page.text:
                page = browser.submit(page, prompt="consent")
            else:
                return page
        raise AssertionError("the login does not come to an end")


@dataclass
class Hub:
    """A service that says which issuers it trusts and which sites it lists, and notes what it was sent."""

    url: str
    told: dict[str, Any] = field(default_factory=dict)
    seen: list[tuple[str, str | None]] = field(default_factory=list)

    def trusts(self, *places: Place, **more: Any) -> None:
        """Take tokens of these."""
        self.told["/.well-known/oauth-protected-resource"] = {
            "resource": self.url,
            "authorization_servers": [each.issuer for each in places],
            "cscale_clients": {each.issuer: each.client_id for each in places},
            **more,
        }

    def lists(self, *sites: "Hub") -> None:
        """Have these as members."""
        endpoints = [{"kind": "stac-api", "url": f"{each.url}/stac"} for each in sites]
        self.told["/sites"] = {"sites": [{"id": "s", "endpoints": [each]} for each in endpoints]}


@contextmanager
def hub() -> Iterator[Hub]:
    """A hub under way, on a socket of its own."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            running.seen.append((self.path, self.headers["authorization"]))
            answer = running.told.get(self.path)
            if isinstance(answer, str):
                self.send_response(302)
                self.send_header("location", answer)
                self.end_headers()
                return
            self.send_response(404 if answer is None else 200)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"] or 0))
            self.do_GET()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running = Hub(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
