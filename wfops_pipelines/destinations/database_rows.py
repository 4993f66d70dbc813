"""Rows of a table of any database: read by their keys, written by batches of statements."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    MetaData,
    Select,
    Table,
    Text,
    bindparam,
    func,
    insert,
    inspect,
    select,
    update,
)

from wfops_pipelines.destinations.comparing import Met
from wfops_pipelines.destinations.database_types import Key, Moment, sql_type, written
from wfops_pipelines.destinations.names import DELETED_AT, NOTES, SEQ
from wfops_pipelines.destinations.parcel import Parcel
from wfops_pipelines.postgres.copying import settled

if TYPE_CHECKING:
    import pyarrow as pa

BATCH = 1000  # rows of one statement
KEYS = 500  # keys of one question: some databases take no more


class Tables:
    """The target and the two tables beside it, as SQLAlchemy calls them."""

    def __init__(self, schema: str | None, name: str, parcel: Parcel) -> None:
        meta = MetaData(schema=schema)
        fields = list(settled(parcel.rows.schema.empty_table().select(parcel.columns)).schema)
        columns: list[Column[Any]] = [
            Column(f.name, sql_type(f.type, key=True), primary_key=True, autoincrement=False)
            if f.name == parcel.key
            else Column(f.name, sql_type(f.type))
            for f in fields
        ]
        columns.append(Column(SEQ, BigInteger, nullable=False, server_default="0"))
        columns.append(Column(DELETED_AT, Moment))
        self.target = Table(name, meta, *columns)
        self.key = self.target.c[parcel.key]
        self.ledger = Table(  # one row for each parcel that has arrived
            NOTES[0], meta,
            Column("sync", Key, primary_key=True),
            Column("seq", BigInteger, primary_key=True, autoincrement=False),
            Column("parcel", Key, primary_key=True),
            Column("reverted", Boolean, nullable=False),
            Column("counts", Text, nullable=False),
        )  # fmt: skip
        self.replaced = Table(  # what a publication replaced, until nobody may revert it
            NOTES[1], meta,
            Column("sync", Key, primary_key=True),
            Column("seq", BigInteger, primary_key=True, autoincrement=False),
            Column("key", Key, primary_key=True),
            Column("before", Text, nullable=False),
            Column("at", Moment, nullable=False),
        )  # fmt: skip

    @property
    def own(self) -> list[Table]:
        return [self.target, self.ledger, self.replaced]

    def columns_there(self, conn: Connection) -> frozenset[str]:
        """The names of the target's columns; none where there is no table."""
        return frozenset(c["name"] for c in self.told(conn))

    def told(self, conn: Connection) -> Sequence[Mapping[str, Any]]:
        """What SQLAlchemy tells of the target's columns; none where there is no table."""
        look = inspect(conn)
        if not look.has_table(self.target.name, self.target.schema):
            return ()
        return look.get_columns(self.target.name, self.target.schema)


def held(conn: Connection, tables: Tables, parcel: Parcel, there: frozenset[str]) -> pa.Table:
    """What the target holds of the parcel's keys, locked, as `comparing.meet` wants it."""
    import pyarrow as pa

    names = [c.name for c in tables.target.c if c.name in there]
    query = select(*(tables.target.c[n] for n in names)).with_for_update()
    keys = parcel.table[parcel.key].to_pylist()
    rows = [tuple(r) for r in of_keys(conn, tables.key, query, keys)]
    columns = {n: [r[i] for r in rows] for i, n in enumerate(names)}
    columns.setdefault(SEQ, [0] * len(rows))
    columns.setdefault(DELETED_AT, [None] * len(rows))
    types = {f.name: f.type for f in settled(parcel.rows.schema.empty_table()).schema}
    types |= {SEQ: pa.int64(), DELETED_AT: pa.timestamp("us", "UTC")}
    return pa.table({n: _array(v, types[n]) for n, v in columns.items()})


def of_keys(conn: Connection, key: Any, query: Select[Any], keys: list[Any]) -> Iterator[Any]:
    """The rows of a query for some keys, so many at a time as every database takes."""
    for i in range(0, len(keys), KEYS):
        yield from conn.execute(query.where(key.in_(keys[i : i + KEYS])))


def _array(values: list[Any], type_: pa.DataType) -> pa.Array:
    """In the parcel's type; in their own, or as text, where that would be another value."""
    import pyarrow as pa

    try:
        return pa.array(values, None if any(_cut(v, type_) for v in values) else type_)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, ValueError):
        pass
    return pa.array([None if v is None else str(v) for v in values], pa.string())


