"""The outbox of messages to reviewer groups: each is posted once, and told to each address once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from wfops_pipelines.store import tables as t

_ONE_SENDER = 7_364_012  # any number; all processes that send agree on it


class News(Enum):
    """What happened to a review request that its group should know."""

    OPENED = "opened"
    REMINDER = "reminder"
    ESCALATED = "escalated"
    ROUTED = "routed"
    OVERDUE = "overdue"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Notice:
    """One piece of news for one group. `told` are the addresses that have it, as digests."""

    review: str
    news: News
    group: str
    created_at: datetime
    told: frozenset[str]
    attempts: int


def post(conn: Connection, review: str, news: News, group: str, at: datetime) -> None:
    """Put news into the outbox, in the transaction of what it is about; a second time is none."""
    conn.execute(
        upsert(t.notifications)
        .values(
            review=review,
            news=news.value,
            reviewer_group=group,
            created_at=at,
            attempts=0,
            next_at=at,
        )
        .on_conflict_do_nothing()
    )


def am_sender(conn: Connection) -> bool:
    """Whether this connection alone may send now, until it is closed."""
    query = text("select pg_try_advisory_lock(:n)")
    return bool(conn.execute(query, {"n": _ONE_SENDER}).scalar_one())


def due(conn: Connection, now: datetime, limit: int = 500) -> list[Notice]:
    """What is to be told now, the oldest first."""
    n = t.notifications.c
    query = select(t.notifications).where(n.done_at.is_(None), n.next_at <= now)
    found = conn.execute(query.order_by(n.created_at, n.review).limit(limit))
    return [_notice(row) for row in found]


def told(conn: Connection, notices: Iterable[Notice], address: str) -> None:
    """Note that this address (a digest) has them."""
    for notice in notices:
        now_told = sorted({*_told(conn, notice), address})
        conn.execute(update(t.notifications).where(_is(notice)).values(told=now_told))


def done(conn: Connection, notices: Iterable[Notice], at: datetime, why: str | None = None) -> None:
    for notice in notices:
        values = {"done_at": at, "error": why}
        conn.execute(update(t.notifications).where(_is(notice)).values(**values))


def failed(conn: Connection, notices: Iterable[Notice], next_at: datetime, error: str) -> None:
    values: dict[str, Any] = {"next_at": next_at, "error": error[:500]}
    for notice in notices:
        attempts = t.notifications.c.attempts + 1
        query = update(t.notifications).where(_is(notice)).values(attempts=attempts, **values)
        conn.execute(query)


def _told(conn: Connection, notice: Notice) -> frozenset[str]:
    found = conn.execute(select(t.notifications.c.told).where(_is(notice))).scalar_one_or_none()
    return frozenset(found or ())


def _is(notice: Notice) -> ColumnElement[bool]:
    n = t.notifications.c
    return (
        (n.review == notice.review)
        & (n.news == notice.news.value)
        & (n.reviewer_group == notice.group)
    )


def _notice(row: Row[Any]) -> Notice:
    return Notice(
        row.review,
        News(row.news),
        row.reviewer_group,
        row.created_at,
        frozenset(row.told or ()),
        row.attempts,
    )
