"""Who answered, and how: the entries of `federation.sites`."""

from dataclasses import dataclass, field
from typing import Any, Literal

from cscale.discovery.counting import Told
from cscale.errors import SiteError, SiteTimeout

State = Literal["ok", "partial", "error", "timeout", "skipped"]


@dataclass
class Status:
    """Who answered, and how: one entry of `federation.sites`.

    Attributes:
        id: The site's id.
        state: How it answered; `skipped` where it had not to be asked.
        reason: Why it is not `ok`.
        matched: How many match there, if it says so.
        returned: How many of its copies are in this answer.
        rejected: How many of its items were left out because they are not valid.
        unasked: How many of its items were left out because they are not what was asked for.
        broken: Whether it did not answer, or not to the end.
        missing: Members missing from its answer, if it is a hub.
        elapsed_ms: How long it was waited for.
        harvested_at: When what it answered with was read from the site; None where the site has answered.
        retries: How many requests to it were repeated.
    """

    id: str
    state: State = "ok"
    reason: str | None = None
    matched: int | None = None
    returned: int | None = None
    rejected: int = 0
    unasked: int = 0
    broken: bool = False
    missing: list[str] = field(default_factory=list)
    elapsed_ms: int | None = None
    harvested_at: str | None = None
    retries: int = 0

    def failed(self, error: SiteError, *, gave_some: bool = False) -> None:
        """Note that the site did not answer (to the end)."""
        self.broken = True
        self.state = "timeout" if isinstance(error, SiteTimeout) else "error"
        self.reason = str(error)
        if gave_some:
            self.state, self.reason = "partial", f"only its first items: {error}"

    def partly(self, reason: str) -> None:
        """Note that not all of its items could be looked at."""
        self.broken = True
        self.state, self.reason = "partial", reason

    def skipped(self, reason: str) -> None:
        """Note that it had not to be asked."""
        self.state, self.reason = "skipped", reason

    def inner_missing(self, names: list[str]) -> None:
        """Note that the site, a hub, misses members itself."""
        self.missing = sorted({*self.missing, *names})
        if names and self.state == "ok":
            self.state, self.reason = "partial", f"its own members {', '.join(self.missing)} are missing"

    def asked_again(self, again: "Status") -> None:
        """Note how the site answered when it was asked for more copies of what it had answered with."""
        self.inner_missing(again.missing)
        if again.broken and not self.broken:
            self.broken = True
            self.state, self.reason = "partial", f"perhaps not all copies: {again.reason}"

    def counted(self, told: Told) -> None:
        """Note how the site has counted, or was counted."""
        self.rejected += told.rejected
        self.unasked += told.unasked
        self.harvested_at = told.harvested_at or self.harvested_at
        self.inner_missing(sorted(told.missing))
        if told.partial is not None:
            self.partly(told.partial)

    def body(self) -> dict[str, Any]:
        """The entry as JSON."""
        shown = {name: getattr(self, name) for name in ("id", "state", "reason", "matched", "returned")}
        if self.state in ("ok", "partial"):
            shown["rejected"] = self.rejected
            shown["unasked"] = self.unasked or None
        shown |= {"elapsed_ms": self.elapsed_ms, "harvested_at": self.harvested_at}
        return {name: value for name, value in shown.items() if value is not None}


def missing_names(statuses: list[Status]) -> list[str]:
    """`federation:missing`: the sites in error, timeout or partial; a hub's members as `inner/beta`."""
    names: list[str] = []
    for status in statuses:
        names += [status.id] if status.broken else []
        names += [f"{status.id}/{name}" for name in status.missing]
    return names
