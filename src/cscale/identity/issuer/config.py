"""What the embedded issuer's configuration says: users, clients, how long things last."""

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator

from cscale.settings import Section

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105  # a grant's name
ABOUT_USERS = ("openid", "profile", "email", "entitlements", "eduperson_entitlement", "offline_access")
"""The scopes that everybody may ask for."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
Grant = Literal["authorization_code", "refresh_token", "device_code", "client_credentials", "token_exchange"]
_GRANTS = {"device_code": DEVICE_CODE, "token_exchange": TOKEN_EXCHANGE}


class User(Section):
    """Somebody who can log in."""

    password: SecretStr
    """In clear: this issuer is for trying things out."""
    name: str = ""
    """The name for people."""
    email: str = ""
    """The mail address."""
    entitlements: tuple[str, ...] = ()
    """Memberships and rights, as AARC entitlement URNs."""
    groups: tuple[str, ...] = ()
    """Plain names of groups."""
    scopes: tuple[str, ...] = ()
    """Scopes beyond those about users that their tokens may have, such as `storage.read:/scenes`."""


class Client(Section):
    """A program that logs people in, or itself."""

    secret: SecretStr | None = None
    """What it proves itself with; left out: a public client, which proves nothing."""
    redirects: tuple[str, ...] = ()
    """Where people may be sent back to, exactly; `http://127.0.0.1/path` means any port."""
    grants: tuple[Grant, ...] = ("authorization_code", "refresh_token", "device_code")
    """The flows it may use."""
    audiences: tuple[str, ...] = ()
    """For whom it may exchange a token."""
    entitlements: tuple[str, ...] = ()
    """Rights of its own, in the tokens of `client_credentials`."""
    scopes: tuple[str, ...] = ()
    """Scopes of its own, in the tokens of `client_credentials`."""

    @property
    def grant_types(self) -> tuple[str, ...]:
        """The flows, as the standards name them."""
        return tuple(_GRANTS.get(grant, grant) for grant in self.grants)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.secret is None and {"client_credentials", "token_exchange"} & {*self.grants}:
            raise ValueError("client_credentials and token_exchange need a secret")
        for uri in self.redirects:
            parts = urlsplit(uri)
            if parts.scheme not in ("http", "https") or not parts.hostname or parts.fragment:
                raise ValueError(f"{uri!r} is no address to be sent back to")
        return self


class Lifetimes(Section):
    """How long things last, in seconds."""

    access: int = Field(600, ge=1)
    """Access tokens."""
    refresh: int = Field(86_400, ge=1)
    """Refresh tokens; each use gives a new one."""
    code: int = Field(60, ge=1)
    """Authorization codes."""
    device: int = Field(600, ge=1)
    """Device codes."""
    interval: int = Field(5, ge=1)
    """Between two questions of a device."""
    session: int = Field(28_800, ge=1)
    """Logins in a browser."""
    key: int = Field(2_592_000, ge=1)
    """The key that signs, before the next one does."""


class AboutIssuer(Section):
    """What the issuer says of itself."""

    url: str = Field(pattern=r"^https?://[^/\s?#@]+/?$")
    """Its address, without a path: also its name (`iss`) in tokens."""
    title: str = "Login"
    """Its name for people."""

    @field_validator("url")
    @classmethod
    def _without_slash(cls, url: str) -> str:
        return url.rstrip("/")


class IssuerSettings(Section):
    """The configuration of `cscale serve issuer`."""

    issuer: AboutIssuer
    """What it is."""
    state: Path | None = None
    """The folder for keys, logins and tokens; left out: in memory, and gone with the process."""
    audience: str = "cscale"
    """For whom access tokens are (`aud`)."""
    users: dict[Name, User]
    """Who can log in, by the name they log in with."""
    clients: dict[Name, Client]
    """The programs that may ask, by client id."""
    lifetimes: Lifetimes = Lifetimes()
    """How long what it gives out holds."""

    @field_validator("state")
    @classmethod
    def _in_folder(cls, state: Path | None, info: ValidationInfo) -> Path | None:
        if state is None:
            return None
        return Path((info.context or {}).get("folder", "."), state)
