"""A whole extraction makes what older ones held moot: nobody need decide about old rows."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from wfops_pipelines.core.audit import Action, AuditEvent
from wfops_pipelines.core.findings import Json
from wfops_pipelines.core.reviews import Review, ReviewKind, ReviewState
from wfops_pipelines.core.snapshot import Snapshot, SnapshotState
from wfops_pipelines.failing import GATE
from wfops_pipelines.services import Services
from wfops_pipelines.store import audit, reviews, snapshots


def lock_older(conn: Connection, newer: Snapshot) -> tuple[Review, ...]:
    """The pending requests that hold rows of snapshots before `newer`, locked, the oldest first.

    To be called before anything is written to the audit trail: whoever decides on one of them at
    this moment has locked it, and waits for the trail.
    """
    asked = [
        r.id for r in reviews.holding(conn, newer.sync) if r.seq is not None and r.seq < newer.seq
    ]
    locked = [reviews.get(conn, id, lock=True) for id in reversed(asked)]
    pending = (r for r in locked if r is not None and r.state is ReviewState.PENDING)
    return tuple(r for r in pending if not _settles(conn, r))


def _settles(conn: Connection, review: Review) -> bool:
    """Whether a newer extraction has its rows not, at least as they are here: people settled them
    otherwise, or the sync had a cursor then, so that what it told is remembered and left out."""
    assert review.seq is not None
    held = snapshots.get(conn, review.sync, review.seq, lock=True)
    dated = held.cursor_to is not None if held.dated_by is None else bool(held.dated_by)
    return bool(review.reopens) or held.origin is not None or dated


def supersede(
    conn: Connection, older: Iterable[Review], newer: Snapshot, services: Services
) -> None:
    """Close what `lock_older` found, in its transaction.

    Their rows are never published, and `wfops reconcile` counts them as superseded.
    """
    for review in older:
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
