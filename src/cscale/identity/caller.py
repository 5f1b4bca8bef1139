"""The caller of a request."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking, and what they may show for it.

    Attributes:
        subject: The identity provider's name for the person or service; None for anonymous.
        entitlements: Group memberships and rights, as AARC entitlement URNs.
        token: The bearer token that was sent, to be passed on where a site's policy says so.
    """

    subject: str | None = None
    entitlements: frozenset[str] = frozenset()
    token: str | None = field(default=None, repr=False)


ANONYMOUS = Caller()
"""Nobody in particular: what is open is open to them."""
