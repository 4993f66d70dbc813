"""Features that only a comparison with other snapshots gives: what is new, gone or shifted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from wfops_pipelines.anomaly._features import Feature, quantiles, share
from wfops_pipelines.anomaly._sides import Bools
from wfops_pipelines.anomaly._sketches import unpack
from wfops_pipelines.anomaly.nouns import ColumnProfile, Sketch

Floats = npt.NDArray[np.float64]
Columns = Sequence[ColumnProfile | None]

SHARES_AT_MOST = 40
_GRID = np.linspace(0.02, 0.98, 33)


def table_of(sketches: Sequence[Sketch | None]) -> tuple[npt.NDArray[np.uint64], Floats]:
    """The keys that all sketches can answer for, and their counts: (keys, snapshots)."""
    there = [s for s in sketches if s is not None]
    bound = np.uint64(min((s.bound for s in there), default=0))
    parts = [
        unpack(s) if s is not None else (np.zeros(0, np.uint64), np.zeros(0, np.int64))
        for s in sketches
    ]
    keys = np.unique(np.concatenate([k for k, _ in parts]))
    keys = keys[keys <= bound]
    counts = np.zeros((len(keys), len(parts)))
    for at, (own, number) in enumerate(parts):
        keep = own <= bound
        counts[np.searchsorted(keys, own[keep]), at] = number[keep]
    return keys, counts


def unseen(name: str | None, what: str, kind: str, counts: Floats, allowed: Bools) -> Feature:
    """Share of the rows with a value that no snapshot on the compared side has."""
    known = counts @ allowed.T.astype(np.float64)
    total = counts.sum(0)
    fresh = np.where(known == 0, counts, 0.0).sum(0)
    return share(name, f"unseen {what}", kind, fresh, np.where(total > 0, total, np.nan))


def distance(name: str, what: str, kind: str, counts: Floats, allowed: Bools) -> Feature:
    """Total variation distance to the compared side, against what chance alone would give."""
    total = np.maximum(counts.sum(0), 1.0)
    known = counts @ allowed.T.astype(np.float64)
    sums = np.maximum(known.sum(0), 1.0)
    gap = np.abs(counts / total - known / sums)
    pooled = (counts + known) / (total + sums)
    spread = np.sqrt(pooled * (1 - pooled) * (1 / total + 1 / sums) * 2 / np.pi)
    chance = spread.sum(0) + 1e-12
    freedom = np.maximum(chance**2 / np.maximum((spread**2).sum(0), 1e-300), 1.0)
    raw = np.where(counts.sum(0) > 0, gap.sum(0) / 2, np.nan)
    x = np.log(gap.sum(0) / chance + 0.3)
    return Feature(
        name,
        f"mix of {what}",
        kind,
        "%",
        raw,
        np.where(np.isnan(raw), np.nan, x),
        0.5 / freedom,
        True,
    )


def shares(
    name: str, columns: Columns, keys: npt.NDArray[np.uint64], counts: Floats
) -> Iterator[Feature]:
    """Each value of a column that has few of them, as a share."""
    labels: dict[str, str] = {}
    for column in columns:
        labels.update(column.labels if column is not None else {})
    total = np.array(
        [np.nan if c is None or not c.counts["present"] else c.counts["present"] for c in columns]
    )
    mass = counts[:, :-1].sum(1)
    for at in np.lexsort((keys, -mass))[:SHARES_AT_MOST]:
        if mass[at] >= 0.003 * mass.sum() and mass[at] > 2:
            label = labels.get(f"{keys[at]:016x}", "a value")
            yield share(name, f"share of '{label}'", "values", counts[at], total)


def values(name: str, columns: Columns, allowed: Bools) -> Iterator[Feature]:
    keys, counts = table_of([None if c is None else c.sketches["values"] for c in columns])
    yield unseen(name, "values", "values", counts, allowed)
    few = all(c is None or len(c.sketches["values"].keys) <= 8 * 120 for c in columns)
    if few:
        yield distance(name, "values", "values", counts, allowed)
        yield from shares(name, columns, keys, counts)


def textual(name: str, columns: Columns, allowed: Bools) -> Iterator[Feature]:
    for sketch, what in (("shapes", "patterns"), ("words", "words"), ("pairs", "letter pairs")):
        chosen = [None if c is None else c.sketches.get(sketch) for c in columns]
        if any(s is not None for s in chosen):
            _, counts = table_of(chosen)
            yield unseen(name, what, "text", counts, allowed)
            yield distance(name, what, "text", counts, allowed)


def clocked(name: str, columns: Columns, allowed: Bools) -> Iterator[Feature]:
    for sketch, what in (("hours", "hours of the day"),):
        chosen = [None if c is None else c.sketches.get(sketch) for c in columns]
        if any(s is not None for s in chosen):
            yield distance(name, what, "times", table_of(chosen)[1], allowed)


def ranged(name: str, columns: Columns, allowed: Bools) -> Iterator[Feature]:
    """Shares below and above everything on the compared side, and the distance of the shapes."""
    rows = [np.zeros(0) if c is None else np.frombuffer(c.points, np.float64) for c in columns]
    count = np.array(
        [
            np.nan if c is None or not len(r) else c.counts["present"]
            for c, r in zip(columns, rows, strict=True)
        ]
    )
    ends = np.array([[r[0], r[-1]] if len(r) else [np.nan, np.nan] for r in rows])
    low = np.array([np.nanmin(ends[a, 0], initial=np.inf) for a in allowed])
    high = np.array([np.nanmax(ends[a, 1], initial=-np.inf) for a in allowed])
    below = np.array(
        [(r < lo).mean() if len(r) else np.nan for r, lo in zip(rows, low, strict=True)]
    )
    above = np.array(
        [(r > hi).mean() if len(r) else np.nan for r, hi in zip(rows, high, strict=True)]
    )
    yield share(name, "below the known range", "numbers", below * count, count, True)
    yield share(name, "above the known range", "numbers", above * count, count, True)
    yield _kolmogorov(name, rows, allowed, count)


def _kolmogorov(name: str, rows: list[Floats], allowed: Bools, count: Floats) -> Feature:
    """Largest gap between the distribution and the mean of the compared ones, on a common grid."""
    q = np.array([quantiles(r, list(_GRID)) for r in rows])
    grid = np.unique(q[np.isfinite(q).all(1)].ravel())
    grid = grid[:: max(len(grid) // 512, 1)]
    both = [
        (np.searchsorted(r, grid, "right") + np.searchsorted(r, grid, "left"))
        / (2 * max(len(r), 1))
        for r in rows
    ]
    below = np.array(both)
    there = np.array([len(r) > 0 for r in rows])
    weights = (allowed & there[None, :]).astype(np.float64)
    mean = weights @ below / np.maximum(weights.sum(1, keepdims=True), 1.0)
    gap = np.abs(below - mean).max(1, initial=0.0)
    raw = np.where(there, gap, np.nan)
    x = np.log(gap * np.sqrt(np.where(there, count, np.nan)) + 0.3)
    return Feature(
        name, "shape of the distribution", "numbers", "%", raw, x, np.full(len(rows), 0.09), True
    )
