"""Arrow columns of any type as one of the few kinds that are measured."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from wfops_pipelines.anomaly._hashing import as_text

_DIGITS = 15  # that a float keeps


def type_name(kind: Any) -> str:
    """The type in the words of a contract: storage variants of one type are the same type."""
    if pa.types.is_dictionary(kind):
        return type_name(kind.value_type)
    if pa.types.is_large_string(kind) or kind == pa.string_view():
        return "string"
    if pa.types.is_integer(kind):
        return "integer"
    if pa.types.is_floating(kind):
        return "number"
    if pa.types.is_timestamp(kind):
        return "timestamp" if kind.tz is None else "timestamp with time zone"
    return str(kind)


def plain(array: Any) -> tuple[str, Any]:
    """`(kind, array)`: number as int64 or float64, time as int64 microseconds, flag, or text."""
    array = _decoded(array)
    kind = array.type
    if pa.types.is_boolean(kind):
        return "flag", array
    if pa.types.is_uint64(kind) or pa.types.is_decimal(kind):
        return "number", array.cast(pa.float64(), safe=False)
    if pa.types.is_integer(kind):
        return "number", array.cast(pa.int64())
    if pa.types.is_floating(kind):
        return "number", array.cast(pa.float64())
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return "time", _microseconds(array)
    if pa.types.is_time(kind) or pa.types.is_duration(kind):
        wide = pa.int32() if kind.bit_width == 32 else pa.int64()
        return "number", array.cast(wide).cast(pa.int64())
    if pa.types.is_null(kind):
        return "text", pa.nulls(len(array), pa.large_string())
    nested = "nested" if pa.types.is_nested(kind) else "text"
    return nested, as_text(array)


def exact(column: Any, array: Any) -> Any:
    """A column's values to the last digit and byte, for saying that two of them are the same.

    That is `array`, what `plain` makes of it, where it keeps them; plain decimals are floats, plain
    nanoseconds microseconds and plain bytes text: near enough to measure. It goes by the type
    alone, so that a value is the same in each part of a table.
    """
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_uint64(kind):
        return _decoded(column).cast(pa.int64(), safe=False)
    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        return _decoded(column).cast(pa.int64())
    if pa.types.is_decimal(kind) and kind.precision > _DIGITS:
        return as_text(_decoded(column).cast(pa.string()))
    if _is_bytes(kind):
        return _decoded(column).cast(pa.large_binary())
    return array


def _is_bytes(kind: Any) -> bool:
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
        or kind == pa.binary_view()
    )


def _decoded(column: Any) -> Any:
    """One array of the values themselves."""
    array = column
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks() if array.num_chunks != 1 else array.chunk(0)
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks)
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def _microseconds(array: Any) -> Any:
    if pa.types.is_date32(array.type):
        return pc.multiply(array.cast(pa.int32()).cast(pa.int64()), 86_400_000_000)
    if pa.types.is_date64(array.type):
        return pc.multiply(array.cast(pa.int64()), 1000)
    unit = array.type.unit
    ticks = array.cast(pa.int64())
    if unit == "ns":
        return pc.divide(ticks, 1000)
    return ticks if unit == "us" else pc.multiply(ticks, 1000 if unit == "ms" else 1_000_000)
