"""Review requests, decisions and the outbox in the database."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from wfops_pipelines.core.reviews import (
    HOLDS,
    Decision,
    Review,
    ReviewKind,
    ReviewState,
    Verb,
)
from wfops_pipelines.store import notifications
from wfops_pipelines.store import tables as t
from wfops_pipelines.store.notifications import News

_HOLDS = [kind.value for kind in HOLDS]


@dataclass(frozen=True, slots=True)
class Errand:
    """What a decision set in motion: one row of the outbox."""

    decision: str
    review: str
    sync: str
    seq: int | None
    verb: Verb
    created_at: datetime
    attempts: int
    done_at: datetime | None


def open_review(
    conn: Connection, review: Review, fingerprint: str | None = None, failure: str | None = None
) -> bool:
    """Add a review request; False when a pending one for the same cause is already there."""
    done = conn.execute(
        upsert(t.reviews)
        .values(
            id=review.id,
            sync=review.sync,
            seq=review.seq,
            kind=review.kind.value,
            state=review.state.value,
            evidence_hash=review.evidence_hash,
            summary=review.summary,
            reviewer_group=review.group,
            approvals_needed=review.approvals_needed,
            keys=list(review.keys),
            requested_by=review.requested_by,
            opened_at=review.opened_at,
            run_id=review.run_id,
            fingerprint=fingerprint,
            failure=failure,
            assigned_to=review.assigned_to,
            reopened_by=review.reopened_by or None,
            reopens=review.reopens or None,
            routed=review.routed or None,
            cause=review.cause or None,
        )
        .on_conflict_do_nothing()
    )
    if done.rowcount:
        notifications.post(conn, review.id, News.OPENED, review.group, review.opened_at)
    return done.rowcount == 1


def get(conn: Connection, id: str, *, lock: bool = False) -> Review | None:
    """The review request; with `lock`, every other decision on it waits for this transaction."""
    query = select(t.reviews).where(t.reviews.c.id == id)
    row = conn.execute(query.with_for_update() if lock else query).one_or_none()
    return None if row is None else _review(row)


def pending_failure(conn: Connection, sync: str, fingerprint: str) -> Review | None:
    """The pending request for this cause, locked."""
    c, pending = t.reviews.c, ReviewState.PENDING.value
    query = select(t.reviews).where(
        c.sync == sync, c.fingerprint == fingerprint, c.state == pending
    )
    row = conn.execute(query.with_for_update()).one_or_none()
    return None if row is None else _review(row)


def failure_of(conn: Connection, id: str) -> dict[str, Any] | None:
    """What failed, for a review request about a failure."""
    text = conn.execute(
        select(t.reviews.c.failure).where(t.reviews.c.id == id)
    ).scalar_one_or_none()
    return None if text is None else dict(json.loads(text))


def label(conn: Connection, id: str, cause: str) -> None:
    """Keep the cause that a person gave to a failure, or accepted."""
    conn.execute(update(t.reviews).where(t.reviews.c.id == id).values(label=cause))


def labelled(conn: Connection, limit: int = 1000) -> list[tuple[dict[str, Any], str]]:
    """(what failed, the cause that a person gave it), oldest first."""
    c = t.reviews.c
    query = select(c.failure, c.label).where(c.label.is_not(None), c.failure.is_not(None))
    rows = conn.execute(query.order_by(c.opened_at.desc(), c.id.desc()).limit(limit)).all()
    return [(dict(json.loads(r.failure)), str(r.label)) for r in rows[::-1]]


def of_snapshot(conn: Connection, sync: str, seq: int) -> Review | None:
    """The newest review request about held rows of a snapshot."""
    query = (
        select(t.reviews)
        .where(t.reviews.c.sync == sync, t.reviews.c.seq == seq, t.reviews.c.kind.in_(_HOLDS))
        .order_by(t.reviews.c.opened_at.desc(), t.reviews.c.id.desc())
        .limit(1)
    )
    row = conn.execute(query).one_or_none()
    return None if row is None else _review(row)


def listed(
    conn: Connection, *, sync: str | None = None, pending: bool = True, limit: int = 200
) -> list[Review]:
    """Review requests, newest first; only pending ones unless told otherwise."""
    query = select(t.reviews).order_by(t.reviews.c.opened_at.desc(), t.reviews.c.id.desc())
    if sync is not None:
        query = query.where(t.reviews.c.sync == sync)
    if pending:
        query = query.where(t.reviews.c.state == ReviewState.PENDING.value)
    return [_review(r) for r in conn.execute(query.limit(limit))]


def decided(conn: Connection, limit: int = 2000) -> list[Review]:
    """The newest review requests about holds that people have answered."""
    c = t.reviews.c
    answers = (ReviewState.APPROVED.value, ReviewState.REJECTED.value)
    query = select(t.reviews).where(c.kind.in_(_HOLDS), c.state.in_(answers))
    return [_review(r) for r in conn.execute(query.order_by(c.decided_at.desc()).limit(limit))]


def answered(conn: Connection, sync: str, limit: int = 500) -> list[Review]:
    """The newest review requests of a sync that a decision has closed, of whatever kind."""
    c = t.reviews.c
    query = select(t.reviews).where(c.sync == sync, c.decided_at.is_not(None))
    return [_review(r) for r in conn.execute(query.order_by(c.decided_at.desc()).limit(limit))]


def of_sync(conn: Connection, sync: str, since: datetime, limit: int = 1000) -> list[Review]:
    """The newest review requests of a sync, decided or not, that were opened since then."""
    c = t.reviews.c
    query = select(t.reviews).where(c.sync == sync, c.opened_at >= since)
    return [_review(r) for r in conn.execute(query.order_by(c.opened_at.desc()).limit(limit))]


def route(conn: Connection, id: str, group: str, why: str) -> None:
    """Let another group decide."""
    values = {"reviewer_group": group, "routed": why, "assigned_to": None}
    conn.execute(update(t.reviews).where(t.reviews.c.id == id).values(**values))


def traces(conn: Connection) -> tuple[Any, ...]:
    """What is another one after any request was opened, decided, assigned or handed on."""
    c = t.reviews.c
    query = select(
        func.count(), func.max(c.opened_at), func.max(c.decided_at), func.max(c.escalated_at),
        func.count(c.decided_at), func.sum(func.hashtext(c.assigned_to)),
        func.sum(func.hashtext(c.reviewer_group)),
    )  # fmt: skip
    return tuple(conn.execute(query).one())


def holding(conn: Connection, sync: str) -> list[Review]:
    """The pending review requests that hold rows of this sync, newest first."""
    return [r for r in listed(conn, sync=sync) if r.kind in HOLDS]


def close(conn: Connection, id: str, state: ReviewState, by: str, at: datetime) -> None:
    values = {"state": state.value, "decided_by": by, "decided_at": at}
    conn.execute(update(t.reviews).where(t.reviews.c.id == id).values(**values))


def assign(conn: Connection, id: str, to: str | None) -> None:
    conn.execute(update(t.reviews).where(t.reviews.c.id == id).values(assigned_to=to))


def lock_waiting(conn: Connection, id: str) -> Row[Any] | None:
    """Lock a pending review request; None when it is decided, or somebody is deciding it now."""
    c = t.reviews.c
    query = select(c.escalated_at, c.overdue_at, c.reminded_at).where(
        c.id == id, c.state == ReviewState.PENDING.value
    )
    return conn.execute(query.with_for_update(skip_locked=True)).one_or_none()


def note_reminded(conn: Connection, id: str, at: datetime) -> None:
    conn.execute(update(t.reviews).where(t.reviews.c.id == id).values(reminded_at=at))


def escalate(conn: Connection, id: str, group: str, at: datetime) -> None:
    values = {"reviewer_group": group, "escalated_at": at, "assigned_to": None}
    conn.execute(update(t.reviews).where(t.reviews.c.id == id).values(**values))


def note_overdue(conn: Connection, id: str, at: datetime) -> None:
    conn.execute(update(t.reviews).where(t.reviews.c.id == id).values(overdue_at=at))


def errands_of(conn: Connection, review: str) -> list[str]:
    """The decisions on this review request that set something in motion."""
    query = select(t.outbox.c.decision).where(t.outbox.c.review == review)
    return [row.decision for row in conn.execute(query)]


def record(
    conn: Connection,
    id: str,
    decision: Decision,
    channel: str,
    at: datetime,
    *,
    final: bool,
    override: Sequence[str] = (),
) -> None:
    conn.execute(
        insert(t.decisions).values(
            id=id,
            review=decision.review,
            verb=decision.verb.value,
            reason=decision.reason.strip(),
            actor=decision.actor.name,
            verified=decision.actor.verified,
            evidence_hash=decision.evidence,
            final=final,
            channel=channel,
            at=at,
            exclude=sorted(decision.exclude) or None,
            override=list(override) or None,
        )
    )


def excluded(conn: Connection, decision: str) -> frozenset[str]:
    """Keys of held rows that this decision leaves in quarantine."""
    query = select(t.decisions.c.exclude).where(t.decisions.c.id == decision)
    return frozenset(conn.execute(query).scalar_one_or_none() or ())


def decisions_on(conn: Connection, review: str) -> list[Row[Any]]:
    query = select(t.decisions).where(t.decisions.c.review == review)
    return list(conn.execute(query.order_by(t.decisions.c.at)))


def post(conn: Connection, errand: Errand) -> None:
    """Put an errand into the outbox."""
    conn.execute(
        insert(t.outbox).values(
            decision=errand.decision,
            review=errand.review,
            sync=errand.sync,
            seq=errand.seq,
            verb=errand.verb.value,
            created_at=errand.created_at,
            attempts=0,
        )
    )


def errand(conn: Connection, decision: str) -> Errand | None:
    """The errand of `decision`, done or not."""
    query = select(t.outbox).where(t.outbox.c.decision == decision)
    row = conn.execute(query).one_or_none()
    return None if row is None else _errand(row)


def claim(conn: Connection, decision: str) -> Errand | None:
    """Lock the errand of `decision` for this transaction; None when it is done already."""
    c = t.outbox.c
    query = select(t.outbox).where(c.decision == decision, c.done_at.is_(None)).with_for_update()
    row = conn.execute(query).one_or_none()
    return None if row is None else _errand(row)


def finish(conn: Connection, decision: str, at: datetime) -> None:
    where = t.outbox.c.decision == decision
    conn.execute(update(t.outbox).where(where).values(done_at=at, error=None))


def failed(conn: Connection, decision: str, error: str) -> None:
    """Note one more failed attempt, so that the next run has a key of its own."""
    values = {"attempts": t.outbox.c.attempts + 1, "error": error[:2000]}
    conn.execute(update(t.outbox).where(t.outbox.c.decision == decision).values(**values))


def undone(conn: Connection, review: str) -> bool:
    """Whether a decision on this review request is recorded and not acted on yet."""
    c = t.outbox.c
    query = select(func.count()).where(c.review == review, c.done_at.is_(None))
    return bool(conn.execute(query).scalar_one())


def waiting(conn: Connection, older_than: datetime) -> list[Errand]:
    """Errands created before `older_than` that nobody has done yet, oldest first."""
    c = t.outbox.c
    query = select(t.outbox).where(c.done_at.is_(None), c.created_at < older_than)
    return [_errand(r) for r in conn.execute(query.order_by(c.created_at))]


def _review(row: Row[Any]) -> Review:
    return Review(
        id=row.id,
        sync=row.sync,
        seq=row.seq,
        kind=ReviewKind(row.kind),
        state=ReviewState(row.state),
        evidence_hash=row.evidence_hash,
        summary=row.summary,
        group=row.reviewer_group,
        opened_at=row.opened_at,
        requested_by=row.requested_by,
        keys=tuple(row.keys),
        approvals_needed=row.approvals_needed,
        decided_at=row.decided_at,
        decided_by=row.decided_by,
        run_id=row.run_id,
        assigned_to=row.assigned_to,
        reopened_by=row.reopened_by or "",
        reopens=row.reopens or "",
        routed=row.routed or "",
        cause=row.cause or "",
        label=row.label or "",
    )


def _errand(row: Row[Any]) -> Errand:
    return Errand(
        decision=row.decision,
        review=row.review,
        sync=row.sync,
        seq=row.seq,
        verb=Verb(row.verb),
        created_at=row.created_at,
        attempts=row.attempts,
        done_at=row.done_at,
    )
