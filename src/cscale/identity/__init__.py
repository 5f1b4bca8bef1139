"""Who is asking: the caller, whom every protocol method is told of, and how tokens say who it is.

Public face: `Caller`, `ANONYMOUS`; `settings.Identity` is the section of a configuration file,
`tokens.Verifier` checks tokens, `api.Authenticated` does so for each request; `entitlements` and `scopes` say
what they open.
"""

from cscale.identity.caller import ANONYMOUS, Caller

__all__ = ["ANONYMOUS", "Caller"]
