"""Items at rest: open bodies, compressed by zstd with a dictionary a collection.

Items of one collection are alike, so a dictionary learnt from some of them makes them smaller and,
above all, quicker to inflate. Hrefs of the site's own files are kept relative to its address.
"""

import threading
from collections.abc import Callable, Iterable, Sequence

import zstandard

DATA = "\x01"
"""What stands for the address of `/data` in an href at rest: no JSON text holds it unescaped."""
_DATA_IN_JSON = b'"href":"\\u0001/'

_LEVEL = 3  # 6 takes four times as long for 6 % less
_DICTIONARY_BYTES = 16 * 1024
_SAMPLES_AT_LEAST, _SAMPLES_AT_MOST = 100, 300
NO_DICTIONARY = 0


def learn_dictionary(samples: Sequence[bytes]) -> bytes | None:
    """A compression dictionary learnt from bodies; None where they are too few to learn from."""
    if len(samples) < _SAMPLES_AT_LEAST:
        return None
    try:
        learnt = zstandard.train_dictionary(_DICTIONARY_BYTES, list(samples[:_SAMPLES_AT_MOST]), level=_LEVEL)
    except zstandard.ZstdError:  # nothing in common
        return None
    return learnt.as_bytes()


class Deflater:
    """Compresses bodies.

    Args:
        dictionary: What was learnt from their like, if anything.
    """

    def __init__(self, dictionary: bytes | None) -> None:
        learnt = zstandard.ZstdCompressionDict(dictionary) if dictionary else None
        if learnt:
            learnt.precompute_compress(level=_LEVEL)
        self._compress = zstandard.ZstdCompressor(level=_LEVEL, dict_data=learnt).compress

    def deflate(self, body: bytes) -> bytes:
        """The body as it is stored."""
        return self._compress(body)


class Inflater:
    """Brings stored bodies back; one for all threads.

    Args:
        data_url: The address under which the site serves its files.
    """

    def __init__(self, data_url: str) -> None:
        self._href = b'"href":"' + data_url.rstrip("/").encode() + b"/"
        self._dictionaries: dict[int, zstandard.ZstdCompressionDict] = {}
        self._of_thread = threading.local()

    def inflate(self, rows: Iterable[tuple[int, bytes]], load: Callable[[int], bytes]) -> list[bytes]:
        """The bodies of (dictionary, data) rows.

        Args:
            rows: The number of each body's dictionary, and the body as it is stored.
            load: Reads a dictionary by its number, once.
        """
        own: dict[int, zstandard.ZstdDecompressor] = self._of_thread.__dict__.setdefault("by_dictionary", {})
        bodies = []
        for number, data in rows:
            if number not in own:
                own[number] = zstandard.ZstdDecompressor(dict_data=self._dictionary(number, load))
            body = own[number].decompress(data)
            bodies.append(body.replace(_DATA_IN_JSON, self._href))
        return bodies

    def _dictionary(self, number: int, load: Callable[[int], bytes]) -> zstandard.ZstdCompressionDict | None:
        if number == NO_DICTIONARY:
            return None
        if number not in self._dictionaries:
            self._dictionaries[number] = zstandard.ZstdCompressionDict(load(number))
        return self._dictionaries[number]
