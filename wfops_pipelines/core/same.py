"""Whether two values are one, however a system spells them that was handed one of them.

An API that answers 1201 with "1201" has what it was sent; one that answers "007" for 7 has not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d{1,4})?", re.ASCII)  # as JSON has it
_TIME = re.compile(
    r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.(\d{1,6})0*)?)?(Z|[+-]\d\d(:?\d\d)?)?)?", re.ASCII
)
_WORDS = {"true": True, "false": False}
_OWN = (str, bool, int, float, Decimal, date, bytes, Mapping, list, tuple, type(None))


def same(one: Any, other: Any) -> bool:
    """Whether both are the same value, or the one only another spelling of the other.

    Texts are spellings of a number ("10.50", "-3", "1e3"), of true and false, and of a moment; two
    texts are the same only if they are equal or name one moment.
    """
    one, other = _held(one), _held(other)
    if one == other or (one != one and other != other):
        return True
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(v, other[k]) for k, v in one.items())
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return any(_read_alike(read, one, other) for read in (_number, _truth, _moment, _text))


def _held(value: Any) -> Any:
    return value.tobytes() if isinstance(value, memoryview) else value


def _read_alike(read: Any, one: Any, other: Any) -> bool:
    if isinstance(one, str) and isinstance(other, str) and read is not _moment:
        return False
    first, second = read(one), read(other)
    return first is not None and bool(first == second)


def _number(value: Any) -> Decimal | None:
    match value:
        case bool():
            return None
        case int() | Decimal():
            return Decimal(value)
        case float():
            return Decimal(float.__repr__(value))
        case str() if _NUMBER.fullmatch(value):
            return Decimal(value)
        case _:
            return None


def _truth(value: Any) -> bool | None:
    match value:
        case bool():
            return value
        case str():
            return _WORDS.get(value.lower())
        case _:
            return None


def _moment(value: Any) -> datetime | None:
    """A day is its midnight; a time without a zone is the same as none that has one."""
    match value:
        case datetime():
            return value
        case date():
            return datetime(value.year, value.month, value.day)  # noqa: DTZ001
        case str() if found := _TIME.fullmatch(value):
            return _parsed(value if found[3] is None else _without_zeros(value, found))
        case _:
            return None


def _without_zeros(text: str, found: re.Match[str]) -> str:
    """Python knows six digits of a second; what is more is nothing."""
    return f"{text[: found.end(4)]}{found[5] or ''}"


def _parsed(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _text(value: Any) -> str | None:
    """A text, or what has no other spelling here, as the UUID of a table, as its text."""
    return value if isinstance(value, str) else None if isinstance(value, _OWN) else str(value)
