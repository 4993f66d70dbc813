"""What the product must know of a row: when it changed, as a time, and whether it is gone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from wfops_pipelines.core.snapshot import DELETED, says_gone
from wfops_pipelines.destinations.names import DELETED_AT, SEQ
from wfops_pipelines.errors import SchemaRefused
from wfops_pipelines.store import rows
from wfops_pipelines.store.mixed import Mixed
from wfops_pipelines.sync import Sync, instant

if TYPE_CHECKING:
    import pyarrow as pa

Row: TypeAlias = Mapping[str, Any]
Told: TypeAlias = "tuple[pa.Table, Mixed]"

TAKEN = frozenset({DELETED, DELETED_AT, SEQ})  # what these say, only the product may say
_LACKS = object()


def of_rows(sync: Sync, found: Sequence[Row], held: Mapping[str, str] | None) -> Told:
    """Rows as a table whose cursor is a time, with `DELETED` where some are gone."""
    _refuse_taken(sync, rows.names_of(found))
    marks: dict[str, pa.Array | None] = {}
    if sync.cursor is not None:
        values = rows.values_of(found, sync.cursor, _LACKS)
        marks[sync.cursor] = _times(sync, values, found.__getitem__)
    if sync.deleted is not None:
        marks |= {sync.deleted: None, DELETED: _gone(row.get(sync.deleted) for row in found)}
    return rows.told(found, held, marks)


def of_table(sync: Sync, found: pa.Table, held: Mapping[str, str] | None) -> Told:
    """As `of_rows`, of a table that somebody else typed."""
    table, mixed = rows.settled(found, held)
    _refuse_taken(sync, table.column_names)
    if sync.cursor is not None and not _is_time(table, sync.cursor):
        known = sync.cursor in table.column_names
        values = table[sync.cursor].to_pylist() if known else [_LACKS]
        times = _times(sync, values, lambda at: (table.slice(at, 1).to_pylist() or [{}])[0])
        table = table.set_column(table.column_names.index(sync.cursor), sync.cursor, times)
    if sync.deleted is not None and sync.deleted in table.column_names:
        gone = _gone(table[sync.deleted].to_pylist())
        table = table.drop_columns([sync.deleted])
        table = table if gone is None else table.append_column(DELETED, gone)
    return table, {n: kinds for n, kinds in mixed.items() if n not in (sync.cursor, sync.deleted)}


def _times(sync: Sync, values: Sequence[Any], row: Callable[[int], Row]) -> pa.Array:
    """A cursor's values as times; `row` is asked for the row of one that is none.

    Arrow reads a stricter ISO 8601 than Python does, and the same where it reads one.
    """
    import pyarrow as pa

    if set(map(type, values)) <= {str, type(None)}:
        try:
            return pa.array(values, pa.string()).cast(pa.timestamp("us", "UTC"))
        except (pa.ArrowInvalid, UnicodeEncodeError):
            pass
    found = [_time(sync, value, at, row) for at, value in enumerate(values)]
    return pa.array(found, pa.timestamp("us", "UTC"))


def _time(sync: Sync, value: Any, at: int, row: Callable[[int], Row]) -> datetime | None:
    try:
        return instant(value)
    except (ValueError, TypeError, OverflowError, AttributeError) as error:
        whole = row(at)
        if value is _LACKS:
            raise SchemaRefused(
                f"{sync.name}: row {whole.get(sync.key)} has no column {sync.cursor!r}, the "
                "cursor. The function must return it, or cursor= must name one of "
                f"{', '.join(whole)}."
            ) from None
        raise SchemaRefused(
            f"{sync.name}: the cursor {sync.cursor} of row {whole.get(sync.key)} is no time: "
            f"{value!r}. The API changed its format, or the function must parse it."
        ) from error


def _is_time(table: pa.Table, name: str) -> bool:
    import pyarrow.types as pt

    return name in table.column_names and pt.is_timestamp(table.schema.field(name).type)


def _gone(values: Iterable[Any]) -> pa.Array | None:
    """True where a row says that it is gone; None where none does."""
    import pyarrow as pa

    gone = [says_gone(value) or None for value in values]
    return pa.array(gone, pa.bool_()) if any(gone) else None


def _refuse_taken(sync: Sync, names: Iterable[str]) -> None:
    taken = sorted(TAKEN.intersection(names) - {sync.deleted})
    if taken:
        raise SchemaRefused(
            f"{sync.name}: the rows have a column {taken[0]}, a name that the product keeps for "
            f"itself. Return it under another name, leave it out, or declare deleted={taken[0]!r} "
            "where it says that a row is gone."
        )
