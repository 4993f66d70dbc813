"""Waive a failing expectation for some rows: a decision like any other.

A waiver publishes nothing by itself. From its grant on, its rows are no longer held for this
expectation by later examinations, and approving those that are held already is no override.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import Connection

from wfops_pipelines.core.audit import Action, AuditEvent
from wfops_pipelines.core.canonical import canonical, digest
from wfops_pipelines.core.findings import CheckResult, Outcome, Severity
from wfops_pipelines.core.reviews import (
    Actor,
    Review,
    ReviewKind,
    ReviewState,
    check_member,
    check_reason,
)
from wfops_pipelines.core.waivers import Waiver, last_moment
from wfops_pipelines.deciding import gate
from wfops_pipelines.errors import AlreadyDecided, BadDecision, EvidenceChanged, NotAllowed
from wfops_pipelines.project import Project
from wfops_pipelines.services import Services
from wfops_pipelines.store import audit, reviews, snapshots, waivers
from wfops_pipelines.sync import Sync


@dataclass(frozen=True, slots=True)
class Asked:
    """A person's words, as given. `rows`: keys of failing rows, or none for all of them."""

    sync: str
    seq: int
    expectation: str
    evidence: str
    until: str
    reason: str
    rows: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Waived:
    """The waiver, and the review request by which somebody else grants it (critical ones only)."""

    waiver: Waiver
    review: Review | None

    @property
    def words(self) -> str:
        """What to tell whoever asked."""
        rows = f"{self.waiver.rows} of {self.waiver.sync}"
        if self.review is not None:
            return (
                f"{self.waiver.id} is asked for: {self.waiver.words} is critical, so somebody else "
                f"of {self.review.group} decides {self.review.id}"
            )
        until = self.waiver.last_day
        return f"{self.waiver.id}: {self.waiver.words} is waived for {rows} until {until}"


def waive(asked: Asked, actor: Actor, project: Project, services: Services) -> Waived:
    """Record a waiver; a critical expectation's opens a review request for somebody else.

    Raises BadDecision, EvidenceChanged or NotAllowed; then nothing has changed.
    """
    sync = project.find(asked.sync)
    if actor.kind != "person":
        raise NotAllowed(f"you may not: {actor} is not a person. Waive from the Dagster UI.")
    group = sync.policy.reviewers
    check_member(actor.name, group, services.people.members(group))
    with services.engine.begin() as conn:
        result = _failed(conn, asked)
        waiver = _waiver(asked, result, actor, services)
        if waiver.severity is not Severity.CRITICAL:
            waivers.add(conn, waiver)
            audit.append(conn, _event(Action.WAIVED, waiver, actor, asked.reason, services))
            return Waived(waiver, None)
        review = _request(sync, waiver, services)
        waiver = replace(waiver, review=review.id)
        waivers.add(conn, waiver)
        reviews.open_review(conn, review)
        audit.append(conn, _event(Action.WAIVER_ASKED, waiver, actor, asked.reason, services))
        audit.append(conn, gate.opened(review, services))
        return Waived(waiver, review)


def end(id: str, reason: str, actor: Actor, services: Services) -> Waiver:
    """End a waiver before its day. Raises BadDecision, AlreadyDecided or NotAllowed."""
    check_reason(reason)
    with services.engine.begin() as conn:
        waiver = waivers.get(conn, id)
        if waiver is None:
            raise BadDecision(f"waiver: there is no {id!r}. List them with `wfops waivers list`.")
        if not services.people.groups_of(actor.name):
            raise NotAllowed(f"you may not: {actor.name} is in no reviewer group.")
        if not waivers.end(conn, id, str(actor), services.clock()):
            raise AlreadyDecided(f"waiver: {id} was ended already; nothing has changed.")
        audit.append(conn, _event(Action.WAIVER_ENDED, waiver, actor, reason, services))
        return waiver


def _failed(conn: Connection, asked: Asked) -> CheckResult:
    """The failed expectation that is meant. Raises a DecisionRefused when there is none."""
    found = snapshots.evidence(conn, asked.sync, asked.seq)
    if found is None:
        raise BadDecision(
            f"snapshot: there is no examined snapshot {asked.seq} of {asked.sync}. "
            "Follow the link on its expectation report."
        )
    hash_, body = found
    if asked.evidence != hash_:
        raise EvidenceChanged(
            f"evidence: {asked.evidence[:12]}… is not what you were shown of {asked.sync} "
            f"#{asked.seq} ({hash_[:12]}…). Open its expectation report and follow the link there."
        )
    results = {r["name"]: CheckResult.from_json(r) for r in body["results"]}
    if asked.expectation not in results:
        raise BadDecision(
            f"expectation: {asked.sync} #{asked.seq} has no expectation {asked.expectation!r}. "
            f"Name one of {', '.join(sorted(results))}."
        )
    return _waivable(results[asked.expectation])


def _waivable(result: CheckResult) -> CheckResult:
    if result.outcome is Outcome.PASSED:
        raise BadDecision(f"expectation: {result.words} passed; there is nothing to waive.")
    if result.outcome is Outcome.ERROR:
        raise BadDecision(f"expectation: {result.words} could not be told; mend it in the suite.")
    if not result.failed_keys:
        raise BadDecision(
            f"expectation: {result.words} is about the whole snapshot, not about rows. Decide its "
            "review request, or change the expectation in the suite."
        )
    return result


def _waiver(asked: Asked, result: CheckResult, actor: Actor, services: Services) -> Waiver:
    for key in asked.rows:
        if key not in result.failed_keys:
            raise BadDecision(f"rows: {key!r} does not fail here. Copy the key from the report.")
    now = services.clock()
    return Waiver(
        id=services.id("wv"),
        sync=asked.sync,
        seq=asked.seq,
        expectation=result.name,
        words=result.words,
        keys=tuple(dict.fromkeys(asked.rows)) or result.failed_keys,
        severity=result.severity,
        reason=check_reason(asked.reason),
        actor=actor,
        at=now,
        expires_at=last_moment(asked.until, now),
    )


def _request(sync: Sync, waiver: Waiver, services: Services) -> Review:
    """Whoever asked never grants it, verified or not."""
    return Review(
        id=services.id("rv"),
        sync=waiver.sync,
        seq=waiver.seq,
        kind=ReviewKind.WAIVER,
        state=ReviewState.PENDING,
        evidence_hash=digest(canonical(waiver.as_json())),
        summary=(
            f"{waiver.actor.name} asks to waive “{waiver.words}” for {waiver.rows} "
            f"until {waiver.last_day}: {waiver.reason}"
        ),
        group=sync.policy.reviewers,
        opened_at=services.clock(),
        requested_by=waiver.actor.name,
        approvals_needed=sync.policy.approvals,
        keys=waiver.keys,
    )


def _event(
    action: Action, waiver: Waiver, actor: Actor, reason: str, services: Services
) -> AuditEvent:
    subject = f"{waiver.sync} #{waiver.seq}"
    at = services.clock()
    return AuditEvent(at, actor, action, subject, reason.strip(), waiver.as_json())
