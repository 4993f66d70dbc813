"""Which type values have: inferred once and then held; what fits no type becomes text."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from operator import methodcaller
from typing import TYPE_CHECKING, Any

from wfops_pipelines.errors import SchemaRefused

if TYPE_CHECKING:
    import pyarrow as pa

Types = Mapping[str, str]

_UNLIKE_PYTHON = ("datetime64", "timedelta64", "void", "ndarray")  # what `item` makes differs


def column_of(values: list[Any], held: str | None) -> pa.Array:
    """The values in the `held` type, or in the one that fits, which may be text.

    Half of a surrogate pair, which no file can hold, becomes U+FFFD.
    """
    try:
        return _column(values, held)
    except UnicodeEncodeError:
        return _column([sound(v) if isinstance(v, str) else v for v in values], held)


def sound(text: str) -> str:
    """The text, half of a surrogate pair in it as U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _column(values: list[Any], held: str | None) -> pa.Array:
    import pyarrow as pa

    found = None if held is None else typed(values, type_named(held))
    if found is not None:
        return found
    try:
        return pa.array(*_inferred(values))
    except (pa.ArrowInvalid, OverflowError):  # decimals of too many digits; a zone's last hours
        return spelled_out(values)


def unboxed(values: list[Any]) -> list[Any]:
    """The values, those that numpy and pandas made as Python's own; what pandas misses is None."""
    ways = {kind: way for kind in set(map(type, values)) if (way := _unboxing(kind)) is not None}
    return [ways[type(v)](v) if type(v) in ways else v for v in values] if ways else values


def _unboxing(kind: type) -> Callable[[Any], Any] | None:
    if _boxed(kind):
        return methodcaller("item")
    if kind in (bytearray, memoryview):
        return bytes
    missing = kind.__module__.startswith("pandas.") and kind.__name__ in ("NaTType", "NAType")
    return (lambda _: None) if missing else None


def _boxed(kind: type) -> bool:
    return kind.__module__ == "numpy" and kind.__name__ not in _UNLIKE_PYTHON


def typed(values: list[Any], kind: pa.DataType) -> pa.Array | None:
    """The values as a column of this type; None where one of them does not fit."""
    import pyarrow as pa

    if not exactly(values, kind):
        return None
    try:
        if pa.types.is_timestamp(kind):
            values = [in_utc(v) for v in values]
        return pa.array(values, type=kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, ValueError, OverflowError):
        return None


def exactly(values: list[Any], kind: pa.DataType) -> bool:
    """Whether Arrow, where it reads these as `kind`, takes no value for another one.

    As it would a half for a whole number, seconds for a day, the noon of a day for the day, or
    bytes for the text that they are the code of.
    """
    import pyarrow.types as pt

    kinds = set(map(type, values)) - {type(None)}
    if any(map(_boxed, kinds)):
        return False  # Arrow cuts these without a word
    if pt.is_integer(kind):
        parts = {k for k in kinds if issubclass(k, float | Decimal)}
        numbers = all(issubclass(k, int) for k in kinds - parts)
        return numbers and all(_whole(v) for v in values if type(v) in parts)
    if pt.is_floating(kind):
        return bool not in kinds
    if pt.is_string(kind) or pt.is_binary(kind):
        return all(issubclass(k, str if pt.is_string(kind) else bytes) for k in kinds)
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
        return [in_utc(v) for v in values], pa.timestamp("us", "UTC")
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


def in_utc(value: Any) -> Any:
    """A time in UTC, which one without a zone is already; any other value as it is."""
    if isinstance(value, datetime) and value.tzinfo is not UTC:
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
    return value


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if not isinstance(value, bool | int | float | list | tuple) and not _is_nested(value):
        return _said(value)  # as a Decimal, a UUID or a time of day is written
    try:
        said = _json(value)
    except (ValueError, RecursionError) as error:  # thousands of digits, or itself within
        raise SchemaRefused(f"holds a value that cannot be written: {error}") from None
    return said if said.isascii() else sound(said)


def _json(value: Any) -> str:
    try:
        return json.dumps(value, sort_keys=True, default=_unnested, ensure_ascii=False)
    except TypeError:  # keys that are no texts, or not only
        return json.dumps(_keyed(value), sort_keys=True, ensure_ascii=False)


def _unnested(value: Any) -> Any:
    """What JSON has no word for, in an order that is the same in every process."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value, key=lambda v: _text(v) or "")
    return value.tolist() if _is_nested(value) else _said(value)


def _keyed(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            k if isinstance(k, str) else _text(k) or "null": _keyed(v) for k, v in value.items()
        }
    if isinstance(value, list | tuple):
        return [_keyed(v) for v in value]
    plain = value is None or isinstance(value, str | int | float)
    return value if plain else _keyed(_unnested(value))


def _is_nested(value: Any) -> bool:
    array = type(value).__module__ == "numpy" and type(value).__name__ == "ndarray"
    return array or isinstance(value, Mapping | set | frozenset)


def _said(value: Any) -> str:
    """What a value says of itself, unless it names its place in memory: another in each run."""
    said = str(value)
    if said.startswith("<") and " at 0x" in said:
        raise SchemaRefused(
            f"holds a {type(value).__name__}, which is no value. Return a text or a number for it."
        )
    return said
