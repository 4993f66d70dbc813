"""The one function through which every decision goes, whatever channel it came by."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from wfops_pipelines.core.audit import Action, AuditEvent
from wfops_pipelines.core.canonical import canonical, digest
from wfops_pipelines.core.findings import Json
from wfops_pipelines.core.reviews import (
    OUTCOME_OF,
    Actor,
    Decision,
    Review,
    ReviewKind,
    ReviewState,
    Verb,
    check_decision,
    check_eligible,
)
from wfops_pipelines.errors import BadDecision, FailureKind, NotAllowed, SyncFailure
from wfops_pipelines.services import Services
from wfops_pipelines.store import audit, database, reviews
from wfops_pipelines.store.reviews import Errand
from wfops_pipelines.sync import Sync

APPROVING = (Verb.APPROVE, Verb.APPROVE_CLEAN)


@dataclass(frozen=True, slots=True)
class Taken:
    """A decision that was recorded. `final` is false while more approvals are needed."""

    id: str
    review: Review
    verb: Verb
    final: bool
    approvals: int


def decide(decision: Decision, services: Services, channel: str) -> Taken:
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
        check_decision(decision, review)
        check_eligible(decision, review, services.groups.get(review.group, frozenset()))
        return _take(conn, decision, review, services, channel)


def _take(
    conn: Connection, decision: Decision, review: Review, services: Services, channel: str
) -> Taken:
    before = reviews.approvers(conn, review.id)
    if decision.actor.name in before:
        raise NotAllowed(f"you may not: {decision.actor.name} has approved this already.")
    approvals = len(before) + (decision.verb in APPROVING)
    final = decision.verb not in APPROVING or approvals >= review.approvals_needed
    id, at = services.id("dc"), services.clock()
    reviews.record(conn, id, decision, channel, at, final=final)
    if final:
        reviews.close(conn, review.id, OUTCOME_OF[decision.verb], str(decision.actor), at)
        if review.kind is not ReviewKind.FAILURE or decision.verb is Verb.RETRY:
            errand = Errand(id, review.id, review.sync, review.seq, decision.verb, at, 0, None)
            reviews.post(conn, errand)
    audit.append(conn, _decided(decision, review, id, services, channel, final=final))
    return Taken(id, review, decision.verb, final, approvals)


def _decided(
    decision: Decision, review: Review, id: str, services: Services, channel: str, *, final: bool
) -> AuditEvent:
    return AuditEvent(
        at=services.clock(),
        actor=decision.actor,
        action=Action.DECIDED if final else Action.VOTED,
        subject=f"{review.sync} #{review.seq}" if review.seq else review.sync,
        reason=decision.reason.strip(),
        details={
            "decision": id,
            "verb": decision.verb.value,
            "review": review.id,
            "evidence": decision.evidence,
            "channel": channel,
        },
    )


def report_failure(
    sync: Sync, step: str, error: Exception, services: Services, run_id: str | None
) -> Review | None:
    """Open a review request for a failed step; None when one for this cause is pending already."""
    kind = error.kind if isinstance(error, SyncFailure) else FailureKind.OUR_BUG
    said = " ".join(str(error).split())[:2000] or type(error).__name__
    body: dict[str, Json] = {
        "sync": sync.name,
        "step": step,
        "kind": kind.value,
        "error": said,
        "type": type(error).__name__,
    }
    review = Review(
        id=services.id("rv"),
        sync=sync.name,
        seq=None,
        kind=ReviewKind.FAILURE,
        state=ReviewState.PENDING,
        evidence_hash=digest(canonical(body)),
        summary=f"{step} failed ({kind.value}): {said[:400]}",
        group=sync.policy.reviewers,
        opened_at=services.clock(),
        requested_by="",
        run_id=run_id,
    )
    with database.transaction(services.engine) as conn:
        fingerprint = f"{step}/{kind.value}"
        if not reviews.open_review(conn, review, fingerprint, canonical(body).decode("ascii")):
            return None
        audit.append(conn, _failed(review, body, services))
    return review


def _failed(review: Review, body: dict[str, Json], services: Services) -> AuditEvent:
    return AuditEvent(
        at=services.clock(),
        actor=Actor("gate", "machine"),
        action=Action.FAILED,
        subject=review.sync,
        reason=review.summary,
        details={"review": review.id, **body},
    )
