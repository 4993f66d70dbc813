"""Features of numbers beside those of other snapshots: beyond their range, of another shape."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from wfops_pipelines.anomaly._compared import dwindling, reaches
from wfops_pipelines.anomaly._features import Feature, quantiles, share
from wfops_pipelines.anomaly._sides import Bools
from wfops_pipelines.anomaly.nouns import ColumnProfile

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Columns = Sequence[ColumnProfile | None]

_GRID = np.linspace(0.02, 0.98, 33)


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
    reach = reaches(len(rows) - 1)
    below = _beyond([-r for r in rows], -ends[:, 0], allowed, reach)
    above = _beyond(rows, ends[:, 1], allowed, reach)
    yield share(name, "below the known range", "numbers", below * count, count, True)
    yield share(name, "above the known range", "numbers", above * count, count, True)
    yield _kolmogorov(name, rows, allowed, count)


def _beyond(rows: list[Floats], ends: Floats, allowed: Bools, reach: Ints) -> Floats:
    """Share above all of the compared side, as if all sides were equally long."""

    def above(near: Bools) -> Floats:
        high = [np.nanmax(ends[a], initial=-np.inf) for a in near]
        return np.array(
            [(r > h).mean() if len(r) else 0.0 for r, h in zip(rows, high, strict=True)]
        )

    at = np.arange(len(rows))
    half = np.maximum((reach + 1) // 2, 1)
    near = allowed & (np.abs(at[:, None] - at[None, :]) <= half[:, None])
    whole, part = above(allowed), above(near)
    lengths = np.array([1, 2])
    return whole * dwindling([part[:-1].mean(), whole[:-1].mean()], lengths, reach)


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
    others = weights @ np.where(there, np.nan_to_num(count), 0.0)
    size = 1.0 / (1.0 / np.where(there, count, np.nan) + 1.0 / np.maximum(others, 1.0))
    x = np.log(gap * np.sqrt(size) + 0.3)
    return Feature(
        name, "shape of the distribution", "numbers", "%", raw, x, np.full(len(rows), 0.09), True
    )
