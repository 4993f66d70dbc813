"""A whole extraction makes what older ones held moot: nobody need decide about old rows."""

from __future__ import annotations

from sqlalchemy import Connection

from wfops_pipelines.core.audit import Action, AuditEvent
from wfops_pipelines.core.findings import Json
from wfops_pipelines.core.reviews import Actor, Review, ReviewKind, ReviewState
from wfops_pipelines.core.snapshot import Snapshot, SnapshotState
from wfops_pipelines.services import Services
from wfops_pipelines.store import audit, reviews, snapshots

GATE = Actor("gate", "machine")


def supersede_older(conn: Connection, newer: Snapshot, services: Services) -> None:
    """Close the pending requests that hold rows of snapshots before `newer`, in its transaction.

    Their rows are never published, and `wfops reconcile` counts them as superseded.
    """
    for found in reviews.holding(conn, newer.sync):
        if found.seq is None or found.seq >= newer.seq:
            continue
        review = reviews.get(conn, found.id, lock=True)
        if review is not None and review.state is ReviewState.PENDING:
            _close(conn, review, newer, services)


def _close(conn: Connection, review: Review, newer: Snapshot, services: Services) -> None:
    assert review.seq is not None
    at = services.clock()
    reviews.close(conn, review.id, ReviewState.SUPERSEDED, str(GATE), at)
    if review.kind is ReviewKind.WHOLE:
        snapshots.set_state(conn, review.sync, review.seq, SnapshotState.SETTLED)
    details: dict[str, Json] = {"review": review.id, "by": newer.name}
    why = f"{newer.name} is a whole extraction and has newer rows"
    audit.append(conn, AuditEvent(at, GATE, Action.SUPERSEDED, review.subject, why, details))
