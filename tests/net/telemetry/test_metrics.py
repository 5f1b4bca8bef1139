"""Numbers for Prometheus: what is counted is told, in its format, by whichever process is asked."""

import multiprocessing
import re
import signal
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cscale.net.telemetry.metrics import BUCKETS, Metrics
from cscale.net.telemetry.sites import SiteMetrics

_SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)+)\})? (\S+)')


def samples(text: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """A reader of the format, by its grammar."""
    found = {}
    for line in text.decode().split("\n")[:-1]:
        if line.startswith("# "):
            assert re.fullmatch(r"# (HELP [a-z_]+ .+|TYPE [a-z_]+ (counter|gauge|histogram))", line)
            continue
        match = _SAMPLE.fullmatch(line)
        assert match, line
        labels = re.findall(r'([a-z]+)="((?:[^"\\]|\\.)*)"', match[2] or "")
        told = tuple(
            (name, re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], value)) for name, value in labels
        )
        assert (match[1], told) not in found
        found[match[1], told] = float(match[3])
    return found


def test_the_format_is_prometheus_own() -> None:
    metrics = Metrics()
    metrics.counter("things_total", "Things, counted.", "kind").add(2, 'a"b\\c\nd')
    metrics.counter("things_total", "Things, counted.", "kind").add(0.5, "plain")
    metrics.gauge("level", "How high it stands.").set(-1.5)
    metrics.counter("never_total", "Nothing as yet.")
    assert metrics.text().decode() == (
        "# HELP things_total Things, counted.\n"
        "# TYPE things_total counter\n"
        'things_total{kind="a\\"b\\\\c\\nd"} 2\n'
        'things_total{kind="plain"} 0.5\n'
        "# HELP level How high it stands.\n"
        "# TYPE level gauge\n"
        "level -1.5\n"
    )


@given(st.lists(st.floats(0, 100), max_size=50))
def test_a_histogram_counts_up_to_each_bound(seconds: list[float]) -> None:
    metrics = Metrics()
    histogram = metrics.histogram("took_seconds", "How long it took.", "who")
    for each in seconds:
        histogram.observe(each, "me")
    found = samples(metrics.text())
    if not seconds:
        assert found == {}
        return
    for bound in (*BUCKETS, float("inf")):
        le = "+Inf" if bound == float("inf") else f"{bound:g}"
        key = ("took_seconds_bucket", (("who", "me"), ("le", le)))
        assert found[key] == sum(each <= bound for each in seconds)
    assert found["took_seconds_count", (("who", "me"),)] == len(seconds)
    assert found["took_seconds_sum", (("who", "me"),)] == pytest.approx(sum(seconds))
    assert len(found) == len(BUCKETS) + 3


@given(st.lists(st.tuples(st.text(max_size=20), st.integers(0, 1000)), max_size=30))
def test_any_labels_come_back(counts: list[tuple[str, int]]) -> None:
    metrics, expected = Metrics(), dict[str, int]()
    counter = metrics.counter("x_total", "X.", "name")
    for name, amount in counts:
        counter.add(amount, name)
        expected[name] = expected.get(name, 0) + amount
    assert samples(metrics.text()) == {
        ("x_total", (("name", name),)): amount for name, amount in expected.items()
    }


def _count(directory: Path, number: int, ready: Barrier, over: Barrier) -> None:
    metrics = Metrics(directory)
    for _ in range(1000):
        metrics.counter("asked_total", "Asked.", "who").add(1, "all")
        metrics.histogram("took_seconds", "Took.").observe(0.01)
    metrics.counter("asked_total", "Asked.", "who").add(number, f"process {number}")
    metrics.gauge("open", "Open.").set(1)
    ready.wait(30)
    over.wait(30)
    signal.pause()


def test_each_process_tells_what_all_have_counted_and_the_dead_keep_theirs(tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    ready, over = fork.Barrier(4), fork.Barrier(4)
    workers = [fork.Process(target=_count, args=[tmp_path, n, ready, over]) for n in (1, 2, 3)]
    try:
        for each in workers:
            each.start()
        metrics = Metrics(tmp_path)
        metrics.counter("asked_total", "Asked.", "who").add(5, "all")
        metrics.histogram("took_seconds", "Took.")
        metrics.gauge("open", "Open.").set(1)
        ready.wait(30)
        found = samples(metrics.text())
        assert found["asked_total", (("who", "all"),)] == 3005
        assert found["asked_total", (("who", "process 2"),)] == 2
        assert found["took_seconds_bucket", (("le", "0.025"),)] == 3000
        assert found["open", ()] == 4
        over.wait(30)
        workers[0].kill()
        workers[0].join(30)
        found = samples(metrics.text())
        assert found["asked_total", (("who", "all"),)] == 3005
        assert found["open", ()] == 3
    finally:
        for each in workers:
            each.kill()
            each.join(30)


def test_a_file_that_is_just_being_made_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "1-new.metrics").write_bytes(b"")
    metrics = Metrics(tmp_path)
    metrics.counter("x_total", "X.").add(1)
    assert samples(metrics.text()) == {("x_total", ()): 1}


def test_where_there_is_no_room_the_others_count_on(caplog: pytest.LogCaptureFixture) -> None:
    metrics = Metrics()
    counter = metrics.counter("x_total", "X.", "name")
    for number in range(9000):
        counter.add(1, str(number))
    counter.add(1, "0")
    found = samples(metrics.text())
    assert found["x_total", (("name", "0"),)] == 2
    assert 8000 < len(found) < 9000
    assert set(found.values()) == {1, 2}
    assert "no room to count" in caplog.text


def test_a_members_numbers() -> None:
    metrics = Metrics()
    site = SiteMetrics(metrics, "alpha")
    site.circuit("closed")
    site.request("2xx", 0.2)
    site.request("circuit-open", None)
    site.retry()
    site.received(100)
    site.circuit("half-open")
    found = samples(metrics.text())
    alpha = ("site", "alpha")
    assert found["cscale_site_requests_total", (alpha, ("outcome", "2xx"))] == 1
    assert found["cscale_site_requests_total", (alpha, ("outcome", "circuit-open"))] == 1
    assert found["cscale_site_request_seconds_count", (alpha,)] == 1
    assert found["cscale_site_retries_total", (alpha,)] == 1
    assert found["cscale_site_received_bytes_total", (alpha,)] == 100
    states = {
        state: found["cscale_site_circuit", (alpha, ("state", state))]
        for state in ("closed", "open", "half-open")
    }
    assert states == {"closed": 0, "open": 0, "half-open": 1}
