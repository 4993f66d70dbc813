"""How a sync, or all of them, did over the last ninety days: numbers only, no value of any row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from wfops_pipelines.core.confidence import record
from wfops_pipelines.core.reliability import Reliability, reliability
from wfops_pipelines.core.reviews import HOLDS
from wfops_pipelines.project import Project
from wfops_pipelines.services import Services
from wfops_pipelines.store import audit, controls, figures, reviews
from wfops_pipelines.store.heads import read
from wfops_pipelines.sync import Sync

DAYS = 90
CAUSES = 8


@dataclass(frozen=True, slots=True)
class Day:
    """What one day (UTC) brought: snapshots staged, how many were held, rows published."""

    day: str
    snapshots: int
    held: int
    rows: int


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One sync's numbers, or those of all (`sync` None). Rates are shares, times are seconds.

    false_holds: of `scored` snapshots, those that the anomaly scorer held and a person let go.
    budget: what the policy allows of these; None for all syncs together.
    """

    sync: str | None
    now: datetime
    days: tuple[Day, ...]
    snapshots: int
    held: int
    rows: int
    newest: datetime | None
    pending: int
    paused: bool
    scored: int
    anomalies: int
    false_holds: int
    budget: float | None
    answered: int
    median_wait: float | None
    slow_wait: float | None
    decisions: tuple[Mapping[str, Any], ...]
    causes: tuple[tuple[str, int], ...]
    drafts: tuple[Mapping[str, Any], ...]
    reliability: Reliability
    events: int
    sealed: int
    sealed_at: str | None


def dashboard(
    conn: Connection, project: Project, services: Services, sync: Sync | None
) -> Dashboard:
    """Read everything in one go; two months of history cost a few queries."""
    now, name = services.clock(), sync.name if sync else None
    since = now - timedelta(days=DAYS)
    by_day = [Day(str(r.day), r.snapshots, r.held, int(r.rows)) for r in
              figures.days(conn, name, since)]  # fmt: skip
    totals = [t for t in figures.totals(conn) if name in (None, t.sync)]
    scored, waits = figures.scored(conn, name, since), figures.waits(conn, name, since)
    sealed = read(services.vault)
    stopped = {what for what, _, _ in controls.listed(conn)}
    return Dashboard(
        sync=name,
        now=now,
        days=tuple(by_day),
        snapshots=sum(d.snapshots for d in by_day),
        held=sum(d.held for d in by_day),
        rows=sum(d.rows for d in by_day),
        newest=max((t.newest for t in totals if t.newest), default=None),
        pending=sum(p.n for p in figures.pending(conn) if name in (None, p.sync)),
        paused=bool(stopped & {"all", name}),
        scored=scored.judged,
        anomalies=scored.held,
        false_holds=scored.false_holds,
        budget=sync.policy.false_holds if sync else None,
        answered=waits.n,
        median_wait=waits.median if waits.median is None else float(waits.median),
        slow_wait=waits.p90 if waits.p90 is None else float(waits.p90),
        decisions=tuple(dict(r._mapping) for r in figures.decisions(conn, name, since)),
        causes=_causes(conn, name, since, list(project.syncs)),
        drafts=tuple(dict(r._mapping) for r in figures.drafts(conn, name, since)),
        reliability=_reliability(conn, name),
        events=audit.head(conn)[0],
        sealed=sealed[-1].n if sealed else 0,
        sealed_at=sealed[-1].at if sealed else None,
    )


def _causes(
    conn: Connection, name: str | None, since: datetime, syncs: list[str]
) -> tuple[tuple[str, int], ...]:
    """The kinds of findings that held most often."""
    found = [r for n in ([name] if name else syncs) for r in reviews.of_sync(conn, n, since)]
    counted = Counter(
        r.cause if name else f"{r.sync}: {r.cause}" for r in found if r.kind in HOLDS and r.cause
    )
    return tuple(counted.most_common(CAUSES))


def _reliability(conn: Connection, name: str | None) -> Reliability:
    known = record(reviews.decided(conn))
    told = [p for sync, pairs in known.foretold.items() if name in (None, sync) for p in pairs]
    return reliability(told)
