"""Users as they stand in the books: the same each time, and nobody without the secret can tell who."""

import hmac

from cscale.identity import Caller

_BYTES = 16


class Pseudonyms:
    """Names callers by keyed hashes (HMAC-SHA256, cut to 128 bits).

    Args:
        secret: What only the processes of one service know.
    """

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, b"usage", "sha256")

    def of(self, caller: Caller) -> str:
        """A caller's pseudonym; empty for anonymous."""
        if caller.subject is None:
            return ""
        return caller.pseudonym or self._hash(f"{caller.issuer or ''}\0{caller.subject}")

    def of_address(self, address: str) -> str:
        """The pseudonym under which quotas of an anonymous caller are counted: by where they come from."""
        return "~" + self._hash(f"address\0{address}")

    def _hash(self, text: str) -> str:
        return hmac.digest(self._key, text.encode(errors="surrogatepass"), "sha256")[:_BYTES].hex()
