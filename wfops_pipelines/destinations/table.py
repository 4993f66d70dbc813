"""A PostgreSQL table: COPY into a staging table, then one guarded upsert."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wfops_pipelines.core.snapshot import Diff
from wfops_pipelines.destinations.names import SEQ, STAGING, escaped, quote
from wfops_pipelines.destinations.parcel import Existing, Parcel, Reverted, Written
from wfops_pipelines.destinations.undo import forget_replaced, keep_replaced, put_back
from wfops_pipelines.errors import DestinationRefused

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlalchemy import Connection, Engine


@dataclass(frozen=True, slots=True)
class TableDestination:
    """`schema.table` in the product's database; made on first use, new columns added."""

    schema: str
    name: str

    @property
    def words(self) -> str:
        return f"table {self.schema}.{self.name}"

    @property
    def quoted(self) -> str:
        return f"{quote(self.schema)}.{quote(self.name)}"

    def existing(self, conn: Connection, parcel: Parcel, columns: Sequence[str]) -> Existing:
        held = self._columns(conn)
        if parcel.key not in held:
            return Existing({})
        picked = [parcel.key, *(c for c in columns if c in held and c != parcel.key)]
        query = (
            f"select {', '.join(map(quote, picked))} from {self.quoted} "
            f"where {quote(parcel.key)}::text = any("
        )
        found = conn.exec_driver_sql(escaped(query) + "%(keys)s)", {"keys": parcel.keys()})
        return Existing({str(row[0]): dict(zip(picked, row, strict=True)) for row in found})

    def diff(self, conn: Connection, parcel: Parcel, critical: Sequence[str]) -> Diff:
        columns = [c for c in parcel.rows.column_names if c != parcel.key]
        held = self.existing(conn, parcel, columns).rows
        inserted = updated = 0
        changes: list[tuple[str, str, str | None, str | None]] = []
        for row in parcel.rows.to_pylist():
            key = str(row[parcel.key])
            old = held.get(key)
            if old is None:
                inserted += 1
                continue
            updated += any(old.get(c) != row[c] for c in columns)
            changes += [
                (key, c, _shown(old.get(c)), _shown(row[c]))
                for c in critical
                if c in row and old.get(c) != row[c]
            ]
        unchanged = parcel.rows.num_rows - inserted - updated
        return Diff(inserted, updated, unchanged, 0, tuple(changes))

    def publish(self, conn: Connection, side: Engine, parcel: Parcel) -> Written:  # noqa: ARG002
        import psycopg2

        try:
            self._prepare(conn, parcel)
            self._copy(conn, parcel.rows)
            if parcel.keep is not None:
                keep_replaced(conn, self, parcel, parcel.keep)
            return self._upsert(conn, parcel)
        except psycopg2.Error as error:
            raise self._refused(error) from error
        except Exception as error:
            if isinstance(getattr(error, "orig", None), psycopg2.Error):
                raise self._refused(error.orig) from error  # type: ignore[attr-defined]
            raise

    def revert(self, conn: Connection, parcel: Parcel) -> Reverted:
        """Undo what publishing this parcel did; rows that are newer by now stay as they are."""
        assert parcel.keep is not None
        self._copy(conn, parcel.rows)
        found = put_back(conn, self, self._columns(conn), parcel, parcel.keep)
        forget_replaced(conn, self, parcel, parcel.keep)
        return found

    def _refused(self, error: Any) -> DestinationRefused:
        said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        return DestinationRefused(
            f"{self.words} refused the rows: {said}. Repair the table or the sync, then retry."
        )

    def _columns(self, conn: Connection) -> dict[str, str]:
        query = (
            "select column_name, data_type from information_schema.columns "
            "where table_schema = %(schema)s and table_name = %(name)s"
        )
        found = conn.exec_driver_sql(query, {"schema": self.schema, "name": self.name})
        return {str(row[0]): str(row[1]) for row in found}

    def _prepare(self, conn: Connection, parcel: Parcel) -> None:
        types = {f.name: postgres_type(f.type) for f in parcel.rows.schema}
        held = self._columns(conn)
        if set(types) - set(held):  # one at a time: "if not exists" does not look at other sessions
            lock = {"name": f"wfops {self.words}"}
            conn.exec_driver_sql("select pg_advisory_xact_lock(hashtext(%(name)s))", lock)
            held = self._columns(conn)
        if not held:
            body = ", ".join(f"{quote(n)} {t}" for n, t in types.items())
            _run(conn, f"create schema if not exists {quote(self.schema)}")
            _run(
                conn,
                f"create table if not exists {self.quoted} ({body}, {quote(SEQ)} bigint not null, "
                f"primary key ({quote(parcel.key)}))",
            )
        for name, type_ in types.items():
            if held and name not in held:
                _run(conn, f"alter table {self.quoted} add column {quote(name)} {type_}")

    def _copy(self, conn: Connection, rows: pa.Table) -> None:
        import io

        from pyarrow import csv

        names = ", ".join(map(quote, rows.column_names))
        _run(conn, f"drop table if exists {STAGING}")
        _run(
            conn,
            "create temporary table wfops_staging on commit drop as "
            f"select {names} from {self.quoted} with no data",
        )
        buffer = io.BytesIO()
        csv.write_csv(_for_copy(rows), buffer, csv.WriteOptions(include_header=False))
        buffer.seek(0)
        raw: Any = conn.connection.cursor()
        with raw as cursor:
            cursor.copy_expert(f"copy {STAGING} ({names}) from stdin with (format csv)", buffer)

    def _upsert(self, conn: Connection, parcel: Parcel) -> Written:
        columns = parcel.rows.column_names
        names = ", ".join(map(quote, columns))
        updates = [f"{quote(c)} = excluded.{quote(c)}" for c in (*columns, SEQ) if c != parcel.key]
        query = (
            f"with written as (insert into {self.quoted} as target ({names}, {quote(SEQ)}) "
            f"select {names}, {parcel.seq:d} from {STAGING} "
            f"on conflict ({quote(parcel.key)}) do update set {', '.join(updates)} "
            f"where target.{quote(SEQ)} < excluded.{quote(SEQ)} returning (xmax = 0) as fresh) "
            "select count(*) filter (where fresh), count(*) filter (where not fresh) from written"
        )
        inserted, updated = _run(conn, query).one()
        return Written(inserted, updated, parcel.rows.num_rows - inserted - updated)


