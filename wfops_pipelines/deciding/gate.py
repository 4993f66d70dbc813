"""The one function through which every decision goes, whatever channel it came by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row

from wfops_pipelines import failing
from wfops_pipelines.core.audit import Action, AuditEvent
from wfops_pipelines.core.findings import Finding, Json
from wfops_pipelines.core.people import Role
from wfops_pipelines.core.reviews import (
    HOLDS,
    OUTCOME_OF,
    Decision,
    Review,
    ReviewKind,
    ReviewState,
    Verb,
    check_decision,
    check_eligible,
    check_four_eyes,
    check_keys,
)
from wfops_pipelines.core.verdict import overridden
from wfops_pipelines.deciding import leaving, row_outcomes
from wfops_pipelines.deciding.editing import held_rows, stage_edited
from wfops_pipelines.deciding.weighing import none_clean, not_waived
from wfops_pipelines.errors import BadDecision, NotAllowed
from wfops_pipelines.project import Project
from wfops_pipelines.services import Services
from wfops_pipelines.staging import assisting
from wfops_pipelines.staging.rereading import way
from wfops_pipelines.store import audit, database, reviews, snapshots
from wfops_pipelines.store.reviews import Errand
from wfops_pipelines.sync import Sync

NAMELESS = "None"  # the key, as text, of rows that have none
APPROVING = (Verb.APPROVE, Verb.APPROVE_CLEAN, Verb.LEAVE_OUT)  # as many as the policy asks for
FAILED_ON = (Verb.RETRY, Verb.LEAVE_OUT)  # what a failure goes on by


@dataclass(frozen=True, slots=True)
class Taken:
    """A decision that was recorded.

    `final` is false while more approvals are needed. `edited` is the number of the snapshot that
    edits made; it is examined next, and opens a review request of its own. `override` are the
    failed critical checks that the decision overrode.
    """

    id: str
    review: Review
    verb: Verb
    final: bool
    approvals: int
    edited: int | None = None
    override: tuple[str, ...] = ()


def decide(decision: Decision, project: Project, services: Services, channel: str) -> Taken:
    """Record a decision: one wins. Vote, state, errand and audit event in one transaction.

    Raises BadDecision, AlreadyDecided, EvidenceChanged or NotAllowed; then nothing has changed.
    """
    with database.transaction(services.engine) as conn:
        review = reviews.get(conn, decision.review, lock=True)
        if review is None:
            raise BadDecision(
                f"review: there is no review request {decision.review!r}. "
                "Copy its id from the review page, or list them with `wfops reviews`."
            )
        sync = sync_of(project, review)
        check_decision(decision, review)
        _check_person(decision, review, services)
        if decision.verb is Verb.LEAVE_OUT:
            decision = leaving.checked(conn, decision, review, sync)
            return _take(conn, decision, review, sync, (), services, channel)
        override = _override(conn, decision, review, sync, services)
        if decision.exclude or decision.edits:
            check_keys(decision, held_rows(conn, sync, review, services))
        if decision.edits:
            return _edit(conn, decision, review, sync, services, channel)
        return _take(conn, decision, review, sync, override, services, channel)


def sync_of(project: Project, review: Review) -> Sync:
    """The sync that a review request is about. Raises BadDecision when the project lost it."""
    if review.sync not in project.syncs:
        raise BadDecision(
            f"review: {review.id} is about the sync {review.sync}, which is not loaded here. If "
            f"assets/{review.sync}.py is there, reload the definitions in Dagster (Deployment, "
            "Reload) and decide then; else restore it, decide, and remove it then."
        )
    return project.syncs[review.sync]


def _check_person(decision: Decision, review: Review, services: Services) -> None:
    if decision.break_glass:
        services.people.require(decision.actor.name, Role.OVERRIDE, "breaking the glass")
        check_four_eyes(decision, review)
    else:
        check_eligible(decision, review, services.people.members(review.group))


def _override(
    conn: Connection, decision: Decision, review: Review, sync: Sync, services: Services
) -> tuple[str, ...]:
    """The failed critical checks that this sets aside. Raises NotAllowed without the role."""
    if decision.verb not in APPROVING or review.kind not in HOLDS or review.seq is None:
        return ()
    found = snapshots.evidence(conn, review.sync, review.seq)
    findings = not_waived(conn, found[1], review.sync, services) if found else ()
    _refuse_nameless(decision, findings, sync)
    clean_only = decision.verb is Verb.APPROVE_CLEAN
    if clean_only and found and none_clean(found[1], sync):
        raise BadDecision(
            "decision: approve_clean would publish nothing, for every row is flagged. "
            "Use decision: reject."
        )
    left_out = frozenset(decision.exclude)
    checks = overridden(findings, sync.policy, left_out, clean_only=clean_only)
    if checks and not decision.edits:
        act = f"approving despite the failed critical check {checks[0]}"
        services.people.require(decision.actor.name, Role.OVERRIDE, act)
    return () if decision.edits else checks


def _refuse_nameless(decision: Decision, findings: Sequence[Finding], sync: Sync) -> None:
    """No destination takes a row without a key, so approving it would wait for ever."""
    for finding in (f for f in findings if f.check == "key" and not f.details.get("crashed")):
        nameless = not finding.names_none
        if nameless and (decision.edits or NAMELESS in decision.exclude):
            continue  # an edited snapshot is examined again
        leave = f"approve the others with `exclude: [{NAMELESS}]`, or " if nameless else ""
        raise BadDecision(
            f"decision: {finding.sentence}, and a row that its key does not name can be published "
            f"nowhere, so {decision.verb.value} would wait for ever. Repair: {leave}reject, and "
            f"mend the sync's key or its function; {way(sync)}."
        )


def _edit(
    conn: Connection,
    decision: Decision,
    review: Review,
    sync: Sync,
    services: Services,
    channel: str,
) -> Taken:
    """The rows with the edits become a snapshot of their own, and this request is superseded."""
    _refuse_second(decision, reviews.decisions_on(conn, review.id))
    id, at = services.id("dc"), services.clock()
    edited = stage_edited(conn, sync, review, decision, services)
    noted = assisting.note_decision(conn, decision, review, edited.rank)
    row_outcomes.note(conn, decision, review, sync.policy, services)
    reviews.record(conn, id, decision, channel, at, final=True)
    reviews.close(conn, review.id, ReviewState.SUPERSEDED, str(decision.actor), at)
    event = _decided(decision, review, id, services, channel, final=True)
    cells: list[Json] = [[key, column] for key, column, _, _ in edited.edits]
    details: dict[str, Json] = {**event.details, **noted, "edited": edited.seq, "cells": cells}
    audit.append(conn, replace(event, action=Action.EDITED, details=details))
    return Taken(id, review, decision.verb, True, 0, edited=edited.seq)


def _take(
    conn: Connection,
    decision: Decision,
    review: Review,
    sync: Sync,
    override: tuple[str, ...],
    services: Services,
    channel: str,
) -> Taken:
    approvals = _approvals(conn, decision, review)
    enough = approvals >= review.approvals_needed or decision.break_glass
    final = decision.verb not in APPROVING or enough
    id, at = services.id("dc"), services.clock()
    reviews.record(conn, id, decision, channel, at, final=final, override=override)
    noted: dict[str, Json] = {}
    if final:
        if cause := failing.accept_label(conn, review):
            noted = {"cause": cause}
        if review.kind in HOLDS and review.seq is not None:
            of = snapshots.get(conn, review.sync, review.seq).rank
            noted = assisting.note_decision(conn, decision, review, of)
            row_outcomes.note(conn, decision, review, sync.policy, services)
        reviews.close(conn, review.id, OUTCOME_OF[decision.verb], str(decision.actor), at)
        seq = leaving.snapshot_of(conn, review) if decision.verb is Verb.LEAVE_OUT else review.seq
        if review.kind in HOLDS or decision.verb in FAILED_ON or _reverts(decision, review):
            errand = Errand(id, review.id, review.sync, seq, decision.verb, at, 0, None)
            reviews.post(conn, errand)
    event = _decided(decision, review, id, services, channel, final=final)
    details: dict[str, Json] = {**event.details, **noted, "override": list(override)}
    overrides = final and bool(override or decision.break_glass)
    action = Action.OVERRIDDEN if overrides else event.action
    audit.append(conn, replace(event, action=action, details=details))
    if overrides:
        _look_afterwards(conn, decision, review, override, services)
    return Taken(id, review, decision.verb, final, approvals, override=override)


def _reverts(decision: Decision, review: Review) -> bool:
    return review.kind is ReviewKind.REVERT and decision.verb is Verb.APPROVE


def _refuse_second(decision: Decision, votes: Sequence[Row[Any]]) -> None:
    """Raises NotAllowed for whoever has answered this request before, in whatever way."""
    if decision.actor.name in [v.actor for v in votes]:
        raise NotAllowed(f"you may not: {decision.actor.name} has approved this already.")


def _approvals(conn: Connection, decision: Decision, review: Review) -> int:
    """How many people approve exactly this, with this one. Raises NotAllowed or BadDecision."""
    votes = [v for v in reviews.decisions_on(conn, review.id) if Verb(v.verb) in APPROVING]
    _refuse_second(decision, votes)
    if decision.verb not in APPROVING:
        return len(votes)
    mine = (decision.verb.value, sorted(decision.exclude))
    for vote in votes:
        if (vote.verb, vote.exclude or []) != mine and not decision.break_glass:
            without = f" without {', '.join(vote.exclude)}" if vote.exclude else ""
            raise BadDecision(
                f"decision: {vote.actor} said {vote.verb}{without}. Approve the same, or reject."
            )
    return len(votes) + 1


def _decided(
    decision: Decision, review: Review, id: str, services: Services, channel: str, *, final: bool
) -> AuditEvent:
    return AuditEvent(
        at=services.clock(),
        actor=decision.actor,
        action=Action.DECIDED if final else Action.VOTED,
        subject=review.subject,
        reason=decision.reason.strip(),
        details={
            "decision": id,
            "verb": decision.verb.value,
            "review": review.id,
            "evidence": decision.evidence,
            "channel": channel,
            "exclude": [*sorted(decision.exclude)],
            "break_glass": decision.break_glass,
        },
    )


def _look_afterwards(
    conn: Connection,
    decision: Decision,
    review: Review,
    override: tuple[str, ...],
    services: Services,
) -> None:
    """Whoever overrides acts at once; somebody else looks at it afterwards."""
    how = "broke the glass on" if decision.break_glass else "overrode"
    checks = f" despite {', '.join(override)}" if override else ""
    after = Review(
        id=services.id("rv"),
        sync=review.sync,
        seq=review.seq,
        kind=ReviewKind.AFTER,
        state=ReviewState.PENDING,
        evidence_hash=review.evidence_hash,
        summary=f"{decision.actor.name} {how} {review.subject}{checks}: {decision.reason.strip()}",
        group=review.group,
        opened_at=services.clock(),
        requested_by=decision.actor.name if decision.actor.verified else "",
        keys=review.keys,
    )
    reviews.open_review(conn, after)
    audit.append(conn, opened(after, services))


def opened(review: Review, services: Services) -> AuditEvent:
    """The audit event of a new review request."""
    return AuditEvent(
        at=services.clock(),
        actor=failing.GATE,
        action=Action.REVIEW_OPENED,
        subject=review.subject,
        reason=review.summary,
        details={
            "review": review.id,
            "group": review.group,
            "routed": review.routed,
            "evidence": review.evidence_hash,
        },
    )
