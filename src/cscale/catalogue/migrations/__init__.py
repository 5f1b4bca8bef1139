"""Older catalogues become newer ones: one step a format, run by Alembic.

Each database has its folder of steps; a step's revision is the format that it makes, as four digits. New
catalogues are made by their `schema` modules at once; tests hold that both ways lead to the same tables.
Steps are frozen: they name tables and columns as they were, and import nothing of the schema modules.
"""

from pathlib import Path
from typing import Any, Literal

Database = Literal["sqlite", "postgresql"]

_HERE = Path(__file__).parent
_DIALECTS = {"sqlite": "sqlite://", "postgresql": "postgresql+psycopg://"}


def steps(connection: Any, database: Database, found: int) -> list[str]:
    """Take the steps from a format to the newest one.

    Args:
        connection: Of `sqlite3` or psycopg, inside a transaction, which the caller ends.
        database: Which of them.
        found: The format that is there; 0 for none.

    Returns:
        What each step says of itself.
    """
    from alembic.operations import Operations  # a third of a second, and hardly ever needed
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory
    from sqlalchemy import create_engine
    from sqlalchemy.pool import StaticPool

    options = {"use_native_hstore": False} if database == "postgresql" else {}
    engine = create_engine(
        _DIALECTS[database], creator=lambda: _Borrowed(connection), poolclass=StaticPool, **options
    )
    scripts = ScriptDirectory(str(_HERE), version_locations=[str(_HERE / database)])
    missing = list(scripts.iterate_revisions("head", f"{found:04}" if found else "base"))
    done = []
    with engine.connect() as borrowed, Operations.context(MigrationContext.configure(borrowed)):
        for step in reversed(missing):
            step.module.upgrade()
            done.append(f"format {int(step.revision)}: {step.doc}")
    return done


class _Borrowed:
    """A connection inside a transaction that is not the borrower's to end."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def commit(self) -> None:
        """Nothing."""

    def rollback(self) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""
