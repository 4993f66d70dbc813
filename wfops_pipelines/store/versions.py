"""What tells one version of a row from another: a hash of its values, vectorised.

Equal in every process and whatever the order of the columns; a column that is null counts like
one that is not there. The hash is pandas' (SipHash over objects, splitmix64 over numbers): 64 bits,
compared only between versions of the same row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from wfops_pipelines.core.parts import Rows
from wfops_pipelines.store.mixed import Mixed, each_kind

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Hashes = npt.NDArray[np.uint64]

_WHOLE = 2.0**63  # doubles below that and without a fraction are whole numbers of 64 bits
SAMPLE = 10_000  # values that tell whether a column repeats itself


def versions(table: pa.Table, mixed: Mixed = MappingProxyType({})) -> Hashes:
    """One hash for each row of `table`; a value that is `mixed` with others counts as itself."""
    import numpy as np

    total = np.zeros(table.num_rows, np.uint64)
    for name in table.column_names:
        column, salt = table[name].combine_chunks(), _salt(name)
        # wraps around, and is the same in any order
        total += _each(column, mixed[name], salt) if name in mixed else _hashes(column, salt)
    return total


def _each(column: pa.Array, kinds: npt.NDArray[np.uint8], salt: np.uint64) -> Hashes:
    import numpy as np

    hashes = np.zeros(len(column), np.uint64)
    for at, values in each_kind(column, kinds):
        decimals = isinstance(values, list)
        hashes[at] = _mixed(_decimals(values) ^ salt) if decimals else _hashes(values, salt)
    return hashes


def _hashes(column: pa.Array, salt: np.uint64 | int = 0) -> Hashes:
    """A hash of each value; 0 where it is null."""
    import numpy as np

    hashes = _mixed(_values(column) ^ np.uint64(salt))
    if column.null_count:
        hashes[np.asarray(column.is_null())] = 0
    return hashes


def counted_keys(rows: Rows, key: str) -> tuple[int, int]:
    """How many rows have no key, and how many repeat the key of another row.

    A hash a row is in memory; keys whose hashes are met again are compared themselves.
    """
    import numpy as np
    import pyarrow as pa

    hashes = [_hashes(c.drop_null()) for c in _columns(rows, key)]
    ordered = np.sort(np.concatenate(hashes))
    again = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    nulls = rows.num_rows - len(ordered)
    if not len(again):
        return nulls, 0
    pairs = zip(_columns(rows, key), hashes, strict=True)
    few = [c.drop_null().filter(pa.array(np.isin(mine, again))) for c, mine in pairs]
    found = pa.chunked_array(few)
    return nulls, len(found) - len(found.unique())


def _columns(rows: Rows, name: str) -> Iterator[pa.Array]:
    for part in rows.parts([name]):
        yield part[name].combine_chunks()


def spelled(hashes: Hashes) -> list[str]:
    """Each hash as 16 hexadecimal digits."""
    digits = hashes.astype(">u8").tobytes().hex()
    return [digits[at : at + 16] for at in range(0, len(digits), 16)]


def _values(column: pa.Array) -> Hashes:
    import numpy as np
    import pyarrow.types as pt

    if pt.is_boolean(column.type):
        return _numbers(column.cast("int8").fill_null(0).to_numpy())
    if pt.is_integer(column.type) or pt.is_floating(column.type):
        numbers = column.fill_null(0).to_numpy(zero_copy_only=False)
        return _floats(numbers) if numbers.dtype.kind == "f" else _numbers(numbers)
    if pt.is_timestamp(column.type):
        return _numbers(column.cast("int64").fill_null(0).to_numpy().astype(np.int64))
    if pt.is_date(column.type):
        return _numbers(column.cast("int32").fill_null(0).to_numpy().astype(np.int64))
    if pt.is_decimal(column.type):
        return _decimals(column.to_pylist())
    return _texts(column)


def _numbers(values: npt.NDArray[Any]) -> Hashes:
    from pandas.util import hash_array

    hashes: Hashes = hash_array(values, categorize=False)
    return hashes


def _floats(values: npt.NDArray[Any]) -> Hashes:
    """33.0 is 33: a fraction beside it, which makes its column one of floats, changes no value."""
    import numpy as np

    whole = (np.abs(values) < _WHOLE) & (np.floor(values) == values)
    integers = _numbers(np.where(whole, values, 0).astype(np.int64))
    return np.where(whole, integers, _numbers(values))


def _texts(column: pa.Array) -> Hashes:
    """Hash each distinct value once where they repeat."""
    import pyarrow.compute as pc

    head = column.slice(0, SAMPLE)
    if len(column) > SAMPLE and len(head.unique()) < len(head) / 4:
        coded = pc.dictionary_encode(column.fill_null(_empty(column)))
        distinct: Hashes = _objects(coded.dictionary)[coded.indices.to_numpy()]
        return distinct
    return _objects(column.fill_null(_empty(column)) if column.null_count else column)


def _objects(column: pa.Array) -> Hashes:
    return _numbers(column.to_numpy(zero_copy_only=False).astype(object))


def _empty(column: pa.Array) -> Any:
    import pyarrow.types as pt

    return b"" if pt.is_binary(column.type) or pt.is_large_binary(column.type) else ""


def _decimals(values: Sequence[Decimal | None]) -> Hashes:
    """By value: 1.2 and 1.20 are one, whatever scale their table settled on; 33.00 is 33."""
    import numpy as np
    import pyarrow as pa

    hashes = _texts(pa.array([None if v is None else _plain(v) for v in values], pa.string()))
    whole = {at: int(v) for at, v in enumerate(values) if v is not None and _is_whole(v)}
    hashes[[*whole]] = _numbers(np.array([*whole.values()], np.int64))
    return hashes


def _is_whole(value: Decimal) -> bool:
    return -(2**63) <= value < 2**63 and value == value.to_integral_value()


def _plain(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _mixed(hashes: Hashes) -> Hashes:
    return _numbers(hashes)


def _salt(name: str) -> np.uint64:
    import numpy as np

    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
    return np.uint64(int.from_bytes(digest[:8], "big"))
