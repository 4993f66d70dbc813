"""A snapshot's life on one page: stage → examine → decide → publish, or hold → release.

Every step is one transaction with its audit event, and can be run again after a crash: it goes on
where the database says it stopped.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime

from wfops_pipelines import mending, publishing
from wfops_pipelines.core.audit import Action, AuditEvent
from wfops_pipelines.core.causes import cause_of_findings
from wfops_pipelines.core.parts import Rows
from wfops_pipelines.core.reviews import Actor, Review, ReviewKind, ReviewState
from wfops_pipelines.core.routing import route_hold
from wfops_pipelines.core.snapshot import Evidence, Snapshot, SnapshotState
from wfops_pipelines.core.summary import summary
from wfops_pipelines.core.verdict import Hold, Publish, Verdict, decide
from wfops_pipelines.deciding import confident, gate, reopening
from wfops_pipelines.errors import SettingsError, SnapshotDamaged, SyncFailure
from wfops_pipelines.examining.examination import Examined, examine
from wfops_pipelines.examining.history import read_held, read_past, read_there
from wfops_pipelines.ledger import Publication
from wfops_pipelines.project import Project
from wfops_pipelines.services import Services
from wfops_pipelines.staging.extraction import stage, stage_again
from wfops_pipelines.store import audit, database, reviews, row_models, snapshots
from wfops_pipelines.superseding import lock_older, supersede
from wfops_pipelines.sync import Day, Sync


@dataclass(frozen=True, slots=True)
class Run:
    """Who lets the flow run: a machine's schedule or a person, and the Dagster run, if any."""

    actor: Actor
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """A snapshot with its evidence, the verdict, and the review request that a hold opened."""

    snapshot: Snapshot
    evidence: Evidence
    verdict: Verdict
    review: Review | None = None


@dataclass(frozen=True, slots=True)
class Passed:
    """What one run of a sync did."""

    judged: tuple[Judged, ...] = ()
    publications: tuple[Publication, ...] = ()


def run_sync(
    project: Project,
    sync: Sync,
    services: Services,
    run: Run,
    until: datetime | None = None,
    day: Day | None = None,
    since: datetime | None = None,
) -> Passed:
    """The whole way of one sync: extract what is new, judge what is staged, publish what may go.

    Of a partitioned sync: of one `day`. Where `since` is given, what the source has since then and
    extractions no longer reach comes before.
    """
    began = services.clock()
    judged = stage_and_judge(project, sync, services, run, until, day, since)
    passed = Passed(judged, publishing.publish_cleared(sync, services, run.actor, day))
    whole_run(sync, services, day, began, since)
    return passed


def whole_run(
    sync: Sync, services: Services, day: Day | None, began: datetime, since: datetime | None
) -> None:
    """A run that began then went through: an earlier one that died is over."""
    mending.close(sync, "run", services, day.name if day else None, began, since)


def stage_and_judge(
    project: Project,
    sync: Sync,
    services: Services,
    run: Run,
    until: datetime | None = None,
    day: Day | None = None,
    since: datetime | None = None,
) -> tuple[Judged, ...]:
    """Stage what is new, then judge what is staged."""
    began = services.clock()
    if since is not None:
        stage_again(sync, services, run.actor, run.run_id, since)
    stage(sync, services, run.actor, run.run_id, until, day)
    judged = judge_staged(project, sync, services, run, day)
    mending.close(sync, "extraction", services, day.name if day else None, began, since)
    return judged


def judge_staged(
    project: Project, sync: Sync, services: Services, run: Run, day: Day | None = None
) -> tuple[Judged, ...]:
    """Judge every staged snapshot: extracted, edited by a person, or left behind by a crash."""
    with services.engine.connect() as conn:
        waiting = snapshots.in_state(
            conn, sync.name, SnapshotState.STAGED, partition=day.name if day else None
        )
    return tuple(judge(project, sync, s, services, run) for s in waiting)


def judge(project: Project, sync: Sync, snapshot: Snapshot, services: Services, run: Run) -> Judged:
    """Examine a staged snapshot, decide, and record both; a hold opens a review request.

    Raises the SyncFailure or SettingsError of a destination that does not answer: the snapshot
    stays staged, and the next run judges it.
    """
    rows = services.rows(snapshot)
    with ThreadPoolExecutor(1, "destination") as aside:  # it compares while we score
        there = aside.submit(read_there, sync, snapshot, rows, services)
        past = read_past(sync, snapshot, services)
        suite = project.suite(sync.name)
        examined = examine(sync, suite, snapshot, rows, past, there.result)
    _refuse_blind(snapshot, there.exception())
    verdict = decide(examined.evidence.findings, examined.evidence.rows, sync.policy)
    examined = _with_held(sync, snapshot, rows, examined, verdict, services)
    evidence = examined.evidence
    review = _review(sync, snapshot, evidence, verdict, services, run)
    if not _record(sync, snapshot, examined, verdict, review, services, run):
        return _judged_already(sync, snapshot, services)
    if review is not None and isinstance(verdict, Hold):
        confident.answer(sync, review, verdict, services)
    _leave_report(project, services, snapshot)
    return Judged(snapshot, evidence, verdict, review)


