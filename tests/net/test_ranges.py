"""What a Range header asks for, and that exactly those bytes are sent."""

import asyncio
import email.parser
import email.policy
import io
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from cscale.errors import RangeNotSatisfiable
from cscale.net.ranges import MAX_RANGES, OpenFile, entity_tag, file_response, parse_range

SECOND = 784_111_777  # Sun, 06 Nov 1994 08:49:37 GMT
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"


@contextmanager
def opened(content: bytes) -> Iterator[OpenFile]:
    """A real file without a name, changed at a known time."""
    descriptor = os.memfd_create("content")
    os.write(descriptor, content)
    os.utime(descriptor, ns=(0, SECOND * 10**9))
    with io.FileIO(descriptor, "rb") as file:
        yield OpenFile(file, os.fstat(descriptor))


class Answer:
    """What a server was told to send."""

    def __init__(self, messages: list[dict[str, Any]]) -> None:
        start, *bodies = messages
        self.status: int = start["status"]
        self.headers = {name.decode(): value.decode() for name, value in start["headers"]}
        self.body = b"".join(message["body"] for message in bodies)
        assert [message.get("more_body", False) for message in bodies] == [True] * (len(bodies) - 1) + [False]

    def parts(self) -> list[Message]:
        head = f"content-type: {self.headers['content-type']}\r\n\r\n".encode()
        whole = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + self.body)
        assert not whole.defects
        return list(whole.iter_parts()) if whole.is_multipart() else [whole]


def send(opened: OpenFile, method: str = "GET", **headers: str) -> Answer:
    """The answer to a request of an open file, whose header names have `_` for `-`."""
    fields = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": "/", "headers": fields, "query_string": b""}
    messages: list[dict[str, Any]] = []

    async def sender(message: Any) -> None:
        messages.append({**message, "body": bytes(message.get("body", b""))})

    async def receive() -> Any:
        await asyncio.Event().wait()

    response = file_response(Request(scope), opened, "application/x-bytes", {"x-more": "yes"})
    asyncio.run(response(scope, receive, sender))
    assert opened.file.closed
    return Answer(messages)


def ask(content: bytes, method: str = "GET", **headers: str) -> Answer:
    with opened(content) as file:
        return send(file, method, **headers)


def tag(content: bytes) -> str:
    with opened(content) as file:
        return entity_tag(file.status)


@pytest.mark.parametrize(
    ("header", "spans"),
    [
        ("bytes=0-0", [(0, 1)]),
        ("bytes=0-99", [(0, 100)]),
        ("bytes=0-100", [(0, 100)]),
        ("bytes=99-", [(99, 100)]),
        ("bytes=-1", [(99, 100)]),
        ("bytes=-500", [(0, 100)]),
        ("bytes=0-1,50-,-3", [(0, 2), (50, 100), (97, 100)]),
        ("bytes=50-59,0-9", [(50, 60), (0, 10)]),
        ("BYTES=5-6", [(5, 7)]),
        ("bytes= 5-6 ,\t8-9", [(5, 7), (8, 10)]),
        ("bytes=,,5-6,", [(5, 7)]),
        ("bytes=5-6,100-", [(5, 7)]),
        ("bytes=5-6,-0", [(5, 7)]),
        ("bytes=0-" + "9" * 6000, [(0, 100)]),
        ("bytes=-" + "9" * 6000, [(0, 100)]),
        ("bytes=" + "0" * 6000 + "7-8", [(7, 9)]),
    ],
)
def test_the_parts_asked_for(header: str, spans: list[tuple[int, int]] | None) -> None:
    assert parse_range(header, 100) == spans


