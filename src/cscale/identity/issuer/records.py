"""What the issuer remembers: codes, tokens, logins, each until it expires; and who guessed wrong.

Keys are kept as hashes: who reads the file learns no token.
"""

import hashlib
import os
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

_MOST = 10_000
"""Records of one kind: those that would expire first make room, so that nobody can fill the disk."""
_FREE = 5
"""Wrong answers that cost nothing."""
_LONGEST = 60.0  # seconds: somebody else's guesses must not lock a user out for good
_FORGOTTEN_AFTER = 900.0
_TABLE = """
create table if not exists records (
  kind text not null, key blob not null, expires real not null, value blob not null,
  primary key (kind, key)) without rowid
"""


class Records:
    """Values by kind and key, each until it expires. Safe for threads.

    Args:
        folder: Where they are kept, readable by the owner only; None: in memory.
    """

    def __init__(self, folder: Path | None) -> None:
        self.lock = threading.RLock()
        path = ":memory:"
        if folder is not None:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = str(folder / "issuer.db")
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # else it is made for all to read
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute(_TABLE)
        self._db.execute("create index if not exists by_expiry on records (kind, expires)")

    def put(self, kind: str, key: str, value: dict[str, Any], seconds: float) -> None:
        """Keep a value for so many seconds; one that is there is replaced."""
        now = time.time()
        row = (kind, _hashed(kind, key), now + seconds, msgspec.json.encode(value))
        with self.lock:
            self._db.execute("delete from records where kind = ? and expires < ?", (kind, now))
            self._db.execute("insert or replace into records values (?, ?, ?, ?)", row)
            self._make_room(kind)

    def get(self, kind: str, key: str) -> dict[str, Any] | None:
        """A value, if it is there and has not expired."""
        asked = (kind, _hashed(kind, key), time.time())
        with self.lock, closing(self._db.cursor()) as cursor:
            found = cursor.execute(
                "select value from records where kind = ? and key = ? and expires > ?", asked
            ).fetchone()
        return None if found is None else msgspec.json.decode(found[0])

    def change(self, kind: str, key: str, **values: Any) -> bool:
        """Set members of a value that is there; its time stays. Whether it was there."""
        with self.lock:
            value = self.get(kind, key)
            if value is None:
                return False
            row = (msgspec.json.encode(value | values), kind, _hashed(kind, key))
            self._db.execute("update records set value = ? where kind = ? and key = ?", row)
            return True

    def drop(self, kind: str, key: str) -> None:
        """Forget a value."""
        with self.lock:
            self._db.execute("delete from records where kind = ? and key = ?", (kind, _hashed(kind, key)))

    def _make_room(self, kind: str) -> None:
        (count,) = self._db.execute("select count(*) from records where kind = ?", (kind,)).fetchone()
        if count > _MOST:
            self._db.execute(
                "delete from records where kind = ?1 and key in"
                " (select key from records where kind = ?1 order by expires limit ?2)",
                (kind, count - _MOST),
            )


class Throttle:
    """Slows down who guesses: after a few wrong answers, each further one costs twice the time.

    It counts by whatever the answers were about. Safe for threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wrong: dict[str, tuple[int, float]] = {}

    def wait(self, about: str) -> float:
        """Seconds until another answer is taken; 0 when it is taken now."""
        with self._lock:
            count, at = self._wrong.get(about, (0, 0.0))
        if count < _FREE:
            return 0.0
        pause = min(2.0 ** (count - _FREE), _LONGEST)
        return max(0.0, at + pause - time.monotonic())

    def wrong(self, about: str) -> None:
        """Note a wrong answer."""
        now = time.monotonic()
        with self._lock:
            count, at = self._wrong.pop(about, (0, now))
            if now - at > _FORGOTTEN_AFTER:
                count = 0
            self._wrong[about] = (count + 1, now)  # at the end: the oldest go first
            while len(self._wrong) > _MOST:
                del self._wrong[next(iter(self._wrong))]

    def right(self, about: str) -> None:
        """Forget wrong answers: the right one came."""
        with self._lock:
            self._wrong.pop(about, None)


def _hashed(kind: str, key: str) -> bytes:
    return hashlib.sha256(f"{kind}:{key}".encode()).digest()
