"""The words of a federation: its sites, what they offer, and under which policies.

Public face: `Member`, `Endpoint`, `Policy`, `About`.
"""

from cscale.federation.sites import About, Access, Endpoint, Member, Policy, Retention

__all__ = ["Member", "Endpoint", "Policy", "Access", "Retention", "About"]
