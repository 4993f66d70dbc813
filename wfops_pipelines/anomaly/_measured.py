"""Features that one column has by itself: what is missing, how large, how spread, how spelled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from wfops_pipelines.anomaly._compared import Entries, known_side
from wfops_pipelines.anomaly._extremes import ends, extremes, points_of
from wfops_pipelines.anomaly._features import (
    SLACK,
    Feature,
    crossing,
    middle,
    quantile_noise,
    quantiles,
    share,
    steadied,
)
from wfops_pipelines.anomaly._sides import Bools
from wfops_pipelines.anomaly.nouns import ColumnProfile, Kind

Floats = npt.NDArray[np.float64]
Columns = Sequence[ColumnProfile | None]

# statistic, kind of finding, the count that it is a share of
_SHARES: tuple[tuple[str, Kind, str], ...] = (
    ("empty", "missing", "present"),
    ("missing", "missing", "present"),
    ("epoch", "missing", "present"),
    ("far", "missing", "present"),
    ("zero", "missing", "present"),
    ("minus_one", "missing", "present"),
    ("nines", "missing", "present"),
    ("odd", "missing", "present"),
    ("negative", "numbers", "present"),
    ("whole", "numbers", "present"),
    ("cents", "numbers", "present"),
    ("micros", "numbers", "present"),
    ("true", "values", "present"),
    ("most", "values", "present"),
    ("midnight", "times", "present"),
    ("untrimmed", "text", "present"),
    ("damaged", "text", "present"),
    ("accented", "text", "present"),
    ("spelled_numbers", "text", "present"),
    ("spelled_times", "text", "present"),
)
_CLASSES = ("lower", "upper", "digits", "spaces", "wide", "control", "marks")
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_FEW = 120
_ALIKE = 3.0  # times the usual number of rows
_UNIQUE, _FILLED = 0.9, 0.02
_SMALLEST = 1e-100


def counted(columns: Columns, name: str) -> Floats:
    return np.array([np.nan if c is None else c.counts.get(name, np.nan) for c in columns])


def missing(name: str, columns: Columns) -> Iterator[Feature]:
    rows = np.array([np.nan if c is None else c.rows for c in columns])
    nulls = np.array([np.nan if c is None else c.nulls for c in columns])
    yield share(name, "null", "missing", nulls, rows)
    present = counted(columns, "present")
    for statistic, kind, _ in _SHARES:
        hits = counted(columns, statistic)
        if statistic == "most":
            hits = np.maximum(hits - 1.0, 0.0)  # of what never repeats, it is 1 in however many
        if np.isfinite(hits).any():
            yield share(name, statistic, kind, hits, present)


def spelling(name: str, columns: Columns) -> Iterator[Feature]:
    classes = np.array([counted(columns, c) for c in _CLASSES])
    if not np.isfinite(classes).any():
        return
    present, total = counted(columns, "present"), np.maximum(classes.sum(0), 1.0)
    for at, statistic in enumerate(_CLASSES):
        yield share(name, statistic, "text", classes[at] / total * present, present)


def variety(name: str, columns: Columns, entries: Entries) -> Iterator[Feature]:
    """Number of different values where it does not grow with the rows, else their share of them.

    Of far more rows than usual, or far fewer, neither can be compared.
    """
    present = counted(columns, "present")
    usual = middle(present[:-1])
    alike = (present * _ALIKE > usual) & (present < _ALIKE * usual)
    present, held = (np.where(alike, v, np.nan) for v in (present, counted(columns, "distinct")))
    if np.nanmax(held[:-1], initial=0.0) <= _FEW < middle(present):
        x, noise = np.log(held + 1.0), 0.3 / np.maximum(held, 1.0) ** 2
        yield Feature(name, "distinct", "values", "count", held, x, noise, most=_absent(entries))
    else:
        yield share(name, "distinct", "values", np.minimum(held, present), present)


def _absent(entries: Entries) -> Floats:
    """Decades that a lack of values that occurred on the compared side can be worth at most.

    Of few rows, what is rare is not always among them. Where nothing lacks there is no limit.
    """
    from scipy.special import pdtrc

    counts = entries.table()
    known, rows = known_side(counts), entries.totals()
    part = known / np.maximum(known.sum(0), 1.0)
    missed = np.where(known > 0, (1.0 - part) ** rows, 0.0).sum(0)
    lacking = ((known > 0) & (counts == 0)).sum(0)
    tail = pdtrc(np.maximum(lacking - 1.0, 0.0), np.maximum(missed, 1e-12))
    decades = SLACK - np.log10(np.maximum(tail, 1e-30))
    new = ((counts > 0) & (known == 0)).any(0)
    return np.where((lacking > 0) & ~new, decades, np.inf)


def density(name: str, columns: Columns) -> Iterator[Feature]:
    """How much of their range whole numbers that hardly repeat fill: running numbers skip none."""
    present, held = counted(columns, "present"), counted(columns, "distinct")
    unique = held / np.maximum(present, 1.0)
    if not (counted(columns, "whole") == present).all() or not middle(unique) > _UNIQUE:
        return
    low, high = (ends(columns, end) for end in ("low", "high"))
    filled = np.array([np.nan if c is None else c.rows - c.nulls for c in columns]) * unique
    raw = np.where(filled > 0, filled / (high - low + 1.0), np.nan)
    if middle(raw[:-1]) > _FILLED:
        noise = 1e-3 + np.maximum(1.0 - raw, 0.0) / np.maximum(filled, 1.0)
        yield Feature(name, "share of its range", "gaps", "%", raw, np.log(raw), noise)


def sizes(name: str, columns: Columns, allowed: Bools, lengths: bool) -> Iterator[Feature]:
    """Quantiles, typical size and spread of numbers, or of the lengths of texts."""
    rows = [points_of(c, lengths) for c in columns]
    if not any(len(r) for r in rows):
        return
    kind: Kind = "text" if lengths else "numbers"
    unit, prefix = ("characters", "length ") if lengths else ("number", "")
    q = np.array([quantiles(r, _QUANTILES) for r in rows])
    centre, scale = _frame(q[:-1])
    count = np.array([np.nan if c is None else max(c.counts["present"], 1) for c in columns])
    even = [np.arcsinh((r - centre) / scale) for r in rows]
    for at, level in enumerate(_QUANTILES):
        noise = 1e-9 + np.array(
            [quantile_noise(r, level, n) for r, n in zip(even, count, strict=True)]
        )
        label = "median" if level == 0.5 else f"{level:.0%} quantile"
        x = np.arcsinh((q[:, at] - centre) / scale)
        most = crossing(rows, level, middle(q[:-1, at]), count)
        noise = steadied(noise, count)
        yield Feature(name, prefix + label, kind, unit, q[:, at], x, noise, most=most)
    yield from _moments(name, prefix, kind, unit, even, rows, count)
    if not lengths:
        yield from extremes(name, columns, even, (centre, scale), allowed)


def _moments(
    name: str,
    prefix: str,
    kind: Kind,
    unit: str,
    even: list[Floats],
    rows: list[Floats],
    count: Floats,
) -> Iterator[Feature]:
    mean = np.array([r.mean() if len(r) else np.nan for r in even])
    spread = np.array([r.std() if len(r) > 1 else np.nan for r in even])
    raw_mean = np.array([r.mean() if len(r) else np.nan for r in rows])
    raw_spread = np.array([r.std() if len(r) > 1 else np.nan for r in rows])
    floor = max(middle(spread[:-1]), 1e-6)
    noise = steadied((np.nan_to_num(spread) ** 2 + 1e-9) / count, count)
    yield Feature(name, prefix + "mean", kind, unit, raw_mean, mean, noise)
    x, wild = np.log(spread + 0.05 * floor), np.maximum((_tailed(even) - 1.0) / 4.0, 0.7)
    yield Feature(name, prefix + "spread", kind, unit, raw_spread, x, wild / count)


def _tailed(even: list[Floats]) -> float:
    """Kurtosis of the history's values: few far ones make a deviation jump from day to day."""
    rows = [r - r.mean() for r in even[:-1] if len(r)]
    second = np.array([(r**2).mean() for r in rows])
    fourth = np.array([(r**4).mean() for r in rows])
    return float(fourth.sum() / max(float((second**2).sum()), 1e-300)) if rows else 3.0


def _frame(q: Floats) -> tuple[float, float]:
    """Centre and unit of the scale, from the history: its median and its inner quartile range."""
    centre = middle(q[:, 2])
    for scale in (middle(q[:, 3] - q[:, 1]), middle(q[:, 4] - q[:, 0]) / 2, abs(centre) / 50):
        if scale > _SMALLEST:
            return centre, scale
    return centre, 1.0
