"""Notes of use are in the database a moment later, whatever becomes of the process or the database."""

import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from cscale.accounting.ledger import Ledger
from cscale.accounting.licences import Licences
from cscale.accounting.pseudonyms import Pseudonyms
from cscale.accounting.recorder import Recorder
from cscale.identity import ANONYMOUS, Caller


def collection_of(path: str) -> str:
    return path.partition("/")[0]


def test_what_was_noted_is_written_when_it_ends(opened: Any) -> None:
    ledger = opened()
    recorder = Recorder(ledger, collection_of, every=60)
    for n in range(10):
        recorder.note("u", f"S2/{n % 2}.tif", 206, 100)
    recorder.note("", "S1/x.tif", 200, 7)
    recorder.close()
    told = {
        (use.user, use.collection, use.path, use.status, use.requests, use.bytes) for use in ledger.records()
    }
    assert told == {
        ("u", "S2", "S2/0.tif", 206, 5, 500),
        ("u", "S2", "S2/1.tif", 206, 5, 500),
        ("", "S1", "S1/x.tif", 200, 1, 7),
    }


def test_nothing_is_lost_between_threads(opened: Any) -> None:
    ledger = opened()
    recorder = Recorder(ledger, collection_of, every=0.01)

    def note() -> None:
        for n in range(2000):
            recorder.note("u", f"S2/{n % 3}", 206, 1)

    threads = [threading.Thread(target=note) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    recorder.close()
    assert sum(use.requests for use in ledger.records(100_000)) == 8000
    assert sum(hour.bytes for hour in ledger.hours()) == 8000


_NOTES = """
import sys, time
from pathlib import Path
from cscale.accounting.ledger import Ledger
from cscale.accounting.recorder import Recorder
state = sys.argv[1]
recorder = Recorder(Ledger(state if "://" in state else Path(state), "alpha"), lambda path: "S2")
for n in range(100_000):
    recorder.note("u", f"S2/{n}", 200, 1)
    print(n, flush=True)
    time.sleep(0.01)
"""


def test_a_killed_process_loses_its_last_second_and_no_more(state: Path | str, opened: Any) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _NOTES, str(state)], stdout=subprocess.PIPE, text=True
    ) as noting:
        assert noting.stdout is not None
        lines: list[str] = []
        ledger = opened()
        while len(before := ledger.records(100_000)) < 10:
            lines += [noting.stdout.readline() for _ in range(20)]
        noting.send_signal(signal.SIGKILL)
        lines += noting.stdout.readlines()
    kept = [int(use.path.partition("/")[2]) for use in ledger.records(100_000)][::-1]
    noted = [int(line.split()[0]) for line in lines if line.endswith("\n")]
    assert kept == list(range(len(kept))), "something is missing that was noted before what is there"
    assert {use.path for use in before} <= {f"S2/{n}" for n in kept}
    assert len(kept) <= len(noted) + 1  # it may be killed between the note and its word
    assert sum(hour.requests for hour in ledger.hours()) == len(kept)


def test_records_wait_while_the_database_is_held(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, "alpha")
    ledger.write([])
    recorder = Recorder(ledger, collection_of, every=0.05)
    holder = sqlite3.connect(tmp_path / "accounting.sqlite", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    slowest = 0.0
    for n in range(1000):
        begun = time.perf_counter()
        recorder.note("u", f"S2/{n}", 200, 1)
        slowest = max(slowest, time.perf_counter() - begun)
        if n % 100 == 0:
            time.sleep(0.05)  # the recorder tries, and waits
    holder.execute("ROLLBACK")
    holder.close()
    recorder.close()
    assert len(ledger.records(10_000)) == 1000
    ledger.close()


def test_a_database_that_is_gone_is_written_to_when_it_is_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "site").write_text("in the way of the directory")
    ledger = Ledger(tmp_path / "site", "alpha")
    recorder = Recorder(ledger, collection_of, every=0.05)
    recorder.note("u", "S2/a", 200, 1)
    while "usage waits to be written" not in caplog.text:
        time.sleep(0.01)
    recorder.note("u", "S2/a", 200, 1)
    (tmp_path / "site").unlink()
    recorder.close()
    assert [(use.path, use.requests) for use in ledger.records()] == [("S2/a", 1), ("S2/a", 1)]
    ledger.close()


def test_pseudonyms_are_the_same_each_time_and_no_names() -> None:
    one, other = Pseudonyms(b"secret of one"), Pseudonyms(b"secret of another")
    ada = Caller(subject="ada@example.org", issuer="https://a.test")
    assert one.of(ada) == one.of(Caller(subject="ada@example.org", issuer="https://a.test", token="t"))
    assert one.of(ada) != one.of(Caller(subject="ada@example.org", issuer="https://b.test"))
    assert one.of(ada) != other.of(ada)
    assert "ada" not in one.of(ada)
    assert one.of(Caller(subject="ada", pseudonym="p" * 32)) == "p" * 32
    assert one.of(ANONYMOUS) == ""
    assert one.of_address("127.0.0.1") == one.of_address("127.0.0.1") != one.of_address("127.0.0.2")


async def test_a_licence_counts_as_soon_as_it_is_accepted_here_or_elsewhere(opened: Any) -> None:
    here, elsewhere = Licences(opened(), frozenset({"X"})), Licences(opened(), frozenset({"X"}))
    assert await here.accepted("u", frozenset({"X"})) == frozenset()
    await elsewhere.accept("u", "X")
    assert await here.accepted("u", frozenset({"X"})) == {"X"}
    await here.accept("u", "Y")
    assert await here.accepted("u") == {"X", "Y"}
