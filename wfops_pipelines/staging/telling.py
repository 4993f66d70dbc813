"""What the product must know of a row: when it changed, as a time, and whether it is gone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from wfops_pipelines.core.snapshot import DELETED, says_gone
from wfops_pipelines.destinations.names import DELETED_AT, SEQ
from wfops_pipelines.errors import SchemaRefused
from wfops_pipelines.store import rows
from wfops_pipelines.store.inferring import column_of, unboxed
from wfops_pipelines.store.mixed import Mixed, kinds_of
from wfops_pipelines.sync import Sync, instant

if TYPE_CHECKING:
    import pyarrow as pa

Row: TypeAlias = Mapping[str, Any]
Told: TypeAlias = "tuple[pa.Table, Mixed]"

TAKEN = frozenset({DELETED, DELETED_AT, SEQ})  # what these say, only the product may say
_LACKS = object()


def of_rows(sync: Sync, found: Sequence[Row], held: Mapping[str, str] | None) -> Told:
    """Rows as a table whose cursor is a time, with `DELETED` where some are gone."""
    names = rows.names_of(found)
    _refuse_taken(sync, names)
    marks: dict[str, pa.Array | None] = {}
    kinds: Mixed = {}
    if sync.key in names and sync.key not in (sync.cursor, sync.deleted):
        values = rows.values_of(found, sync.key)
        types = set(map(type, values)) - {type(None)}
        whole = types == {int} and (held or {}).get(sync.key) in (None, "int64", "string")
        if types != {str} and not whole:
            marks[sync.key], kinds = _keys(sync.key, values, held)
    if sync.cursor is not None:
        values = rows.values_of(found, sync.cursor, _LACKS)
        marks[sync.cursor] = _times(sync, values, found.__getitem__)
    if sync.deleted is not None:
        marks |= {sync.deleted: None, DELETED: _gone(row.get(sync.deleted) for row in found)}
    table, mixed = rows.told(found, held, marks)
    return table, {**mixed, **kinds}


def of_table(sync: Sync, found: pa.Table, held: Mapping[str, str] | None) -> Told:
    """As `of_rows`, of a table that somebody else typed."""
    table, mixed = rows.settled(found, held)
    _refuse_taken(sync, table.column_names)
    if _may_differ(table, sync.key, held):
        values = found[sync.key].to_pylist()
        keys, kinds = _keys(sync.key, values, held)
        table = table.set_column(table.column_names.index(sync.key), sync.key, keys)
        mixed = {**mixed, **kinds}
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


def _keys(
    name: str, values: Sequence[Any], held: Mapping[str, str] | None
) -> tuple[pa.Array, Mixed]:
    """A key column in which each key is spelled as it is when it comes alone; texts where need be.

    33 is 33.0 in a column of fractions, and 1.7 is 1.70 in one of two places: other keys, of rows
    that nobody knows. What is not a number (pandas' word for what is missing) is no key.
    """
    import pyarrow as pa
    import pyarrow.types as pt

    there = [None if isinstance(v, float) and v != v else v for v in unboxed([*values])]
    kind = (held or {}).get(name)
    column = column_of(there, kind)
    if str(column.type) != kind and (kind is not None or pt.is_string(column.type)):
        alone = [None if v is None else rows.texts(column_of([v], kind))[0] for v in there]
        column = column if rows.texts(column) == alone else pa.array(alone, pa.string())
    kinds = kinds_of(there, column)
    return column, {} if kinds is None else {name: kinds}


def _may_differ(table: pa.Table, name: str, held: Mapping[str, str] | None) -> bool:
    """Whether keys that somebody else typed may be spelled otherwise, alone."""
    import pyarrow.types as pt

    if name not in table.column_names:
        return False
    kind, known = table.schema.field(name).type, (held or {}).get(name)
    numbers = pt.is_integer(kind) or pt.is_decimal(kind)
    return bool(pt.is_floating(kind) or (numbers and known not in (None, str(kind), "string")))


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
