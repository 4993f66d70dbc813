"""Extracted rows as an Arrow table: types are inferred once and then held."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from wfops_pipelines.errors import SchemaRefused

if TYPE_CHECKING:
    import pyarrow as pa

Row = Mapping[str, Any]


def to_table(rows: Sequence[Row], held: Mapping[str, str] | None = None) -> pa.Table:
    """Columns in order of first appearance, one for each name found in any row.

    `held` are the types (as Arrow writes them) that earlier snapshots settled on; a column that no
    longer fits its held type takes the type that fits, which the schema check then reports. Values
    of mixed or nested types become JSON text. Raises SchemaRefused for a column without a name.
    """
    import pyarrow as pa

    names = list(dict.fromkeys(name for row in rows for name in row))
    if any(not isinstance(name, str) or not name for name in names):
        raise SchemaRefused("a row has a column without a name. Repair the sync's function.")
    columns = {n: [row.get(n) for row in rows] for n in names}
    arrays = {n: _column(v, (held or {}).get(n)) for n, v in columns.items()}
    return pa.table(arrays)


def types_of(table: pa.Table) -> dict[str, str]:
    """The types to hold from now on; a column that is null throughout settles nothing yet."""
    full = [n for n in table.column_names if table[n].null_count < table.num_rows]
    return {n: str(table.schema.field(n).type) for n in full}


def _column(values: list[Any], held: str | None) -> pa.Array:
    import pyarrow as pa

    if held is not None:
        try:
            return pa.array([_plain(v) for v in values], type=_type(held))
        except (pa.ArrowInvalid, pa.ArrowTypeError, ValueError, OverflowError):
            pass
    return pa.array(*_inferred(values))


def _inferred(values: list[Any]) -> tuple[list[Any], pa.DataType | None]:
    import pyarrow as pa

    kinds = {type(v) for v in values if v is not None}
    if not kinds:
        return values, pa.string()
    if kinds <= {datetime}:
        return [_plain(v) for v in values], pa.timestamp("us", "UTC")
    if kinds == {int}:
        fits = all(v is None or -(2**63) <= v < 2**63 for v in values)
        return (values, pa.int64()) if fits else ([_text(v) for v in values], pa.string())
    if kinds == {int, float}:
        return [None if v is None else float(v) for v in values], pa.float64()
    if len(kinds) == 1 and kinds <= {str, bool, float, date, Decimal, bytes}:
        return values, None
    return [_text(v) for v in values], pa.string()


def _type(name: str) -> pa.DataType:
    import pyarrow as pa

    if name == "timestamp[us, tz=UTC]":
        return pa.timestamp("us", "UTC")
    if name.startswith("decimal128("):
        precision, scale = name[len("decimal128(") : -1].split(",")
        return pa.decimal128(int(precision), int(scale))
    return pa.type_for_alias(name.removesuffix("[day]"))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
    return value


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, sort_keys=True, default=str, ensure_ascii=False)
