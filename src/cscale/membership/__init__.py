"""How a site becomes and stays a member: what it does is tried, how it is is watched.

Public face: `check`, `Report`, `Health`.
"""

from cscale.membership.checking import check
from cscale.membership.health import Health
from cscale.membership.report import Line, Report

__all__ = ["check", "Report", "Line", "Health"]
