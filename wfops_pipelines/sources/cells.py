"""Cells of files as exact values: nothing is guessed, and what does not fit says where it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from wfops_pipelines.core.exchange import shape

_TRUE, _FALSE = ("true", "t", "yes", "1"), ("false", "f", "no", "0")
_REPAIR = "correct the file, or declare the column as str and read it in the sync's function"
_WORDS: Mapping[type, str] = {
    int: "a whole number",
    float: "a number",
    Decimal: "a decimal number",
    bool: "true or false",
    date: "a date as 2026-06-15",
    datetime: "a time as 2026-06-15T09:00:00Z",
    str: "text",
}


class Broken(Exception):
    """A file is not what it should be; `place` is a line or row, `field` a column's name."""

    def __init__(
        self, problem: str, repair: str, *, place: str = "", field: str = "", schema: bool = False
    ) -> None:
        super().__init__(problem)
        self.problem, self.repair, self.place, self.field = problem, repair, place, field
        self.schema = schema


def converted(record: dict[str, Any], types: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Return `record` with the declared columns in their types; nulls stay.

    Raises:
        Broken: a cell that does not fit, or a declared column that is not there.
    """
    for field, wanted in types.items():
        if field not in record:
            raise Broken(
                f"there is no column {field!r}, but {', '.join(map(repr, list(record)[:12]))}",
                "correct the name in the sync's types, or ask for the column back",
                place=place, schema=True,
            )  # fmt: skip
        value = record[field]
        if value is None:
            continue
        try:
            record[field] = _READ[wanted](value) if wanted in _READ else wanted(value)
        except (ValueError, TypeError, ArithmeticError):
            words = _WORDS.get(wanted, f"what {getattr(wanted, '__name__', 'its function')} reads")
            raise Broken(
                f"is not {words}: {shape(str(value), 30)} (letters as a, digits as 9)", _REPAIR,
                place=place, field=field,
            ) from None  # fmt: skip
    return record


def moment(value: Any) -> datetime:
    """Return a time in UTC: one without an offset is taken as UTC, a number as Unix seconds.

    Raises:
        ValueError, TypeError: it is none.
    """
    if isinstance(value, bool):
        raise TypeError("not a time")
    if isinstance(value, int | float | Decimal):
        return datetime.fromtimestamp(float(value), UTC)
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    found = value if isinstance(value, datetime) else datetime.fromisoformat(value.strip())
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def _whole(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?\d{1,4000}\s*", value, re.ASCII):
        return int(value)
    raise ValueError


def _number(value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    return float(_decimal(value))


def _decimal(value: Any) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, str) and re.fullmatch(
        r"\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?\s*", value, re.ASCII | re.IGNORECASE
    ):
        return Decimal(value.strip())
    raise ValueError


def _truth(value: Any) -> bool:
    said = str(value).strip().lower()
    if said in _TRUE or said in _FALSE:
        return said in _TRUE
    raise ValueError


def _day(value: Any) -> date:
    if isinstance(value, datetime):
        raise ValueError
    return value if isinstance(value, date) else datetime.strptime(value.strip(), "%Y-%m-%d").date()  # noqa: DTZ007


_READ: Mapping[Any, Callable[[Any], Any]] = {
    int: _whole,
    float: _number,
    Decimal: _decimal,
    bool: _truth,
    date: _day,
    datetime: moment,
    str: str,
}
