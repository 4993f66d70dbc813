"""What failed for good opens one review request for each cause, for the team that can act."""

from __future__ import annotations

from wfops_pipelines.core.audit import Action, AuditEvent
from wfops_pipelines.core.canonical import canonical, digest
from wfops_pipelines.core.findings import Json
from wfops_pipelines.core.redact import hide, redacted, secrets_of
from wfops_pipelines.core.reviews import Actor, Review, ReviewKind, ReviewState
from wfops_pipelines.core.routing import route_failure
from wfops_pipelines.errors import FailureKind, SyncFailure
from wfops_pipelines.services import Services
from wfops_pipelines.store import audit, database, reviews
from wfops_pipelines.sync import Day, Sync


def report_failure(
    sync: Sync,
    step: str,
    error: Exception,
    services: Services,
    run_id: str | None,
    day: Day | None = None,
) -> Review | None:
    """Open a review request for a failed step; None when one for this cause is pending already.

    Of a partitioned sync each day has its own: deciding retry runs that day again.
    """
    kind = error.kind if isinstance(error, SyncFailure) else FailureKind.OUR_BUG
    body = _body(sync, step, kind, error, secrets_of(services.environ))
    if day is not None:
        body["day"] = day.name
    of = f" of {day.name}" if day else ""
    summary = f"{step}{of} failed ({kind.value}): {str(body['error'])[:400]}"
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
        fingerprint = "/".join([step, kind.value, *([day.name] if day else [])])
        if not reviews.open_review(conn, review, fingerprint, canonical(body).decode("ascii")):
            return None
        audit.append(conn, _failed(review, body, services))
    return review


def _body(
    sync: Sync, step: str, kind: FailureKind, error: Exception, secrets: tuple[str, ...]
) -> dict[str, Json]:
    """What the reviewer of a failure is shown, and what their decision is about."""
    said = " ".join(str(error).split()) or type(error).__name__
    exchange = error.exchange if isinstance(error, SyncFailure) else None
    return {
        "sync": sync.name,
        "step": step,
        "kind": kind.value,
        "error": hide(said, secrets)[:2000],
        "type": type(error).__name__,
        **({"exchange": redacted(exchange, secrets)} if exchange else {}),
    }


def _failed(review: Review, body: dict[str, Json], services: Services) -> AuditEvent:
    return AuditEvent(
        at=services.clock(),
        actor=Actor("gate", "machine"),
        action=Action.FAILED,
        subject=review.sync,
        reason=review.summary,
        details={"review": review.id, **body},
    )
