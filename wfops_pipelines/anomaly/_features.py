"""One number a snapshot for everything that can go wrong with a column, with its known noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wfops_pipelines.anomaly.nouns import Kind

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_BRACKET = 2.0
SLACK = 0.5


@dataclass(frozen=True, slots=True)
class Feature:
    """A statistic over the snapshots of a history, the new one last.

    `raw` is what people read, in `unit`; `x` the same on a scale on which noise is even; `noise`
    the variance that the number of rows alone gives `x`. Absent: NaN in all three. `one_sided`
    statistics are unusual only when they are larger than predicted. `most` is the evidence (in
    decades) that the statistic cannot exceed, however far it jumped. `of` is the number of things
    that a share is of. `expected[i, k]`: the log of what snapshot `k` should be by what snapshot
    `i` knows of how long it was asked for. Where it is not `told`, the statistic is no sign by
    itself: it only tells what to expect elsewhere.
    """

    column: str | None
    statistic: str
    kind: Kind
    unit: str
    raw: Floats
    x: Floats
    noise: Floats
    one_sided: bool = False
    most: Floats | None = None
    of: Floats | None = None
    expected: Floats | None = None
    told: Bools | None = None


def told(features: Sequence[Feature]) -> Bools:
    """Where each of these statistics says anything by itself: (features, snapshots)."""
    return np.array([np.ones(len(f.x), np.bool_) if f.told is None else f.told for f in features])


def share(
    column: str | None,
    statistic: str,
    kind: Kind,
    hits: Floats,
    of: Floats,
    one_sided: bool = False,
    told: Bools | None = None,
) -> Feature:
    """A proportion, on Anscombe's arcsine scale: its variance is 1 / (4n) whatever it is."""
    with np.errstate(invalid="ignore", divide="ignore"):
        raw = np.where(of > 0, hits / of, np.nan)
        inner = np.clip((hits + 0.375) / (of + 0.75), 0.0, 1.0)
        x = np.where(of > 0, np.arcsin(np.sqrt(inner)), np.nan)
    noise = 1.0 / (4.0 * of + 2.0)
    return Feature(column, statistic, kind, "%", raw, x, noise, one_sided, of=of, told=told)


def volume(
    column: str | None, statistic: str, rows: Floats, expected: Floats | None = None
) -> Feature:
    """A number of rows, on the log scale."""
    x, noise = np.log(rows + 1.0), 1.0 / (rows + 1.0)
    return Feature(column, statistic, "volume", "rows", rows, x, noise, expected=expected)


def quantiles(points: Floats, at: Sequence[float]) -> Floats:
    """Quantiles of sorted values; NaN when there are none."""
    if not len(points):
        return np.full(len(at), np.nan)
    return np.asarray(np.interp(np.asarray(at) * (len(points) - 1), np.arange(len(points)), points))


def quantile_noise(points: Floats, level: float, count: float) -> float:
    """Variance of a sample quantile of `count` values, read off the order statistics around it.

    A local density would call the quantile of a column with few values exact, although it jumps
    from one value to the next when a few rows come or go.
    """
    if not len(points) or not count > 0:
        return float("nan")
    reach = _BRACKET * np.sqrt(level * (1 - level) / count)
    low, high = quantiles(points, (max(level - reach, 0.0), min(level + reach, 1.0)))
    return float(((high - low) / (2 * _BRACKET)) ** 2)


def crossing(rows: Sequence[Floats], level: float, usual: float, count: Floats) -> Floats:
    """Decades that a quantile's distance from its `usual` value can be worth at most.

    Where few values occur, a quantile jumps far when a few rows cross the level. What counts is
    how far the share of rows below (or above) the usual value is from that level.
    """
    from scipy.special import log_ndtr

    ends = [(np.searchsorted(r, usual, "right"), np.searchsorted(r, usual, "left")) for r in rows]
    size = np.array([max(len(r), 1) for r in rows], np.float64)
    upto, below = (np.arcsin(np.sqrt(np.array(e) / size)) for e in zip(*ends, strict=True))
    middle_of = np.arcsin(np.sqrt(level))
    z = 2.0 * np.sqrt(count) * np.maximum(np.maximum(middle_of - upto, below - middle_of), 0.0)
    return np.asarray(-log_ndtr(-z) / np.log(10.0) + SLACK)


def steadied(noise: Floats, count: Floats) -> Floats:
    """The noise of each snapshot, and at least what its number of rows makes of the usual one.

    A few rows may lie close together by chance; nobody knows their mean the better for that.
    """
    return np.asarray(np.fmax(noise, middle((noise * count)[:-1]) / count))


def middle(values: Floats) -> float:
    """The median of what is there, 0 when nothing is."""
    there = values[np.isfinite(values)]
    return float(np.median(there)) if len(there) else 0.0
