"""Rows that are read a part at a time, so that only a few of them are in memory at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import pyarrow as pa

AT_ONCE = 2**16  # rows in memory; of 150 bytes each, 10 MB
NARROW = 4

Read: TypeAlias = "Callable[[Sequence[str] | None], Iterator[pa.Table]]"


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one schema, in parts that are tables.

    read: yields the parts in order, with the columns named (None: all), each time anew. table: the
    same rows where they are one table in memory already.
    """

    schema: pa.Schema
    num_rows: int
    read: Read
    table: pa.Table | None = None

    @classmethod
    def of(cls, table: pa.Table) -> Rows:
        """The rows of a table in memory, as one part."""

        def read(columns: Sequence[str] | None) -> Iterator[pa.Table]:
            yield table if columns is None else table.select(list(columns))

        return cls(table.schema, table.num_rows, read, table)

    @property
    def column_names(self) -> list[str]:
        return list(self.schema.names)

    def parts(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """The parts, one at a time; `columns` names those wanted, None all of them."""
        return self.read(columns)

    def whole(self, columns: Sequence[str] | None = None) -> pa.Table:
        """All rows in one table: for columns that nobody can look at in parts."""
        if self.table is not None:
            return self.table if columns is None else self.table.select(list(columns))
        empty = self.schema.empty_table()
        empty = empty if columns is None else empty.select(list(columns))
        batches = [b for part in self.parts(columns) for b in part.to_batches()]
        return type(empty).from_batches(batches, empty.schema)

    def first(self) -> pa.Table:
        """The first part; a table without rows where there is none."""
        return next(self.parts(), None) or self.schema.empty_table()

    def filter(self, mask: Any) -> Rows:
        """The rows where `mask`, an Arrow array of as many booleans, is true."""
        if self.table is not None:
            return Rows.of(self.table.filter(mask))

        def read(columns: Sequence[str] | None) -> Iterator[pa.Table]:
            at = 0
            for part in self.read(columns):
                yield part.filter(mask.slice(at, part.num_rows))
                at += part.num_rows

        return Rows(self.schema, mask.true_count, read)

    def changed(self, change: Callable[[pa.Table], pa.Table]) -> Rows:
        """As many rows, each part as `change` makes it from all of its columns."""

        def read(columns: Sequence[str] | None) -> Iterator[pa.Table]:
            for part in self.read(None):
                made = change(part)
                yield made if columns is None else made.select(list(columns))

        return Rows(change(self.schema.empty_table()).schema, self.num_rows, read)

    def select(self, columns: Sequence[str]) -> Rows:
        """The same rows with these columns only."""
        if self.table is not None:
            return Rows.of(self.table.select(list(columns)))

        def read(wanted: Sequence[str] | None) -> Iterator[pa.Table]:
            return self.read(columns if wanted is None else wanted)

        empty = self.schema.empty_table().select(list(columns))
        return Rows(empty.schema, self.num_rows, read)


def widened(at_once: int, there: int, read: int) -> int:
    """How many rows of `read` of `there` columns take about as much room as `at_once` whole ones.

    Not more than `NARROW` times as many.
    """
    return at_once * min(max(there // max(read, 1), 1), NARROW)


def batches(
    file: Any, at_once: int, columns: Sequence[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """The rows of an open Parquet file in batches of at most `at_once`, in order.

    Arrow keeps what it has read of a file's row groups until it is through with them, so that it is
    given only a few of them at a time.
    """
    counts = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    some: list[int] = []
    for group in range(len(counts)):
        some.append(group)
        if group + 1 == len(counts) or sum(counts[i] for i in some) + counts[group + 1] > at_once:
            yield from file.iter_batches(at_once, row_groups=some, columns=columns)
            some = []


def regrouped(rows: Rows, at_once: int) -> Iterator[pa.Table]:
    """The rows in tables of exactly `at_once` rows each, the last one of the rest."""
    waiting: list[pa.Table] = []
    count = 0
    for part in rows.parts():
        waiting.append(part)
        count += part.num_rows
        if count < at_once:
            continue
        found = _one(waiting)
        whole = count - count % at_once
        for at in range(0, whole, at_once):
            yield found.slice(at, at_once)
        waiting, count = [found.slice(whole)], count - whole
    if count:
        yield _one(waiting)


def _one(tables: Sequence[pa.Table]) -> pa.Table:
    batches_ = [b for table in tables for b in table.to_batches()]
    return type(tables[0]).from_batches(batches_, tables[0].schema)