@pytest.mark.parametrize(
    "header",
    [
        *("", "0-1", "bytes", "bytes:0-1", "bytes=", "bytes=,", "bytes =0-1", "items=0-5"),
        *("bytes=-", "bytes=--1", "bytes=5-4", "bytes=0-1,5-4", "bytes=1-2-3", "bytes=0-1;2-3"),
        *("bytes=a-b", "bytes=+1-2", "bytes=0x1-2", "bytes=1_0-20", "bytes=1 -2", "bytes=0-1\n"),
        *("bytes=\u0661-\u0662", "bytes=1-" + "9" * 6000 + "x"),
    ],
)
def test_what_is_not_a_range_of_bytes_is_ignored(header: str) -> None:
    assert parse_range(header, 100) is None


@pytest.mark.parametrize(
    ("header", "size"),
    [
        ("bytes=100-", 100),
        ("bytes=100-200,-0", 100),
        ("bytes=-0", 100),
        ("bytes=0-", 0),
        ("bytes=0-0", 0),
        ("bytes=0-,0-", 100),
        ("bytes=" + "9" * 6000 + "-", 100),
        ("bytes=" + ",".join(f"{2 * i}-{2 * i}" for i in range(MAX_RANGES + 1)), 100),
    ],
)
def test_what_cannot_be_satisfied_is_refused_with_the_size(header: str, size: int) -> None:
    with pytest.raises(RangeNotSatisfiable) as refused:
        parse_range(header, size)
    assert refused.value.size == size


def test_as_many_ranges_as_the_cap_are_served() -> None:
    header = "bytes=" + ",".join(f"{2 * i}-{2 * i}" for i in range(MAX_RANGES))
    assert parse_range(header, 100) == [(2 * i, 2 * i + 1) for i in range(MAX_RANGES)]


@given(st.text(alphabet="bytes=0123456789-, \t", max_size=60), st.integers(0, 300))
def test_any_header_gives_parts_within_the_file_or_is_ignored_or_refused(header: str, size: int) -> None:
    try:
        spans = parse_range(header, size)
    except RangeNotSatisfiable:
        return
    if spans is not None:
        assert spans
        assert all(0 <= start < stop <= size for start, stop in spans)
        assert sum(stop - start for start, stop in spans) <= size


def one_range(size: int) -> st.SearchStrategy[tuple[str, slice]]:
    position = st.integers(0, size + 5)
    return st.one_of(
        st.tuples(position, position).map(sorted).map(lambda p: (f"{p[0]}-{p[1]}", slice(p[0], p[1] + 1))),
        position.map(lambda first: (f"{first}-", slice(first, None))),
        position.map(lambda last: (f"-{last}", slice(max(0, size - last), None))),
    )


@given(st.data(), st.binary(min_size=1, max_size=600))
def test_the_bytes_sent_are_the_bytes_asked_for(data: st.DataObject, content: bytes) -> None:
    asked = data.draw(st.lists(one_range(len(content)), min_size=1, max_size=MAX_RANGES))
    wanted = [content[part] for _, part in asked if content[part]]
    header = "bytes=" + ",".join(text for text, _ in asked)
    if not wanted or sum(map(len, wanted)) > len(content):
        with pytest.raises(RangeNotSatisfiable):
            ask(content, range=header)
        return
    answer = ask(content, range=header)
    assert answer.status == 206
    assert int(answer.headers["content-length"]) == len(answer.body)
    if len(wanted) == 1:
        assert answer.body == wanted[0]
        assert place(answer.headers["content-range"], content) == wanted[0]
        return
    parts = answer.parts()
    assert [part.get_payload(decode=True) for part in parts] == wanted
    assert [place(part["content-range"], content) for part in parts] == wanted
    assert {part["content-type"] for part in parts} == {"application/x-bytes"}


def place(content_range: str, content: bytes) -> bytes:
    """The bytes that a Content-Range header names."""
    found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", content_range)
    assert found
    first, last, size = map(int, found.groups())
    assert size == len(content)
    return content[first : last + 1]


