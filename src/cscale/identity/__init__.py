"""Who is asking: the caller, whom every protocol method is told of.

Public face: `Caller`, `ANONYMOUS`.
"""

from cscale.identity.caller import ANONYMOUS, Caller

__all__ = ["ANONYMOUS", "Caller"]
