"""A trend as a small drawing and, for those who cannot see it, a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from wfops_pipelines.core.findings import Outcome
from wfops_pipelines.report.model import Past

MOST = 24
WIDTH, HEIGHT, GAP, LOW = 5, 22, 2, 4


@dataclass(frozen=True, slots=True)
class Bar:
    """One earlier snapshot: where it stands, how high, and its outcome as a style name."""

    x: int
    y: float
    height: float
    outcome: str
    title: str


@dataclass(frozen=True, slots=True)
class Spark:
    """Bars of the last snapshots, the newest on the right.

    Where values were measured the bars are as high as these, else as the share of failing rows.
    """

    bars: tuple[Bar, ...]
    words: str
    width: int = MOST * (WIDTH + GAP)
    height: int = HEIGHT
    bar_width: int = WIDTH


def spark(trend: Sequence[Past], *, measured: bool = True) -> Spark:
    """The drawing of a trend, oldest first; of more than `MOST` snapshots the last ones.

    Without `measured` no measured value is in it, only outcomes and counts.
    """
    shown = [past if measured else replace(past, measured=None) for past in trend[-MOST:]]
    start = (MOST - len(shown)) * (WIDTH + GAP)
    heights = _of_values(shown) or [_of_failures(past) for past in shown]
    places = range(start, MOST * (WIDTH + GAP), WIDTH + GAP)
    bars = (_bar(*each) for each in zip(shown, places, heights, strict=True))
    return Spark(tuple(bars), _in_words(shown))


def _bar(past: Past, x: int, height: float) -> Bar:
    return Bar(x, round(HEIGHT - height, 1), round(height, 1), past.outcome.value, _title(past))


def _of_values(shown: Sequence[Past]) -> list[float]:
    values = [past.measured for past in shown if past.measured is not None]
    if len(values) < len(shown) or len(values) < 2:
        return []
    low, span = min(values), max(values) - min(values)
    return [LOW + (HEIGHT - LOW) * ((v - low) / span if span else 0.5) for v in values]


def _of_failures(past: Past) -> float:
    if past.outcome is Outcome.PASSED:
        return LOW
    share = past.failed_rows / past.rows if past.rows else 1.0
    # a thousandth must be seen beside a half
    return LOW + 4 + (HEIGHT - LOW - 4) * float(share**0.4)


def _title(past: Past) -> str:
    if past.outcome is Outcome.FAILED and past.failed_rows:
        return f"#{past.seq}: {past.failed_rows:,} of {past.rows:,} rows failed"
    measured = "" if past.measured is None else f", measured {past.measured:,.10g}"
    return f"#{past.seq}: {past.outcome.value}{measured}"


def _in_words(shown: Sequence[Past]) -> str:
    if not shown:
        return "no earlier snapshot"
    passed = sum(p.outcome is Outcome.PASSED for p in shown)
    return f"passed {passed} of the last {len(shown)}"
