"""How commands speak: results on standard output, all else on standard error."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from cscale.errors import CscaleError

DONE, FAILED, WRONG_USAGE, SITES_MISSING = 0, 1, 2, 3

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
HubUrl = Annotated[
    str | None,
    typer.Option(
        "--hub", metavar="URL", help="The hub to ask. Default: $CSCALE_HUB, the last login's, this machine's."
    ),
]

out = Console(highlight=False, emoji=False, soft_wrap=True, width=None if sys.stdout.isatty() else 1000)
err = Console(stderr=True, highlight=False, emoji=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """Print a value as indented JSON, at once also into a pipe: a command may go on for long."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")
    sys.stdout.flush()


@contextmanager
def stop_on_errors(as_json: bool) -> Iterator[None]:  # noqa: FBT001  # a plain switch
    """Turn an error into its sentence and exit code 1: no trace, since it tells what to do."""
    try:
        yield
    except CscaleError as error:
        if as_json:
            print_json({"code": type(error).__name__, "description": str(error)})
        err.print(f"[red]error[/red]: {escape(str(error))}")
        sys.exit(FAILED)
    except KeyboardInterrupt:
        err.print("stopped")
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(FAILED)


def escape(text: str) -> str:
    """Text as it is, for a console that reads square brackets as marks; control characters shown."""
    shown = "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text)
    return shown.replace("[", r"\[")


class _Counted(ProgressColumn):
    """How much is done, of how much where that is known, in a unit."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        """The column's text."""
        whole = f"/{task.total:,.0f}" if task.total is not None else ""
        return Text(f"{task.completed:,.0f}{whole} {self._unit}")


def progress_bar(unit: str) -> Progress:
    """A progress bar on standard error, where that is a terminal.

    Args:
        unit: What is counted.
    """
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        _Counted(unit),
        TimeRemainingColumn(),
        console=err,
        disable=not err.is_terminal,
        transient=True,
    )
