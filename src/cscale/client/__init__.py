"""What a user imports: search a federation, download from it. No server, no numeric library.

It is synchronous to its user, over one event loop in a thread.

Public face: `Federation`, `Found`, `Download`, `default_hub`.

    >>> from cscale.client import Federation
    >>> with Federation("http://127.0.0.1:8300") as hub:
    ...     found = hub.search({"datetime": "2020-06-01T00:00:00Z/.."}, limit=20)
"""

from cscale.client.download import Download
from cscale.client.federation import Federation, Found, default_hub

__all__ = ["Federation", "Found", "Download", "default_hub"]
