"""Extracted rows as an Arrow table: types are inferred once and then held."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from wfops_pipelines.core.parts import Rows
from wfops_pipelines.core.snapshot import DELETED
from wfops_pipelines.errors import SchemaRefused
from wfops_pipelines.store.inferring import (
    Types,
    column_of,
    exactly,
    sound,
    type_named,
    unboxed,
)
from wfops_pipelines.store.mixed import Mixed, kinds_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

Row = Mapping[str, Any]


def to_table(
    rows: Sequence[Row],
    held: Types | None = None,
    ready: Mapping[str, pa.Array | None] = MappingProxyType({}),
) -> pa.Table:
    """Columns in order of first appearance, one for each name found in any row.

    `held` are the types (as Arrow writes them) that earlier snapshots settled on; a column that no
    longer fits its held type takes the type that fits, which the schema check then reports. Values
    of mixed or nested types become JSON text. `ready` are columns that take the place of what the
    rows say, None for one that is left out. Raises SchemaRefused for a column without a name.
    """
    return told(rows, held, ready)[0]


def told(
    rows: Sequence[Row],
    held: Types | None = None,
    ready: Mapping[str, pa.Array | None] = MappingProxyType({}),
) -> tuple[pa.Table, Mixed]:
    """As `to_table`, and what values were in columns that are text because they are mixed."""
    import pyarrow as pa

    names = names_of(rows)
    if any(not isinstance(name, str) or not name for name in names):
        raise SchemaRefused("a row has a column without a name. Repair the sync's function.")
    known = {n: (held or {})[n] for n in names if n not in ready and n in (held or {})}
    found = {**_at_once(rows, known), **ready}
    kinds = {}
    for name in names:
        if name not in found:
            values = unboxed(values_of(rows, name))
            found[name] = _named_column(name, values, known.get(name))
            kinds[sound(name)] = kinds_of(values, found[name])
    order = dict.fromkeys((*names, *ready))
    return pa.table({sound(n): a for n in order if (a := found[n]) is not None}), _some(kinds)


def _named_column(name: str, values: list[Any], held: str | None) -> pa.Array:
    try:
        return column_of(values, held)
    except SchemaRefused as error:
        raise SchemaRefused(f"the column {name} {error}") from None


def names_of(rows: Sequence[Row]) -> list[str]:
    """The names of all columns, in order of first appearance."""
    shapes = dict.fromkeys(map(tuple, rows))  # mostly one
    return list(dict.fromkeys(name for shape in shapes for name in shape))


def values_of(rows: Sequence[Row], name: str, absent: Any = None) -> list[Any]:
    """One column's values; `absent` where a row lacks it."""
    try:
        return [row[name] for row in rows]  # twice as fast as the other way
    except KeyError:
        return [row.get(name, absent) for row in rows]


def _at_once(rows: Sequence[Row], held: Types) -> dict[str, pa.Array]:
    """The columns of held types, read by Arrow row by row; none where one does not fit.

    Times are left to `column_of`: what Python takes as one, and in which zone, is not Arrow's say.
    """
    import pyarrow as pa

    plain = {
        n: kind for n, t in held.items()
        if not t.startswith("timestamp") and exactly(values_of(rows, n), kind := type_named(t))
    }  # fmt: skip
    if not plain:
        return {}
    try:
        return dict(zip(plain, pa.array(rows, pa.struct(plain.items())).flatten(), strict=True))
    except (pa.ArrowInvalid, pa.ArrowTypeError, ValueError, TypeError, OverflowError):
        return {}


def settle(table: pa.Table, held: Types | None = None) -> pa.Table:
    """A table that somebody else typed (a file, a database), with the types that snapshots have.

    Whole numbers have 64 bits, times are in UTC, nested values are JSON text; no value changes.
    Raises SchemaRefused where two columns share a name, or for a time that no calendar has.
    """
    return settled(table, held)[0]


def settled(table: pa.Table, held: Types | None = None) -> tuple[pa.Table, Mixed]:
    """As `settle`, with the second that `told` has."""
    import pyarrow as pa
    import pyarrow.types as pt

    if len(set(table.column_names)) < table.num_columns or "" in table.column_names:
        raise SchemaRefused("two columns share a name, or one has none. Repair the file.")
    columns = {n: _settled(n, table[n], (held or {}).get(n)) for n in table.column_names}
    became = [n for n, c in columns.items() if pt.is_string(c.type) and _is_plain(table[n].type)]
    kinds = {n: kinds_of(table[n].to_pylist(), columns[n]) for n in became}
    return pa.table(columns), _some(kinds)


