"""One member's part in the pool of connections: its limits, its circuit, retries and second requests."""

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec
from yarl import URL

from cscale.errors import CircuitOpen, SiteError, SiteTimeout, SiteUnreachable
from cscale.net.calling.circuit import Circuit, Refusal, State
from cscale.net.calling.pacing import BUSY, LONGEST_PAUSE, Allowance, Latencies, backoff, retry_after
from cscale.net.calling.redirects import MOST, Call, origin, redirected
from cscale.net.calling.tally import current
from cscale.net.http import Answer, HttpPool, Received, address_of
from cscale.net.telemetry.sites import SiteMetrics

log = logging.getLogger("cscale.net")

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class Limits:
    """How a member is asked.

    Attributes:
        concurrency: How many requests, so how many connections, are under way at once.
        retries: How often a request is repeated that found nobody, or somebody who was busy.
        hedge: Whether a second request may go beside one that is slower than most.
        patience: A request that is given up after these seconds at least counts as a failure of the
            member; sooner, as one of whoever asked.
    """

    concurrency: int = 8
    retries: int = 2
    hedge: bool = False
    patience: float = 5.0


class SiteHttp:
    """Asks one member. It only reads: a POST here is a search, which can be asked twice.

    Args:
        http: The connections.
        site: The member's id.
        addresses: The URLs of its endpoints; the caller's token goes to their origins only.
        token: What becomes of the caller's token: `pass` sends it on.
        limits: How it is asked.
        circuit: Its circuit; a new one where left out.
        metrics: What is counted.
    """

    def __init__(
        self,
        http: HttpPool,
        site: str,
        addresses: Iterable[str],
        *,
        token: Literal["none", "pass"] = "none",  # noqa: S107 - a rule, no secret
        limits: Limits | None = None,
        circuit: Circuit | None = None,
        metrics: SiteMetrics | None = None,
    ) -> None:
        self._http = http
        self._limits = limits or Limits()
        self._circuit = circuit or Circuit()
        self._metrics = metrics or SiteMetrics.silent()
        self._slots = asyncio.Semaphore(self._limits.concurrency)
        self._latencies = Latencies()
        self._allowance = Allowance()
        origins = {origin(URL(each)) for each in addresses}
        self._trusted = frozenset(origins) if token == "pass" else frozenset()  # noqa: S105
        for scheme, host, port in self._trusted:
            if scheme != "https" and host not in _LOOPBACK:
                log.warning("site %s: callers' tokens go to %s port %d in the clear", site, host, port)
        self._metrics.circuit(self._circuit.state)

    @property
    def state(self) -> State:
        """The state of its circuit."""
        return self._circuit.state

    async def request(
        self,
        method: str,
        url: str,
        *,
        json_body: Any = None,
        headers: Mapping[str, str] | None = None,
        bearer: str | None = None,
        safe: bool = True,
    ) -> Answer:
        """Send a request and read its answer, as `HttpPool.request`; redirects are followed, three at most.

        Cancel it to give up; deadlines are the caller's. Waiting for one's turn counts against them.

        Args:
            method: The HTTP method.
            url: Where to.
            json_body: What to send, as JSON.
            headers: Beside those that are always sent.
            bearer: The caller's token; sent to the member's own origins, if the rule is `pass`.
            safe: Whether it may be asked more than once: whatever reads only.

        Raises:
            CircuitOpen: If the member failed so often that it is not asked at this moment.
            SiteError: If there is no answer, or one that cannot be read.
        """
        self._check()
        content = None if json_body is None else msgspec.json.encode(json_body)
        try:
            address = address_of(url)
        except ValueError as error:
            raise SiteError(f"no address to ask: {error}"[:200]) from error
        call = Call(method, address, content, headers or {}, self._shown(address, bearer))
        async with self._slots:
            self._check()
            received = await self._watched(call, safe=safe)
        body = received.body
        if call.bearer is not None and (secret := call.bearer.encode()) in body:
            body = body.replace(secret, b"...")  # errors quote what was answered
        return Answer(received.status, body)

    def _shown(self, address: URL, bearer: str | None) -> str | None:
        """The token, if this address may see it."""
        if bearer is None or not self._trusted:
            return None
        try:
            return bearer if origin(address) in self._trusted else None
        except ValueError:  # no address
            return None

    def _check(self) -> None:
        refusal = self._circuit.refusal()
        if refusal is not None:
            self._metrics.request("circuit-open", None)
            raise CircuitOpen(_told(refusal))

    async def _watched(self, call: Call, *, safe: bool) -> Received:
        """Send a request and note what it says of the member."""
        ticket = self._circuit.enter()
        self._metrics.circuit(self._circuit.state)
        started, outcome = time.monotonic(), "given-up"
        try:
            received = await self._retried(call, safe=safe)
            if received.status in BUSY:
                told = retry_after(received.headers)
                self._circuit.failed(ticket, f"it answered {received.status}", at_least=told)
            else:
                self._circuit.succeeded(ticket)
            outcome = f"{received.status // 100}xx"
            self._metrics.received(len(received.body))
            return received
        except asyncio.CancelledError:
            waited = time.monotonic() - started
            if waited >= self._limits.patience:
                outcome = "timeout"
                self._circuit.failed(ticket, f"no answer within {waited:.1f} s")
            raise
        except SiteError as error:
            outcome = "timeout" if isinstance(error, SiteTimeout) else "error"
            self._circuit.failed(ticket, str(error))
            raise
        finally:
            self._circuit.abandoned(ticket)  # says nothing where its outcome has been noted
            self._metrics.request(outcome, time.monotonic() - started)
            self._metrics.circuit(self._circuit.state)

    async def _retried(self, call: Call, *, safe: bool) -> Received:
        """Send a request, again where that is safe and may help."""
        trying = self._circuit.state is State.half_open
        retries = self._limits.retries if safe and not trying else 0
        tally, retry = current(), 0
        while True:
            try:
                received = await (self._hedged(call) if safe and not trying else self._followed(call))
                pause = max(retry_after(received.headers), backoff(retry))
                if received.status not in BUSY or retry >= retries or pause > LONGEST_PAUSE:
                    return received
            except SiteUnreachable:
                pause = backoff(retry)
                if retry >= retries:
                    raise
            await asyncio.sleep(pause)
            retry += 1
            tally.retries += 1
            self._metrics.retry()

    async def _hedged(self, call: Call) -> Received:
        """Send a request, and a second one where the answer is slower than most; the first good one."""
        self._allowance.earn()
        started, usual = time.monotonic(), self._latencies.p95()
        if usual is None or not self._limits.hedge:
            received = await self._followed(call)
        else:
            received = await self._raced(call, usual)
        if received.status not in BUSY:
            self._latencies.add(time.monotonic() - started)
        return received

    async def _raced(self, call: Call, usual: float) -> Received:
        first = asyncio.create_task(self._followed(call))
        tasks = {first}
        try:
            await asyncio.wait(tasks, timeout=usual)
            if first.done() or self._slots.locked() or not self._allowance.take():
                return await first
            current().hedges += 1
            self._metrics.hedge()
            async with self._slots:
                tasks.add(asyncio.create_task(self._followed(call)))
                return await _first_good(first, tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _followed(self, call: Call) -> Received:
        """Send a request, and follow where it is redirected."""
        tally = current()
        for _ in range(MOST + 1):
            tally.requests += 1
            received = await self._http.send(
                call.method, call.url, call.content, call.all_headers(), once=True
            )
            led = redirected(call, received.status, received.headers.get("location"))
            if led is None:
                return received
            call = led
        raise SiteError(f"it redirects more than {MOST} times")


async def _first_good(first: "asyncio.Task[Received]", tasks: "set[asyncio.Task[Received]]") -> Received:
    """The first answer that is one; where there is none, what the first request came to."""
    waiting = set(tasks)
    while waiting:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            if task.exception() is None and task.result().status not in BUSY:
                return task.result()
    return await first


def _told(refusal: Refusal) -> str:
    since = datetime.now(UTC) - timedelta(seconds=refusal.since)
    again = f"in {max(refusal.again_in, 1):.0f} s" if refusal.again_in else "at this moment"
    often = f"{refusal.failures} times in a row, lastly" if refusal.failures > 1 else "once"
    failed = f"it failed {often}: {refusal.reason}"
    return f"not asked since {since:%Y-%m-%dT%H:%M:%SZ}: {failed}; tried again {again}"
