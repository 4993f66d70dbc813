"""Features of time columns: where a snapshot stands against the ones before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from wfops_pipelines.anomaly._features import (
    Feature,
    crossing,
    middle,
    quantile_noise,
    quantiles,
    share,
    steadied,
)
from wfops_pipelines.anomaly._window import Windows, dates_only
from wfops_pipelines.anomaly.nouns import ColumnProfile, Profile, Span

Floats = npt.NDArray[np.float64]
Columns = Sequence[ColumnProfile | None]

_CLOSE = 1e-6
_ROWS_SURE = 60.0  # of another stretch than usual: how exactly its hours' rates are known
_LEVELS = (0.05, 0.5, 0.95)
_NAMES = ("early end", "median", "late end")
_IN_STRETCH = (
    "early end after what was asked for begins",
    "median after what was asked for begins",
    "late end before what was asked for ends",
)
_EULER, _GUMBEL = 0.577, 1.283  # of the largest of many waiting times: mean, deviation


def is_timed(columns: Columns) -> bool:
    """Is it a time column, or text that spells times?"""
    return any(c is not None and ("hours" in c.sketches) for c in columns)


def time_quantiles(columns: Columns) -> Floats:
    return np.array([quantiles(r, _LEVELS) for r in _seconds(columns)])


def _seconds(columns: Columns) -> list[Floats]:
    return [np.zeros(0) if c is None else np.frombuffer(c.points, np.float64) for c in columns]


def times(name: str, columns: Columns, anchor: Floats | None, asked: Windows) -> Iterator[Feature]:
    """Ends and middle of the times: in the stretch that was asked for, where that is known.

    Else on the calendar. A column that is not the clock also: behind the newest time of the clock,
    the `anchor`.
    """
    rows = _seconds(columns)
    count = np.array([np.nan if c is None else max(c.counts["present"], 1) for c in columns])
    q = time_quantiles(columns)
    exact = np.array([_exact(rows, level, count) for level in _LEVELS])
    if anchor is None and asked.known:
        dated = [dates_only(c) for c in columns if c is not None]
        even = asked.usual or middle(np.array(dated, np.float64)) < 1  # dates are where days begin
        yield from _in_stretch(name, rows, count, asked, even)
    if not asked.ends_known:
        yield from _on_calendar(name, q, exact)
    if anchor is None and asked.ends_known and (asked.regular or not asked.known):
        yield from _behind(name, "when it was taken", asked.end, q, exact)
    elif anchor is not None and asked.usual:
        yield from _behind(name, "the newest", anchor, q, exact)


def _exact(rows: Sequence[Floats], level: float, count: Floats) -> Floats:
    noise = [quantile_noise(r, level, n) for r, n in zip(rows, count, strict=True)]
    return steadied(np.array(noise), count)


def _on_calendar(name: str, q: Floats, exact: Floats) -> Iterator[Feature]:
    step = middle(np.abs(np.diff(q[:-1, 1]))) if len(q) > 2 else 0.0
    unit = max(_width(q), step, 1.0)
    for at, label in enumerate(_NAMES):
        noise = exact[at] / unit**2 + _CLOSE
        yield Feature(name, label, "times", "time", q[:, at], q[:, at] / unit, noise)
    before, noise = np.concatenate([[np.nan], q[:-1, 2]]), exact[2] / unit**2 + _CLOSE
    for at, label in ((0, "gap since the last snapshot"), (2, "step since the last snapshot")):
        gap = q[:, at] - before
        yield Feature(name, label, "times", "duration", gap, np.arcsinh(gap / unit), noise)


def _behind(name: str, what: str, anchor: Floats, q: Floats, exact: Floats) -> Iterator[Feature]:
    width = max(_width(q), 60.0)
    for at, label in enumerate(_NAMES):
        raw, noise = anchor - q[:, at], exact[at] / width**2 + _CLOSE
        said = f"{label} behind {what}"
        yield Feature(name, said, "times", "duration", raw, np.arcsinh(raw / width), noise)


def _width(q: Floats) -> float:
    return middle((q[:, 2] - q[:, 0])[:-1])


def _in_stretch(
    name: str, rows: list[Floats], count: Floats, asked: Windows, even: bool
) -> Iterator[Feature]:
    """Whether the rows of a stretch begin, lie and end where its rows usually do.

    even: may they lie anywhere in it?
    """
    there = np.array([len(r) > 0 for r in rows]) & np.isfinite(asked.start)
    of = np.where(there, count, np.nan)
    sure = of.copy()
    if not asked.usual:
        sure[-1] = min(of[-1], _ROWS_SURE)
    place = [
        asked.place(i, r) if t else r[:0] for i, (r, t) in enumerate(zip(rows, there, strict=True))
    ]
    clock = [_stretched(r, *ends) for r, *ends in zip(rows, asked.start, asked.end, strict=True)]
    for label, level in zip(_IN_STRETCH, _LEVELS, strict=True) if even else ():
        part = np.array([quantiles(_ended(p), (level,))[0] for p in place])
        at = np.where(there, [quantiles(c, (level,))[0] for c in clock], np.nan)
        raw = asked.end - at if level > 0.5 else at - asked.start
        x = np.where(there, np.arcsin(np.sqrt(part)), np.nan)
        yield Feature(name, label, "times", "duration", raw, x, 1.0 / (4.0 * sure + 2.0))
    if even:
        yield _hole(name, clock, place, of)
    early = np.array(
        [(r <= s).sum() / max(len(r), 1) for r, s in zip(rows, asked.start, strict=True)]
    )
    late = np.array([(r > e).sum() / max(len(r), 1) for r, e in zip(rows, asked.end, strict=True)])
    yield share(name, "before what was asked for", "times", early * of, of)
    yield share(name, "after what was asked for", "times", late * of, of)


def _ended(place: Floats) -> Floats:
    """Places with the stretch's ends: the quantiles of few of them are unbiased then."""
    return np.concatenate([[0.0], place, [1.0]])


def _stretched(at: Floats, start: float, end: float) -> Floats:
    """Times with the ends of their stretch, which reaches to rows outside of it."""
    return np.concatenate([[min(start, *at[:1])], at, [max(end, *at[-1:])]])


def _hole(name: str, clock: list[Floats], place: list[Floats], of: Floats) -> Feature:
    """The longest part of the stretch without rows, against what chance leaves."""
    raw, x, noise = (np.full(len(place), np.nan) for _ in range(3))
    for i in np.flatnonzero(np.isfinite(of)):
        gaps = np.diff(_ended(place[i]))
        chance = (np.log(len(gaps)) + _EULER) / len(gaps)
        raw[i] = np.diff(clock[i])[np.argmax(gaps)]
        x[i] = np.log(gaps.max() / chance)
        noise[i] = (_GUMBEL / len(gaps) / chance) ** 2
    return Feature(name, "longest stretch without rows", "times", "duration", raw, x, noise, True)


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
        noise = _exact(even, level, count)
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
