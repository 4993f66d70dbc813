"""The keys of rows as text: how findings, holds and pages name a row."""

from __future__ import annotations

import json
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
        texts = pc.fill_null(pc.cast(column, pa.string()), NO_KEY)
        return tuple(texts.to_pylist())
    except (pa.ArrowException, UnicodeDecodeError):
        return tuple(_text(v) if v.is_valid else NO_KEY for v in column)


def _text(value: pa.Scalar) -> str:
    try:
        return json.dumps(value.as_py(), default=str)
    except UnicodeDecodeError:
        return bytes(value.as_buffer()).decode("utf-8", "backslashreplace")
