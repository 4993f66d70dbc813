"""Expectations that published snapshots have always met, with room for the next ones."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import permutations
from statistics import median
from typing import TYPE_CHECKING, Any, TypeAlias

from wfops_pipelines.checks.suggest.patterns import pattern_of

if TYPE_CHECKING:
    import pyarrow as pa

Entry: TypeAlias = "dict[str, Any]"

FEWEST_ROWS = 100  # below that nothing is said about a column
MOST_VALUES = 15  # of a column that is one of a set
EACH_VALUE = 30  # rows of each value of a set, on average
ROOM = 2.0  # how far beyond the largest value seen the next one may be
ROWS_ROOM = 3.0
LARGEST = 2.0**53  # beyond it numbers are not compared exactly
TIMES = 5  # columns with times that are compared with each other


def propose(
    tables: Sequence[pa.Table], *, key: str, masked: frozenset[str] = frozenset()
) -> tuple[Entry, ...]:
    """Entries of a suite, in the order of the columns. `tables` are snapshots, oldest first.

    Of a column in `masked` no value goes into an entry, only that it is filled, unique or of a
    general pattern. What names the key is critical, all else a warning: a person raises it.
    """
    return tuple(
        {"type": f"expect_{type_}", "kwargs": kwargs, "severity": severity}
        for type_, kwargs, severity in _proposals(tables, key, masked)
    )


_Proposal: TypeAlias = "tuple[str, dict[str, Any], str]"


def _proposals(tables: Sequence[pa.Table], key: str, masked: frozenset[str]) -> Iterator[_Proposal]:
    columns = [c for c in tables[-1].column_names if all(c in t.column_names for t in tables)]
    for column in columns:
        parts = [_without_nan(t[column]) for t in tables]
        if sum(map(len, parts)) < FEWEST_ROWS:
            continue
        severity = "critical" if column == key else "warning"
        for type_, kwargs in _of_column(parts, is_key=column == key, masked=column in masked):
            yield type_, {"column": column, **kwargs}, severity
    yield from _in_order(tables, columns)
    yield _row_count([t.num_rows for t in tables])


def _of_column(
    parts: Sequence[pa.ChunkedArray], *, is_key: bool, masked: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
    import pyarrow as pa

    yield from _filled(parts)
    kind, filled = parts[-1].type, sum(len(p) - p.null_count for p in parts)
    if filled < FEWEST_ROWS or any(p.type != kind for p in parts):
        return
    if is_key:
        yield "column_values_to_be_unique", {}
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        yield from _text(parts, is_key=is_key, masked=masked)
    elif _is_number(kind) and not (is_key or masked):
        yield from _range(parts)


def _without_nan(part: pa.ChunkedArray) -> pa.ChunkedArray:
    """The examiner takes what is not a number for nothing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_floating(part.type):
        return part
    return pc.if_else(pc.is_nan(part), pa.scalar(None, part.type), part)


