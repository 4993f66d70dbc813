"""Numbers that a column has, or spells as text because of what stands beside them."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import pyarrow as pa

Number: TypeAlias = int | float | Decimal

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")  # as JSON writes them


def number_in(text: str) -> Decimal | None:
    """The number that a text spells as JSON does; None for any other, as "007", and "1e999"."""
    plain = len(text) <= 400 and _NUMBER.fullmatch(text) and math.isfinite(float(text))
    return Decimal(text) if plain else None


def numbers(column: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    """The numbers of a column of any type; null for what is none, as NaN, a time or a word."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as pt

    if pt.is_integer(column.type) or pt.is_decimal(column.type):
        return column
    if pt.is_floating(column.type):
        return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    if not _is_text(column.type):
        return pa.nulls(len(column), pa.float64())
    found = [None if v is None else number_in(v) for v in column.to_pylist()]
    return pa.array([None if n is None else float(n) for n in found], pa.float64())


def total(column: pa.ChunkedArray) -> tuple[Number | None, int]:
    """The sum of the numbers of a column of any type, None where there is none, and of how many
    values nobody can say which number they are."""
    import pyarrow.compute as pc

    if _is_text(column.type):
        texts = [v for v in column.to_pylist() if v is not None]
        there = [n for n in map(number_in, texts) if n is not None]
        return (sum(there) if there else None), len(texts) - len(there)
    found = numbers(column)
    return pc.sum(found).as_py(), found.null_count - column.null_count


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow.types as pt

    return bool(pt.is_string(kind) or pt.is_large_string(kind))
