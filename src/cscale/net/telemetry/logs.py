"""Log lines: as text for people, as JSON for machines; each names the request it belongs to.

No line holds a token: what looks like one is left out, and so are the queries of addresses, which can be
signed.
"""

import logging
import re
import time
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

import msgspec

log = logging.getLogger("cscale.requests")

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request in whose course something happens."""

_LONGEST = 8_000  # characters
_LONGEST_REASON = 300
_BEARER = re.compile(r"(?i)\b(bearer|authorization\W{1,4}basic)\s+(?!\.\.\.)[^\s\"',;]+")
_ADDRESS = re.compile(r"(?i)\b(https?://)(?:[^\s/?#\"'@]*@)?([^\s?#\"'<>]*)(?:[?#][^\s\"'<>]*)?")
_JWT = re.compile(r"\beyJ[\w-]{5,}\.[\w-]+(?:\.[\w-]*)?")


def scrubbed(text: str) -> str:
    """A text without tokens, and its addresses without passwords and queries."""
    text = _ADDRESS.sub(lambda found: f"{found[1]}{found[2]}", text)
    return _JWT.sub("...", _BEARER.sub(lambda found: f"{found[1]} ...", text))


class JsonLines(logging.Formatter):
    """A line of JSON for each record: `time`, `level`, `logger`, `request`, and its fields or `message`."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        line: dict[str, Any] = {
            "time": f"{_time(record)}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        if request := request_id.get():
            line["request"] = request
        fields = getattr(record, "fields", None)
        line |= fields if isinstance(fields, Mapping) else {"message": scrubbed(record.getMessage())}
        if record.exc_info:
            line["error"] = scrubbed(self.formatException(record.exc_info))[-_LONGEST:]
        return msgspec.json.encode(line, enc_hook=str).decode()


class TextLines(logging.Formatter):
    """A line of text for each record."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        request = request_id.get()
        about = f" [{request}]" if request else ""
        said = " ".join(scrubbed(record.getMessage()).splitlines())
        line = f"{_time(record)}Z {record.levelname} {record.name}{about} {said}"
        if record.exc_info:
            line += f"\n{scrubbed(self.formatException(record.exc_info))[-_LONGEST:]}"
        return line


def configure(form: str) -> None:
    """Have all that is logged from `INFO` up go to the standard error output.

    Args:
        form: `json` or `text`.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def log_site(
    site: str,
    state: str,
    *,
    reason: str | None = None,
    elapsed_ms: int | None = None,
    items: int | None = None,
    retries: int = 0,
) -> None:
    """Log how a member answered in a search: one line a member a search.

    Args:
        site: Its id.
        state: `ok`, `partial`, `error`, `timeout` or `skipped`.
        reason: Why it is not `ok`.
        elapsed_ms: How long it was waited for, in milliseconds.
        items: How many of its items are in the answer.
        retries: How many requests to it were repeated.
    """
    if not log.isEnabledFor(logging.INFO):
        return
    said = None if reason is None else " ".join(scrubbed(reason).split())[:_LONGEST_REASON]
    fields: dict[str, Any] = {"event": "site", "site": site, "state": state}
    more = {"reason": said, "elapsed_ms": elapsed_ms, "items": items, "retries": retries}
    fields |= {name: value for name, value in more.items() if value is not None}
    text = " ".join(f"{name}={_quoted(value)}" for name, value in fields.items() if name != "event")
    log.info("site %s", text, extra={"fields": fields})


def _quoted(value: object) -> str:
    text = str(value)
    return text if re.fullmatch(r"[\w.-]+", text) else msgspec.json.encode(text).decode()


def _time(record: logging.LogRecord) -> str:
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03d}"
