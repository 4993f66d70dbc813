"""Findings in words: measured, expected and since when, in the column's own units."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from wfops_pipelines.anomaly._dates import moment, since
from wfops_pipelines.anomaly._features import Feature

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SHOWN = 30
_PHRASES = {
    "missing": "stand-ins for missing (N/A, unknown, …)",
    "empty": "empty texts",
    "null": "nulls",
    "epoch": "times at 1970-01-01",
    "far": "times before 1900 or after 2099",
    "zero": "zeros",
    "minus_one": "values of -1",
    "nines": "filler numbers (999…)",
    "odd": "NaN or infinite",
    "negative": "negative",
    "whole": "whole numbers",
    "cents": "numbers with at most two decimals",
    "micros": "numbers with at most six decimals",
    "true": "true",
    "midnight": "times at midnight",
    "untrimmed": "space around the text",
    "damaged": "damaged characters (wrong encoding?)",
    "accented": "texts with characters beyond ASCII",
    "spelled_numbers": "texts that spell a number",
    "spelled_times": "texts that spell a time",
    "distinct": "different values",
    "most": "share of the most frequent value",
    "lower": "small letters",
    "upper": "capital letters",
    "digits": "digits",
    "spaces": "spaces",
    "wide": "characters beyond ASCII",
    "control": "control characters",
    "marks": "punctuation",
    "share of its range": "share of the running numbers that are there",
    "before what was asked for": "rows from before the stretch that was asked for",
    "after what was asked for": "rows from after the stretch that was asked for",
    "early end after what was asked for begins": (
        "from the start of the stretch that was asked for to nearly the earliest time"
    ),
    "median after what was asked for begins": (
        "from the start of the stretch that was asked for to the middle time"
    ),
    "late end before what was asked for ends": (
        "from nearly the latest time to the end of the stretch that was asked for"
    ),
    "gap since the last snapshot": (
        "from nearly the latest time of the last snapshot to nearly the earliest of this one"
    ),
    "step since the last snapshot": (
        "from nearly the latest time of the last snapshot to that of this one"
    ),
}
_PLAIN = (  # of statistics whose names carry something
    (r"unseen (.+)", r"\1 not seen before"),
    (r"mix of (.+)", r"change of the mix of \1"),
    (r"early end", "nearly all times are after"),
    (r"late end", "nearly all times are before"),
    (r"early end behind (.+)", r"from nearly the earliest time to \1"),
    (r"median behind (.+)", r"from the middle time to \1"),
    (r"late end behind (.+)", r"from nearly the latest time to \1"),
    (r"lack of (.+)", r"less of \1, a share of"),
    (r"rank correlation with (.+)", r"how closely it goes with \1 (from -1 to 1)"),
    (r"above the known range", "values higher than any before"),
    (r"below the known range", "values lower than any before"),
    (r"shape of the distribution", "change of the distribution"),
    (r"length (mean|median|spread)", r"\1 of the lengths"),
)
_SHARES = {"5": "95 %", "25": "three quarters", "75": "three quarters", "95": "95 %"}
_QUANTILE = re.compile(r"(length )?(\d+)% quantile(?: of the time (.+))?")
_GUESSES = (  # how many times as much, a likely cause of that, and of so many times less
    (100, "cents instead of units", "units instead of cents"),
    (1000, "units instead of thousands", "thousands instead of units"),
    (60, "a smaller unit of time", "a larger unit of time"),
)


def sentence(feature: Feature, predicted: float, taken: Floats) -> tuple[str, str, str]:
    """`(measured, expected, sentence)` of the new snapshot's value of a feature.

    predicted: what it should be by rhythm and trend, on the scale of `x`. It is told where the
    range alone would not say what is odd. taken: when each snapshot was, where that is known.
    """
    shown = _shown(feature)
    old = feature.raw[shown]
    new = float(feature.raw[-1])
    measured = spell(new, feature.unit, [*old, new])
    expected = _range(old, feature.unit) if len(old) else "nothing"
    if len(old) and old.min() <= new <= old.max():
        usual = _usual(feature, predicted)
        if usual is not None and (about := spell(usual, feature.unit, [*old, new])) != measured:
            expected = f"{expected}, for this one about {about}"
    subject = feature.column if feature.column is not None else "snapshot"
    phrase = plain(feature.statistic)
    hint = _guess(feature, old, new)
    last = f"last {len(old)} snapshots" if len(old) != 1 else "last snapshot"
    said = f"{subject}: {phrase} {measured}, {last}{since(taken[shown])} {expected}{hint}"
    return measured, expected, said


def plain(statistic: str) -> str:
    """What a statistic is called in a sentence, without terms of the trade."""
    if statistic in _PHRASES:
        return _PHRASES[statistic]
    if found := _QUANTILE.fullmatch(statistic):
        length, level, span = found.groups()
        what = "lengths" if length else f"times {span}" if span else "values"
        share = _SHARES.get(level, f"{level} %")
        return f"{share} of the {what} are at {'least' if int(level) < 50 else 'most'}"
    for pattern, words in _PLAIN:
        if found := re.fullmatch(pattern, statistic, re.DOTALL):
            return found.expand(words)
    return statistic


def shown_past(feature: Feature) -> tuple[float, ...]:
    """The values that a plot shows: of the last snapshots, and of the new one; all finite."""
    old = feature.raw[_shown(feature)]
    new = float(feature.raw[-1])
    return (*(float(v) for v in old), new) if len(old) and np.isfinite(new) else ()


def _shown(feature: Feature) -> Ints:
    """Which snapshots of the history are named: the last ones that have the statistic."""
    return np.flatnonzero(np.isfinite(feature.raw[:-1]))[-SHOWN:]


def _usual(feature: Feature, predicted: float) -> float | None:
    """A prediction in the unit that people read; None where the scale of `x` is not that one's."""
    x, raw = feature.x, feature.raw
    there = np.isfinite(x) & np.isfinite(raw)
    order = np.argsort(x[there], kind="stable")
    x, raw = x[there][order], raw[there][order]
    if not len(x) or not x[0] <= predicted <= x[-1] or (np.diff(raw) < 0).any():
        return None
    return float(np.interp(predicted, x, raw))