def _with_held(
    sync: Sync,
    snapshot: Snapshot,
    rows: Rows,
    examined: Examined,
    verdict: Verdict,
    services: Services,
) -> Examined:
    """Where only some rows wait, with what publishing those would change: that is decided."""
    evidence = examined.evidence
    if not isinstance(verdict, Hold) or verdict.keys is None or evidence.diff is None:
        return examined
    held = read_held(sync, snapshot, rows, verdict.keys, services)
    return replace(examined, evidence=replace(evidence, held_diff=held))


def _refuse_blind(snapshot: Snapshot, error: BaseException | None) -> None:
    """A hold for a token that ended could never be examined again when there is a new one."""
    if isinstance(error, SyncFailure) and not isinstance(error, SnapshotDamaged):
        said = f"{snapshot.name} waits to be examined: {error}"
        raise type(error)(said, error.exchange) from error
    if isinstance(error, SettingsError):
        raise error


def _judged_already(sync: Sync, snapshot: Snapshot, services: Services) -> Judged:
    """What another run found, which stands: its evidence, its answer, its review request."""
    with services.engine.connect() as conn:
        now = snapshots.get(conn, sync.name, snapshot.seq)
        stored = snapshots.evidence(conn, sync.name, snapshot.seq)
        review = reviews.of_snapshot(conn, sync.name, snapshot.seq)
    assert stored is not None
    evidence = Evidence.from_json(stored[1])
    verdict = decide(evidence.findings, evidence.rows, sync.policy) if review else Publish()
    return Judged(now, evidence, verdict, review)


def _leave_report(project: Project, services: Services, snapshot: Snapshot) -> None:
    from wfops_pipelines import reports  # it brings a template engine that loading does not need

    reports.leave_beside(project, services, snapshot)


def _record(
    sync: Sync,
    snapshot: Snapshot,
    examined: Examined,
    verdict: Verdict,
    review: Review | None,
    services: Services,
    run: Run,
) -> bool:
    """Whether this run was the one to judge it."""
    held = verdict.keys if isinstance(verdict, Hold) else None
    state = SnapshotState.CLEARED if held is not None else _state(verdict)
    with database.transaction(services.engine) as conn:
        now = snapshots.get(conn, sync.name, snapshot.seq, lock=True)
        if now.state is not SnapshotState.STAGED:
            return False
        moot = lock_older(conn, snapshot) if _replaces_all(sync, snapshot) else ()
        snapshots.add_evidence(conn, examined.evidence, held, sync.key)
        if examined.profile is not None and snapshot.ordinary:
            snapshots.add_profile(conn, sync.name, snapshot.seq, examined.profile)
        if examined.model is not None:
            row_models.keep(conn, sync.name, examined.model)
        snapshots.set_state(conn, sync.name, snapshot.seq, state)
        audit.append(conn, _examined(snapshot, examined.evidence, verdict, services, run))
        supersede(conn, moot, snapshot, services)
        if review is not None:
            reviews.open_review(conn, review)
            audit.append(conn, gate.opened(review, services))
        return True


def _replaces_all(sync: Sync, snapshot: Snapshot) -> bool:
    """A whole extraction has every row of the ones before it."""
    whole = sync.cursor is None and sync.policy.while_held == "pass"
    return whole and snapshot.origin is None


def _state(verdict: Verdict) -> SnapshotState:
    return SnapshotState.CLEARED if isinstance(verdict, Publish) else SnapshotState.HELD


def _review(
    sync: Sync,
    snapshot: Snapshot,
    evidence: Evidence,
    verdict: Verdict,
    services: Services,
    run: Run,
) -> Review | None:
    if not isinstance(verdict, Hold):
        return None
    whole = verdict.keys is None
    cause = cause_of_findings(verdict.reasons)
    with services.engine.connect() as conn:
        decided = reviews.answered(conn, sync.name)
        before = reopening.asked_before(conn, snapshot) if snapshot.reopened_by else ""
    routed = route_hold(cause, verdict.reasons, sync.policy, decided)
    return Review(
        id=services.id("rv"),
        sync=sync.name,
        seq=snapshot.seq,
        kind=ReviewKind.WHOLE if whole else ReviewKind.ROWS,
        state=ReviewState.PENDING,
        evidence_hash=evidence.hash,
        summary=summary(evidence, verdict, sync.policy),
        group=routed.group,
        routed=routed.why,
        cause=cause,
        opened_at=services.clock(),
        requested_by=before or snapshot.edited_by or (run.actor.name if run.actor.verified else ""),
        reopened_by=snapshot.reopened_by or "",
        keys=tuple(sorted(verdict.keys or ())),
        approvals_needed=sync.policy.approvals,
        run_id=run.run_id,
    )


def _examined(
    snapshot: Snapshot, evidence: Evidence, verdict: Verdict, services: Services, run: Run
) -> AuditEvent:
    said = "publish" if isinstance(verdict, Publish) else "hold"
    return AuditEvent(
        at=services.clock(),
        actor=run.actor,
        action=Action.EXAMINED,
        subject=snapshot.name,
        details={"evidence": evidence.hash, "verdict": said, "findings": len(evidence.findings)},
    )
