"""Why somebody is not let in, in words that may stand in a header."""

from typing import Literal

from cscale.errors import CscaleError


class TokenRefused(CscaleError):
    """A token, or the header that carries it, that is not accepted.

    Attributes:
        error: The code of RFC 6750 3.1: `invalid_request` for a header that is malformed, `invalid_token` for
            a token that is malformed, expired, revoked, or not meant for this service.
    """

    def __init__(
        self, message: str, error: Literal["invalid_request", "invalid_token"] = "invalid_token"
    ) -> None:
        super().__init__(message)
        self.error = error


class IssuerUnavailable(CscaleError):
    """The issuer cannot be asked at this moment, so that nobody knows whether the token is good."""
