"""The expectation report and its histories, gathered from the store."""

from __future__ import annotations

import logging
from dataclasses import replace

from sqlalchemy import Connection, func, select

from wfops_pipelines import became
from wfops_pipelines.core import links
from wfops_pipelines.core.findings import CheckResult, Json, Outcome
from wfops_pipelines.core.snapshot import Evidence, Snapshot
from wfops_pipelines.core.verdict import decide
from wfops_pipelines.errors import SnapshotDamaged
from wfops_pipelines.ledger import publications_of, select_rows
from wfops_pipelines.project import Project
from wfops_pipelines.report import (
    ROWS_ON_THE_PAGE,
    Check,
    History,
    Link,
    Past,
    PastSnapshot,
    Report,
    Trend,
    named_rows,
    render_report,
)
from wfops_pipelines.services import Services
from wfops_pipelines.store import files, reviews, snapshots, waivers
from wfops_pipelines.store import tables as t
from wfops_pipelines.sync import Sync
from wfops_pipelines.undoing import revertible

TREND = 20
HISTORY = 60

Judged = list[tuple[Snapshot, Evidence]]


def report(
    conn: Connection,
    project: Project,
    services: Services,
    sync: str,
    seq: int,
    *,
    most: int | None = ROWS_ON_THE_PAGE,
) -> Report | None:
    """The report of one snapshot, or None where it was not examined (or its sync is gone).

    `most`: of how many failing rows the values are read, the worst first; None: of all.
    """
    declared = project.syncs.get(sync)
    judged = snapshots.evidences(conn, sync, seq, TREND)
    if declared is None or not judged or judged[-1][0].seq != seq:
        return None
    snapshot, evidence = judged[-1]
    asked = reviews.of_snapshot(conn, sync, seq)
    suite = project.suite(sync)
    judges = {e.name: e.columns for e in suite.expectations}
    waived = _waived(conn, sync, services)
    found = Report(
        snapshot=snapshot,
        verdict=decide(evidence.findings, evidence.rows, declared.policy),
        checks=tuple(
            Check(
                r,
                _trend(judged, r.name),
                judges.get(r.name, ()),
                _history(sync, r.name),
                _waive(evidence, r),
                waived.get((r.name, r.words), ()),
            )
            for r in evidence.results
        ),
        columns=(declared.key,),
        key=declared.key,
        written_at=services.clock(),
        findings=evidence.findings,
        masked=frozenset(declared.policy.masked),
        difference=evidence.held_diff or evidence.diff,
        of_held=evidence.held_diff is not None,
        published_seq=_published_before(conn, sync, seq),
        suite_digest=suite.digest,
        links=_links(conn, declared, seq, services),
        became=became.of_rows(asked, publications_of(conn, sync, seq)),
        became_by=links.review_page(asked.id) if asked else None,
    )
    return _with_rows(found, services, evidence, most)


def leave_beside(project: Project, services: Services, snapshot: Snapshot) -> None:
    """Write the report as a file beside the snapshot's: it can be read without this program.

    It is a copy: when it cannot be written, a warning is logged and nothing else changes.
    """
    try:
        with services.engine.connect() as conn:
            found = report(conn, project, services, snapshot.sync, snapshot.seq)
        if found is not None:
            page = render_report(_offline(found))
            files.write_text(services.folder(snapshot.sync), file_name(snapshot), page)
    except Exception as error:
        logging.getLogger(__name__).warning(
            "%s: the report could not be written beside the snapshot: %s", snapshot.name, error
        )


def file_name(snapshot: Snapshot) -> str:
    """By number, not by digest: two snapshots with the same rows have a report each."""
    return f"{snapshot.seq:06d}-report.html"


def _offline(found: Report) -> Report:
    """Without addresses on this server: they lead nowhere from a file."""
    checks = tuple(replace(c, history=None, waive=None) for c in found.checks)
    return replace(found, links=(), checks=checks, became="")  # what comes of it, comes later


