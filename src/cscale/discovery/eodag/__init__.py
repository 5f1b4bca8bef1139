"""Providers that the EODAG library knows: one adapter for all of them, an optional extra (`cscale[eodag]`).

Public face: `Eodag`, the `Source`.
"""

from cscale.discovery.eodag.source import Eodag

__all__ = ["Eodag"]
