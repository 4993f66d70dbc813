"""One number a snapshot for everything that can go wrong with a column, with its known noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Feature:
    """A statistic over the snapshots of a history, the new one last.

    `raw` is what people read, in `unit`; `x` the same on a scale on which noise is even; `noise`
    the variance that the number of rows alone gives `x`. Absent: NaN in all three. `one_sided`
    statistics are unusual only when they are larger than predicted.
    """

    column: str | None
    statistic: str
    kind: str
    unit: str
    raw: Floats
    x: Floats
    noise: Floats
    one_sided: bool = False


def share(
    column: str | None, statistic: str, kind: str, hits: Floats, of: Floats, one_sided: bool = False
) -> Feature:
    """A proportion, on Anscombe's arcsine scale: its variance is 1 / (4n) whatever it is."""
    with np.errstate(invalid="ignore", divide="ignore"):
        raw = np.where(of > 0, hits / of, np.nan)
        inner = np.clip((hits + 0.375) / (of + 0.75), 0.0, 1.0)
        x = np.where(of > 0, np.arcsin(np.sqrt(inner)), np.nan)
    return Feature(column, statistic, kind, "%", raw, x, 1.0 / (4.0 * of + 2.0), one_sided)


def volume(column: str | None, statistic: str, rows: Floats) -> Feature:
    """A number of rows, on the log scale."""
    return Feature(
        column, statistic, "volume", "rows", rows, np.log(rows + 1.0), 1.0 / (rows + 1.0)
    )


def quantiles(points: Floats, at: Sequence[float]) -> Floats:
    """Quantiles of sorted values; NaN when there are none."""
    if not len(points):
        return np.full(len(at), np.nan)
    return np.asarray(np.interp(np.asarray(at) * (len(points) - 1), np.arange(len(points)), points))


def middle(values: Floats) -> float:
    """The median of what is there, 0 when nothing is."""
    there = values[np.isfinite(values)]
    return float(np.median(there)) if len(there) else 0.0