@given(st.binary(max_size=600))
def test_a_whole_file_is_sent_with_what_tells_about_it(content: bytes) -> None:
    answer = ask(content)
    assert (answer.status, answer.body) == (200, content)
    assert answer.headers == {
        "accept-ranges": "bytes",
        "content-length": str(len(content)),
        "content-type": "application/x-bytes",
        "etag": tag(content),
        "last-modified": DATE,
        "x-more": "yes",
    }


def test_files_of_many_chunks_are_sent_in_order() -> None:
    content = os.urandom(3 * 1024 * 1024 + 17)
    assert ask(content).body == content
    assert ask(content, range="bytes=5-").body == content[5:]
    parts = ask(content, range="bytes=1000000-1999999,7-2000006").parts()
    assert [part.get_payload(decode=True) for part in parts] == [content[1000000:2000000], content[7:2000007]]


@pytest.mark.parametrize("absent", [slice(0, None), slice(131_072, None), slice(0, 131_072)])
def test_bytes_that_are_not_in_memory_are_fetched_from_the_disk(tmp_path: Path, absent: slice) -> None:
    content = os.urandom(262_144)
    (tmp_path / "file").write_bytes(content)
    with io.FileIO(tmp_path / "file", "rb") as file:
        start, stop, _ = absent.indices(len(content))
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        os.pread(
            file.fileno(), len(content), 0
        )  # what is read is kept in smaller pieces than what is written
        os.posix_fadvise(file.fileno(), start, stop - start, os.POSIX_FADV_DONTNEED)
        assert send(OpenFile(file, os.fstat(file.fileno()))).body == content


@given(st.binary(max_size=100))
def test_head_tells_what_get_would_send_whole_and_sends_nothing(content: bytes) -> None:
    head = ask(content, "HEAD", range="bytes=0-0")
    assert (head.status, head.body, head.headers) == (200, b"", ask(content).headers)


def test_the_last_bytes_of_an_empty_file_are_the_empty_file() -> None:
    answer = ask(b"", range="bytes=-5")
    assert (answer.status, answer.body) == (200, b"")


def test_a_range_header_that_is_ignored_gives_the_whole_file() -> None:
    assert ask(b"abc", range="bytes=2-1").status == 200


def test_a_file_that_cannot_be_served_in_these_parts_is_closed() -> None:
    with opened(b"abc") as file:
        scope = {"type": "http", "method": "GET", "headers": [(b"range", b"bytes=3-")]}
        with pytest.raises(RangeNotSatisfiable):
            file_response(Request(scope), file, "text/plain")
        assert file.file.closed


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"if_none_match": "ETAG"}, 304),
        ({"if_none_match": 'W/ETAG, "other"'}, 304),
        ({"if_none_match": '"a,b" , ETAG'}, 304),
        ({"if_none_match": "*"}, 304),
        ({"if_none_match": '"other"'}, 200),
        ({"if_none_match": '"other"', "if_modified_since": DATE}, 200),
        ({"if_modified_since": DATE}, 304),
        ({"if_modified_since": "Sunday, 06-Nov-94 08:49:37 GMT"}, 304),
        ({"if_modified_since": "Sun Nov  6 08:49:37 1994"}, 304),
        ({"if_modified_since": "Sun, 06 Nov 1994 08:49:36 GMT"}, 200),
        ({"if_modified_since": "yesterday"}, 200),
        ({"if_match": "ETAG"}, 200),
        ({"if_match": "*"}, 200),
        ({"if_match": "W/ETAG"}, 412),
        ({"if_match": '"other"'}, 412),
        ({"if_unmodified_since": DATE}, 200),
        ({"if_unmodified_since": "Sun, 06 Nov 1994 08:49:36 GMT"}, 412),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_condition_spares_what_the_caller_has(method: str, headers: dict[str, str], status: int) -> None:
    filled = {name: value.replace("ETAG", tag(b"abc")) for name, value in headers.items()}
    answer = ask(b"abc", method, **filled)
    assert answer.status == status
    assert answer.headers["etag"] == tag(b"abc")
    assert answer.body == (b"abc" if status == 200 and method == "GET" else b"")


