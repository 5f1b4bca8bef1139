"""Seals what goes out and must come back unchanged, such as cursors."""

import base64
import binascii
import hmac
import os
import secrets
from pathlib import Path

from cscale.errors import BadConfiguration

_MAC_BYTES = 12
_SECRET_BYTES = 32


class Signer:
    """Seals and opens small payloads with one secret (HMAC-SHA256, cut to 96 bits).

    Args:
        secret: What only the processes of one service know.
        purpose: What the payloads are for; a seal for one purpose opens under no other.
    """

    def __init__(self, secret: bytes, purpose: str) -> None:
        self._key = hmac.digest(secret, purpose.encode(), "sha256")

    def seal(self, payload: bytes) -> str:
        """The payload and its seal as text that fits into a URL."""
        mac = hmac.digest(self._key, payload, "sha256")[:_MAC_BYTES]
        return base64.urlsafe_b64encode(mac + payload).decode().rstrip("=")

    def open(self, sealed: str) -> bytes | None:
        """The payload, or None if this signer did not seal it."""
        try:
            raw = base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
            payload = raw[_MAC_BYTES:]
            # compared as text, as base64 has several texts for the same bytes
            return payload if hmac.compare_digest(sealed, self.seal(payload)) else None
        except (binascii.Error, TypeError, ValueError):
            return None


def shared_secret(state: Path) -> bytes:
    """The secret kept in a service's state directory, made (mode 0600) when there is none yet.

    Processes that start at once agree on one: the first to link its file into place wins.

    Raises:
        BadConfiguration: If the directory cannot be used, or the file is too short to be a secret.
    """
    path = state / "secret"
    try:
        _make_secret(path)
        secret = path.read_bytes()
    except OSError as error:
        raise BadConfiguration(f"{state}: state cannot be kept here: {error.strerror}") from error
    if len(secret) < _SECRET_BYTES:
        raise BadConfiguration(
            f"{path}: shorter than {_SECRET_BYTES} bytes; delete it, and a new one is made"
        )
    return secret


def _make_secret(path: Path) -> None:
    state = path.parent
    state.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        aside = state / f".secret-{os.getpid()}-{secrets.token_hex(4)}"
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(_SECRET_BYTES))
        try:
            path.hardlink_to(aside)
        except FileExistsError:
            pass
        finally:
            aside.unlink()
