"""Arrow columns as pandas columns, exactly and without copying where that is possible.

`to_pandas()` turns integers with nulls into floats and decimals into whatever fits; here each
kind of column has one conversion, chosen so that Great Expectations compares it exactly.
"""

from __future__ import annotations

import json
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

EXACT_IN_A_FLOAT = 2**53
DIGITS_OF_A_FLOAT = 15


class UnreadableColumn(ValueError):
    """A column that cannot be turned into values; says why."""


class Reading(Enum):
    """What a column is read for, which decides the pandas type of its numbers."""

    AS_IS = "as_is"  # types and spellings matter: nullable integers, decimals as objects
    COMPARED = "compared"  # floats (many times faster) where every value survives that exactly
    TYPED = "typed"  # only its type matters: nulls are filled, so that integers stay integers
    AVERAGED = "averaged"  # decimals as the nearest floats: what means and deviations are made of


def to_series(column: pa.ChunkedArray, reading: Reading) -> pd.Series[Any]:
    """`column` as a pandas series of the same length and values, on a plain range index.

    Raises `UnreadableColumn` for text that is not UTF-8.
    """
    import pyarrow.types as t

    kind = column.type
    if reading is Reading.TYPED and (t.is_integer(kind) or t.is_boolean(kind)):
        column = column.fill_null(False if t.is_boolean(kind) else 0)
    if t.is_dictionary(kind):
        return to_series(column.cast(kind.value_type), reading)
    if t.is_string(kind) or t.is_large_string(kind) or t.is_string_view(kind):
        return _text(column)
    if t.is_integer(kind):
        return _integers(column, reading)
    if t.is_decimal(kind):
        return _decimals(column, reading)
    if t.is_null(kind) and reading in (Reading.COMPARED, Reading.AVERAGED):
        return _floats(column)
    if t.is_boolean(kind):
        return _booleans(column)
    if t.is_timestamp(kind) or t.is_date(kind):
        return _moments(column, reading)
    if t.is_nested(kind):
        return _nested(column)
    return _objects_or_numpy(column)


def _text(column: pa.ChunkedArray) -> pd.Series[Any]:
    import pandas as pd
    import pyarrow as pa

    try:
        column.validate(full=True)
    except pa.ArrowInvalid as error:
        raise UnreadableColumn("it holds text that is not valid UTF-8") from error
    return pd.Series(pd.array(column.cast(pa.large_string()), dtype="str"), copy=False)


def _integers(column: pa.ChunkedArray, reading: Reading) -> pd.Series[Any]:
    import pandas as pd
    import pyarrow as pa

    if reading in (Reading.COMPARED, Reading.AVERAGED):
        if not _within(column, EXACT_IN_A_FLOAT):
            # a None compares with nothing, and what GX compares in pairs may miss one of the two
            values = [float("nan") if v is None else v for v in column.to_pylist()]
            return pd.Series(values, dtype=object)
        wide = pa.float64() if column.null_count else pa.int64()
        return pd.Series(column.cast(wide).to_numpy(), copy=False)
    if not column.null_count:
        return pd.Series(column.to_numpy(), copy=False)
    name = str(column.type).replace("i", "I", 1).replace("u", "U", 1)
    return pd.Series(column.to_pandas(types_mapper={column.type: _dtype(name)}.get))


def _decimals(column: pa.ChunkedArray, reading: Reading) -> pd.Series[Any]:
    import pandas as pd
    import pyarrow as pa

    most = Decimal(10) ** (DIGITS_OF_A_FLOAT - column.type.scale)
    survives = reading is Reading.COMPARED and _within(column, most)
    if survives or reading is Reading.AVERAGED:
        # by way of text: Arrow's own cast of decimals to floats is off by one in the last digit
        return _floats(column.cast(pa.string()))
    values = column.to_pylist()
    if reading is Reading.COMPARED:
        values = [_Beside("NaN" if v is None else v) for v in values]
    return pd.Series(values, dtype=object)


class _Beside(Decimal):
    """A number, or none, that is neither less nor greater than what is missing elsewhere.

    What GX compares in pairs may miss one of the two: Decimal raises for NaN, and None for all.
    """

    def __lt__(self, other: Any) -> bool:
        return self._there(other) and super().__lt__(other)

    def __le__(self, other: Any) -> bool:
        return self._there(other) and super().__le__(other)

    def __gt__(self, other: Any) -> bool:
        return self._there(other) and super().__gt__(other)

    def __ge__(self, other: Any) -> bool:
        return self._there(other) and super().__ge__(other)

    def _there(self, other: Any) -> bool:
        return bool(self == self and other == other)


def _floats(column: pa.ChunkedArray) -> pd.Series[Any]:
    import pandas as pd
    import pyarrow as pa

    return pd.Series(column.cast(pa.float64()).to_numpy(), copy=False)


def _within(column: pa.ChunkedArray, most: int | Decimal) -> bool:
    import pyarrow.compute as pc

    ends = pc.min_max(column).as_py()
    return all(v is None or abs(v) <= most for v in ends.values())


def _booleans(column: pa.ChunkedArray) -> pd.Series[Any]:
    import pandas as pd

    if not column.null_count:
        return pd.Series(column.to_numpy(), copy=False)
    return pd.Series(column.to_pandas(types_mapper={column.type: _dtype("boolean")}.get))


def _moments(column: pa.ChunkedArray, reading: Reading) -> pd.Series[Any]:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.types as t

    if t.is_timestamp(column.type) and column.type.tz:
        return pd.Series(column.to_pandas())
    if reading in (Reading.AS_IS, Reading.TYPED):
        return pd.Series(column.to_pandas(date_as_object=False))
    # only zoned times are compared as a whole column, whatever their unit and year (9999-12-31)
    return pd.Series(column.cast(pa.timestamp("us", "UTC")).to_pandas())


def _nested(column: pa.ChunkedArray) -> pd.Series[Any]:
    import pandas as pd

    cells = column.to_pylist()
    texts = [None if c is None else json.dumps(c, default=str, sort_keys=True) for c in cells]
    return pd.Series(texts, dtype="str")


def _objects_or_numpy(column: pa.ChunkedArray) -> pd.Series[Any]:
    import pandas as pd
    import pyarrow.types as t

    if t.is_floating(column.type) and not t.is_float16(column.type):
        return _floats(column)
    return pd.Series(column.to_pylist(), dtype=object)


def _dtype(name: str) -> Any:
    from pandas.api.types import pandas_dtype

    return pandas_dtype(name)
