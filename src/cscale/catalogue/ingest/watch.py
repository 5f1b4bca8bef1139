"""Folders watched: what is there is taken, then what arrives, changes or disappears, batch by batch."""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import watchfiles

from cscale.catalogue.ingest.retention import apply_retention
from cscale.catalogue.ingest.taking import Options, Progress, Report, take
from cscale.catalogue.ingest.walking import Input, Inputs, Refusal, origin_of, shown, walk
from cscale.catalogue.products import read_product
from cscale.catalogue.store import Store
from cscale.errors import BadInput

_TICK = 1000  # milliseconds
_INCOMPLETE = 10  # how many times as long a product is waited for that lacks files
_BACKOFF = (5.0, 300.0)  # seconds after a batch that failed: at first, at most

Signature = tuple[int, ...]
"""What changes when an input does."""


class Event(Protocol):
    """Something that is set when the watch shall end, such as `threading.Event`."""

    def is_set(self) -> bool:
        """Whether it is set."""
        ...


@dataclass(frozen=True)
class Rhythm:
    """When a watch does what.

    Attributes:
        quiet: For how many seconds a file must not have changed before it is taken.
        poll: Look so often instead of waiting to be told, seconds; for network file systems, where nobody
            tells. None: wait to be told.
        expire: How often retention is applied where nothing arrives, seconds.
    """

    quiet: float = 3.0
    poll: float | None = None
    expire: float = 3600.0


@dataclass(frozen=True)
class Batch:
    """What became of one batch.

    Attributes:
        inputs: How many inputs it had.
        seconds: How long it took.
        report: What was taken; None where it failed.
        error: Why it failed; its inputs will be tried again.
    """

    inputs: int
    seconds: float
    report: Report | None = None
    error: str | None = None


class _Seen(NamedTuple):
    signature: Signature
    since: float  # as the monotonic clock tells


