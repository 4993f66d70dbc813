"""The keys of rows as text: how findings, holds and pages name a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

NO_KEY = ""


def key_texts(table: pa.Table, key: str, positions: Sequence[int] | Any) -> tuple[str, ...]:
    """The keys of the rows at `positions`, in their order; `NO_KEY` where a row has none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = table.column(key).take(pa.array(positions, pa.int64()))
    try:
        if _same_in_arrow(column.type):
            return tuple(pc.fill_null(pc.cast(column, pa.string()), NO_KEY).to_pylist())
        return tuple(NO_KEY if v is None else str(v) for v in column.to_pylist())
    except UnicodeDecodeError:
        return tuple(_bytes_as_text(v) if v.is_valid else NO_KEY for v in column)


def _same_in_arrow(kind: pa.DataType) -> bool:
    import pyarrow.types as t

    # everywhere else a key is `str()` of its value, which Arrow's own cast is for these only
    same = (t.is_string, t.is_large_string, t.is_integer, t.is_date32)
    return any(is_kind(kind) for is_kind in same)


def _bytes_as_text(value: pa.Scalar) -> str:
    return bytes(value.as_buffer()).decode("utf-8", "backslashreplace")
