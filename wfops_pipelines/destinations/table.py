"""A PostgreSQL table: COPY into it, or into a staging table and one guarded upsert."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from wfops_pipelines.core.parts import Rows
from wfops_pipelines.core.snapshot import DELETED, Diff
from wfops_pipelines.destinations.foreseeing import Foreseen, Misfit, keyless
from wfops_pipelines.destinations.misfits import catalogue, misfits, unburied
from wfops_pipelines.destinations.names import DELETED_AT, SEQ, STAGING
from wfops_pipelines.destinations.numbers import Numbers, numbers_in
from wfops_pipelines.destinations.parcel import Existing, Parcel, Reverted, Written
from wfops_pipelines.destinations.saying import of_postgresql
from wfops_pipelines.destinations.single import refuse_doubles
from wfops_pipelines.destinations.staging import (
    Pairing,
    alive,
    compared,
    left_out,
    newer,
    run,
    stage,
    stage_beside,
    upsert,
)
from wfops_pipelines.destinations.undo import (
    changed_since,
    forget_replaced,
    keep_nothing,
    keep_replaced,
    put_back,
)
from wfops_pipelines.postgres.copying import copy_in, postgres_type
from wfops_pipelines.postgres.locking import one_at_a_time
from wfops_pipelines.postgres.names import quote

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlalchemy import Connection, Engine

_ARROW = {"bigint": "int64", "text": "string", "double precision": "float64", "date": "date32"}

_AS_TEXT = ("character(", "uuid")
_NOW = "set constraints all immediate"  # what is deferred would be said where nobody listens


@dataclass(frozen=True, slots=True)
class TableDestination:
    """`schema.table` in the product's database; made on first use, new columns added.

    A row that is gone at the source stays, with the time of that in `_deleted_at`.
    """

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
        paired = stage_beside(conn, parcel.content.select([parcel.key]), held, parcel.key)
        picked = [parcel.key, *(c for c in columns if c in held and c != parcel.key)]
        found = run(
            conn,
            f"select {paired.name}, {', '.join('t.' + quote(c) for c in picked)} from {STAGING} s "
            f"join {self.quoted} t on {paired.on} where {alive(parcel.key, held)}",
        )
        return Existing({str(name): dict(zip(picked, row, strict=True)) for name, *row in found})

    def diff(self, conn: Connection, parcel: Parcel, critical: Sequence[str]) -> Diff:
        return self._foreseen(conn, parcel, critical, ask=False).diff

    def foreseen(self, conn: Connection, parcel: Parcel, critical: Sequence[str]) -> Foreseen:
        return self._foreseen(conn, parcel, critical, ask=True)

    def _foreseen(
        self, conn: Connection, parcel: Parcel, critical: Sequence[str], *, ask: bool
    ) -> Foreseen:
        held = self._columns(conn)
        living, gone = parcel.living(), parcel.gone()
        if parcel.key not in held:
            return Foreseen(Diff(inserted=living.num_rows), keyless(held, parcel.key))
        takes = catalogue(conn, self.quoted, held) if ask else {}
        found: list[Misfit] = []
        with self._refusing(parcel):
            deleted = 0
            if len(gone):
                kept = stage_beside(conn, _alone(parcel.key, gone), held, parcel.key)
                deleted = self._count(conn, parcel, held, kept)
                found += unburied(conn, self.quoted, takes, parcel.key, kept)
            paired = stage_beside(conn, living, held, parcel.key)
            rows = replace(parcel, rows=living)
            diff = compared(conn, self.quoted, held, rows, critical, paired)
            if ask:
                found += misfits(conn, self.quoted, takes, living, parcel.key, paired)
        return Foreseen(replace(diff, deleted=deleted), tuple(found))

    def publish(self, conn: Connection, side: Engine, parcel: Parcel) -> Written:  # noqa: ARG002
        with self._refusing(parcel):
            one_at_a_time(conn, f"wfops {self.words}")  # two syncs may write to one table
            held, made = self._prepare(conn, parcel)
            run(conn, f"lock table {self.quoted} in share row exclusive mode")  # people may read
            written = self._written(conn, held, parcel, made)
            run(conn, _NOW)
            return written

    def _written(
        self, conn: Connection, held: Mapping[str, str], parcel: Parcel, made: bool
    ) -> Written:
        """made: just now, and without its primary key, which costs less once the rows are there."""
        if self._empty(conn):
            if parcel.keep is not None:
                keep_nothing(conn, held, parcel, parcel.keep)
            filled = self._fill(conn, parcel)
            if made:
                self._add_key(conn, parcel.key)
            return filled
        if made:  # what happens when tables are made may put triggers on them
            self._add_key(conn, parcel.key)
        stage(conn, parcel.content, held, parcel.key)
        if parcel.keep is not None:
            keep_replaced(conn, self, held, parcel, parcel.keep)
        return upsert(conn, self.quoted, held, parcel, sure=not self._interferes(conn))

    def revert(self, conn: Connection, parcel: Parcel) -> Reverted:
        """Undo what publishing this parcel did; rows that are newer by now stay as they are."""
        assert parcel.keep is not None
        with self._refusing(parcel, former=True):
            run(conn, f"lock table {self.quoted} in share row exclusive mode")
            held = self._columns(conn, writable=True)
            stage(conn, parcel.content, held)
            # triggers may write other values than they are given, and nobody would have changed any
            mine = {} if self._interferes(conn) else changed_since(conn, self, held, parcel)
            found = put_back(conn, self, held, parcel, parcel.keep, mine)
            forget_replaced(conn, held, parcel, parcel.keep)
            run(conn, _NOW)
            return found

    def living(
        self,
        conn: Connection,
        key: str,
        environ: Mapping[str, str],  # noqa: ARG002
        sync: str = "",  # noqa: ARG002
    ) -> pa.Array:
        """The keys of all rows that are not deleted, typed as the table holds them."""
        import pyarrow as pa

        held = self._columns(conn)
        if key not in held:
            return pa.array([], pa.string())
        where = f"where {alive(key, held)}"
        found = (
            run(conn, f"select {_named(key, held)} from {self.quoted} t {where}").scalars().all()
        )
        named = _ARROW.get(held[key])
        return pa.array(found, pa.type_for_alias(named) if named else None)

    def spelled(
        self,
        conn: Connection,
        key: str,
        keys: pa.Array,
        environ: Mapping[str, str],  # noqa: ARG002
    ) -> list[Any]:
        held = self._columns(conn)
        if key not in held:
            return []
        paired = stage_beside(conn, _alone(key, keys), held, key)
        joined = f"{STAGING} s join {self.quoted} t on {paired.on} where {alive(key, held)}"
        return [*run(conn, f"select {_named(key, held)} from {joined}").scalars()]

    def numbers(self, conn: Connection, *_: object) -> Numbers | None:
        return numbers_in(conn, self.name, self.schema)

    def _count(
        self, conn: Connection, parcel: Parcel, held: Mapping[str, str], paired: Pairing
    ) -> int:
        """How many of the staged keys live in the table, in no newer state."""
        lives, late = alive(parcel.key, held), newer(parcel.seq, held)
        joined = f"{self.quoted} t on {paired.on}"
        query = f"select count(*) from {STAGING} s join {joined} where {lives} and not {late}"
        return int(run(conn, query).scalar_one())

    def _fill(self, conn: Connection, parcel: Parcel) -> Written:
        """Straight into an empty table: nothing is replaced, and nothing can be newer."""
        import pyarrow as pa
        import pyarrow.compute as pc

        def numbered(part: pa.Table) -> pa.Table:
            rows = part.select(parcel.columns)
            rows = rows.append_column(SEQ, pa.repeat(pa.scalar(parcel.seq, pa.int64()), len(rows)))
            if not parcel.marked:
                return rows
            moment = pa.scalar(parcel.moment, pa.timestamp("us", "UTC"))
            return rows.append_column(DELETED_AT, pc.if_else(part[DELETED], moment, None))

        rows = parcel.content.changed(numbered)
        left_out(self.quoted, rows.num_rows - copy_in(conn, self.quoted, rows))
        return Written(inserted=rows.num_rows - len(parcel.gone()))

    def _empty(self, conn: Connection) -> bool:
        """Whether it holds no row, and nothing in it that could turn one into another."""
        query = f"select not exists (select from {self.quoted} limit 1)"
        return bool(run(conn, query).scalar_one()) and not self._interferes(conn)

    def _interferes(self, conn: Connection) -> bool:
        """Whether triggers or policies of the table may change rows, or leave them out."""
        query = "select relhastriggers or relhasrules or relrowsecurity from pg_class where oid"
        found = conn.exec_driver_sql(f"{query} = to_regclass(%(name)s)", {"name": self.quoted})
        return bool(found.scalar_one())

    @contextmanager
    def _refusing(self, parcel: Parcel, *, former: bool = False) -> Iterator[None]:
        """What the database (or Arrow) says about the rows, as a DestinationRefused.

        Without the error itself, whose statement and details hold whole rows, and would be logged.
        former: about what the rows were, which nobody can mask later, so that it is left out.
        """
        import psycopg2
        import pyarrow as pa

        try:
            yield
        except (psycopg2.Error, pa.ArrowInvalid) as error:
            raise of_postgresql(error, self.words, parcel, former=former) from None
        except Exception as error:
            if isinstance(getattr(error, "orig", None), psycopg2.Error):
                raise of_postgresql(error.orig, self.words, parcel, former=former) from None  # type: ignore[attr-defined]
            raise

    def _columns(self, conn: Connection, *, writable: bool = False) -> dict[str, str]:
        """The table's columns with their types, as PostgreSQL writes them; none: no table.

        writable: only those whose values are not PostgreSQL's own to make.
        """
        query = (
            "select attname, format_type(atttypid, atttypmod) from pg_attribute "
            "where attrelid = to_regclass(%(name)s) and attnum > 0 and not attisdropped "
            "and not (%(writable)s and (attgenerated <> '' or attidentity = 'a')) order by attnum"
        )
        found = conn.exec_driver_sql(query, {"name": self.quoted, "writable": writable})
        return {str(row[0]): str(row[1]) for row in found}

    def _add_key(self, conn: Connection, key: str) -> None:
        run(conn, f"alter table {self.quoted} add primary key ({quote(key)})")

    def _prepare(self, conn: Connection, parcel: Parcel) -> tuple[dict[str, str], bool]:
        """Make the table, without its primary key, or the columns that it lacks.

        Its columns with their types, and whether it was made.
        """
        fields = [f for f in parcel.rows.schema if f.name != DELETED]
        types = {f.name: postgres_type(f.type) for f in fields}
        held = self._columns(conn)
        made = not held
        if made:
            body = ", ".join(f"{quote(n)} {t}" for n, t in types.items())
            run(conn, f"create schema if not exists {quote(self.schema)}")
            run(conn, f"create table {self.quoted} ({body}, {quote(SEQ)} bigint not null)")
            held = {**types, SEQ: "bigint"}
        elif parcel.key in held:
            refuse_doubles(conn, self.words, self.quoted, parcel.key)
        types[SEQ] = "bigint not null default 0"
        if parcel.marked:
            types[DELETED_AT] = "timestamptz"
        for name in (n for n in types if n not in held):
            run(conn, f"alter table {self.quoted} add column {quote(name)} {types[name]}")
        return self._columns(conn), made


def _named(key: str, held: Mapping[str, str]) -> str:
    """SQL for the key of a row `t`, as a source could spell it: without padding, a UUID as text."""
    return f"t.{quote(key)}{'::text' if held[key].startswith(_AS_TEXT) else ''}"


def _alone(key: str, keys: pa.Array) -> Rows:
    import pyarrow as pa

    return Rows.of(pa.table({key: keys}))


def table(name: str) -> TableDestination:
    """A table of the product's database: `schema.table`, or a name in the schema `public`."""
    schema, _, rest = name.rpartition(".")
    return TableDestination(schema or "public", rest)