def _range(old: Floats, unit: str) -> str:
    low, high = (
        spell(float(v), unit, [float(old.min()), float(old.max())]) for v in (old.min(), old.max())
    )
    return low if low == high else f"{low}\u2013{high}"


def spell(value: float, unit: str, beside: Iterable[float] = ()) -> str:
    """A number in its unit, with as many digits as tell it apart from those beside it."""
    if unit == "%":
        return f"{value * 100:.3g} %"
    if unit == "time":
        return moment(value).strftime("%Y-%m-%d %H:%M")
    if unit == "duration":
        return _duration(value)
    if unit in ("rows", "count"):
        return f"{value:,.0f}"
    if unit == "correlation":
        return f"{value:.4f}"
    others = [abs(v) for v in beside]
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.2f}" if 0.1 <= max([abs(value), *others]) < 1e12 else f"{value:.4g}"


def _duration(seconds: float) -> str:
    sign, size = ("-" if seconds < 0 else ""), abs(seconds)
    for length, name in ((86400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if size >= 2 * length:
            return f"{sign}{size / length:,.1f} {name}"
    return f"{sign}{size:,.0f} s"


def _guess(feature: Feature, old: Floats, new: float) -> str:
    """A likely cause, when the numbers say one: a change of unit, of time zone."""
    if not len(old):
        return ""
    usual = float(np.median(old))
    if feature.unit == "number" and usual and new:
        for factor, more, less in _GUESSES:
            if 0.8 < new / usual / factor < 1.25:
                return f" (×{factor:,}: {more}?)"
            if 0.8 < usual / new / factor < 1.25:
                return f" (÷{factor:,}: {less}?)"
    return ""
