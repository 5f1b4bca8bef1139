"""Calling members of a federation, who are slow, busy or away at times.

`site` is one member's part in the pool of connections; `circuit`, `pacing` and `redirects` are the rules it
follows, pure; `tally` tells whoever asks what it took.
"""

from cscale.net.calling.site import Limits, SiteHttp
from cscale.net.calling.tally import Tally, counted

__all__ = ["Limits", "SiteHttp", "Tally", "counted"]
