"""The profile of a table: columns side by side, rows as a whole, order between columns."""

from __future__ import annotations

import math
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from wfops_pipelines.anomaly._arithmetic import rules
from wfops_pipelines.anomaly._columns import Whole, column_profile
from wfops_pipelines.anomaly._hashing import (
    Hashes,
    cells,
    hash_column,
    hash_text,
    mix,
    told_apart,
)
from wfops_pipelines.anomaly._plain import exact, plain, type_name
from wfops_pipelines.anomaly._sampled import Sampled
from wfops_pipelines.anomaly._sketches import CELL_ROWS, points, sketch
from wfops_pipelines.anomaly.nouns import ColumnProfile, Profile, Sketch, Span

SAMPLE = 16_384
ROW_SKETCH = 512
NULL_PATTERNS = 64
MAX_PAIRS = 48
MAX_SPANS, SPAN_POINTS = 12, 256

Window = tuple[float | None, float | None]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def profile_parts(
    parts: Iterable[Any], key: str | None, cursor: str | None, window: Window | None = None
) -> Profile:
    """The profile of all rows of tables of one schema, the same bits however they are parted."""
    with ThreadPoolExecutor(2) as pool:
        found = _Gathered(pool)
        for part in parts:
            found.add(part, key)
        return found.profile(key, cursor, window)


class _Gathered:
    """What is kept of the parts: a hash or two a row, sums, and the rows of the sample."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.pool = pool
        self.names: list[str] = []
        self.types: list[str] = []
        self.kinds: list[str] = []
        self.wholes: list[Whole] = []
        self.rows: list[Hashes] = []
        self.keys: list[Hashes] = []
        self.sample = Sampled([], [], np.zeros(0, np.uint64))

    def add(self, part: Any, key: str | None) -> None:
        plains = list(self.pool.map(plain, part.columns))
        arrays = [array for _, array in plains]
        hashes = list(self.pool.map(hash_column, arrays))
        wholes = [Whole.of(kind, array) for kind, array in plains]
        whole = list(self.pool.map(_identities, part.columns, arrays, hashes))
        rows = _row_hashes(hashes, part.num_rows)
        if not self.names:
            self.names, self.kinds = part.column_names, [kind for kind, _ in plains]
            self.types = [type_name(f.type) for f in part.schema]
            self.wholes = wholes
            self.sample = Sampled(arrays, hashes, rows)
        else:
            self.wholes = [a + b for a, b in zip(self.wholes, wholes, strict=True)]
            self.sample = self.sample.joined(Sampled(arrays, hashes, rows).smallest(SAMPLE))
        self.sample = self.sample.smallest(SAMPLE)
        same = all(a is b for a, b in zip(whole, hashes, strict=True))
        self.rows.append(rows if same else _row_hashes(whole, part.num_rows))
        if key in self.names:
            self.keys.append(whole[self.names.index(key)])

    def profile(self, key: str | None, cursor: str | None, window: Window | None) -> Profile:
        sample = self.sample
        rows = np.concatenate(self.rows) if self.rows else np.zeros(0, np.uint64)
        chosen = np.argsort(sample.rows, kind="stable")[:CELL_ROWS]

        def one(at: int) -> ColumnProfile:
            known = self.names[at], self.types[at], self.kinds[at], self.wholes[at]
            column = column_profile(*known, sample.arrays[at], sample.hashes[at])
            return replace(column, cells=cells(sample.hashes[at][chosen]).tobytes())

        columns = tuple(self.pool.map(one, range(len(self.names))))
        plains = list(zip(self.kinds, sample.arrays, strict=True))
        order, ranks, spans = _pairs(self.names, plains)
        return Profile(
            rows=len(rows),
            sampled=len(sample.rows),
            duplicates=_repeats(rows),
            key_duplicates=_repeats(np.concatenate(self.keys)) if self.keys else 0,
            digest=_digest(rows),
            columns=columns,
            row_sketch=sketch(sample.rows, None, ROW_SKETCH),
            pairs=order,
            ranks=ranks,
            spans=spans,
            null_patterns=_null_patterns(self.names, plains, len(sample.rows)),
            cell_rows=sample.rows[chosen].tobytes(),
            rules=rules(self._numbers(chosen, key)),
            key=key,
            cursor=cursor,
            window=window,
        )

    def _numbers(self, chosen: Ints, key: str | None) -> dict[int, Floats]:
        """The columns of numbers that are no key, by their places, in the chosen rows."""
        at = pa.array(chosen)
        return {
            place: _solid(array.take(at))
            for place, array in enumerate(self.sample.arrays)
            if self.kinds[place] == "number" and self.names[place] != key
        }


def _identities(column: Any, array: Any, hashes: Hashes) -> Hashes:
    """Hashes of a column's values to the last digit and byte; `hashes` are of the plain `array`."""
    whole = exact(column, array)
    return told_apart(whole, hashes if whole is array else hash_column(whole))


