"""Parquet files as tables: for rows in millions, which no Python loop should see."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import IO, TYPE_CHECKING

from wfops_pipelines.apis.window import Window
from wfops_pipelines.sources.cells import Broken
from wfops_pipelines.sources.formats import Reading, parquet_batches

if TYPE_CHECKING:
    import pyarrow as pa


def tables(
    handle: IO[bytes], reading: Reading, cursor: str | None, window: Window
) -> Iterator[pa.Table]:
    """Yield the file's rows that are inside the window, as many at a time as `reading` says.

    Raises Broken where the file is damaged, or the cursor is not there or no time.
    """
    import pyarrow as pa

    for _, batch in parquet_batches(handle, reading):
        table = pa.Table.from_batches([batch])
        inside = table if cursor is None else _inside(table, cursor, window)
        if inside.num_rows:
            yield inside


def stamped(table: pa.Table, column: str, at: datetime | None) -> pa.Table:
    """The table with the time at which its file came."""
    import pyarrow as pa

    moment = pa.scalar(at, pa.timestamp("us", "UTC"))
    return table.append_column(column, pa.repeat(moment, table.num_rows))


def _inside(table: pa.Table, cursor: str, window: Window) -> pa.Table:
    """A row without a time is evidence: the examiners report it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if cursor not in table.column_names:
        repair = "correct cursor= in the sync"
        raise Broken(f"there is no column {cursor!r}, the cursor", repair, schema=True)
    column = table[cursor]
    if not pa.types.is_timestamp(column.type):
        said = f"is {column.type}, not a time"
        raise Broken(said, "write it as a timestamp, or leave tables= out", field=cursor)
    moments = column.cast(pa.timestamp("us", "UTC"))
    inside = pc.less(moments, pa.scalar(window.end, moments.type))
    if window.start is not None:
        later = pc.greater_equal(moments, pa.scalar(window.start, moments.type))
        inside = pc.and_(inside, later)
    inside = pc.fill_null(inside, True)
    return table if pc.all(inside).as_py() else table.filter(inside)
