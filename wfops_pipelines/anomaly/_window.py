"""Where and how many the rows of a snapshot should be, by the stretch of time that was asked.

A schedule that was off (a skipped run, one by hand, a weekend without any) is no fault of the
data, so that what is judged is the data against the stretch it was extracted for. Time is measured
in rows that usually come: nights and Sundays are shorter than working hours (the time-rescaling
theorem), by the rate of each hour of the day and each day of the week in the other snapshots.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wfops_pipelines.anomaly._features import middle
from wfops_pipelines.anomaly._sides import Bools, product
from wfops_pipelines.anomaly.nouns import ColumnProfile, Profile

Floats = npt.NDArray[np.float64]

HOUR, WEEK_HOURS, DAY_HOURS = 3600.0, 168, 24
_DAY = HOUR * DAY_HOURS
_MONDAY = 3 * DAY_HOURS  # 1970-01-01 was a Thursday
_AS_LONG, _AS_LATE = 1.25, 0.1 * _DAY  # times the length; in the time of day
_A_DAY = 0.8 * _DAY
_ALIKE = 0.1  # of the history; one run that was off, long ago, makes the next one no usual one
_PUNCTUAL = 0.05  # of the usual time between two snapshots
_ROWS, _DAYS = 2.0, 1.0  # pseudo-rows of an hour, pseudo-days of a weekday
_SLOPE, _SPREAD = 0.5, 0.5  # of rows by the length of the stretch, before anything is known
_LEAST_VARIANCE = 0.01
_DATES = 0.99  # of the times are at midnight


@dataclass(frozen=True, slots=True)
class Windows:
    """The stretches that were asked for, the new snapshot's last; NaN where it is not known.

    `start` and `end` are seconds since 1970, UTC; `rates` the rows of each hour of the week, from
    Monday, that the snapshots on the compared side (see `_sides`) of each had: (snapshots, 168).
    """

    start: Floats
    end: Floats
    rates: Floats

    @property
    def ends_known(self) -> bool:
        return bool(np.isfinite(self.end[-1])) and _mostly(self.end)

    @property
    def known(self) -> bool:
        return self.ends_known and bool(np.isfinite(self.start[-1])) and _mostly(self.start)

    @property
    def usual(self) -> bool:
        """Is the new snapshot's stretch about as long, and does it end at about the time of day, as
        some of the history do, as far as known? What depends on it says nothing otherwise.

        Stretches shorter than a day end at all times of day, so that their length alone counts.
        """
        if not self.known:
            return True
        length = np.maximum(self.end - self.start, 1.0)
        apart = np.mod(self.end[:-1] - self.end[-1] + _DAY / 2, _DAY) - _DAY / 2
        as_long = np.abs(np.log(length[:-1] / length[-1])) <= np.log(_AS_LONG)
        as_late = (np.abs(apart) <= _AS_LATE) | (middle(length[:-1]) < _A_DAY)
        enough = _ALIKE * np.isfinite(length[:-1]).sum()
        return bool(min(as_long.sum(), as_late.sum()) >= enough)

    @property
    def regular(self) -> bool:
        """Was the new snapshot taken as long after the last one as snapshots usually are?"""
        steps = np.diff(self.end)
        usual = middle(steps[:-1])
        return bool(abs(steps[-1] - usual) <= _PUNCTUAL * usual)

    def place(self, i: int, at: Floats) -> Floats:
        """Times as the share (0 to 1) of the rows of snapshot `i` that should lie before them."""
        upto = _upto(self.rates[i], np.concatenate([[self.start[i], self.end[i]], at]))
        part = (upto[2:] - upto[0]) / max(upto[1] - upto[0], 1e-9)
        return np.asarray(np.clip(part, 0.0, 1.0))

    def hours(self) -> Floats:
        """The share of each hour of the day in the rows that should come: (24, snapshots)."""
        rows = self.rates * _exposed(self.start, self.end)
        by_hour = rows.reshape(len(rows), -1, DAY_HOURS).sum(1).T
        return np.asarray(by_hour / np.maximum(by_hour.sum(0), 1e-9))

    def expected(self) -> Floats:
        """`[i, k]`: log of the rows that snapshot `k` should have, by what snapshot `i` knows.

        One whose stretch is not known counts as the usual one.
        """
        rows = np.log(np.maximum(product(self.rates, _exposed(self.start, self.end)), 1e-6))
        known = np.isfinite(self.start)
        usual = rows[:, known].mean(1, keepdims=True)
        return np.asarray(np.where(known[None, :], rows, usual))


def windows(
    profiles: Sequence[Profile], clock: Sequence[ColumnProfile | None], allowed: Bools
) -> Windows:
    """What was asked for each snapshot, and how many rows an hour of the week brings."""
    ends = [p.window or (None, None) for p in profiles]
    start, end = np.array(ends, np.float64).T
    known = np.isfinite(start) & np.isfinite(end) & (end > start)
    start = np.where(known, start, np.nan)
    bare = Windows(start, end, np.ones((len(profiles), WEEK_HOURS)))
    return Windows(start, end, _rates(bare, clock, allowed)) if bare.known else bare


def slopes(x: Floats, expected: Floats, allowed: Bools) -> tuple[Floats, Floats]:
    """Lowest and highest plausible growth of `x` with the `expected`, as each snapshot sees it.

    A history of equally long stretches does not tell whether twice the time brings twice the rows:
    then it is anything from not at all to fully. More than fully is never asked: where only the
    weekdays' rates differ, they are shrunk, and the slope through them is too steep.
    """
    side = allowed / np.maximum(allowed.sum(1, keepdims=True), 1)
    z = expected - (side * expected).sum(1, keepdims=True)
    y = x[None, :] - (side * x[None, :]).sum(1, keepdims=True)
    spread = (allowed * z**2).sum(1)
    slope = (allowed * z * y).sum(1) / np.maximum(spread, 1e-9)
    errors = (allowed * (y - slope[:, None] * z) ** 2).sum(1)
    variance = np.maximum(errors / np.maximum(allowed.sum(1) - 2, 1), _LEAST_VARIANCE)
    told, prior = spread / variance, 1 / _SPREAD**2
    centre = (prior * _SLOPE + told * slope) / (prior + told)
    reach = 1 / np.sqrt(prior + told)
    return np.minimum(centre - reach, 1.0), centre + reach


def dates_only(column: ColumnProfile) -> bool:
    """Do its times tell the day alone?"""
    return column.counts.get("midnight", 0) > _DATES * column.counts["present"]


def _mostly(values: Floats) -> bool:
    return bool(np.isfinite(values[:-1]).sum() * 2 > len(values) - 1)


def _exposed(start: Floats, end: Floats) -> Floats:
    """How many hours of each hour of the week lie in each stretch: (stretches, 168)."""

    def upto(at: Floats) -> Floats:
        hours = np.nan_to_num(at)[:, None] / HOUR + _MONDAY
        weeks = np.floor(hours / WEEK_HOURS)
        return np.asarray(weeks + np.clip(hours - weeks * WEEK_HOURS - np.arange(WEEK_HOURS), 0, 1))

    return np.where(np.isfinite(start + end)[:, None], upto(end) - upto(start), 0.0)


def _upto(rates: Floats, at: Floats) -> Floats:
    """Rows that come until times, at these rates of each hour of the week."""
    hours = at / HOUR + _MONDAY
    weeks = np.floor(hours / WEEK_HOURS)
    total = np.concatenate([[0.0], np.cumsum(rates)])
    within = np.interp(hours - weeks * WEEK_HOURS, np.arange(WEEK_HOURS + 1), total)
    return np.asarray(weeks * total[-1] + within)


def _rates(asked: Windows, clock: Sequence[ColumnProfile | None], allowed: Bools) -> Floats:
    rows = product(_came(asked, clock).T, allowed.astype(np.float64)).T
    time = product(_exposed(asked.start, asked.end).T, allowed.astype(np.float64)).T
    flat = np.maximum(rows.sum(1) / np.maximum(time.sum(1), 1e-9), 1e-9)[:, None, None]
    rows, time = (v.reshape(len(v), -1, DAY_HOURS) for v in (rows, time))
    hourly = (rows.sum(1, keepdims=True) + _ROWS) / (time.sum(1, keepdims=True) + _ROWS / flat)
    ordinary = flat * DAY_HOURS * _DAYS
    daily = (rows.sum(2, keepdims=True) + ordinary) / (
        (hourly * time).sum(2, keepdims=True) + ordinary
    )
    return np.asarray((hourly * daily).reshape(len(allowed), WEEK_HOURS))


def _came(asked: Windows, clock: Sequence[ColumnProfile | None]) -> Floats:
    """Rows within each stretch by the hour of the week: (snapshots, 168)."""
    out = np.zeros((len(clock), WEEK_HOURS))
    for i, column in enumerate(clock):
        if column is None or not np.isfinite(asked.start[i]):
            continue
        at = np.frombuffer(column.points, np.float64)
        inside = at[(at > asked.start[i]) & (at <= asked.end[i])]
        inside = inside - dates_only(column)  # a stretch that ends at midnight has that day's date
        hours = np.mod(np.floor(inside / HOUR) + _MONDAY, WEEK_HOURS).astype(np.int64)
        each = (column.rows - column.nulls) / max(len(at), 1)
        out[i] = np.bincount(hours, minlength=WEEK_HOURS) * each
    return out
