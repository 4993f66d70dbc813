"""What failed for good opens one review request for each cause, for the team that can act."""

from __future__ import annotations

from wfops_pipelines.core.audit import Action, AuditEvent
from wfops_pipelines.core.canonical import canonical, digest
from wfops_pipelines.core.findings import Json
from wfops_pipelines.core.reviews import Actor, Review, ReviewKind, ReviewState
from wfops_pipelines.core.routing import route_failure
from wfops_pipelines.errors import FailureKind, SyncFailure
from wfops_pipelines.services import Services
from wfops_pipelines.store import audit, database, reviews
from wfops_pipelines.sync import Sync


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
    summary = f"{step} failed ({kind.value}): {said[:400]}"
    with services.engine.connect() as conn:
        decided = reviews.answered(conn, sync.name)
    cause = f"{step} failed: {kind.value}"
    routed = route_failure(kind.value, cause, sync.policy, decided)
    review = Review(
        id=services.id("rv"),
        sync=sync.name,
        seq=None,
        kind=ReviewKind.FAILURE,
        state=ReviewState.PENDING,
        evidence_hash=digest(canonical(body)),
        summary=summary,
        group=routed.group,
        routed=routed.why,
        cause=cause,
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
