"""Waivers in the database. One counts from its grant to its end, or its last moment."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, insert, or_, select, update

from wfops_pipelines.core.findings import Severity
from wfops_pipelines.core.reviews import Actor, ReviewState
from wfops_pipelines.core.waivers import Waiver
from wfops_pipelines.store import tables as t

_WITH_REVIEW = t.waivers.outerjoin(t.reviews, t.reviews.c.id == t.waivers.c.review)


def add(conn: Connection, waiver: Waiver) -> None:
    conn.execute(
        insert(t.waivers).values(
            id=waiver.id,
            sync=waiver.sync,
            seq=waiver.seq,
            expectation=waiver.expectation,
            words=waiver.words,
            keys=list(waiver.keys),
            severity=waiver.severity.value,
            reason=waiver.reason,
            actor=waiver.actor.name,
            verified=waiver.actor.verified,
            at=waiver.at,
            expires_at=waiver.expires_at,
            review=waiver.review,
        )
    )


def granted(conn: Connection, sync: str, now: datetime) -> list[Waiver]:
    """Those that count now, the oldest first."""
    r = t.reviews.c
    return _listed(
        conn,
        t.waivers.c.sync == sync,
        *_running(now),
        or_(t.waivers.c.review.is_(None), r.state == ReviewState.APPROVED.value),
    )


def asked_for(conn: Connection, sync: str, now: datetime) -> list[Waiver]:
    """Those that wait for a second person, the oldest first."""
    pending = t.reviews.c.state == ReviewState.PENDING.value
    return _listed(conn, t.waivers.c.sync == sync, *_running(now), pending)


def get(conn: Connection, id: str) -> Waiver | None:
    """The waiver, locked for this transaction."""
    row = conn.execute(select(t.waivers).where(t.waivers.c.id == id).with_for_update()).first()
    return None if row is None else _waiver(row)


def end(conn: Connection, id: str, by: str, at: datetime) -> bool:
    """End it now; False when a person ended it before."""
    c = t.waivers.c
    done = conn.execute(
        update(t.waivers).where(c.id == id, c.ended_at.is_(None)).values(ended_at=at, ended_by=by)
    )
    return bool(done.rowcount)


def _running(now: datetime) -> tuple[ColumnElement[bool], ...]:
    c = t.waivers.c
    return (c.expires_at > now, c.ended_at.is_(None))


def _listed(conn: Connection, *where: ColumnElement[bool]) -> list[Waiver]:
    query = select(t.waivers).select_from(_WITH_REVIEW).where(*where)
    return [_waiver(row) for row in conn.execute(query.order_by(t.waivers.c.id))]


def _waiver(row: Row[Any]) -> Waiver:
    return Waiver(
        id=row.id,
        sync=row.sync,
        seq=row.seq,
        expectation=row.expectation,
        words=row.words,
        keys=tuple(row.keys),
        severity=Severity(row.severity),
        reason=row.reason,
        actor=Actor(row.actor, verified=row.verified),
        at=row.at,
        expires_at=row.expires_at,
        review=row.review,
    )
