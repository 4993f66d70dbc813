"""A table or view of an internal database as a source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wfops_pipelines.apis.connection import variables
from wfops_pipelines.apis.window import Window
from wfops_pipelines.core.exchange import exchange
from wfops_pipelines.core.parts import AT_ONCE
from wfops_pipelines.errors import (
    SettingsError,
    SourceMalformed,
    SourceRefused,
    SourceUnreachable,
    SyncFailure,
)

if TYPE_CHECKING:
    from sqlalchemy import ColumnClause, Engine, Select

_REFUSED = ("password authentication failed", "access denied", "permission denied", "no password")


@dataclass(frozen=True, slots=True, repr=False)
class Database:
    """An SQLAlchemy address; its password is in no repr and no message. rows: read at a time."""

    url: str
    rows: int = AT_ONCE

    def __repr__(self) -> str:
        return "Database('***')"


@dataclass(frozen=True, slots=True)
class SqlSource:
    """Rows of one table or view, those of a window where it has a `cursor` column.

    Rows whose cursor is null come each time: nobody can say when they changed.
    `rows` are read at a time, or as few as WFOPS_ROWS_AT_ONCE says. `naive` is for a cursor without
    a time zone, taken as UTC.
    """

    system: str
    table: str
    cursor: str | None = None
    rows: int = 5000
    naive: bool = False

    @property
    def windowed(self) -> bool:
        """Whether only what changed inside the window is read."""
        return self.cursor is not None

    def connect(self, environ: Mapping[str, str]) -> Database:
        """Read `WFOPS_<SYSTEM>_URL`. Raises SettingsError with the repair."""
        from sqlalchemy import make_url
        from sqlalchemy.exc import ArgumentError

        name = variables(self.system)[0]
        url = environ.get(name, "").strip()
        example = f"export {name}=postgresql://user:password@host/database"
        if not url:
            raise SettingsError(f"{name} is not set. Repair: {example}")
        try:
            make_url(url)
        except (ArgumentError, ValueError):
            raise SettingsError(f"{name}: not a database's address. Repair: {example}") from None
        return Database(url, min(self.rows, _at_once(environ)))

    def pages(self, window: Window, connection: Database) -> Iterator[list[dict[str, Any]]]:
        """Yield the rows changed in `window` as the database has them, the oldest first.

        Raises:
            SourceRefused: the database does not let this user in, or not read the table.
            SourceUnreachable: it is not there, or went away.
            SourceMalformed: there is no such table or column.
        """
        from sqlalchemy.exc import SQLAlchemyError

        engine = _engine(connection)
        try:
            with engine.connect() as conn:
                if conn.dialect.name == "postgresql":  # or a time without a zone is of the server's
                    conn.exec_driver_sql("set time zone 'UTC'")
                conn.execution_options(stream_results=True)
                found = conn.execute(self._query(window)).mappings()
                for part in found.partitions(connection.rows):
                    yield [dict(row) for row in part]
        except SQLAlchemyError as error:
            raise self._failure(error, engine) from None
        finally:
            engine.dispose()

    def _query(self, window: Window) -> Select[Any]:
        from sqlalchemy import column, or_, select, table, text

        schema, _, name = self.table.rpartition(".")
        query = select(text("*")).select_from(table(name, schema=schema or None))
        if self.cursor is None:
            return query
        moment: ColumnClause[Any] = column(self.cursor)
        inside = moment < self._written(window.end)
        if window.start is not None:
            inside &= moment >= self._written(window.start)
        return query.where(or_(inside, moment.is_(None))).order_by(moment)

    def _written(self, moment: Any) -> Any:
        return moment.replace(tzinfo=None) if self.naive else moment

    def _failure(self, error: Exception, engine: Engine) -> SyncFailure:
        from sqlalchemy.exc import OperationalError

        text = str(getattr(error, "orig", None) or error)
        said = " ".join(text.replace(str(engine.url.password or "\0"), "***").split())[:200]
        name = variables(self.system)[0]
        what = f"{self.system}: table {self.table}: {said}"
        told = exchange("SELECT", self.table)
        if any(words in said.lower() for words in _REFUSED):
            return SourceRefused(
                f"{what}. Repair: check user and rights in {name}; then retry", told
            )
        if isinstance(error, OperationalError) and "no such" not in said:
            return SourceUnreachable(
                f"{what}. Repair: check that {name} is right; then retry", told
            )
        return SourceMalformed(f"{what}. Repair: correct the table or the cursor in the sync", told)


def sql_table(
    system: str, table: str, *, cursor: str | None = None, naive: bool = False, rows: int = 5000
) -> SqlSource:
    """Declare a table or view of the database at `WFOPS_<SYSTEM>_URL`, as `sql_table("erp",
    "sales.orders", cursor="updated_at")`.

    Without `cursor` every extraction reads all of it, and with one all rows in which it is null.
    `naive`: the cursor has no time zone and is in UTC. The address is SQLAlchemy's; drivers other
    than PostgreSQL's and SQLite's must be installed.
    """
    return SqlSource(system, table, cursor, rows, naive)


def _at_once(environ: Mapping[str, str]) -> int:
    named = environ.get("WFOPS_ROWS_AT_ONCE", "")
    return int(named) if named.isdecimal() and int(named) else AT_ONCE


def _engine(connection: Database) -> Engine:
    from sqlalchemy import create_engine, make_url
    from sqlalchemy.pool import NullPool

    url = make_url(connection.url)
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg2")
    return create_engine(url, poolclass=NullPool, hide_parameters=True)
