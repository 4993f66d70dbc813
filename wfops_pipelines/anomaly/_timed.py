"""Features of time columns: where a snapshot stands against the ones before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from wfops_pipelines.anomaly._features import Feature, crossing, middle, quantile_noise, quantiles
from wfops_pipelines.anomaly.nouns import ColumnProfile, Profile, Span

Floats = npt.NDArray[np.float64]
Columns = Sequence[ColumnProfile | None]

_CLOSE = 1e-6
_LEVELS = (0.05, 0.5, 0.95)
_NAMES = ("early end", "median", "late end")


def is_timed(columns: Columns) -> bool:
    """Is it a time column, or text that spells times?"""
    return any(c is not None and ("hours" in c.sketches) for c in columns)


def time_quantiles(columns: Columns) -> Floats:
    return np.array([quantiles(r, _LEVELS) for r in _seconds(columns)])


def _seconds(columns: Columns) -> list[Floats]:
    return [np.zeros(0) if c is None else np.frombuffer(c.points, np.float64) for c in columns]


def times(name: str, columns: Columns, anchor: Floats | None) -> Iterator[Feature]:
    """Ends and middle of the times: on the calendar, and behind the newest time of the cursor."""
    q, rows = time_quantiles(columns), _seconds(columns)
    width = middle((q[:, 2] - q[:, 0])[:-1])
    step = middle(np.abs(np.diff(q[:-1, 1]))) if len(q) > 2 else 0.0
    unit = max(width, step, 1.0)
    count = np.array([np.nan if c is None else max(c.counts["present"], 1) for c in columns])
    for at, label in enumerate(_NAMES):
        exact = np.array(
            [quantile_noise(r, _LEVELS[at], n) for r, n in zip(rows, count, strict=True)]
        )
        noise = exact / unit**2 + _CLOSE
        yield Feature(name, label, "times", "time", q[:, at], q[:, at] / unit, noise)
        if anchor is not None:
            behind = anchor - q[:, at]
            even, wide = np.arcsinh(behind / max(width, 60.0)), exact / max(width, 60.0) ** 2
            yield Feature(
                name, f"{label} behind the newest", "times", "duration", behind, even, wide + _CLOSE
            )
    before = np.concatenate([[np.nan], q[:-1, 2]])
    for at, label in ((0, "gap since the last snapshot"), (2, "step since the last snapshot")):
        gap = q[:, at] - before
        yield Feature(name, label, "times", "duration", gap, np.arcsinh(gap / unit), noise)


def between(name: str, label: str, spans: Sequence[Span | None]) -> Iterator[Feature]:
    """Quantiles of the time from one column to another.

    It tells that one of them is shifted by hours also where times lie anywhere in a day.
    """
    rows = [np.zeros(0) if s is None else np.frombuffer(s[1], np.float64) for s in spans]
    count = np.array([np.nan if s is None or not s[0] else s[0] for s in spans], np.float64)
    if np.isfinite(count[:-1]).sum() * 2 < len(count):  # profiled before spans were
        return
    q = np.array([quantiles(r, _LEVELS) for r in rows])
    centre, unit = middle(q[:-1, 1]), max(middle((q[:, 2] - q[:, 0])[:-1]), 60.0)
    even = [np.arcsinh((r - centre) / unit) for r in rows]
    for at, level in enumerate(_LEVELS):
        noise = np.array([quantile_noise(r, level, n) for r, n in zip(even, count, strict=True)])
        x = np.arcsinh((q[:, at] - centre) / unit)
        most = crossing(rows, level, middle(q[:-1, at]), count)
        said = f"{'median' if level == 0.5 else f'{level:.0%} quantile'} of the time {label}"
        yield Feature(name, said, "times", "duration", q[:, at], x, noise + _CLOSE, most=most)


def newest(
    profiles: Sequence[Profile], by_name: Mapping[str, Columns]
) -> tuple[str | None, Floats]:
    """The column that tells the time of a snapshot, and the late end of it."""
    timed = [name for name, columns in by_name.items() if is_timed(columns)]
    if not timed:
        return None, np.full(len(profiles), np.nan)
    cursor = profiles[-1].cursor
    ends = {name: time_quantiles(by_name[name])[:, 2] for name in timed}
    chosen = cursor if cursor in timed else max(timed, key=lambda n: (middle(ends[n]), n))
    return chosen, ends[chosen]


def weekdays(late: Floats) -> list[int]:
    """The weekday of each snapshot, or its place in a cycle of seven when no time is known."""
    if not np.isfinite(late).all():
        return [at % 7 for at in range(len(late))]
    return [int(day) for day in np.mod(np.floor(late / 86400) + 3, 7)]
