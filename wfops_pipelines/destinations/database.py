"""A table of any database that SQLAlchemy knows, in a transaction of its own over there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any
from uuid import UUID

from wfops_pipelines.apis.connection import variables
from wfops_pipelines.core.snapshot import Diff
from wfops_pipelines.destinations.connection import setting
from wfops_pipelines.destinations.foreseeing import Foreseen, Misfit, keyless, respelled
from wfops_pipelines.destinations.names import DELETED_AT
from wfops_pipelines.destinations.numbers import Numbers, numbers_in
from wfops_pipelines.destinations.parcel import Existing, Parcel, Reverted, Written
from wfops_pipelines.destinations.saying import of_any
from wfops_pipelines.destinations.staging import left_out
from wfops_pipelines.errors import (
    DestinationRefused,
    SettingsError,
)

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlalchemy import Connection, Engine

    from wfops_pipelines.destinations.comparing import Met
    from wfops_pipelines.destinations.database_rows import Tables


@dataclass(frozen=True, slots=True)
class DatabaseTable:
    """A table of the database at `WFOPS_<SYSTEM>_URL`; made on first use, new columns added.

    What is written there is committed there, before the product's own transaction. A ledger row in
    the same transaction over there makes repeating it harmless, and tells again what it did.
    """

    system: str
    schema: str | None
    name: str

    @property
    def words(self) -> str:
        return f"table {'.'.join(filter(None, (self.schema, self.name)))} of {self.system}"

    def existing(self, conn: Connection, parcel: Parcel, columns: Sequence[str]) -> Existing:  # noqa: ARG002
        with self._open(parcel.environ) as there:
            tables = self._tables(parcel)
            if parcel.key not in tables.columns_there(there):
                return Existing({})
            return Existing(dict(self._living(there, tables, parcel, columns)))

    def diff(self, conn: Connection, parcel: Parcel, critical: Sequence[str]) -> Diff:
        return self.foreseen(conn, parcel, critical).diff

    def foreseen(self, conn: Connection, parcel: Parcel, critical: Sequence[str]) -> Foreseen:  # noqa: ARG002
        from wfops_pipelines.destinations.limits import Limits, joined

        with self._open(parcel.environ) as there:
            tables = self._tables(parcel)
            held = tables.columns_there(there)
            if parcel.key not in held:
                new = Diff(inserted=parcel.rows.num_rows - len(parcel.gone()))
                return Foreseen(new, keyless(held, parcel.key))
            takes = Limits.of(there, tables.told(there), parcel.key)
            diff, unfit, unlike = Diff(), list[Misfit](), 0
            for part in parcel.parts():
                met = self._meet(there, tables, part)
                unlike += met.unlike
                diff += met.diff(tuple(critical))
                unfit += takes.misfits(met.rows, parcel.key, ~met.there, ~met.gone)
            return Foreseen(diff, (*joined(unfit), *respelled(parcel.key, unlike)))

    def publish(self, conn: Connection, side: Engine, parcel: Parcel) -> Written:  # noqa: ARG002
        tables = self._tables(parcel)
        with self._open(parcel.environ) as there, there.begin():
            self._prepare(there, tables)
        with self._open(parcel.environ) as there, there.begin():
            return self._once(there, tables, parcel)

    def revert(self, conn: Connection, parcel: Parcel) -> Reverted:  # noqa: ARG002
        """Undo what publishing this parcel did; rows that are newer by now, or that somebody
        changed since, stay as they are."""
        from wfops_pipelines.destinations import database_undo

        tables = self._tables(parcel)
        with self._open(parcel.environ) as there, there.begin():
            entry = self._entry(there, tables, parcel)
            if entry is not None and entry.reverted:
                return Reverted(**json.loads(entry.counts))
            database_undo.end_keeping(there, tables, parcel)
            parts = ((p, self._meet(there, tables, p)) for p in parcel.parts())
            backs = (database_undo.put_back(there, tables, p, met) for p, met in parts)
            done = reduce(Reverted.__add__, backs, Reverted())
            if entry is not None:
                self._write_down(there, tables, parcel, asdict(done), reverted=True)
            return done

    def living(
        self,
        conn: Connection,  # noqa: ARG002
        key: str,
        environ: Mapping[str, str],
        sync: str = "",  # noqa: ARG002
    ) -> pa.Array:
        """The keys of all rows that are not deleted, typed as the table holds them."""
        import pyarrow as pa

        with self._open(environ) as there:
            keys = self._keys(there, key, None)
            return pa.array(keys, None if keys else pa.string())

    def spelled(
        self,
        conn: Connection,  # noqa: ARG002
        key: str,
        keys: pa.Array,
        environ: Mapping[str, str],
    ) -> list[Any]:
        with self._open(environ) as there:
            return self._keys(there, key, keys.to_pylist())

    def numbers(self, _: Connection, environ: Mapping[str, str], new: str, /) -> Numbers | None:
        with self._open(environ) as there:
            return numbers_in(there, self.name, self.schema, new)

    def _keys(self, there: Connection, key: str, only: list[Any] | None) -> list[Any]:
        """The keys of the living rows, or of those that are one of a few for the database."""
        from sqlalchemy import MetaData, Table, inspect, select, type_coerce

        from wfops_pipelines.destinations.database_rows import of_keys
        from wfops_pipelines.destinations.database_types import type_of

        if not inspect(there).has_table(self.name, self.schema):
            return []
        found = Table(self.name, MetaData(schema=self.schema), autoload_with=there)
        query = select(found.c[key])
        if DELETED_AT in found.c:
            query = query.where(found.c[DELETED_AT].is_(None))
        if only is None:
            return [_plain(row[0]) for row in there.execute(query)]
        asked = type_coerce(found.c[key], type_of(only[0]))  # in the source's type
        return [_plain(row[0]) for row in of_keys(there, asked, query, only)]

    def _tables(self, parcel: Parcel) -> Tables:
        from wfops_pipelines.destinations.database_rows import Tables

        return Tables(self.schema, self.name, parcel)

    def _meet(self, there: Connection, tables: Tables, parcel: Parcel) -> Met:
        from wfops_pipelines.destinations.comparing import meet
        from wfops_pipelines.destinations.database_rows import held

        return meet(parcel, held(there, tables, parcel, tables.columns_there(there)))

    def _living(
        self, there: Connection, tables: Tables, parcel: Parcel, columns: Sequence[str]
    ) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Key and asked columns of the rows that live there."""
        for part in parcel.parts():
            met = self._meet(there, tables, part)
            picked = [c for c in met.old.column_names if c in columns or c == parcel.key]
            rows = zip(part.keys(), met.old.select(picked).to_pylist(), met.lives, strict=True)
            yield from ((key, row) for key, row, lives in rows if lives)

    def _once(self, there: Connection, tables: Tables, parcel: Parcel) -> Written:
        from wfops_pipelines.destinations.database_rows import (
            begin_keeping,
            keep,
            missing,
            write,
        )

        entry = self._entry(there, tables, parcel)
        if entry is not None and not entry.reverted:
            return Written(**json.loads(entry.counts))
        self._write_down(there, tables, parcel, {}, reverted=False)  # first: it locks out others
        begin_keeping(there, tables, parcel)
        done = Written()
        for part in parcel.parts():
            met = self._meet(there, tables, part)
            self._check(there, met)
            keep(there, tables, part, met)
            write(there, tables, part, met)
            left_out(self.words, missing(there, tables, part))
            done += met.written()
        self._write_down(there, tables, parcel, asdict(done), reverted=False)
        return done

    def _entry(self, there: Connection, tables: Tables, parcel: Parcel) -> Any:
        from sqlalchemy import select

        c = tables.ledger.c
        mine = (c.sync == parcel.sync, c.seq == parcel.seq, c.parcel == parcel.digest)
        return there.execute(select(tables.ledger).where(*mine)).one_or_none()

    def _write_down(
        self, there: Connection, tables: Tables, parcel: Parcel, counts: Any, *, reverted: bool
    ) -> None:
        from sqlalchemy import delete, insert

        mine = {"sync": parcel.sync, "seq": parcel.seq, "parcel": parcel.digest}
        c = tables.ledger.c
        there.execute(delete(tables.ledger).where(*(c[n] == v for n, v in mine.items())))
        row = {**mine, "reverted": reverted, "counts": json.dumps(counts)}
        there.execute(insert(tables.ledger).values(row))

    def _prepare(self, there: Connection, tables: Tables) -> None:
        """Make the tables, or the columns that the target lacks; some databases commit that."""
        from sqlalchemy.schema import CreateColumn, CreateSchema

        if self.schema and there.dialect.name == "postgresql":
            there.execute(CreateSchema(self.schema, if_not_exists=True))
        held = tables.columns_there(there)
        tables.target.metadata.create_all(there, tables.own, checkfirst=True)
        quoted = there.dialect.identifier_preparer.format_table(tables.target)
        word = "add" if there.dialect.name in ("mssql", "oracle") else "add column"
        for column in tables.target.columns if held else ():
            if column.name not in held:
                ddl = str(CreateColumn(column).compile(dialect=there.dialect))
                there.exec_driver_sql(f"alter table {quoted} {word} {ddl}", {})

    def _check(self, there: Connection, met: Met) -> None:
        """A database without NaN would keep null, or fail, one row after the other."""
        import pyarrow.compute as pc

        if there.dialect.name == "postgresql":
            return
        for field in met.rows.schema:
            if str(field.type) == "double" and pc.any(pc.is_nan(met.rows[field.name])).as_py():
                raise DestinationRefused(
                    f"{self.words}: {field.name} holds NaN, which {there.dialect.name} does not "
                    "keep. Let the sync's function return null instead."
                )

    @contextmanager
    def _open(self, environ: Mapping[str, str]) -> Iterator[Connection]:
        """A connection over there; what it says is a DestinationRefused."""
        import pyarrow as pa
        from sqlalchemy.exc import SQLAlchemyError

        engine = self._engine(environ)
        try:
            with engine.connect() as there:
                yield there
        except (SQLAlchemyError, pa.ArrowInvalid, ValueError, OverflowError) as error:
            raise of_any(error, self.words, variables(self.system)[0], environ, engine) from None
        finally:
            engine.dispose()

    def _engine(self, environ: Mapping[str, str]) -> Engine:
        from sqlalchemy import create_engine, make_url
        from sqlalchemy.exc import ArgumentError
        from sqlalchemy.pool import NullPool

        name = variables(self.system)[0]
        try:
            url = make_url(setting(name, self.system, environ))
        except (ArgumentError, ValueError):
            example = f"export {name}=postgresql://user:password@host/database"
            raise SettingsError(f"{name}: not a database's address. Repair: {example}") from None
        if url.drivername in ("postgresql", "postgres"):
            url = url.set(drivername="postgresql+psycopg2")
        batches = {"executemany_mode": "values_plus_batch"} if "psycopg2" in url.drivername else {}
        return create_engine(url, poolclass=NullPool, hide_parameters=True, **batches)


def _plain(key: Any) -> Any:
    """A key as a source could spell it."""
    return str(key) if isinstance(key, UUID) else key


def database_table(system: str, name: str) -> DatabaseTable:
    """A table of an internal database, as `database_table("erp", "sales.orders")`.

    `WFOPS_<SYSTEM>_URL` is SQLAlchemy's address of it; drivers other than PostgreSQL's and SQLite's
    must be installed. SQLite knows no schemas: name the table alone.
    """
    schema, _, rest = name.rpartition(".")
    return DatabaseTable(system, schema or None, rest)
