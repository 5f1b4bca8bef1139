"""The page for people at `/`: what this is, who is in, how to ask.

Public face: `Front`; the routes are in `cscale.portal.api`.
"""

from cscale.portal.page import Front

__all__ = ["Front"]