def _row_hashes(hashes: list[Hashes], rows: int) -> Hashes:
    out = np.zeros(rows, np.uint64)
    for at, column in enumerate(hashes):
        out = mix(out ^ (column + np.uint64(at)))
    return out


def _digest(rows: Hashes) -> str:
    total, other = int(rows.sum(dtype=np.uint64)), int(mix(rows).sum(dtype=np.uint64))
    return f"{len(rows)}-{total:016x}{other:016x}"


def _repeats(hashes: Hashes) -> int:
    ordered = np.sort(hashes)
    return int((ordered[1:] == ordered[:-1]).sum())


def _null_patterns(names: list[str], plains: list[tuple[str, Any]], rows: int) -> Sketch:
    """Which columns are null together: a pattern is the mix of its columns' names."""
    marks = hash_text(pa.array(names, pa.large_string()))
    out = np.zeros(rows, np.uint64)
    for mark, (_, array) in zip(marks, plains, strict=True):
        if array.null_count:
            out ^= np.where(np.asarray(pc.is_null(array)), mark, np.uint64(0))
    return sketch(out, None, NULL_PATTERNS)


def _pairs(
    names: list[str], plains: list[tuple[str, Any]]
) -> tuple[dict[str, tuple[int, int, int]], dict[str, tuple[float, int]], dict[str, Span]]:
    """Order, rank correlation and time between columns that can be compared."""
    chosen = [
        (a, b)
        for a, b in combinations(range(len(names)), 2)
        if plains[a][0] == plains[b][0] and plains[a][0] in ("number", "time")
    ]
    chosen.sort(key=lambda pair: (plains[pair[0]][0] != "time", pair[1] - pair[0], pair))
    chosen = chosen[:MAX_PAIRS]
    solid = {at: _solid(plains[at][1]) for at in {at for pair in chosen for at in pair}}
    ranked = {at: _ranks(values) for at, values in solid.items()}
    order = {f"{a}<{b}": _order(solid[a], solid[b]) for a, b in chosen}
    ranks = {f"{a}<{b}": _together(ranked[a], ranked[b]) for a, b in chosen}
    times = [pair for pair in chosen if plains[pair[0]][0] == "time"][:MAX_SPANS]
    return order, ranks, {f"{a}<{b}": _span(solid[a], solid[b]) for a, b in times}


def _span(a: Floats, b: Floats) -> Span:
    """How many rows have both times, and the seconds from the first to the second."""
    between = (b - a) / 1e6
    return int((~np.isnan(between)).sum()), points(between, SPAN_POINTS)


def _solid(array: Any) -> Floats:
    return np.asarray(array.cast(pa.float64(), safe=False).fill_null(np.nan), np.float64)


def _order(a: Floats, b: Floats) -> tuple[int, int, int]:
    both = ~(np.isnan(a) | np.isnan(b))
    return int(both.sum()), int((a < b).sum()), int((a == b).sum())


def _ranks(values: Floats) -> Ints:
    """Twice the middle rank of each value, -1 where there is none: whole numbers add up exactly."""
    there = ~np.isnan(values)
    _, inverse, counts = np.unique(values[there], return_inverse=True, return_counts=True)
    middle = 2 * np.cumsum(counts) - counts
    out = np.full(len(values), -1, np.int64)
    out[there] = middle[inverse]
    return out


def _together(a: Ints, b: Ints) -> tuple[float, int]:
    both = (a >= 0) & (b >= 0)
    a, b, n = a[both], b[both], int(both.sum())
    across = n * int(a @ b) - int(a.sum()) * int(b.sum())
    own = [n * int(one @ one) - int(one.sum()) ** 2 for one in (a, b)]
    return (across / math.sqrt(own[0]) / math.sqrt(own[1]), n) if min(own) > 0 else (0.0, 0)
