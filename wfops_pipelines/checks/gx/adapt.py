"""Thresholds in the type of the column that they judge.

JSON has no dates and no decimals: a bound of `"2024-01-01"` on a column of UTC times, or of 0.1 on
a column of decimals, is compared wrongly or not at all when it is left as it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeGuard

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

BOUNDS = ("min_value", "max_value")


class BadThreshold(ValueError):
    """A threshold that cannot be compared with its column; says why."""


def adapted(
    kwargs: Mapping[str, Any], types: Mapping[str, pa.DataType], frame: pd.DataFrame
) -> dict[str, Any]:
    """The thresholds among `kwargs` that have to change for columns of these types in `frame`.

    Raises `BadThreshold` for a threshold that cannot be compared with its column.
    """
    import pyarrow.types as t

    kind = _judged_type(kwargs, types)
    if kind is None:
        return {}
    if "type_" in kwargs or "type_list" in kwargs:
        return _type_names(kwargs, str(kind), frame[kwargs["column"]].dtype)
    if t.is_decimal(kind):
        return _near_decimals(kwargs) if frame[kwargs["column"]].dtype == object else {}
    if t.is_timestamp(kind) or t.is_date(kind):
        zone_in_column = t.is_timestamp(kind) and kind.tz is not None
        made = frame[kwargs["column"]].dt.tz is not None
        return _moments(kwargs, lambda bound: _moment(bound, zone_in_column, made))
    return {}


def _judged_type(kwargs: Mapping[str, Any], types: Mapping[str, pa.DataType]) -> Any:
    column = kwargs.get("column")
    return types.get(column) if isinstance(column, str) else None


def _type_names(kwargs: Mapping[str, Any], arrow: str, dtype: Any) -> dict[str, Any]:
    # the author may write the snapshot's own type: what pandas calls it is not theirs to know
    if kwargs.get("type_") == arrow:
        return {"type_": str(dtype)}
    if isinstance(names := kwargs.get("type_list"), list):
        return {"type_list": [str(dtype) if name == arrow else name for name in names]}
    return {}


def _near_decimals(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    # bounds reach the comparison as floats: 0.1 is a little above Decimal("0.1"), which then fails
    changed: dict[str, Any] = {}
    if _is_number(low := kwargs.get("min_value")):
        changed["min_value"] = _float_beside(low, up=bool(kwargs.get("strict_min")))
    if _is_number(high := kwargs.get("max_value")):
        changed["max_value"] = _float_beside(high, up=not kwargs.get("strict_max"))
    if isinstance(values := kwargs.get("value_set"), list):
        changed["value_set"] = [Decimal(repr(v)) if _is_number(v) else v for v in values]
    return changed


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _float_beside(value: float, *, up: bool) -> float:
    exact, near = Decimal(repr(value)), float(value)
    if up and Decimal(near) < exact:
        return math.nextafter(near, math.inf)
    if not up and Decimal(near) > exact:
        return math.nextafter(near, -math.inf)
    return near


def _moments(kwargs: Mapping[str, Any], convert: Callable[[Any], Any]) -> dict[str, Any]:
    names = (name for name in BOUNDS if kwargs.get(name) is not None)
    changed: dict[str, Any] = {name: convert(kwargs[name]) for name in names}
    if isinstance(values := kwargs.get("value_set"), list):
        changed["value_set"] = [convert(v) for v in values]
    return changed


def _moment(value: Any, zone_in_column: bool, zone_in_frame: bool) -> Any:
    import pandas as pd

    if not isinstance(value, (str, date)):
        raise BadThreshold(f"{value!r} is no date: write it as 2024-12-31 or 2024-12-31T23:59:00Z")
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError as error:
        raise BadThreshold(f"{value!r} is no date in ISO 8601") from error
    if moment.tzinfo is not None and not zone_in_column:
        raise BadThreshold(f"{value!r} has an offset, the column has none")
    if moment.tzinfo is None and zone_in_frame:
        moment = moment.replace(tzinfo=UTC)
    return pd.Timestamp(moment)