def _cut(value: Any, type_: pa.DataType) -> bool:
    """Whether Arrow would cut it: a fraction off a number, a time off a day."""
    import pyarrow.types as pt

    if isinstance(value, float | Decimal):
        return pt.is_integer(type_) and value != int(value)
    return isinstance(value, datetime) and pt.is_date(type_)


def write(conn: Connection, tables: Tables, parcel: Parcel, met: Met) -> None:
    """Insert and update what is not stale; a tombstone keeps the values that its row had."""
    target, columns = tables.target, parcel.columns
    marks: dict[str, Any] = {SEQ: parcel.seq, DELETED_AT: None}
    ok, new = ~met.late, ~met.there
    for rows in _batches(met, ok & new & ~met.gone):
        conn.execute(insert(target), [{**r, **marks} for r in rows])
    rest = [c for c in columns if c != parcel.key]
    _update(conn, tables, parcel, [*rest, SEQ, DELETED_AT], (
        {**r, **marks} for rows in _batches(met, ok & met.there & ~met.gone) for r in rows
    ))  # fmt: skip
    buried: dict[str, Any] = {SEQ: parcel.seq, DELETED_AT: parcel.moment}
    for rows in _batches(met, ok & new & met.gone):
        keys = [{parcel.key: r[parcel.key], **buried} for r in rows]
        conn.execute(insert(target), keys)
    for lives, marks in ((True, buried), (False, {SEQ: parcel.seq})):
        chosen = ok & met.there & met.gone & (met.lives if lives else ~met.lives)
        _update(conn, tables, parcel, list(marks), (
            {parcel.key: r[parcel.key], **marks} for rows in _batches(met, chosen) for r in rows
        ))  # fmt: skip


def missing(conn: Connection, tables: Tables, parcel: Parcel) -> int:
    """How many rows of the parcel are neither there now nor overtaken by newer ones."""
    keys = parcel.table[parcel.key].to_pylist()
    query = select(func.count()).where(tables.target.c[SEQ] >= parcel.seq)
    return len(keys) - sum(int(row[0]) for row in of_keys(conn, tables.key, query, keys))


def begin_keeping(conn: Connection, tables: Tables, parcel: Parcel) -> None:
    """Note that what this parcel replaces is kept, and forget what is needed no longer."""
    if parcel.keep is None:
        return
    if parcel.keep.forget is not None:
        old = tables.replaced.c.at < parcel.keep.forget
        conn.execute(tables.replaced.delete().where(tables.replaced.c.sync == parcel.sync, old))
    entry = {"sync": parcel.sync, "seq": parcel.keep.seq, "at": parcel.keep.at}
    conn.execute(insert(tables.replaced), [{**entry, "key": note_of(parcel), "before": ""}])


def note_of(parcel: Parcel) -> str:
    """Under this key stands that images are kept: a row without one was added, then."""
    return f"parcel {parcel.digest}"


def keep(conn: Connection, tables: Tables, parcel: Parcel, met: Met) -> None:
    """Keep the rows that `write` is about to change."""
    if parcel.keep is None:
        return
    entry = {"sync": parcel.sync, "seq": parcel.keep.seq, "at": parcel.keep.at}
    names = [n for n in met.old.column_names if n != parcel.key]
    for i in range(0, len(met.rows), BATCH):
        part = slice(i, i + BATCH)
        rows, chosen = met.old.slice(i, BATCH), (~met.late & met.there)[part]
        keys = met.rows[parcel.key].slice(i, BATCH).to_pylist()
        images = [
            {**entry, "key": str(k), "before": written({n: r[n] for n in names})}
            for k, r, c in zip(keys, rows.to_pylist(), chosen, strict=True)
            if c
        ]
        if images:
            conn.execute(insert(tables.replaced), images)


def _update(
    conn: Connection, tables: Tables, parcel: Parcel, columns: list[str],
    rows: Iterable[Mapping[str, Any]],
) -> None:  # fmt: skip
    """The guard stands in the statement, too, for whoever writes beside us."""
    target = tables.target
    sets = {c: bindparam(f"v{i}", type_=target.c[c].type) for i, c in enumerate(columns)}
    query = (
        update(target)
        .where(tables.key == bindparam("k", type_=tables.key.type), target.c[SEQ] < parcel.seq)
        .values(sets)
    )
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append({"k": row[parcel.key], **{f"v{i}": row[c] for i, c in enumerate(columns)}})
        if len(batch) == BATCH:
            conn.execute(query, batch)
            batch = []
    if batch:
        conn.execute(query, batch)


def _batches(met: Met, chosen: Any) -> Iterator[list[dict[str, Any]]]:
    import pyarrow as pa

    rows = met.rows.filter(pa.array(chosen))
    for batch in rows.to_batches(max_chunksize=BATCH):
        if batch.num_rows:
            yield batch.to_pylist()
