"""What is known of tokens that were checked, by a hash that tells nothing of them; a bounded number."""

import time
from collections import OrderedDict
from hashlib import blake2b
from secrets import token_bytes
from typing import Generic, TypeVar

T = TypeVar("T")


class Remembered(Generic[T]):
    """Values by token, each until a time of its own; those that were not used for longest go first.

    Args:
        most: How many.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._key = token_bytes(32)
        self._values: OrderedDict[bytes, tuple[float, T]] = OrderedDict()

    def key(self, credentials: str) -> bytes:
        """The hash of a token."""
        return blake2b(credentials.encode(), digest_size=20, key=self._key).digest()

    def get(self, key: bytes) -> T | None:
        """What is known; None if nothing is, or no more."""
        found = self._values.get(key)
        if found is None:
            return None
        if time.monotonic() >= found[0]:
            del self._values[key]
            return None
        self._values.move_to_end(key)
        return found[1]

    def put(self, key: bytes, value: T, seconds: float) -> None:
        """Remember a value for so many seconds."""
        self._values[key] = (time.monotonic() + seconds, value)
        self._values.move_to_end(key)
        while len(self._values) > self._most:
            self._values.popitem(last=False)

    def __len__(self) -> int:
        return len(self._values)
