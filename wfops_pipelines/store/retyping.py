"""Columns whose type only a cell had changed that somebody has mended since, or that did not stay.

Beside "ten", 20 was staged as text, and beside 10.5 as 20.0. With that cell edited, the column is
what it was: left as it is, it would be a change of the columns, and so would the next snapshot.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from wfops_pipelines.core.parts import Rows
from wfops_pipelines.store.inferring import Types, spelled_out, type_named, typed

if TYPE_CHECKING:
    import pyarrow as pa


def as_settled(rows: Rows, settled: Types, columns: Collection[str]) -> Rows:
    """The rows with these columns in the types that were published, where every value is one."""
    import pyarrow as pa

    kinds = {
        f.name: type_named(settled[f.name])
        for f in rows.schema
        if f.name in columns and settled.get(f.name, str(f.type)) != str(f.type)
    }
    fits = {
        n: k for n, k in kinds.items() if all(_as(p[n], k) is not None for p in rows.parts([n]))
    }
    if not fits:
        return rows

    def retyped(part: pa.Table) -> pa.Table:
        for name, kind in fits.items():
            place = part.column_names.index(name)
            part = part.set_column(place, pa.field(name, kind), _as(part[name], kind))
        return part

    return rows.changed(retyped)


def as_staged(value: Any, kind: pa.DataType, settled: str | None) -> Any:
    """A number as text, where a column of numbers was staged as text for one cell's sake."""
    import pyarrow.types as pt

    if not pt.is_string(kind) or isinstance(value, str) or value is None or settled is None:
        return value
    found = typed([value], type_named(settled))
    return value if found is None else spelled_out([value])[0].as_py()


def _as(column: pa.ChunkedArray, kind: pa.DataType) -> pa.Array | pa.ChunkedArray | None:
    """The column in this type; None where a value is none of it, or is spelled otherwise."""
    import pyarrow as pa
    import pyarrow.types as pt

    if not pt.is_string(column.type):
        return typed(column.to_pylist(), kind)
    try:
        found = column.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    return found if spelled_out(found.to_pylist()).equals(_one(column)) else None


def _one(column: pa.ChunkedArray) -> pa.Array:
    import pyarrow as pa

    return pa.concat_arrays([pa.array([], column.type), *column.chunks])
