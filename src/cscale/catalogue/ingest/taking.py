"""What is handed in, into a catalogue: read and checked without its lock, then put all at once."""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from cscale.archive.folders import Folders
from cscale.catalogue.ingest import pool
from cscale.catalogue.ingest.assets import Assets, Known, Looked, compute, finish, known_checksums
from cscale.catalogue.ingest.geotiff import Dating
from cscale.catalogue.ingest.reading import (
    How,
    Outcome,
    Place,
    Ready,
    Spool,
    Unit,
    pack,
    unpack_local,
    unpack_ready,
)
from cscale.catalogue.ingest.retention import apply_retention, keeps_from
from cscale.catalogue.ingest.walking import Input, Inputs, Refusal, look, shown, state_of
from cscale.catalogue.rows import prepare
from cscale.catalogue.store import Change, Held, Store, Writer
from cscale.errors import BadInput
from cscale.federation.sites import Policy
from cscale.stac.items import Collection

_UNIT = 4 << 20  # bytes that one process reads at once
_TASK = 64  # files, at most
_AT_ONCE = 500  # items whose assets are looked at together
_MANY = 1000  # inputs
Progress = Callable[[int, int], None]
"""Is told how much is done, and of how much: each byte counts when it is read and when it is written."""


@dataclass
class Report:
    """What became of an ingest.

    Attributes:
        items: How many items were added, changed, or unchanged.
        collections: The same of collections.
        refused: What was not taken: where it stands, and why.
        warnings: What was taken though something is amiss: where, and what.
        gone: The items that were removed since they are not there any more.
        expired: How many were removed since their collection keeps its items only for some days.
        outdated: How many were not taken for the same reason.
        again: The origins of what was not taken, which may be there another time.
        assets: The origin of the item that each local file is an asset of.
    """

    items: Counter[Change] = field(default_factory=Counter)
    collections: Counter[Change] = field(default_factory=Counter)
    refused: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[tuple[str, str]] = field(default_factory=list)
    gone: list[Held] = field(default_factory=list)
    expired: int = 0
    outdated: int = 0
    again: set[str] = field(default_factory=set)
    assets: dict[str, str] = field(default_factory=dict)

    @property
    def removed(self) -> int:
        """How many items are gone."""
        return len(self.gone)


@dataclass(frozen=True)
class Options:
    """How to take what is handed in.

    Attributes:
        folders: The folders that the site serves; local assets must lie in one.
        collection: The collection that items go to; None for the one they name.
        dating: How to date raster files.
        prune: Whether items that came from the named paths and are not there any more are removed.
        allow_empty: Whether that is done also where a named path is missing or empty.
        dry_run: Whether nothing is changed, and only told what would be.
        trust_checksums: Whether promised checksums are taken without reading the files.
        policies: Policies by collection, `default` for the others: what they keep, and how long.
        processes: How many processes read; None for as many as the input is worth.
    """

    folders: Folders
    collection: str | None = None
    dating: Dating = field(default_factory=Dating)
    prune: bool = False
    allow_empty: bool = False
    dry_run: bool = False
    trust_checksums: bool = False
    policies: Mapping[str, Policy] = field(default_factory=dict)
    processes: int | None = None


def ingest(
    store: Store,
    paths: Sequence[Path],
    options: Options,
    progress: Progress = lambda _done, _total: None,
) -> Report:
    """Take files and folders into a catalogue, all at once: readers see all of it or nothing.

    Taking the same input again changes nothing.

    Args:
        store: Where the catalogue is kept; made if there is none.
        paths: STAC JSON (Item, ItemCollection, Collection), NDJSON, stac-geoparquet, GeoTIFF, Sentinel
            products (folders and zips); static catalogues, whose links are followed on disk; folders are
            searched. A file found in a folder that is an asset of an item is not taken for an item itself.
        options: How to take them.
        progress: Called now and then.

    Returns:
        What was taken, and what was refused and why.

    Raises:
        BadInput: If a path does not exist, or one to be pruned holds nothing; if another ingest is
            writing for long.
    """
    gathered = look(paths, options.folders, allow_missing=options.prune and options.allow_empty)
    if options.prune and not options.allow_empty:
        _refuse_empty(paths, gathered)
    return take(store, gathered, options, progress)


def _refuse_empty(paths: Sequence[Path], gathered: Inputs) -> None:
    found = [each.origin for each in gathered.inputs] + [each.origin for each in gathered.refused]
    for path, root in zip(paths, gathered.roots, strict=True):
        if not any(origin == root or origin.startswith(root.rstrip("/") + "/") for origin in found):
            raise BadInput(
                f"{shown(path)}: there is nothing to take, so --prune would remove all that came from it; "
                "is a disk missing? If that is meant, say --allow-empty"
            )


class _Undone(Exception):
    """Ends a transaction that is only a rehearsal."""


