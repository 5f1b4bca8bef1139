"""The keys that sign: the newest signs, the older ones stay published until what they signed has expired."""

import os
import secrets
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
from joserfc import jwt
from joserfc.jwk import RSAKey

ALGORITHM = "RS256"
_BITS = 2048


class Keys:
    """A ring of RSA keys.

    Args:
        folder: Where they are kept, readable by the owner only; None: in memory.
        change_after: Seconds after which a new key signs.
        keep_for: Seconds for which an old one stays published: as long as what it signed is good.
    """

    def __init__(self, folder: Path | None, change_after: float, keep_for: float) -> None:
        self._path = None if folder is None else folder / "keys.json"
        self._change_after = change_after
        self._keep_for = keep_for
        self._lock = threading.Lock()
        self._keys: list[tuple[float, RSAKey]] = []  # made at, newest first
        if self._path is not None and self._path.exists():
            kept = msgspec.json.decode(self._path.read_bytes())
            self._keys = [(each["made"], RSAKey.import_key(each["key"])) for each in kept]

    def signed(self, header: dict[str, Any], claims: dict[str, Any]) -> str:
        """A JSON Web Token, signed by the newest key."""
        key = self.signing()
        return jwt.encode({**header, "alg": ALGORITHM, "kid": key.kid}, claims, key, [ALGORITHM])

    def signing(self) -> RSAKey:
        """The key that signs now."""
        return self._fresh()[0][1]

    def published(self) -> list[dict[str, Any]]:
        """The public halves, as members of a JWK set."""
        return [
            {**key.as_dict(private=False), "use": "sig", "alg": ALGORITHM, "kid": key.kid}
            for _, key in self._fresh()
        ]

    def _fresh(self) -> list[tuple[float, RSAKey]]:
        now = time.time()
        with self._lock:
            if self._keys and now - self._keys[0][0] < self._change_after:
                return self._keys
            key = RSAKey.generate_key(_BITS, {"kid": secrets.token_urlsafe(8)})
            # an old key signed until the one after it was made
            ended = [now, *(made for made, _ in self._keys)]
            kept = [pair for pair, end in zip(self._keys, ended, strict=False) if now - end < self._keep_for]
            self._keys = [(now, key), *kept]
            self._keep()
            return self._keys

    def _keep(self) -> None:
        if self._path is None:
            return
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        content = [{"made": made, "key": key.as_dict(private=True)} for made, key in self._keys]
        aside = self._path.with_name(f".{self._path.name}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(msgspec.json.encode(content))
        aside.replace(self._path)
