"""The caller of a request."""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field

from cscale.identity.entitlements import entitled

_PSEUDONYM_BYTES = 16


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking, and what they may show for it.

    A person is told by issuer and subject together: two issuers may give one subject to two people. In logs
    and usage records stands the pseudonym, and in `repr` neither name nor token.

    Attributes:
        subject: The issuer's name for the person or service; None for anonymous.
        entitlements: Group memberships and rights, as AARC entitlement URNs or plain names of groups.
        token: The bearer token that was sent, to be passed on where a site's policy says so.
        issuer: Who vouches for all this; None where nobody does.
        scopes: What the token may be used for, as its `scope` says (RFC 8693 4.2).
        expires: When the token ends, in seconds since 1970; None where that is not known.
        pseudonym: The same for each request of one person, at this service only; 32 hexadecimal digits.
    """

    subject: str | None = field(default=None, repr=False)
    entitlements: frozenset[str] = frozenset()
    token: str | None = field(default=None, repr=False)
    issuer: str | None = None
    scopes: frozenset[str] = frozenset()
    expires: float | None = None
    pseudonym: str | None = None

    def holds(self, required: Iterable[str]) -> bool:
        """Whether any one of these entitlements is satisfied, see `cscale.identity.entitlements`."""
        return entitled(self.entitlements, required)


def pseudonym(secret: bytes, issuer: str, subject: str) -> str:
    """The name of a person in logs and usage records; see `Caller`.

    Args:
        secret: That of the service; without it nobody can tell whose a pseudonym is.
        issuer: Who gave the subject its name.
        subject: The name.
    """
    key = hmac.digest(secret, b"usage", "sha256")
    told = f"{issuer}\0{subject}".encode(errors="surrogatepass")
    return hmac.digest(key, told, "sha256")[:_PSEUDONYM_BYTES].hex()


ANONYMOUS = Caller()
"""Nobody in particular: what is open is open to them."""
