"""Numbers for Prometheus, summed over all processes of a service (its text format 0.0.4).

Each process counts in a file of its own, mapped into memory, so that whichever process is asked reads what
all have counted at that moment, and what a process has counted outlives it. A file is a list of names, one
sample a line, and an array of their values. A process locks its file while it lives: of those that do not,
counters count on and gauges are left out. One thread of each process counts, which is the event loop's.
"""

import fcntl
import logging
import math
import mmap
import os
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path

log = logging.getLogger("cscale.net")

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""The upper bounds of histograms, in seconds."""
_NAMES = 1 << 20  # bytes
_VALUES = 8192
_SIZE = _NAMES + 8 * _VALUES


class Family:
    """All samples of one name: `add` counts, `set` states, `observe` fills a histogram."""

    def __init__(self, metrics: "Metrics", name: str, labels: Sequence[str]) -> None:
        self._metrics = metrics
        self._name = name
        self._labels = labels
        self._places: dict[tuple[str, ...], list[int]] = {}

    def add(self, amount: float, *labels: str) -> None:
        """Count something that has these labels' values."""
        places = self._places.get(labels) or self._place(labels, [("", "")])
        self._metrics.values[places[0]] += amount

    def set(self, value: float, *labels: str) -> None:
        """State how much there is at this moment."""
        places = self._places.get(labels) or self._place(labels, [("", "")])
        self._metrics.values[places[0]] = value

    def observe(self, seconds: float, *labels: str) -> None:
        """Note a duration."""
        places = self._places.get(labels) or self._place(labels, _OF_HISTOGRAM)
        values = self._metrics.values
        values[places[-1]] += seconds
        for bound, place in zip(_BOUNDS, places, strict=False):
            if seconds <= bound:
                values[place] += 1

    def _place(self, labels: tuple[str, ...], samples: Sequence[tuple[str, str]]) -> list[int]:
        told = [f'{name}="{_escaped(value)}"' for name, value in zip(self._labels, labels, strict=True)]
        lines = []
        for suffix, bound in samples:
            all_told = ",".join([*told, f'le="{bound}"'] if bound else told)
            lines.append(f"{self._name}{suffix}{{{all_told}}}" if all_told else f"{self._name}{suffix}")
        places = self._places[labels] = self._metrics.places(lines)
        return places


_BOUNDS = (*BUCKETS, math.inf, math.inf)  # the last is of the count
_OF_HISTOGRAM = [
    *(("_bucket", f"{bound:g}") for bound in BUCKETS),
    ("_bucket", "+Inf"),
    ("_count", ""),
    ("_sum", ""),
]


class Metrics:
    """What one process has counted, and the sum of all.

    Args:
        directory: Where the processes of one service keep their files, empty when it starts; None where
            there is one process only.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory
        self._families: dict[str, tuple[str, str, Family]] = {}
        if directory is None:
            self._map = mmap.mmap(-1, _SIZE)
        else:
            path = directory / f"{os.getpid()}-{secrets.token_hex(4)}.metrics"
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            os.ftruncate(descriptor, _SIZE)
            self._map = mmap.mmap(descriptor, _SIZE)  # the lock is kept until the process ends
        self.values = memoryview(self._map)[_NAMES:].cast("d")
        """The values, by the places that `places` gives."""
        self._used = self._count = 0

    def counter(self, name: str, text: str, *labels: str) -> Family:
        """A number that only grows; `name` ends with `_total`."""
        return self._family(name, text, "counter", labels)

    def gauge(self, name: str, text: str, *labels: str) -> Family:
        """A number that goes up and down."""
        return self._family(name, text, "gauge", labels)

    def histogram(self, name: str, text: str, *labels: str) -> Family:
        """Durations, in seconds."""
        return self._family(name, text, "histogram", labels)

    def _family(self, name: str, text: str, kind: str, labels: Sequence[str]) -> Family:
        if name not in self._families:
            self._families[name] = (kind, text, Family(self, name, labels))
        return self._families[name][2]

    def places(self, lines: Sequence[str]) -> list[int]:
        """Places for samples of these names; where there is no room, one that nobody reads."""
        raw = "".join(f"{line}\n" for line in lines).encode()
        if self._used + len(raw) >= _NAMES or self._count + len(lines) >= _VALUES:
            log.warning("no room to count %s", lines[0])
            return [_VALUES - 1] * len(lines)
        self._map[self._used : self._used + len(raw)] = raw
        first = self._count
        self._used += len(raw)
        self._count += len(lines)
        return list(range(first, self._count))

    def text(self) -> bytes:
        """What all processes have counted, as Prometheus reads it."""
        sums: dict[str, dict[str, float]] = {name: {} for name in self._families}
        for living, line, value in self._samples():
            name = line.partition("{")[0]
            family = name if name in sums else name.rpartition("_")[0]
            if family in sums and (living or self._families[family][0] != "gauge"):
                sums[family][line] = sums[family].get(line, 0.0) + value
        return "".join(self._told(name, lines) for name, lines in sums.items() if lines).encode()

    def _told(self, name: str, lines: dict[str, float]) -> str:
        kind, text, _ = self._families[name]
        samples = "".join(f"{line} {_number(value)}\n" for line, value in lines.items())
        return f"# HELP {name} {text}\n# TYPE {name} {kind}\n{samples}"

    def _samples(self) -> Iterator[tuple[bool, str, float]]:
        if self._directory is None:
            yield from ((True, *sample) for sample in _read(self._map))
            return
        for path in sorted(self._directory.glob("*.metrics")):
            with path.open("rb") as file:
                if os.fstat(file.fileno()).st_size < _SIZE:
                    continue  # of a process that is just beginning
                with mmap.mmap(file.fileno(), _SIZE, access=mmap.ACCESS_READ) as content:
                    samples = list(_read(content))
                yield from ((_is_locked(file.fileno()), *sample) for sample in samples)


def _read(content: mmap.mmap) -> list[tuple[str, float]]:
    names = content[: content.rfind(b"\n", 0, _NAMES) + 1].decode().split("\n")[:-1]
    values = memoryview(content[_NAMES : _NAMES + 8 * len(names)]).cast("d")
    return list(zip(names, values, strict=True))


def _is_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    return False


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
