"""Requests that go in circles between hubs are stopped by the names of those they have passed."""

from typing import Any

import msgspec
import pytest

from cscale.net.via import MAX_HOPS, Via, outgoing


async def passed(name: str, *lines: str) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """What is told to the next service, and what is sent back, for these `Via` lines."""
    told: dict[str, str] = {}
    sent: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        told.update(outgoing())

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    headers = [(b"via", line.encode("latin-1")) for line in lines]
    scope = {"type": "http", "method": "GET", "path": "/", "headers": headers, "query_string": b""}
    await Via(app, name)(scope, None, send)
    return told, sent


async def test_a_service_adds_its_name_to_those_a_request_has_passed() -> None:
    assert await passed("hub") == ({"via": "1.1 hub"}, [])
    told, _ = await passed("hub", "1.0 fred, HTTP/1.1 p.example.net:8080 (Apache 1.1)", " 2 other ")
    assert told == {"via": "1.1 fred, 1.1 p.example.net:8080, 1.1 other, 1.1 hub"}


@pytest.mark.parametrize("line", ["1.1 hub", "1.1 other,1.1 hub", "hub", "1.1 hub (comment)", "1.1\thub"])
async def test_a_request_that_has_come_round_is_refused(line: str) -> None:
    told, sent = await passed("hub", line)
    assert told == {}
    assert sent[0]["status"] == 508
    assert msgspec.json.decode(sent[1]["body"])["code"] == "LoopDetected"


async def test_a_request_that_has_passed_too_many_is_refused() -> None:
    names = [f"1.1 hub-{number}" for number in range(MAX_HOPS)]
    assert (await passed("another", ", ".join(names)))[1][0]["status"] == 508
    assert (await passed("another", ", ".join(names[1:])))[1] == []


@pytest.mark.parametrize("line", ["", ",", " , ,", "1.1", "1.1 hubs", "1.1 hub:80", "\xff", "(hub)"])
async def test_lines_of_any_other_shape_stop_nothing(line: str) -> None:
    told, sent = await passed("hub", line)
    assert sent == []
    assert told["via"].endswith("1.1 hub")


async def test_what_was_passed_is_forgotten_after_the_request() -> None:
    await passed("hub", "1.1 other")
    assert outgoing() == {}


async def test_what_is_no_request_is_passed_on() -> None:
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    await Via(app, "hub")({"type": "lifespan"}, None, None)
    assert seen == ["lifespan"]
