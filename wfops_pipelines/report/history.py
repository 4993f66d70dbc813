"""How expectations did over the last snapshots: of a whole sync, or of one expectation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from wfops_pipelines.core.findings import Outcome, Severity, counted
from wfops_pipelines.report.model import Past
from wfops_pipelines.report.page import environment, style
from wfops_pipelines.report.show import MASK, in_utc, plain
from wfops_pipelines.report.spark import spark
from wfops_pipelines.report.view import SIGNS, safe_address


@dataclass(frozen=True, slots=True)
class Trend:
    """One expectation and how it ended on earlier snapshots, oldest first.

    `columns` are all that it judges; `url` leads to its own history.
    """

    words: str
    severity: Severity
    past: tuple[Past, ...]
    columns: tuple[str, ...] = ()
    url: str | None = None


@dataclass(frozen=True, slots=True)
class PastSnapshot:
    """An earlier snapshot: its number, time, rows, what became of it, and its report."""

    seq: int
    staged_at: datetime
    rows: int
    state: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class History:
    """The history of a sync, or with a single trend that of one expectation.

    `snapshots` are those that the trends speak of, oldest first.
    """

    sync: str
    trends: tuple[Trend, ...]
    snapshots: tuple[PastSnapshot, ...]
    written_at: datetime
    masked: frozenset[str] = frozenset()
    back: str | None = None


def render_history(history: History) -> str:
    """The history as one self-contained HTML page, under the same rules as a report."""
    return (
        environment()
        .get_template("history.html")
        .render(
            sync=plain(history.sync),
            title=plain(history.trends[0].words) if len(history.trends) == 1 else "Expectations",
            trends=[_trend(t, history.masked) for t in _worst_first(history.trends)],
            snapshots=[_snapshot(s, history) for s in reversed(history.snapshots)],
            single=len(history.trends) == 1,
            back=safe_address(history.back),
            written=in_utc(history.written_at),
            style=style(),
        )
    )


def _worst_first(trends: tuple[Trend, ...]) -> list[Trend]:
    return sorted(trends, key=lambda t: (_passed(t) / (len(t.past) or 1), -t.severity.rank))


def _passed(trend: Trend) -> int:
    return sum(p.outcome is Outcome.PASSED for p in trend.past)


def _trend(trend: Trend, masked: frozenset[str]) -> dict[str, object]:
    failed = [p for p in trend.past if p.outcome is not Outcome.PASSED]
    return {
        "words": plain(trend.words),
        "severity": trend.severity.value,
        "spark": spark(trend.past, measured=not set(trend.columns) & masked),
        "last": f"#{failed[-1].seq}" if failed else "never",
        "url": safe_address(trend.url),
    }


def _snapshot(snapshot: PastSnapshot, history: History) -> dict[str, object]:
    past = [p for t in history.trends for p in t.past if p.seq == snapshot.seq]
    return {
        "seq": snapshot.seq,
        "at": in_utc(snapshot.staged_at),
        "rows": f"{snapshot.rows:,}",
        "state": plain(snapshot.state),
        "url": safe_address(snapshot.url),
        "outcomes": [(p.outcome.value, SIGNS[p.outcome]) for p in past],
        "said": _said(past[0], history) if len(history.trends) == 1 and past else "",
        "failed": sum(p.outcome is not Outcome.PASSED for p in past),
        "judged": len(past),
    }


def _said(past: Past, history: History) -> str:
    if past.failed_rows:
        return f"{past.failed_rows:,} of {counted(past.rows, 'row')} failed"
    hidden = set(history.trends[0].columns) & history.masked
    return "" if past.measured is None else MASK if hidden else plain(past.measured)