def history(
    conn: Connection, project: Project, services: Services, sync: str, name: str | None
) -> History | None:
    """How all expectations of a sync did lately, or only the one called `name`."""
    declared = project.syncs.get(sync)
    judged = snapshots.evidences(conn, sync, 2**62, HISTORY)
    if declared is None or not judged:
        return None
    newest = [r for r in judged[-1][1].results if name in (None, r.name)]
    if not newest:
        return None
    judges = {e.name: e.columns for e in project.suite(sync).expectations}
    return History(
        sync=sync,
        trends=tuple(
            Trend(r.words, r.severity, _trend(judged, r.name), judges.get(r.name, ()),
                  None if name else _history(sync, r.name))
            for r in newest
        ),
        snapshots=tuple(
            PastSnapshot(s.seq, s.staged_at, s.rows, s.state.value, links.report_page(sync, s.seq))
            for s, _ in judged
        ),
        written_at=services.clock(),
        masked=frozenset(declared.policy.masked),
        back=links.history_page(sync) if name else links.report_page(sync, judged[-1][0].seq),
    )  # fmt: skip


def _trend(judged: Judged, name: str) -> tuple[Past, ...]:
    named = [(s, r) for s, e in judged for r in e.results if r.name == name]
    return tuple(Past(s.seq, r.outcome, r.rows, r.failed_rows, _number(r)) for s, r in named)


def _number(result: CheckResult) -> float | None:
    numeric = isinstance(result.measured, int | float) and not isinstance(result.measured, bool)
    return float(result.measured) if numeric else None  # type: ignore[arg-type]


def _with_rows(report: Report, services: Services, evidence: Evidence, most: int | None) -> Report:
    """The report with the snapshot's columns, and the values of its failing rows."""
    try:
        rows = services.rows(evidence)
    except SnapshotDamaged:
        return report
    columns = tuple(rows.column_names)
    wanted = frozenset(row.key for row in named_rows(report)[:most])
    if not wanted or report.key not in columns:
        return replace(report, columns=columns)
    found = select_rows(rows, report.key, wanted, frozenset()).whole().to_pylist()
    values = {str(r[report.key]): {c: _json(v) for c, v in r.items()} for r in found}
    return replace(report, columns=columns, rows=values)


def _json(value: object) -> Json:
    return value if isinstance(value, bool | int | float | str | None) else str(value)


def _published_before(conn: Connection, sync: str, seq: int) -> int | None:
    p = t.publications.c
    query = select(func.max(p.seq)).where(p.sync == sync, p.seq < seq, p.reverted_at.is_(None))
    found: int | None = conn.execute(query).scalar_one()
    return found


def _waive(evidence: Evidence, result: CheckResult) -> str | None:
    if result.outcome is not Outcome.FAILED or not result.failed_keys:
        return None
    return links.waive_launchpad(evidence.sync, evidence.seq, result.name, evidence.hash)


def _waived(
    conn: Connection, sync: str, services: Services
) -> dict[tuple[str, str], tuple[str, ...]]:
    """What is set aside today, or asked to be, of each expectation."""
    now = services.clock()
    lines = [
        (w, f"waived for {w.rows} until {w.last_day} by {w.actor} ({w.id}): {w.reason}")
        for w in waivers.granted(conn, sync, now)
    ]
    lines += [
        (w, f"{w.actor} asks to waive it for {w.rows} until {w.last_day}: {w.reason}")
        for w in waivers.asked_for(conn, sync, now)
    ]
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for waiver, line in lines:
        meant = (waiver.expectation, waiver.words)
        found[meant] = (*found.get(meant, ()), line)
    return found


def _links(conn: Connection, declared: Sync, seq: int, services: Services) -> tuple[Link, ...]:
    sync, review = declared.name, reviews.of_snapshot(conn, declared.name, seq)
    undo = revertible(conn, declared, seq, services.clock())
    to_review = [Link("Review request", links.review_page(review.id))] if review else []
    return (
        *to_review,
        Link("Failing rows as CSV", f"{links.report_page(sync, seq)}/failing.csv"),
        Link("History of this suite", links.history_page(sync)),
        Link("Asset in Dagster", links.asset_page(sync, "staged")),
        *([Link("Ask to revert it", links.revert_launchpad(sync, seq))] if undo else []),
        Link("Inbox", "/wfops"),
    )


def _history(sync: str, name: str) -> str:
    return links.history_page(sync, name)