def take(store: Store, gathered: Inputs, options: Options, progress: Progress) -> Report:
    """Take what was gathered; see `ingest`."""
    columns = dict(store.columns())
    with closing(Spool()) as spool:
        preparing = _Preparing(store, options, How(options.collection, options.dating, columns), spool)
        preparing.run(gathered, progress)
        report = preparing.report
        putting = _Putting(preparing, options, progress)
        try:
            with store.writing() as writer:
                if dict(writer.columns) != columns:
                    raise BadInput("the catalogue was migrated in the meantime; ingest again")
                putting.run(writer, gathered.roots if options.prune else [])
                if options.dry_run:
                    raise _Undone
        except _Undone:
            pass
    return report


class _Preparing:
    """Reads inputs and checks their local assets, and sets aside what can be put."""

    def __init__(self, store: Store, options: Options, how: How, spool: Spool) -> None:
        self.report = Report()
        self.spool = spool
        self.inputs: list[Input] = []
        self.collections: list[tuple[Input, str, Collection]] = []
        self.refusals: list[tuple[str | None, Refusal]] = []  # with the real path of a whole input
        self.computed: Known = {}
        self.volume = 0
        self._store = store
        self._how = how
        self._processes = options.processes
        self._assets = Assets(options.folders, trusting=options.trust_checksums)
        self._numbers: dict[str, int] = {}
        self._states: dict[str, tuple[int, int, int]] = {}
        self._spent: set[str] = set()  # inputs that are not to be put after all
        self._done = 0

    def run(self, gathered: Inputs, progress: Progress) -> None:
        """Read all inputs: rasters after the others, since they may turn out to be their assets."""
        self.refusals += [(None, refusal) for refusal in gathered.refused]
        self.inputs = gathered.inputs
        self._numbers = {each.real: number for number, each in enumerate(self.inputs)}
        self._states = {each.real: state for each in self.inputs if (state := state_of(each)) is not None}
        self.volume = sum(size for size, _, _ in self._states.values())
        found = {each.real for each in self.inputs if not each.named}
        for stage in ([each for each in self.inputs if each.kind != "raster"], self.inputs):
            wanted = [
                each
                for each in stage
                if (stage is not self.inputs or each.kind == "raster")
                and not (each.real in found and each.real in self.report.assets)
            ]
            self._read(wanted, progress)
        self._spent |= found & self.report.assets.keys()

    def _read(self, inputs: list[Input], progress: Progress) -> None:
        volume = sum(self._states[each.real][0] for each in inputs if each.real in self._states)
        large = volume >= pool.PARALLEL_BYTES or len(inputs) >= _MANY
        processes = self._processes or (pool.available() if large else 1)
        before = 0
        with closing(Spool()) as local:
            for units, outcomes in pool.outcomes(self._tasks(inputs), self._how, processes):
                for unit, outcome in zip(units, outcomes, strict=True):
                    before = before if unit.start else 0
                    self._note(unit.input, outcome, before, local)
                    before += outcome.lines
                    self._done += self._bytes_of(unit)
                progress(min(self._done, self.volume), 2 * self.volume)
            self._look_at(local, lambda read: progress(self._done + read, 2 * self.volume))
        for each in inputs:
            if each.real in self._states and state_of(each) != self._states[each.real]:
                self._spent.add(each.real)
                why = "it was changed while it was read; ingest it again"
                self.refusals.append((None, Refusal(each.origin, shown(each.path), why)))

    def _tasks(self, inputs: list[Input]) -> Iterator[list[Unit]]:
        task: list[Unit] = []
        size = 0
        for each in inputs:
            for unit in self._units(each):
                task.append(unit)
                size += max(self._bytes_of(unit), _UNIT // _TASK)
                if size >= _UNIT:
                    yield task
                    task, size = [], 0
        if task:
            yield task

    def _units(self, source: Input) -> Iterator[Unit]:
        """The parts of an input that are read at once."""
        if source.kind == "lines":
            size = self._states.get(source.real, (0, 0, 0))[0]
            for start in range(0, size or 1, _UNIT):
                yield Unit(source, start, min(start + _UNIT, size))
        elif source.kind == "parquet":
            from cscale.catalogue.ingest.geoparquet import groups_of  # slow to import, and rarely needed

            try:
                groups = len(groups_of(source.path))
            except (BadInput, OSError) as error:
                self._refuse(source, Place(), 0, str(error))
                return
            for group in range(max(groups, 1)):
                yield Unit(source, group, min(group + 1, groups))
        else:
            yield Unit(source)

    def _bytes_of(self, unit: Unit) -> int:
        size = self._states.get(unit.input.real, (0, 0, 0))[0]
        if unit.input.kind == "lines":
            return unit.stop - unit.start
        return size if unit.input.kind != "parquet" or unit.start == 0 else 0

    def _refuse(self, source: Input, place: Place, before: int, why: str) -> None:
        refusal = Refusal(source.origin, shown(source.path) + place.shown(before), why)
        self.refusals.append((source.real, refusal))

    def _note(self, source: Input, outcome: Outcome, before: int, local: Spool) -> None:
        number = self._numbers[source.real]
        for packed in outcome.ready:
            self.spool.put(number, before, packed)
        for packed in outcome.local:
            local.put(number, before, packed)
        for place, why in outcome.refused:
            self._refuse(source, place, before, why)
        for place, collection in outcome.collections:
            self.collections.append((source, shown(source.path) + place.shown(before), collection))
        self.report.warnings += [(shown(source.path), warning) for warning in outcome.warnings]

    def _look_at(self, local: Spool, told: Callable[[int], None]) -> None:
        """Look at the assets of what was set aside, some hundred items together."""
        waiting: list[tuple[int, int, Place, Looked]] = []
        for number, before, packed in local:
            source = self.inputs[number]

            def claim(path: Path, source: Input = source) -> None:
                if (real := os.path.realpath(path)) != source.real:
                    self.report.assets[real] = source.origin

            for place, item, base in unpack_local(packed):
                try:
                    looked = self._assets.look(msgspec.json.decode(item), Path(os.fsdecode(base)), claim)
                except BadInput as error:
                    self._refuse(source, place, before, str(error))
                else:
                    waiting.append((number, before, place, looked))
            if len(waiting) >= _AT_ONCE:
                self._check(waiting, told)
                waiting.clear()
        self._check(waiting, told)

    def _check(self, waiting: list[tuple[int, int, Place, Looked]], told: Callable[[int], None]) -> None:
        if not waiting:
            return
        all_looked = [looked for *_, looked in waiting]
        known = known_checksums(self._store, all_looked)
        self.computed |= compute(all_looked, known, told)
        for number, before, place, looked in waiting:
            try:
                ready = Ready(place, prepare(finish(looked, known), self._how.columns))
            except BadInput as error:
                self._refuse(self.inputs[number], place, before, str(error))
            else:
                self.spool.put(number, before, pack([ready]))

    def ready(self) -> Iterator[tuple[Input, int, list[Ready], int]]:
        """What was set aside: its input, the lines before it, the items, and how long they are packed."""
        for number, before, packed in self.spool:
            if self.inputs[number].real not in self._spent:
                yield self.inputs[number], before, unpack_ready(packed), len(packed)

    def is_spent(self, real: str) -> bool:
        """Whether an input is not to be put after all: it is an asset, or was changed meanwhile."""
        return real in self._spent


class _Putting:
    """Puts what was prepared, and removes what is to go."""

    def __init__(self, prepared: _Preparing, options: Options, progress: Progress) -> None:
        self._prepared = prepared
        self._options = options
        self._progress = progress
        self._now = time.time_ns() // 1000

    def run(self, writer: Writer, roots: Sequence[str]) -> None:
        """Do all of it.

        Args:
            writer: Where to.
            roots: The origins below which is pruned.
        """
        report = self._prepared.report
        for source, where, collection in self._prepared.collections:
            if not self._prepared.is_spent(source.real):
                try:
                    report.collections[writer.put_collection(collection)] += 1
                except BadInput as error:
                    self._prepared.refusals.append((None, Refusal(source.origin, where, str(error))))
        self._put_items(writer)
        for (served, kind), checksum in self._prepared.computed.items():
            writer.keep_checksum(served.path, kind, served.state, checksum)
        report.expired = apply_retention(writer, self._options.policies, self._now)
        refusals = [
            refusal
            for real, refusal in self._prepared.refusals
            if real is None or not self._prepared.is_spent(real)
        ]
        report.refused = [(each.where, each.why) for each in refusals]
        report.again = {each.origin for each in refusals}
        report.gone = _prune(writer, roots, report.again)

    def _put_items(self, writer: Writer) -> None:
        report, volume = self._prepared.report, self._prepared.volume
        keeps: dict[str, int | None] = {}
        done = 0
        for source, before, items, size in self._prepared.ready():
            for place, item in items:
                if item.collection not in keeps:
                    keeps[item.collection] = keeps_from(self._options.policies, item.collection, self._now)
                keeps_since = keeps[item.collection]
                if keeps_since is not None and item.row.t_last < keeps_since:
                    report.outdated += 1
                    continue
                try:
                    report.items[writer.put_prepared(item, source.origin)] += 1
                except BadInput as error:
                    where = shown(source.path) + place.shown(before)
                    self._prepared.refusals.append((None, Refusal(source.origin, where, str(error))))
            done += size
            self._progress(volume + volume * done // max(self._prepared.spool.size, 1), 2 * volume)
        self._progress(2 * volume, 2 * volume)


def _prune(writer: Writer, roots: Sequence[str], kept: set[str]) -> list[Held]:
    """Remove what came from below the roots and was not put now, but for what was refused this time."""
    gone: set[Held] = set()
    for root in roots:
        gone.update(writer.not_put(root))
    for origin in kept:
        if not gone:
            break
        gone.difference_update(writer.not_put(origin))
    return [each for each in sorted(gone) if writer.remove(each.collection, each.id)]
