"""The largest and the smallest value of a column: one that is far out is enough."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from wfops_pipelines.anomaly._features import SLACK, Feature, middle, quantile_noise
from wfops_pipelines.anomaly._sides import Bools
from wfops_pipelines.anomaly._sketches import LARGEST
from wfops_pipelines.anomaly.nouns import ColumnProfile

Floats = npt.NDArray[np.float64]
Columns = Sequence[ColumnProfile | None]


def points_of(column: ColumnProfile | None, lengths: bool = False) -> Floats:
    if column is None:
        return np.zeros(0)
    return np.frombuffer(column.lengths if lengths else column.points, np.float64)


def ends(columns: Columns, end: str) -> Floats:
    """The lowest or highest value of all rows; where it is not known, of those sampled."""
    at = 0 if end == "low" else -1
    found = [np.nan if c is None else getattr(c, end) for c in columns]
    points = [points_of(c) for c in columns]
    return np.array(
        [
            (p[at] if len(p) else np.nan) if f is None else f
            for f, p in zip(found, points, strict=True)
        ],
        np.float64,
    )


def extremes(
    name: str, columns: Columns, even: list[Floats], frame: tuple[float, float], allowed: Bools
) -> Iterator[Feature]:
    """`even`: the values of each snapshot on the scale that `frame` (centre, unit) makes."""
    centre, unit = frame
    count = np.array([np.nan if c is None else max(c.counts["present"], 1) for c in columns])
    for sign, label, end in ((1.0, "largest", "high"), (-1.0, "smallest", "low")):
        raw = np.clip(ends(columns, end), -LARGEST, LARGEST)
        level = 0.5 + sign * (0.5 - 0.5 / count)
        gaps = [quantile_noise(r, at, n) for r, at, n in zip(even, level, count, strict=True)]
        noise = np.full(len(raw), 1e-4 + middle(np.array(gaps[:-1])))  # not of one that is far out
        x = sign * np.arcsinh((raw - centre) / unit)
        most = _seen(columns, sign, raw, count, allowed)
        yield Feature(name, label, "numbers", "number", raw, x, noise, True, most)


def _seen(columns: Columns, sign: float, raw: Floats, count: Floats, allowed: Bools) -> Floats:
    """Decades that an extreme can be worth at most where the compared side has some as far out.

    One of so many rows is as far out by chance, however seldom the extreme of a snapshot was.
    """
    rows = [np.sort(sign * points_of(c)) for c in columns]
    as_far = np.array([len(r) - np.searchsorted(r, sign * raw) for r in rows], np.float64).T
    size = np.nan_to_num(count)
    each = size / np.maximum([len(r) for r in rows], 1)
    known = np.where(as_far > 0, (as_far - 1.0) * each + 1.0, 0.0)  # the outermost is one row
    part = (known * allowed).sum(1) / np.maximum((allowed * size).sum(1), 1.0)
    chance = -np.expm1(size * np.log1p(-np.minimum(part, 0.999)))
    return np.where(part > 0, SLACK - np.log10(np.maximum(chance, 1e-30)), np.inf)
