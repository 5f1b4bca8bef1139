"""Changes of items and collections: what each of the extension's methods makes of what is there.

Public face: `Change`; the changes are in `cscale.stac.transaction.changes`.
"""

from cscale.stac.transaction.changes import Change

__all__ = ["Change"]
