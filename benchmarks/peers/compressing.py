"""What each codec makes of items, and at what cost; run in the peers' environment.

Reads samples from the files named (one item a line), learns dictionaries from the first of each, measures
on the second of each, and writes one JSON line a file and codec: bytes before and after, and microseconds of
CPU time an item in either direction.

python compressing.py LEARN MEASURE [LEARN MEASURE ...]
"""

import functools
import json
import statistics
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import lz4.block  # type: ignore[import-not-found]  # it is in the environment of the peers only
import zstandard

_ROUNDS = 3
_SAMPLES = 300  # to learn from
_SMALL, _LARGE = 16 * 1024, 112 * 1024  # bytes of a dictionary
_WINDOW = 32 * 1024  # bytes that zlib looks back


class Codec(NamedTuple):
    """A way to store a body and to get it back."""

    name: str
    dictionary: int
    compress: Callable[[bytes], bytes]
    inflate: Callable[[bytes], bytes]


def codecs(samples: Sequence[bytes]) -> Iterator[Codec]:
    """The codecs, with and without dictionaries learnt from samples."""
    yield from (_zlib(level, b"") for level in (1, 6, 9))
    yield from (_lz4(high, b"") for high in (0, 9))
    yield from (_zstd(level, None) for level in (1, 3, 6, 9, 19))
    for size in (_SMALL, _LARGE):
        try:
            learnt = zstandard.train_dictionary(size, list(samples), level=3)
        except zstandard.ZstdError as error:  # too few samples for so large a dictionary
            print(f"no dictionary of {size} bytes: {error}", file=sys.stderr)
            continue
        if size == _SMALL:
            yield from (_zlib(level, learnt.as_bytes()[-_WINDOW:]) for level in (1, 6))
            yield from (_lz4(high, learnt.as_bytes()) for high in (0, 9))
        yield from (_zstd(level, learnt) for level in (1, 3, 6, 9, 19))


def _zlib(level: int, dictionary: bytes) -> Codec:
    more: dict[str, Any] = {"zdict": dictionary} if dictionary else {}

    def compress(body: bytes) -> bytes:
        work = zlib.compressobj(level, **more)
        return work.compress(body) + work.flush()

    return Codec(
        f"zlib {level}", len(dictionary), compress, lambda data: zlib.decompressobj(**more).decompress(data)
    )


def _lz4(high: int, dictionary: bytes) -> Codec:
    how: dict[str, Any] = {"mode": "high_compression", "compression": high} if high else {}
    name = f"lz4 high {high}" if high else "lz4"
    compress = functools.partial(lz4.block.compress, dict=dictionary, **how)
    return Codec(name, len(dictionary), compress, functools.partial(lz4.block.decompress, dict=dictionary))


def _zstd(level: int, learnt: zstandard.ZstdCompressionDict | None) -> Codec:
    size = len(learnt.as_bytes()) if learnt else 0
    own = zstandard.ZstdCompressionDict(learnt.as_bytes()) if learnt else None  # it is prepared for one level
    if own:
        own.precompute_compress(level=level)
    compress = zstandard.ZstdCompressor(level=level, dict_data=own).compress
    return Codec(f"zstd {level}", size, compress, zstandard.ZstdDecompressor(dict_data=own).decompress)


def measured(codec: Codec, bodies: Sequence[bytes]) -> dict[str, Any]:
    """What a codec makes of bodies."""
    there, back, data = [], [], []
    for _ in range(_ROUNDS):
        started = time.process_time()
        data = [codec.compress(body) for body in bodies]
        between = time.process_time()
        found = [codec.inflate(each) for each in data]
        there.append((between - started) / len(bodies) * 1e6)
        back.append((time.process_time() - between) / len(bodies) * 1e6)
        assert found == list(bodies), f"{codec.name} lost something"
    return {
        "codec": codec.name,
        "dictionary": codec.dictionary,
        "items": len(bodies),
        "before": sum(map(len, bodies)) / len(bodies),
        "after": sum(map(len, data)) / len(bodies),
        "compress": statistics.median(there),
        "inflate": statistics.median(back),
    }


def main() -> None:
    places = [Path(argument) for argument in sys.argv[1:]]
    for learn, measure in zip(places[::2], places[1::2], strict=True):
        samples, bodies = (place.read_bytes().splitlines() for place in (learn, measure))
        repeated = list(bodies) * max(1, 300 // len(bodies))  # so many that the clock can tell
        for codec in codecs(samples[:_SAMPLES]):
            print(json.dumps({"of": measure.name, **measured(codec, repeated), "distinct": len(bodies)}))


main()
