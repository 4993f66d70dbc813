"""The profile of a table: columns side by side, rows as a whole, order between columns."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from wfops_pipelines.anomaly._columns import column_profile
from wfops_pipelines.anomaly._hashing import Hashes, hash_column, hash_text, mix
from wfops_pipelines.anomaly._plain import plain, type_name
from wfops_pipelines.anomaly._sketches import sketch
from wfops_pipelines.anomaly.nouns import ColumnProfile, Profile, Sketch

SAMPLE = 16_384
ROW_SKETCH = 512
NULL_PATTERNS = 64
MAX_PAIRS = 48

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def profile_table(table: Any, key: str | None, cursor: str | None) -> Profile:
    with ThreadPoolExecutor(2) as pool:
        plains = list(pool.map(plain, table.columns))
        hashes = list(pool.map(hash_column, [array for _, array in plains]))
        rows = _row_hashes(hashes, table.num_rows)
        sample = _sample(rows)

        def one(at: int) -> ColumnProfile:
            field = table.schema.field(at)
            kind, array = plains[at]
            return column_profile(
                field.name, type_name(field.type), kind, array, hashes[at], sample
            )

        columns = tuple(pool.map(one, range(len(plains))))
    names = table.column_names
    order, ranks = _pairs(names, plains, sample)
    return Profile(
        rows=table.num_rows,
        sampled=table.num_rows if sample is None else len(sample),
        duplicates=_repeats(rows),
        key_duplicates=_repeats(hashes[names.index(key)]) if key in names else 0,
        digest=_digest(rows),
        columns=columns,
        row_sketch=sketch(rows if sample is None else rows[sample], None, ROW_SKETCH),
        pairs=order,
        ranks=ranks,
        null_patterns=_null_patterns(names, plains, sample),
        key=key,
        cursor=cursor,
    )


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


def _sample(rows: Hashes) -> Ints | None:
    """The rows with the smallest hashes: a random sample that does not depend on their order."""
    if len(rows) <= SAMPLE:
        return None
    chosen = np.argpartition(rows, SAMPLE)[:SAMPLE]
    return chosen[np.argsort(rows[chosen], kind="stable")]


def _null_patterns(names: list[str], plains: list[tuple[str, Any]], sample: Ints | None) -> Sketch:
    """Which columns are null together: a pattern is the mix of its columns' names."""
    marks = hash_text(pa.array(names, pa.large_string()))
    rows = len(plains[0][1]) if plains else 0
    out = np.zeros(rows if sample is None else len(sample), np.uint64)
    for mark, (_, array) in zip(marks, plains, strict=True):
        if array.null_count:
            part = array if sample is None else array.take(pa.array(sample))
            out ^= np.where(np.asarray(pc.is_null(part)), mark, np.uint64(0))
    return sketch(out, None, NULL_PATTERNS)


def _pairs(
    names: list[str], plains: list[tuple[str, Any]], sample: Ints | None
) -> tuple[dict[str, tuple[int, int, int]], dict[str, tuple[float, int]]]:
    """Order and rank correlation of columns that can be compared."""
    chosen = [
        (a, b)
        for a, b in combinations(range(len(names)), 2)
        if plains[a][0] == plains[b][0] and plains[a][0] in ("number", "time")
    ]
    chosen.sort(key=lambda pair: (plains[pair[0]][0] != "time", pair[1] - pair[0], pair))
    chosen = chosen[:MAX_PAIRS]
    solid = {at: _solid(plains[at][1], sample) for at in {at for pair in chosen for at in pair}}
    ranked = {at: _ranks(values) for at, values in solid.items()}
    order = {f"{a}<{b}": _order(solid[a], solid[b]) for a, b in chosen}
    return order, {f"{a}<{b}": _together(ranked[a], ranked[b]) for a, b in chosen}


def _solid(array: Any, sample: Ints | None) -> Floats:
    part = array if sample is None else array.take(pa.array(sample))
    return np.asarray(part.cast(pa.float64(), safe=False).fill_null(np.nan), np.float64)


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
