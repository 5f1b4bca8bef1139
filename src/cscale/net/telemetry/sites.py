"""What is counted of one member."""

from functools import cache

from cscale.net.telemetry.metrics import Metrics

_STATES = ("closed", "open", "half-open")


class SiteMetrics:
    """What is counted of one member.

    Args:
        metrics: Where.
        site: The member's id.
    """

    def __init__(self, metrics: Metrics, site: str) -> None:
        self._site = site
        self._requests = metrics.counter(
            "cscale_site_requests_total", "Requests to members, by how they ended.", "site", "outcome"
        )
        self._seconds = metrics.histogram(
            "cscale_site_request_seconds", "How long requests to members took, retries included.", "site"
        )
        self._retries = metrics.counter("cscale_site_retries_total", "Requests that were repeated.", "site")
        self._hedges = metrics.counter(
            "cscale_site_hedges_total", "Requests sent beside one that was slow.", "site"
        )
        self._bytes = metrics.counter(
            "cscale_site_received_bytes_total", "Bytes of members' answers, uncompressed.", "site"
        )
        self._circuit = metrics.gauge(
            "cscale_site_circuit", "How many processes have a member's circuit in a state.", "site", "state"
        )
        self._state = ""

    @staticmethod
    @cache
    def silent() -> "SiteMetrics":
        """One that nobody reads."""
        return SiteMetrics(Metrics(), "")

    def request(self, outcome: str, seconds: float | None) -> None:
        """Count a request.

        Args:
            outcome: `2xx` to `5xx` for an answer, else `error`, `timeout`, `given-up` (by whoever asked) or
                `circuit-open` (not sent).
            seconds: How long it took; None where it was not sent.
        """
        self._requests.add(1, self._site, outcome)
        if seconds is not None:
            self._seconds.observe(seconds, self._site)

    def retry(self) -> None:
        """Count a request that repeats another."""
        self._retries.add(1, self._site)

    def hedge(self) -> None:
        """Count a request beside another."""
        self._hedges.add(1, self._site)

    def received(self, size: int) -> None:
        """Count an answer's bytes."""
        self._bytes.add(size, self._site)

    def circuit(self, state: str) -> None:
        """State how the circuit stands."""
        if state != self._state:
            self._state = state
            for each in _STATES:
                self._circuit.set(float(each == state), self._site, each)