def table(name: str) -> TableDestination:
    """A table of the product's database: `schema.table`, or a name in the schema `public`."""
    schema, _, rest = name.rpartition(".")
    return TableDestination(schema or "public", rest)


def postgres_type(type_: pa.DataType) -> str:
    """The PostgreSQL type that holds every value of an Arrow type."""
    import pyarrow.types as pt

    if pt.is_integer(type_):
        return "bigint"
    if pt.is_floating(type_):
        return "double precision"
    if pt.is_boolean(type_):
        return "boolean"
    if pt.is_timestamp(type_):
        return "timestamptz"
    if pt.is_date(type_):
        return "date"
    if pt.is_decimal(type_):
        return "numeric"
    if pt.is_binary(type_):
        return "bytea"
    return "text"


def _for_copy(rows: pa.Table) -> pa.Table:
    """Columns as COPY reads them: binary as hexadecimal text, the rest as Arrow writes CSV."""
    import pyarrow as pa

    for i, field in enumerate(rows.schema):
        if pa.types.is_binary(field.type):
            hexed = [None if v is None else "\\x" + v.hex() for v in rows[i].to_pylist()]
            rows = rows.set_column(i, field.name, pa.array(hexed, pa.string()))
    return rows


def _shown(value: Any) -> str | None:
    return None if value is None else str(value)


def _run(conn: Connection, sql: str) -> Any:
    return conn.exec_driver_sql(escaped(sql), {})