class Watch:
    """Watches folders.

    Args:
        store: Where the catalogue is kept.
        folders: The folders.
        options: How to take what is in them.
        rhythm: When.
        tell: Is told of each batch.
        ignored: Files whose changes mean nothing, and those whose names begin so: the catalogue's own.
    """

    def __init__(
        self,
        store: Store,
        folders: Sequence[Path],
        options: Options,
        rhythm: Rhythm,
        tell: Callable[[Batch], None],
        ignored: Sequence[Path] = (),
    ) -> None:
        if missing := [folder for folder in folders if not folder.is_dir()]:
            raise BadInput(f"{shown(missing[0])}: there is no such folder to watch")
        self._store = store
        self._folders = [Path(os.path.abspath(folder)) for folder in folders]  # noqa: PTH100  # links are kept
        self._options = options
        self._rhythm = rhythm
        self._tell = tell
        self._ignored = tuple(os.path.realpath(path) for path in ignored)
        self._seen: dict[str, _Seen] = {}
        self._taken: dict[str, Signature] = {}
        self._missing: dict[str, float] = {}  # origins that are not there, and since when
        self._assets: dict[str, str] = {}  # real paths, and the origins of the items they are assets of
        self._again: set[str] = set()  # origins to be tried again when anything changes
        self._unreadable: list[Refusal] = []
        self._first = True
        self._warned: list[Path] = []  # folders that are empty
        self._not_before, self._backoff = 0.0, _BACKOFF[0]
        self._expired = time.monotonic()

    def run(self, stop: Event, progress: Progress = lambda _done, _total: None) -> None:
        """Watch until told to stop; the batch in hand is finished.

        Raises:
            BadInput: If the machine cannot watch so many folders.
        """
        pending = True
        for changed in self._changes(stop):
            retry = self._note(changed)
            if (pending or retry) and time.monotonic() >= self._not_before:
                pending = self._look(changed, progress)
            elif retry:
                pending = True
            if time.monotonic() - self._expired >= self._rhythm.expire:
                self._expire()

    def _changes(self, stop: Event) -> Iterator[set[str]]:
        """The paths that have changed; empty now and then. Begins anew when a folder was replaced."""
        poll = self._rhythm.poll
        while not stop.is_set():
            present = [folder for folder in self._folders if folder.is_dir()]
            if not present:
                time.sleep(_TICK / 1000)
                yield set()
                continue
            identities = _identities(self._folders)
            changed = {os.fspath(folder) for folder in self._folders}  # whatever happened before
            try:
                for changes in watchfiles.watch(
                    *present,
                    watch_filter=None,
                    stop_event=stop,
                    rust_timeout=_TICK,
                    yield_on_timeout=True,
                    raise_interrupt=False,
                    force_polling=poll is not None,
                    poll_delay_ms=max(int(1000 * (poll or 1)), 50),
                    ignore_permission_denied=True,
                ):
                    yield changed | {path for change, path in changes if not _says_nothing(change, path)}
                    changed = set()
                    if _identities(self._folders) != identities:
                        break
            except RuntimeError:  # a name that is no text has changed; which is seen by looking
                time.sleep(_TICK / 1000)
            except OSError as error:
                raise BadInput(
                    f"cannot watch: {error}; with --poll SECONDS the folders are looked at"
                ) from error

    def _note(self, changed: set[str]) -> bool:
        """Whether anything that matters has changed."""
        matters = {path for path in changed if not self._is_ignored(path)}
        changed &= matters
        for path in matters:
            origin = self._assets.get(os.path.realpath(path))
            if origin is not None:
                self._taken.pop(origin, None)
        for origin in self._again if matters else ():
            self._taken.pop(origin, None)
        return bool(matters)

    def _is_ignored(self, path: str) -> bool:
        return bool(self._ignored) and os.path.realpath(path).startswith(self._ignored)

    def _look(self, changed: set[str], progress: Progress) -> bool:
        """Take what is ready; whether something is not yet."""
        now = time.monotonic()
        present = self._present(changed, now)
        wanted = [
            each
            for each in present.values()
            if self._taken.get(each.origin) != self._seen[each.origin].signature
        ]
        ready = [each for each in wanted if self._is_ready(each, now)]
        gone = self._gone(present, now)
        if ready or gone or self._first:
            done = self._batch(ready, gone, present, progress)
            claimed = any(each.real in self._assets for each in present.values())
            return not done or claimed or len(ready) < len(wanted)
        return len(ready) < len(wanted) or bool(self._missing)

    def _present(self, changed: set[str], now: float) -> dict[str, Input]:
        """What there is to take, by origin; notes since when each is as it is."""
        self._unreadable = []
        present: dict[str, Input] = {}
        for folder in self._folders:
            if folder.is_dir():
                present |= {each.origin: each for each in walk(folder, self._unreadable)}
        self._protect_empty(present)
        present = {name: each for name, each in present.items() if each.real not in self._assets}
        for name, each in list(present.items()):
            before = self._seen.get(name)
            if before and each.kind == "product" and not any(_is_in(path, each.path) for path in changed):
                continue
            signature, changed_at = _signature(each.path)
            if not signature:
                del present[name]
            elif before is None or before.signature != signature:
                whole = each.kind != "product" or self._first
                age = max(time.time() - changed_at, 0.0) if whole and changed_at else 0.0
                self._seen[name] = _Seen(signature, now - age)
        self._seen = {name: self._seen[name] for name in present}
        return present

    def _protect_empty(self, present: Mapping[str, Input]) -> None:
        """A folder in which nothing is left is not pruned: its disk may be missing."""
        if not self._options.prune or self._options.allow_empty:
            return
        empty = [folder for folder in self._folders if not any(_is_in(n, origin_of(folder)) for n in present)]
        why = "there is nothing in it, and nothing is removed: is a disk missing? If not, say --allow-empty"
        self._unreadable += [Refusal(origin_of(folder), shown(folder), why) for folder in empty]
        if empty and self._warned != empty:
            self._tell(Batch(0, 0.0, error="; ".join(f"{shown(folder)}: {why}" for folder in empty)))
        self._warned = empty

    def _is_ready(self, source: Input, now: float) -> bool:
        """Whether an input has been quiet for long enough, a product that lacks files for longer."""
        age = now - self._seen[source.origin].since
        if age < self._rhythm.quiet:
            return False
        if source.kind != "product" or age >= _INCOMPLETE * self._rhythm.quiet:
            return True
        try:
            return not read_product(source.path).missing
        except (BadInput, OSError):
            return False

    def _gone(self, present: dict[str, Input], now: float) -> list[str]:
        """The origins that were taken, and have not been there for a while."""
        unreadable = [refusal.origin for refusal in self._unreadable]
        absent = {
            origin
            for origin in self._taken.keys() | self._again
            if origin not in present and not any(_is_in(origin, folder) for folder in unreadable)
        }
        self._missing = {origin: self._missing.get(origin, now) for origin in absent}
        gone = [origin for origin, since in self._missing.items() if now - since >= self._rhythm.quiet]
        if not self._options.prune:
            for origin in gone:
                self._forget(origin)
            return []
        return gone

    def _forget(self, origin: str) -> None:
        self._taken.pop(origin, None)
        self._missing.pop(origin, None)
        self._again.discard(origin)
        self._assets = {path: item for path, item in self._assets.items() if item != origin}

    def _batch(
        self, ready: list[Input], gone: list[str], present: dict[str, Input], progress: Progress
    ) -> bool:
        """Take one batch, all of it or nothing; whether that went well."""
        roots: list[str] = []
        if self._options.prune:
            roots = [each.origin for each in ready]
            if self._first:  # what is still being written is not gone
                roots = [origin_of(folder) for folder in self._folders]
                waiting = present.keys() - {each.origin for each in ready}
                self._unreadable += [Refusal(origin, "", "") for origin in waiting]
        refused = self._unreadable if self._first else []
        started = time.monotonic()
        order = sorted(ready, key=lambda each: (each.kind == "raster", each.path))
        try:
            report = take(self._store, Inputs(order, refused, roots + gone), self._options, progress)
        except Exception as error:  # noqa: BLE001  # whatever fails, the next batch may not
            self._tell(Batch(len(ready), time.monotonic() - started, error=f"{error}" or repr(error)))
            self._not_before = time.monotonic() + self._backoff
            self._backoff = min(2 * self._backoff, _BACKOFF[1])
            return False
        self._backoff = _BACKOFF[0]
        report.refused = [(where, why) for where, why in report.refused if why]
        self._keep(ready, gone, report)
        if ready or report.removed or report.expired:
            self._tell(Batch(len(ready), time.monotonic() - started, report))
        return True

    def _keep(self, ready: list[Input], gone: list[str], report: Report) -> None:
        """Remember what was taken."""
        self._first = False
        self._expired = time.monotonic()
        for origin in gone:
            self._forget(origin)
        origins = {each.origin for each in ready}
        self._assets = {path: origin for path, origin in self._assets.items() if origin not in origins}
        self._assets |= report.assets
        self._again = (self._again - origins) | (report.again & origins)
        for each in ready:
            self._taken[each.origin] = self._seen[each.origin].signature

    def _expire(self) -> None:
        """Apply retention where nothing has arrived for long."""
        started = self._expired = time.monotonic()
        report = Report()
        if self._options.dry_run:
            return
        try:
            with self._store.writing() as writer:
                report.expired = apply_retention(writer, self._options.policies, time.time_ns() // 1000)
        except Exception as error:  # noqa: BLE001  # it is tried again
            self._tell(Batch(0, time.monotonic() - started, error=f"{error}" or repr(error)))
        else:
            if report.expired:
                self._tell(Batch(0, time.monotonic() - started, report))


def _says_nothing(change: watchfiles.Change, path: str) -> bool:
    """Whether a folder is only said to hold something else than before; what it holds is told as well."""
    return change == watchfiles.Change.modified and os.path.isdir(path)  # noqa: PTH112  # of thousands


def _identities(folders: Sequence[Path]) -> list[tuple[int, int] | None]:
    found: list[tuple[int, int] | None] = []
    for folder in folders:
        try:
            status = folder.stat()
        except OSError:
            found.append(None)
        else:
            found.append((status.st_dev, status.st_ino))
    return found


def _is_in(path: str, folder: Path | str) -> bool:
    return path == os.fspath(folder) or path.startswith(f"{os.fspath(folder)}/")


def _signature(path: Path) -> tuple[Signature, float]:
    """What changes when an input does, and when that was, seconds since 1970; nothing where it is gone."""
    with suppress(OSError):
        found = path.stat()
        if not path.is_dir():
            return (found.st_size, found.st_mtime_ns, found.st_ino), found.st_mtime
        count = size = newest = 0
        for here, _, names in os.walk(path):
            for name in names:
                inside = os.stat(os.path.join(here, name))  # noqa: PTH116, PTH118  # of thousands
                count, size, newest = count + 1, size + inside.st_size, max(newest, inside.st_mtime_ns)
        return (count, size, newest), max(newest / 1e9, found.st_mtime)
    return (), 0.0
