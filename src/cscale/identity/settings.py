"""The `identity` section of a configuration file: whose tokens are taken."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator
from yarl import URL

from cscale.errors import BadConfiguration
from cscale.settings import Section

Algorithm = Literal[
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "Ed25519",
]
"""Signatures with a public key; what needs a shared secret is none for tokens of somebody else."""
ALGORITHMS: tuple[Algorithm, ...] = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519",
)  # fmt: skip
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_AROUND = frozenset({"issuers", "operators", "skew"})


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Names = Annotated[
    tuple[Annotated[str, Field(min_length=1)], ...],
    BeforeValidator(_listed, json_schema_input_type=str | tuple[str, ...]),
]
"""One name or several."""


class TrustedIssuer(Section):
    """One issuer of tokens: EGI Check-in, SRAM, a Keycloak, an OpenID provider of one's own."""

    issuer: str
    """Its address, letter by letter as it stands in its tokens (`iss`)."""
    audience: Names = ()
    """What tokens for this service carry as `aud`; any one of these."""
    clients: Names = ()
    """Where given, only tokens that were issued to these clients (`azp`, `client_id`) are taken."""
    provider: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] | None = None
    """Its name in openEO's `Bearer oidc/<provider>/<token>`."""
    title: str = ""
    """Its name for people."""
    client_id: str | None = None
    """This service's own name at the issuer, to ask about tokens."""
    client_secret_file: Path | None = None
    """The file that holds the secret that goes with it."""
    introspect: Literal["never", "opaque", "always"] = "never"
    """Which tokens the issuer is asked about (RFC 7662): `opaque` ones, that say nothing themselves, or
    `always`, so that a revoked token is refused before it ends."""
    login_client: Annotated[str, Field(pattern=r"^[!-~]{1,255}$")] = "cscale"
    """The public client under which `cscale login` is registered there."""
    userinfo: bool = True
    """Whether the issuer's userinfo is read where a token says nothing of entitlements."""
    delay: float = Field(60, ge=0, le=3600)
    """Seconds for which an answer of the issuer about a token holds; a revoked token works for so long."""
    entitlements: Names = ()
    """Beginnings of the entitlements that its word is taken for, `*` for all; needed with several issuers."""
    algorithms: tuple[Algorithm, ...] = Field(ALGORITHMS, min_length=1)
    """How its tokens may be signed."""

    @field_validator("issuer")
    @classmethod
    def _is_address(cls, issuer: str) -> str:
        if (
            not re.fullmatch(r"https?://[!-~]+", issuer)
            or not URL(issuer).host
            or re.search(r"[?#@]", issuer)
        ):
            raise ValueError("an issuer is an address that begins with https://, without query and fragment")
        if issuer.startswith("http://") and URL(issuer).host not in _LOOPBACK:
            raise ValueError("an issuer is reached by https; http is for this machine's own (127.0.0.1) only")
        return issuer

    @field_validator("client_secret_file", mode="after")
    @classmethod
    def _from_folder(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        folder: Path = (info.context or {}).get("folder", Path())
        return None if path is None else (folder / path.expanduser()).resolve()

    @model_validator(mode="after")
    def _is_meant_for_us(self) -> Self:
        if not self.audience and not self.clients:
            raise ValueError("audience is missing: without it, tokens for any other service would be taken")
        if self.introspect != "never" and self.client_id is None:
            raise ValueError("introspect needs client_id, and client_secret_file")
        return self

    def client_secret(self) -> str | None:
        """The secret of this service at the issuer, read from its file.

        Raises:
            BadConfiguration: If the file cannot be read or is empty.
        """
        if self.client_secret_file is None:
            return None
        try:
            secret = self.client_secret_file.read_text().strip()
        except (OSError, ValueError) as error:
            raise BadConfiguration(
                f"{self.client_secret_file}: the client's secret cannot be read"
            ) from error
        if not secret:
            raise BadConfiguration(f"{self.client_secret_file}: it is empty; put the client's secret into it")
        return secret


class IdentityConfig(Section):
    """Whose tokens are taken, and who operates the service."""

    issuers: tuple[TrustedIssuer, ...] = Field(min_length=1)
    """The issuers whose tokens are taken."""
    operators: Names = ()
    """Entitlements of those who operate the service; any one of these."""
    skew: float = Field(30, ge=0, le=300)
    """Seconds by which clocks may differ."""

    @model_validator(mode="after")
    def _can_be_told_apart(self) -> Self:
        for what in ("issuer", "provider"):
            names = [name for each in self.issuers if (name := getattr(each, what)) is not None]
            if len(set(names)) < len(names):
                raise ValueError(f"two issuers have the same {what}")
        if len(self.issuers) > 1:
            for each in self.issuers:
                if not each.entitlements:
                    raise ValueError(
                        f"{each.issuer}: with several issuers, say which entitlements each one's word is "
                        "taken for, as in entitlements: [urn:mace:egi.eu]; '*' takes all, none takes none"
                    )
        return self


class OneIssuer(TrustedIssuer):
    """The short form: one issuer, and what else the section says."""

    operators: Names = ()
    """As in the long form."""
    skew: float = Field(30, ge=0, le=300)
    """As in the long form."""


def _in_full(value: object) -> object:
    """The section in its long form."""
    if not isinstance(value, Mapping) or "issuers" in value:
        return value
    around: dict[str, Any] = {name: each for name, each in value.items() if name in _AROUND}
    return around | {"issuers": [{name: each for name, each in value.items() if name not in _AROUND}]}


Identity = Annotated[
    IdentityConfig, BeforeValidator(_in_full, json_schema_input_type=OneIssuer | IdentityConfig)
]
"""The `identity` section, in either form; a field of a service's configuration."""
