"""The issuer's pages: login, consent, and the device's code; each form carries the session's CSRF token.

A session is made anew when somebody logs in: an id that was planted before is worth nothing after.
"""

import hmac
import secrets
import time
from dataclasses import dataclass, field
from html import escape
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import Response, request
from werkzeug.exceptions import Forbidden

from cscale.identity.issuer.config import User
from cscale.identity.issuer.records import Throttle
from cscale.identity.issuer.tokens import Tokens

_BEFORE_LOGIN = 1800  # seconds
_MOST_FLOWS = 16
_FRESH = 120  # seconds, in which a login counts as the one that was just asked for
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title></head><body><main><h1>{title}</h1>
{body}
</main></body></html>
"""


@dataclass
class Session:
    """What a browser's cookie stands for.

    Attributes:
        id: The cookie's value.
        csrf: What its forms must carry.
        user: Who is logged in.
        since: Since when, as a Unix time.
        flows: By an id that forms carry, the address within this service to go on to after login.
        fresh: Whether the login was made just now, for the request that is under way.
    """

    id: str
    csrf: str
    user: str | None = None
    since: int = 0
    flows: dict[str, str] = field(default_factory=dict)
    fresh: bool = False


class Pages:
    """The pages over the issuer's tokens.

    Args:
        tokens: Users, and what is remembered.
        throttle: Slows down guessing.
    """

    def __init__(self, tokens: Tokens, throttle: Throttle) -> None:
        self._tokens = tokens
        self._throttle = throttle
        parts = urlsplit(tokens.config.issuer.url)
        # browsers send cookies of one host to all its ports: the name tells them apart
        self._cookie = f"cscale_issuer_{parts.port or parts.scheme}"
        self._secure = parts.scheme == "https"

    def session(self) -> Session:
        """The browser's session; a new one if it has none, or one that is not ours."""
        name = request.cookies.get(self._cookie, "")
        kept = self._tokens.records.get("session", name) if name else None
        if kept is None:
            return Session(secrets.token_urlsafe(24), secrets.token_urlsafe(24))
        session = Session(name, **kept)
        session.fresh = session.fresh and time.time() - session.since < _FRESH
        if session.user is not None and self._tokens.user(session.user) is None:
            session.user = None  # no longer in the configuration
        return session

    def check(self, session: Session) -> None:
        """Refuse a form that this session was not shown.

        Raises:
            Forbidden: If the CSRF token is missing or another's.
        """
        sent = request.form.get("csrf", "")
        if not hmac.compare_digest(sent.encode(), session.csrf.encode()):
            raise Forbidden("This form is not from here, or too old. Go back and load the page anew.")

    def used(self, session: Session) -> None:
        """A login that was asked for has served its purpose."""
        if session.fresh:
            session.fresh = False
            self._keep(session)

    def front(self) -> Response:
        """Who is logged in."""
        session = self.session()
        title = self._tokens.config.issuer.title
        if session.user is None:
            return self.page(title, "Nobody is logged in.")
        form = _form("/logout", session.csrf, "", ("out", "yes", "Log out"))
        return self.page(title, f"Logged in as {session.user}.", more=form)

    def ask_login(self, session: Session, then: str, wrong: str = "", status: int = 200) -> Response:
        """The login page.

        Args:
            session: The browser's.
            then: The address within this service to go on to.
            wrong: What was wrong with the last try.
            status: The HTTP status.
        """
        flow = secrets.token_urlsafe(12)
        session.flows = dict([*session.flows.items(), (flow, then)][-_MOST_FLOWS:])
        fields = (
            f'<input type="hidden" name="flow" value="{flow}">'
            '<p><label>Name <input name="name" autocomplete="username" required maxlength="64"></label></p>'
            '<p><label>Password <input name="password" type="password" autocomplete="current-password"'
            ' required maxlength="256"></label></p>'
        )
        form = _form("/login", session.csrf, fields, ("in", "yes", "Log in"))
        response = self.page(self._tokens.config.issuer.title, wrong, status, more=form)
        return self._with_cookie(response, session)

    def login(self) -> Response:
        """Take name and password."""
        session = self.session()
        self.check(session)
        then = session.flows.get(request.form.get("flow", ""), "/")
        name = request.form.get("name", "")[:64]
        about = f"user {name.lower()}"
        if wait := self._throttle.wait(about):
            seconds = int(wait) + 1
            response = self.ask_login(session, then, f"Too many wrong tries; wait {seconds} s.", 429)
            response.headers["retry-after"] = str(seconds)
            return response
        user = self._tokens.user(name)
        if not _is_right(user, request.form.get("password", "")):
            self._throttle.wrong(about)
            return self.ask_login(session, then, "Name or password is wrong.", 401)
        self._throttle.right(about)
        self._tokens.records.drop("session", session.id)
        flows = {key: value for key, value in session.flows.items() if value != then}
        new = Session(
            secrets.token_urlsafe(24), secrets.token_urlsafe(24), name, int(time.time()), flows, fresh=True
        )
        response = Response(status=303, headers={"location": then})
        return self._with_cookie(response, new)

    def logout(self) -> Response:
        """End the session."""
        session = self.session()
        self.check(session)
        self._tokens.records.drop("session", session.id)
        response = self.page("Logged out", "This browser's login is over.")
        response.delete_cookie(self._cookie)
        return response

    def ask_consent(self, session: Session, client: str, scope: str) -> Response:
        """Ask whether a client may have what it asks for."""
        action = f"/authorize?{request.query_string.decode('latin-1')}"
        form = _form(action, session.csrf, "", *_DECISION)
        return self._with_cookie(
            self.page(f"Allow {client}?", _asks(session, client, scope), more=form), session
        )

    def device(self) -> Response:
        """Where a device's code is entered, and what it asks for is shown (RFC 8628 3.3)."""
        session = self.session()
        code = _user_code(request.args.get("user_code", ""))
        if session.user is None:
            then = "/device" + (f"?{urlencode({'user_code': code})}" if code else "")
            return self.ask_login(session, then)
        if not code:
            return self._ask_code("")
        found = self._known(session, code)
        if isinstance(found, Response):
            return found
        hidden = f'<input type="hidden" name="user_code" value="{escape(code)}">'
        form = _form("/device", session.csrf, hidden, *_DECISION)
        said = _asks(session, found["client_id"], found["scope"])
        said += f" Allow it only if your own device shows the code {code}."
        return self._with_cookie(self.page(f"Is it {code}?", said, more=form), session)

    def decide(self) -> Response:
        """Take the decision on a device."""
        session = self.session()
        self.check(session)
        code = _user_code(request.form.get("user_code", ""))
        if session.user is None:
            raise Forbidden("Log in first.")
        with self._tokens.records.lock:
            found = self._known(session, code)
            if isinstance(found, Response):
                return found
            allowed = request.form.get("decision") == "allow"
            self._tokens.records.change("user_code", code, user=session.user, approved=allowed)
        if allowed:
            return self.page("Done", "The device is logged in; you can close this page.")
        return self.page("Refused", "The device gets nothing; you can close this page.")

    def _known(self, session: Session, code: str) -> dict[str, Any] | Response:
        """A device's code that waits for a decision; a page where there is none."""
        about = f"code {session.user}"
        if wait := self._throttle.wait(about):
            return self._ask_code(f"Too many wrong codes; wait {int(wait) + 1} s.", 429)
        found = self._tokens.records.get("user_code", code)
        if found is None or "approved" in found:
            self._throttle.wrong(about)
            return self._ask_code("No device waits with this code: it is wrong, used, or too old.", 404)
        return found

    def _ask_code(self, wrong: str, status: int = 200) -> Response:
        form = (
            '<form method="get" action="/device"><p><label>Code on the device'
            ' <input name="user_code" autocomplete="off" required maxlength="16"></label></p>'
            "<p><button>Continue</button></p></form>"
        )
        return self.page("Log a device in", wrong, status, more=form)

    def page(self, title: str, text: str, status: int = 200, *, more: str = "") -> Response:
        """A page: plain title and text, then HTML."""
        body = (f"<p>{escape(text)}</p>\n" if text else "") + more
        return Response(_PAGE.format(title=escape(title), body=body), status, mimetype="text/html")

    def _with_cookie(self, response: Response, session: Session) -> Response:
        self._keep(session)
        response.set_cookie(self._cookie, session.id, httponly=True, samesite="Lax", secure=self._secure)
        return response

    def _keep(self, session: Session) -> None:
        seconds: float = _BEFORE_LOGIN
        if session.user is not None:
            seconds = session.since + self._tokens.config.lifetimes.session - time.time()
        kept = {name: getattr(session, name) for name in ("csrf", "user", "since", "flows", "fresh")}
        self._tokens.records.put("session", session.id, kept, seconds)


_DECISION = (("decision", "allow", "Allow"), ("decision", "deny", "Deny"))


def _form(action: str, csrf: str, fields: str, *buttons: tuple[str, str, str]) -> str:
    pressed = " ".join(f'<button name="{n}" value="{v}">{text}</button>' for n, v, text in buttons)
    return (
        f'<form method="post" action="{escape(action)}"><input type="hidden" name="csrf" value="{csrf}">'
        f"{fields}<p>{pressed}</p></form>"
    )


def _asks(session: Session, client: str, scope: str) -> str:
    return f"{client} asks to act for you, {session.user}: {scope or 'nothing in particular'}."


def _is_right(user: User | None, password: str) -> bool:
    """Whether it is the password, in the same time whether or not there is such a user."""
    own = "" if user is None else user.password.get_secret_value()
    return hmac.compare_digest(own.encode(), password.encode()) and user is not None


def _user_code(text: str) -> str:
    """A code as it was given out, however it was typed."""
    letters = "".join(each for each in text.upper() if "A" <= each <= "Z")[:8]
    return f"{letters[:4]}-{letters[4:]}" if letters else ""
