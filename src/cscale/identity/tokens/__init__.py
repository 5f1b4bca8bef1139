"""Tokens that callers send: whose they are, and whether they are good.

Public face: `Verifier`. `jose` takes tokens apart, `keys` verifies signatures, `claims` says what is claimed,
`issuer` asks issuers, through `asking`; `renewed` and `remembered` keep what was answered.
"""

from cscale.identity.tokens.asking import IssuerHttp
from cscale.identity.tokens.verifier import Verifier

__all__ = ["IssuerHttp", "Verifier"]