def _filled(parts: Sequence[pa.ChunkedArray]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Never empty; or filled as often as the emptiest snapshot, less what chance explains."""
    shares = [1 - p.null_count / len(p) for p in parts if len(p)]
    if min(shares) == 1.0:
        yield "column_values_to_not_be_null", {}
        return
    sizes = sorted(len(p) for p in parts if len(p))
    pooled = sum(s * len(p) for s, p in zip(shares, (p for p in parts if len(p)), strict=True))
    pooled /= sum(sizes)
    chance = 4 * math.sqrt(pooled * (1 - pooled) / sizes[len(sizes) // 4])
    least = math.floor(100 * (min(*shares, pooled) - chance)) / 100
    if least >= 0.1:
        yield "column_values_to_not_be_null", {"mostly": least}


def _text(
    parts: Sequence[pa.ChunkedArray], *, is_key: bool, masked: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
    values = _set_of(parts)
    if values is not None and not masked and not is_key:
        yield "column_values_to_be_in_set", {"value_set": values}
        return
    texts = [v for p in parts for v in p.drop_null().unique().to_pylist()]
    pattern = pattern_of(texts, spelled=not masked)
    if pattern is not None:
        yield "column_values_to_match_regex", {"regex": pattern}
        if not is_key and all(len(p.unique()) == len(p) for p in parts):
            yield "column_values_to_be_unique", {}
    elif not masked:
        yield "column_value_lengths_to_be_between", _lengths(texts)


def _lengths(texts: Sequence[str]) -> dict[str, Any]:
    least, most = min(map(len, texts)), max(map(len, texts))
    return {"min_value": min(least, 1), "max_value": _rounded_up(ROOM * max(most, 10))}


def _set_of(parts: Sequence[pa.ChunkedArray]) -> list[str] | None:
    """The values, where each comes often and in several snapshots, so that a new one is news."""
    import pyarrow.compute as pc

    counted, snapshots = Counter[str](), Counter[str]()
    for part in parts:
        for item in pc.value_counts(part.drop_null()).to_pylist():
            counted[item["values"]] += item["counts"]
            snapshots[item["values"]] += 1
        if len(counted) > MOST_VALUES:
            return None
    rare = [v for v in counted if snapshots[v] < 2 or counted[v] < 3]
    if rare or sum(counted.values()) < EACH_VALUE * len(counted):
        return None
    if len(counted) == 1 and any(map(str.isdigit, next(iter(counted)))):
        return None  # a version or a year that has not changed yet
    return sorted(counted)


def _is_number(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )


def _range(parts: Sequence[pa.ChunkedArray]) -> Iterator[tuple[str, dict[str, Any]]]:
    import pyarrow.compute as pc

    ends = [pc.min_max(p).as_py() for p in parts if len(p) > p.null_count]
    lows, highs = [float(e["min"]) for e in ends], [float(e["max"]) for e in ends]
    if not all(abs(v) * ROOM < LARGEST for v in (*lows, *highs)):
        return
    least = 0 if min(lows) >= 0 else -_with_room([-v for v in lows])
    kwargs: dict[str, Any] = {"min_value": least}
    if max(highs) > 0:
        kwargs["max_value"] = _with_room(highs)
    yield "column_values_to_be_between", kwargs


def _with_room(extremes: Sequence[float]) -> int | float:
    """Beyond the record; as far as the record itself is beyond an ordinary snapshot's extreme."""
    record, ordinary = max(extremes), median(extremes)
    return _rounded_up(record * max(ROOM, record / ordinary if ordinary > 0 else 0))


def _in_order(tables: Sequence[pa.Table], columns: Sequence[str]) -> Iterator[_Proposal]:
    """Times of which one is never before the other, as updated_at and created_at."""
    import pyarrow as pa
    import pyarrow.compute as pc

    times = [c for c in columns if pa.types.is_timestamp(tables[-1].schema.field(c).type)]
    for later, earlier in permutations(times[:TIMES], 2):
        compared = [pc.greater_equal(t[later], t[earlier]) for t in tables]
        apart = any(pc.any(pc.not_equal(t[later], t[earlier])).as_py() for t in tables)
        judged = sum(len(c) - c.null_count for c in compared)
        if (
            apart
            and judged >= FEWEST_ROWS
            and all(pc.all(c).as_py() is not False for c in compared)
        ):
            kwargs = {"column_A": later, "column_B": earlier, "or_equal": True}
            yield "column_pair_values_a_to_be_greater_than_b", kwargs, "warning"


def _row_count(counts: Sequence[int]) -> _Proposal:
    least = max(1, _rounded_down(min(counts) / ROWS_ROOM))
    most = _rounded_up(ROWS_ROOM * max(counts))
    return "table_row_count_to_be_between", {"min_value": least, "max_value": most}, "warning"


def _rounded_up(number: float) -> int | float:
    """To two digits, upwards: 4,321 becomes 4,400."""
    return _rounded(number, math.ceil)


def _rounded_down(number: float) -> int:
    return int(_rounded(number, math.floor)) if number >= 1 else 0


def _rounded(number: float, to: Any) -> int | float:
    if number == 0:
        return 0
    unit = 10.0 ** (math.floor(math.log10(abs(number))) - 1)
    rounded = to(round(number / unit, 9)) * unit
    return int(rounded) if unit >= 1 or rounded == int(rounded) else round(rounded, 12)