def _some(kinds: Mapping[str, npt.NDArray[np.uint8] | None]) -> Mixed:
    return {name: found for name, found in kinds.items() if found is not None}


def types_of(rows: Rows) -> dict[str, str]:
    """The types to hold from now on; a column that is null throughout settles nothing yet."""
    empty = set(rows.column_names)
    for part in rows.parts():
        empty -= {n for n in empty if part[n].null_count < part.num_rows}
        if not empty:
            break
    return {f.name: str(f.type) for f in rows.schema if f.name not in empty}


def tombstones(table: pa.Table) -> pa.Table:
    """The rows that are gone at the source."""
    return table.filter(table[DELETED]) if DELETED in table.column_names else table.slice(0, 0)


def living_rows(table: pa.Table) -> pa.Table:
    """The rows that are not tombstones, without the mark."""
    import pyarrow.compute as pc

    if DELETED not in table.column_names:
        return table
    alive = pc.invert(pc.fill_null(table[DELETED], False))
    return table.filter(alive).drop_columns([DELETED])


def living(rows: Rows) -> Rows:
    """As `living_rows`, a part at a time."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if DELETED not in rows.column_names:
        return rows
    gone = [c for part in rows.parts([DELETED]) for c in pc.fill_null(part[DELETED], False).chunks]
    mask = pc.invert(pa.concat_arrays([pa.array([], pa.bool_()), *gone]))
    return rows.filter(mask).select([c for c in rows.column_names if c != DELETED])


def texts(column: pa.ChunkedArray) -> list[str | None]:
    """A key column as text, the way keys are written everywhere; None stays None."""
    import pyarrow as pa
    import pyarrow.types as pt

    if pt.is_integer(column.type) or pt.is_string(column.type):
        found: list[str | None] = column.cast(pa.string()).to_pylist()
        return found
    return [None if v is None else str(v) for v in column.to_pylist()]


def keys_of(column: pa.ChunkedArray) -> list[str]:
    """As `texts`, where each row must have a name: that of a null is "None"."""
    return ["None" if text is None else text for text in texts(column)]


def remembered_as(texts_: Iterable[str | None]) -> list[str | None]:
    r"""How extraction remembers keys: null is remembered as "None", so that text as "\None"."""
    return [f"\\{t}" if t is not None and t.lstrip("\\") == "None" else t for t in texts_]


def remembered_key(name: str) -> str:
    """The key, as findings and pages name it, of what is remembered by `name`."""
    return name[1:] if name[:1] == "\\" and name.lstrip("\\") == "None" else name


def _settled(name: str, column: pa.ChunkedArray, held: str | None) -> pa.Array:
    try:
        return _as_settled(column, held)
    except OverflowError as error:
        raise SchemaRefused(
            f"the column {name} holds a time that no calendar has ({error}). Return null for it, "
            "or a time up to the year 9999."
        ) from None


def _as_settled(column: pa.ChunkedArray, held: str | None) -> pa.Array:
    import pyarrow as pa
    import pyarrow.types as pt

    column = column.combine_chunks()
    kind = column.type
    if pt.is_dictionary(kind):
        column = column.dictionary_decode()
        kind = column.type
    if held is not None and str(kind) == held:
        return column
    try:
        if held is not None and pt.is_null(kind):
            return column.cast(type_named(held))
        simple = _simple(kind)
        return column.cast(simple) if simple is not None else column_of(column.to_pylist(), held)
    except pa.ArrowInvalid:
        return column_of(column.to_pylist(), held)


def _is_plain(kind: pa.DataType) -> bool:
    import pyarrow.types as pt

    if pt.is_dictionary(kind) or pt.is_run_end_encoded(kind):
        kind = kind.value_type
    return bool(pt.is_integer(kind) or pt.is_temporal(kind) or pt.is_decimal(kind))


def _simple(kind: pa.DataType) -> pa.DataType | None:
    """The type that holds every value of `kind` in a snapshot; None where values must be read."""
    import pyarrow as pa
    import pyarrow.types as pt

    if pt.is_integer(kind):
        return pa.int64()
    if pt.is_floating(kind):
        return pa.float64()
    if pt.is_timestamp(kind):
        return pa.timestamp("us", "UTC")
    if pt.is_date(kind):
        return pa.date32()
    if pt.is_string(kind) or pt.is_large_string(kind) or pt.is_null(kind):
        return pa.string()
    if pt.is_binary(kind) or pt.is_large_binary(kind):
        return pa.binary()
    if pt.is_boolean(kind) or pt.is_decimal128(kind):
        return kind
    return None
