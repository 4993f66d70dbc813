"""Adding the profiles of two sets of rows up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from wfops_pipelines.anomaly._columns import LABELS, LIMITS
from wfops_pipelines.anomaly._profile import NULL_PATTERNS, ROW_SKETCH, Window
from wfops_pipelines.anomaly._sketches import (
    CELL_ROWS,
    merge_points,
    merge_sketches,
    unpack,
)
from wfops_pipelines.anomaly.nouns import ColumnProfile, Profile, Sketch, Span
from wfops_pipelines.errors import SchemaRefused

Ints = npt.NDArray[np.int64]


def merge(a: Profile, b: Profile) -> Profile:
    if (a.schema, a.key, a.cursor) != (b.schema, b.key, b.cursor):
        raise SchemaRefused("only profiles of the same columns, key and cursor can be merged")
    if a.version != b.version:
        raise SchemaRefused(
            f"profiles of versions {a.version} and {b.version} cannot be merged: profile the rows "
            "of the older one again"
        )
    if not (a.rows and b.rows):
        return replace(a if a.rows else b, window=_window(a.window, b.window))
    smallest = _smallest(a.cell_rows, b.cell_rows)
    columns = tuple(_column(x, y, smallest) for x, y in zip(a.columns, b.columns, strict=True))
    rows = merge_sketches(a.row_sketch, b.row_sketch, ROW_SKETCH)
    return Profile(
        rows=a.rows + b.rows,
        sampled=a.sampled + b.sampled,
        duplicates=a.duplicates + b.duplicates + _shared_rows(a, b),
        key_duplicates=a.key_duplicates + b.key_duplicates + _shared_keys(a, b),
        digest=_digest(a.digest, b.digest),
        columns=columns,
        row_sketch=rows,
        pairs={name: _add(a.pairs[name], b.pairs[name]) for name in a.pairs},
        ranks={name: _mean(a.ranks[name], b.ranks[name]) for name in a.ranks if name in b.ranks},
        spans={n: _span(a.spans[n], b.spans[n]) for n in a.spans if n in b.spans},
        null_patterns=_patterns(a.null_patterns, b.null_patterns),
        cell_rows=_taken(a.cell_rows, b.cell_rows, smallest, np.uint64),
        rules={n: _held(a.rules[n], b.rules[n]) for n in a.rules if n in b.rules},
        key=a.key,
        cursor=a.cursor,
        window=_window(a.window, b.window),
        version=a.version,
    )


def _window(a: Window | None, b: Window | None) -> Window | None:
    """From the earlier start to the later end; not known where one of the two is not."""
    if a is None or b is None:
        return None
    starts, ends = (a[0], b[0]), (a[1], b[1])
    start = None if None in starts else min(s for s in starts if s is not None)
    return start, None if None in ends else max(e for e in ends if e is not None)


def _held(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    return a[0] + b[0], a[1] + b[1]


def _add(a: tuple[int, int, int], b: tuple[int, int, int]) -> tuple[int, int, int]:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]


def _mean(a: tuple[float, int], b: tuple[float, int]) -> tuple[float, int]:
    n = a[1] + b[1]
    return (a[0] * a[1] + b[0] * b[1]) / max(n, 1), n


def _span(a: Span, b: Span) -> Span:
    return a[0] + b[0], merge_points(a[1], a[0], b[1], b[0])


def _patterns(a: Sketch | None, b: Sketch | None) -> Sketch | None:
    return merge_sketches(a, b, NULL_PATTERNS) if a is not None and b is not None else None


def _digest(a: str, b: str) -> str:
    (rows_a, sums_a), (rows_b, sums_b) = a.split("-"), b.split("-")
    sums = [(int(sums_a[i : i + 16], 16) + int(sums_b[i : i + 16], 16)) % 2**64 for i in (0, 16)]
    return f"{int(rows_a) + int(rows_b)}-{sums[0]:016x}{sums[1]:016x}"


def _shared(a: Sketch, b: Sketch, counts: tuple[int, int]) -> int:
    """How many different things both have, of the `counts` that each has.

    Exact where the sketches hold all; else by the share of what they hold that is in both, which
    is off by little where that is nearly all or nearly nothing.
    """
    bound = np.uint64(min(a.bound, b.bound))
    of_a, of_b = (set(keys[keys <= bound].tolist()) for keys in (unpack(a)[0], unpack(b)[0]))
    both = len(of_a & of_b)
    return max(both, round(both * sum(counts) / max(len(of_a) + len(of_b), 1)))


def _shared_rows(a: Profile, b: Profile) -> int:
    counts = a.rows - a.duplicates, b.rows - b.duplicates
    return _shared(a.row_sketch, b.row_sketch, counts)


def _shared_keys(a: Profile, b: Profile) -> int:
    """Rows without a key have the same one."""
    pairs = zip(a.columns, b.columns, strict=True)
    x, y = next(((x, y) for x, y in pairs if x.name == a.key), (None, None))
    if x is None or y is None:
        return 0
    shared = _shared(x.sketches["values"], y.sketches["values"], (_keys(a, x), _keys(b, y)))
    return shared + (x.nulls > 0 and y.nulls > 0)


def _keys(one: Profile, key: ColumnProfile) -> int:
    """How many different keys there are."""
    return one.rows - one.key_duplicates - (key.nulls > 0)


def _smallest(a: bytes, b: bytes) -> Ints:
    """Which of the rows of both have the smallest hashes."""
    both = np.concatenate([np.frombuffer(one, np.uint64) for one in (a, b)])
    return np.argsort(both, kind="stable")[:CELL_ROWS]


def _taken(a: bytes, b: bytes, chosen: Ints, kind: type) -> bytes:
    return bytes(np.frombuffer(a + b, kind)[chosen].tobytes()) if len(chosen) else b""


def _column(a: ColumnProfile, b: ColumnProfile, smallest: Ints) -> ColumnProfile:
    sketches = {
        name: merge_sketches(a.sketches[name], b.sketches[name], LIMITS[name])
        for name in a.sketches
        if name in b.sketches
    }
    return ColumnProfile(
        name=a.name,
        type=a.type,
        kind=a.kind,
        rows=a.rows + b.rows,
        nulls=a.nulls + b.nulls,
        sampled=a.sampled + b.sampled,
        counts=_counts(a, b, sketches["values"]),
        low=min((x for x in (a.low, b.low) if x is not None), default=None),
        high=max((x for x in (a.high, b.high) if x is not None), default=None),
        points=merge_points(a.points, a.counts["present"], b.points, b.counts["present"]),
        lengths=merge_points(a.lengths, a.counts["present"], b.lengths, b.counts["present"]),
        sketches=sketches,
        labels=_labels(sketches["values"], dict(sorted([*a.labels.items(), *b.labels.items()]))),
        cells=_taken(a.cells, b.cells, smallest, np.uint32),
    )


def _counts(a: ColumnProfile, b: ColumnProfile, values: Sketch) -> dict[str, int]:
    counts = {name: a.counts[name] + b.counts[name] for name in a.counts}
    highest = max([*unpack(values)[1].tolist(), a.counts["most"], b.counts["most"]], default=0)
    of_each = a.counts["distinct"], b.counts["distinct"]
    shared = _shared(a.sketches["values"], b.sketches["values"], of_each)
    return {**counts, "most": highest, "distinct": counts["distinct"] - shared}


def _labels(values: Sketch, known: dict[str, str]) -> dict[str, str]:
    keys, counts = unpack(values)
    named = [(-int(n), f"{k:016x}") for k, n in zip(keys, counts, strict=True)]
    return dict([(name, known[name]) for _, name in sorted(named) if name in known][:LABELS])