def test_a_date_without_a_zone_is_in_gmt_wherever_the_server_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        status = ask(b"abc", if_modified_since="Sun Nov  6 08:49:37 1994").status
    time.tzset()
    assert status == 304


@pytest.mark.parametrize(
    ("if_range", "status"),
    [
        ("ETAG", 206),
        (DATE, 206),
        ("W/ETAG", 200),
        ('"other"', 200),
        ("Sun, 06 Nov 1994 08:49:36 GMT", 200),
        ("Sun, 06 Nov 1994 08:49:38 GMT", 200),
        ("nonsense", 200),
        ("", 200),
    ],
)
def test_parts_of_another_version_are_never_mixed_with_this_one(if_range: str, status: int) -> None:
    answer = ask(b"abcdef", range="bytes=2-3", if_range=if_range.replace("ETAG", tag(b"abcdef")))
    assert (answer.status, answer.body) == ((206, b"cd") if status == 206 else (200, b"abcdef"))


def test_a_stale_if_range_saves_an_impossible_range() -> None:
    assert ask(b"abc", range="bytes=9-", if_range='"other"').status == 200


@given(st.text(alphabet='SunNovGMTEZ 0123456789:,.-+()"\xff', max_size=40))
def test_no_date_however_strange_is_an_error(date: str) -> None:
    with opened(b"abc") as file:
        fields = [(name, date.encode("latin-1")) for name in (b"if-modified-since", b"if-range", b"range")]
        request = Request({"type": "http", "method": "GET", "headers": fields})
        assert file_response(request, file, "text/plain").status_code in {200, 304}


@pytest.mark.parametrize("year", ["0000", "9999", "99999", "-1"])
def test_no_year_is_an_error(year: str) -> None:
    assert ask(b"abc", if_modified_since=f"Sun, 06 Nov {year} 08:49:37 GMT").status in {200, 304}


def test_the_entity_tag_changes_with_size_and_with_time(tmp_path: Path) -> None:
    file = tmp_path / "file"
    seen = set()
    for content, nanoseconds in [(b"a", 1), (b"b", 2), (b"bc", 2)]:
        file.write_bytes(content)
        os.utime(file, ns=(0, nanoseconds))
        seen.add(entity_tag(file.stat()))
    assert len(seen) == 3


def test_replicas_of_a_file_have_one_entity_tag(tmp_path: Path) -> None:
    for name in ("here", "there"):
        (tmp_path / name).write_bytes(b"same")
        os.utime(tmp_path / name, ns=(0, SECOND))
    assert entity_tag((tmp_path / "here").stat()) == entity_tag((tmp_path / "there").stat())


def test_a_time_of_change_in_the_future_is_not_told() -> None:
    with opened(b"abc") as file:
        os.utime(file.file.fileno(), ns=(0, 2**62))
        status = os.fstat(file.file.fileno())
        request = Request({"type": "http", "method": "HEAD", "headers": []})
        response = file_response(request, OpenFile(file.file, status), "text/plain")
        assert int(response.headers["last-modified"].split()[3]) < 2100


def test_a_file_cut_short_while_it_is_sent_does_not_end_as_if_whole() -> None:
    messages: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        messages.append(message)
        os.ftruncate(file.file.fileno(), 300_000)

    async def receive() -> Any:
        await asyncio.Event().wait()

    scope = {"type": "http", "method": "GET", "headers": []}
    descriptor = os.memfd_create("content")
    os.write(descriptor, bytes(2_000_000))
    with io.FileIO(descriptor, "rb+") as writable:
        file = OpenFile(writable, os.fstat(descriptor))
        response = file_response(Request(scope), file, "text/plain")
        with pytest.raises(OSError, match="cut short at byte 300000"):
            asyncio.run(response(scope, receive, send))
    assert messages[-1]["more_body"]
