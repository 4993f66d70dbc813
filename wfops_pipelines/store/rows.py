"""Extracted rows as an Arrow table: types are inferred once and then held."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from wfops_pipelines.core.parts import Rows
from wfops_pipelines.core.snapshot import DELETED
from wfops_pipelines.errors import SchemaRefused

if TYPE_CHECKING:
    import pyarrow as pa

Row = Mapping[str, Any]
Types = Mapping[str, str]


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
    import pyarrow as pa

    names = names_of(rows)
    if any(not isinstance(name, str) or not name for name in names):
        raise SchemaRefused("a row has a column without a name. Repair the sync's function.")
    known = {n: (held or {})[n] for n in names if n not in ready and n in (held or {})}
    found = {**_at_once(rows, known), **ready}
    for name in names:
        if name not in found:
            found[name] = _spelled(values_of(rows, name), known.get(name))
    order = dict.fromkeys((*names, *ready))
    return pa.table({_sound(n): a for n in order if (a := found[n]) is not None})


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

    Times are left to `_column`: what Python takes as one, and in which zone, is not Arrow's say.
    """
    import pyarrow as pa

    plain = {
        n: kind for n, t in held.items()
        if not t.startswith("timestamp") and _exactly(values_of(rows, n), kind := type_named(t))
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
    Raises SchemaRefused where two columns share a name.
    """
    import pyarrow as pa

    if len(set(table.column_names)) < table.num_columns or "" in table.column_names:
        raise SchemaRefused("two columns share a name, or one has none. Repair the file.")
    columns = {n: _settled(table[n], (held or {}).get(n)) for n in table.column_names}
    return pa.table(columns)


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


def _spelled(values: list[Any], held: str | None) -> pa.Array:
    """As `_column`; half of a surrogate pair, which no file can hold, becomes U+FFFD."""
    try:
        return _column(values, held)
    except UnicodeEncodeError:
        return _column([_sound(v) if isinstance(v, str) else v for v in values], held)


def _sound(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _column(values: list[Any], held: str | None) -> pa.Array:
    import pyarrow as pa

    found = None if held is None else typed(values, type_named(held))
    return pa.array(*_inferred(values)) if found is None else found


def typed(values: list[Any], kind: pa.DataType) -> pa.Array | None:
    """The values as a column of this type; None where one of them does not fit."""
    import pyarrow as pa

    if not _exactly(values, kind):
        return None
    if pa.types.is_timestamp(kind):
        values = [_plain(v) for v in values]
    try:
        return pa.array(values, type=kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, ValueError, OverflowError):
        return None


def _exactly(values: list[Any], kind: pa.DataType) -> bool:
    """Whether Arrow, where it reads these as `kind`, takes no value for another one.

    As it would a half for a whole number, seconds for a day, or the noon of a day for the day.
    """
    import pyarrow.types as pt

    kinds = set(map(type, values)) - {type(None)}
    if pt.is_integer(kind):
        parts = {k for k in kinds if issubclass(k, float | Decimal)}
        return not parts or all(_whole(v) for v in values if type(v) in parts)
    if pt.is_floating(kind):
        return bool not in kinds
    if pt.is_date(kind):
        return all(issubclass(k, date) and not issubclass(k, datetime) for k in kinds)
    return not pt.is_timestamp(kind) or all(issubclass(k, datetime) for k in kinds)


def _whole(value: float | Decimal) -> bool:
    """Whether a whole number says the same; a decimal's places, be they zeros, would be lost."""
    if isinstance(value, Decimal):
        return value.as_tuple().exponent == 0
    return value.is_integer()


def spelled_out(values: list[Any]) -> pa.Array:
    """The values as text, whatever they are."""
    import pyarrow as pa

    return pa.array([_text(v) for v in values], pa.string())


def _inferred(values: list[Any]) -> tuple[list[Any], pa.DataType | None]:
    import pyarrow as pa

    kinds = set(map(type, values)) - {type(None)}
    if not kinds:
        return values, pa.string()
    if kinds <= {datetime}:
        return [_plain(v) for v in values], pa.timestamp("us", "UTC")
    if kinds == {int}:
        there = [v for v in values if v is not None]
        fits = min(there) >= -(2**63) and max(there) < 2**63
        return (values, pa.int64()) if fits else ([_text(v) for v in values], pa.string())
    if kinds == {int, float} and all(_exact(v) for v in values):
        return [None if v is None else float(v) for v in values], pa.float64()
    if kinds == {Decimal} and not all(v is None or v.is_finite() for v in values):
        return [_text(v) for v in values], pa.string()
    if len(kinds) == 1 and kinds <= {str, bool, float, date, Decimal, bytes}:
        return values, None
    return [_text(v) for v in values], pa.string()


def _settled(column: pa.ChunkedArray, held: str | None) -> pa.Array:
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
        return column.cast(simple) if simple is not None else _column(column.to_pylist(), held)
    except pa.ArrowInvalid:
        return _column(column.to_pylist(), held)


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


def type_named(name: str) -> pa.DataType:
    """The type that Arrow writes as `name`, of those that snapshots have."""
    import pyarrow as pa

    if name == "timestamp[us, tz=UTC]":
        return pa.timestamp("us", "UTC")
    if name.startswith("decimal"):
        kind, _, sizes = name.removesuffix(")").partition("(")
        precision, scale = sizes.split(",")
        return getattr(pa, kind)(int(precision), int(scale))
    return pa.type_for_alias(name.removesuffix("[day]"))


def _exact(value: Any) -> bool:
    """Whether a double holds this number; beyond that a text does."""
    return not isinstance(value, int) or -(2**53) <= value <= 2**53


def _plain(value: Any) -> Any:
    if isinstance(value, datetime) and value.tzinfo is not UTC:
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
    return value


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if not isinstance(value, bool | int | float | list | tuple | Mapping):
        return str(value)  # as a Decimal, a UUID or a time of day is written
    said = json.dumps(value, sort_keys=True, default=str, ensure_ascii=False)
    return said if said.isascii() else _sound(said)
