"""Types by which values of an Arrow table reach any database through SQLAlchemy, and come back."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Date,
    DateTime,
    Dialect,
    Double,
    LargeBinary,
    Numeric,
    String,
    Text,
    Time,
)
from sqlalchemy.types import TypeDecorator, TypeEngine

if TYPE_CHECKING:
    import pyarrow as pa

LONGEST_KEY = 255  # characters, where a database keys no text without a limit


class Moment(TypeDecorator[datetime]):
    """An instant: with its zone where the database has such a type, else in UTC."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "mysql":
            from sqlalchemy.dialects.mysql import DATETIME

            return dialect.type_descriptor(DATETIME(fsp=6))
        return dialect.type_descriptor(DateTime(timezone=dialect.name == "postgresql"))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or dialect.name == "postgresql":
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        moment: datetime = value if value.tzinfo else value.replace(tzinfo=UTC)
        return moment.astimezone(UTC)


class Exact(TypeDecorator[Decimal]):
    """A decimal number to the last digit: as text where the database would round it."""

    impl = Numeric
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(Text())
        return dialect.type_descriptor(Numeric(None if dialect.name == "postgresql" else 38, 9))

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        if value is None or dialect.name != "sqlite":
            return value
        return format(Decimal(value), "f")

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:  # noqa: ARG002
        return None if value is None else Decimal(str(value))


class Key(TypeDecorator[str]):
    """Text that may be a primary key."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        unlimited = dialect.name in ("postgresql", "sqlite")
        return dialect.type_descriptor(Text() if unlimited else String(LONGEST_KEY))


def sql_type(type_: pa.DataType, *, key: bool = False) -> TypeEngine[Any]:
    """The type that holds every value of a settled Arrow type."""
    import pyarrow.types as pt

    if pt.is_uint64(type_) or pt.is_decimal(type_):
        return Exact()
    if pt.is_integer(type_):
        return BigInteger()
    if pt.is_floating(type_):
        return Double()
    if pt.is_boolean(type_):
        return Boolean()
    if pt.is_timestamp(type_):
        return Moment() if type_.tz else DateTime()
    if pt.is_date(type_):
        return Date()
    if pt.is_time(type_):
        return Time()
    if pt.is_large_binary(type_):
        return LargeBinary()
    return Key() if key else Text()


def type_of(value: Any) -> TypeEngine[Any]:
    """The type by which a value goes back to where it came from."""
    match value:
        case bool():
            return Boolean()
        case int():
            return BigInteger() if -(2**63) <= value < 2**63 else Exact()
        case float():
            return Double()
        case Decimal():
            return Exact()
        case datetime():
            return Moment() if value.tzinfo else DateTime()
        case date():
            return Date()
        case time():
            return Time()
        case bytes():
            return LargeBinary()
    return Text()


_READ = {
    "f": float, "d": Decimal, "t": datetime.fromisoformat, "y": date.fromisoformat,
    "c": time.fromisoformat, "b": bytes.fromhex,
}  # fmt: skip


def written(row: dict[str, Any]) -> str:
    """A row as JSON that keeps the type of each value."""
    return json.dumps({name: _tagged(value) for name, value in row.items()})


def read(text: str) -> dict[str, Any]:
    """The row that `written` has put into JSON."""
    return {
        name: _READ[next(iter(v))](next(iter(v.values()))) if isinstance(v, dict) else v  # type: ignore[operator]
        for name, v in json.loads(text).items()
    }


def _tagged(value: Any) -> Any:
    match value:
        case float():
            return {"f": repr(value)}
        case Decimal():
            return {"d": str(value)}
        case datetime():
            return {"t": value.isoformat()}
        case date():
            return {"y": value.isoformat()}
        case time():
            return {"c": value.isoformat()}
        case bytes() | memoryview():
            return {"b": bytes(value).hex()}
    return value
