"""The error tree. Every error says what was wrong, where, and what to do.

Which HTTP status each becomes is decided in one table, `cscale.net.responses.STATUS`.

    CscaleError
    ├── BadRequest            the caller asked for something that cannot be asked
    │   ├── BadCursor         a page token that this service did not make, or made for another search
    │   ├── Conflict          what shall be made is there already
    │   └── PreconditionFailed  what is there is not what the caller had seen
    ├── NotFound              a thing asked for by its address is not here
    ├── Refused               a policy does not let the caller have it
    │   └── LoginNeeded       it may be that it does once the caller has logged in
    ├── QuotaExceeded         the caller has had as much as one user may have for now
    ├── RangeNotSatisfiable   a range outside the file, or too many ranges
    ├── BadConfiguration      a configuration file that cannot be used
    ├── BadInput              data handed in (an item, a file) that cannot be taken
    ├── SiteError             a member of the federation did not answer properly
    │   ├── SiteTimeout       it did not answer in its time
    │   ├── SiteUnreachable   no connection, or one that was closed before an answer began
    │   ├── CircuitOpen       it failed so often that it is not asked for a while
    │   └── UnsortedPage      its answer breaks the order it was asked for
    ├── SitesMissing          nobody who could tell has answered
    ├── LoopDetected          a request came back to a hub that had already passed it on
    └── ChecksumMismatch      bytes that are not the ones that were promised
"""

from collections.abc import Sequence


class CscaleError(Exception):
    """The root: any error that cscale raises on purpose."""


class BadRequest(CscaleError):
    """The caller asked for something that cannot be asked; the message names the parameter."""


class BadCursor(BadRequest):
    """A page token that this service did not make, or that belongs to another search."""


class NotFound(CscaleError):
    """A thing asked for by its address is not here."""


class Refused(CscaleError):
    """A policy does not let the caller have what was asked for; the message says why and what to do.

    Attributes:
        needs: What is lacking: `login`, `entitlement` or `licence`.
    """

    def __init__(self, message: str, needs: str = "entitlement") -> None:
        super().__init__(message)
        self.needs = needs


class LoginNeeded(Refused):
    """Nobody is logged in, and only those who are may have it, or some of them."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "login")


class QuotaExceeded(CscaleError):
    """The caller has had as much as one user may have for now; the message says of what.

    Attributes:
        retry_after: After how many seconds to ask again.
    """

    def __init__(self, message: str, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RangeNotSatisfiable(CscaleError):
    """A range outside the file, or more ranges than are served at once.

    Attributes:
        size: The file's size in bytes.
    """

    def __init__(self, message: str, size: int) -> None:
        super().__init__(message)
        self.size = size


class Conflict(BadRequest):
    """What shall be made is there already."""


class PreconditionFailed(BadRequest):
    """What is there is not what the caller had seen."""


class BadConfiguration(CscaleError):
    """A configuration file that cannot be used; the message names file, place and remedy."""


class BadInput(CscaleError):
    """Data handed in that cannot be taken; the message names the input and the reason."""


class SiteError(CscaleError):
    """A member of the federation did not answer properly."""


class SiteTimeout(SiteError):
    """A member of the federation did not answer in its time."""


class SiteUnreachable(SiteError):
    """No connection to a member, or one that was closed before an answer began: asking again is safe."""


class CircuitOpen(SiteError):
    """A member failed so often that it is not asked for a while; tells since when, why, and until when."""


class UnsortedPage(SiteError):
    """A site's page breaks the order it was asked for; names the two items."""


class SitesMissing(CscaleError):
    """Nobody who could tell has answered.

    Attributes:
        sites: The status of each site that was asked, as in `federation.sites` of an answer.
    """

    def __init__(self, message: str, sites: Sequence[object] = ()) -> None:
        super().__init__(message)
        self.sites = list(sites)


class LoopDetected(CscaleError):
    """A request came back to a hub that had already passed it on."""


class ChecksumMismatch(CscaleError):
    """Bytes that are not the ones that were promised."""
