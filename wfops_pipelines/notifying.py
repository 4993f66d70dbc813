"""Tell the reviewer groups what waits for them: once each, again where it did not arrive.

A group's addresses are in the environment, `WFOPS_NOTIFY_<GROUP>` or for all others
`WFOPS_NOTIFY`: any that Apprise knows, with blanks between several.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path

from sqlalchemy import Connection

from wfops_pipelines.core import links
from wfops_pipelines.core.audit import Action, AuditEvent
from wfops_pipelines.core.findings import Json
from wfops_pipelines.core.reviews import Actor, Review, ReviewState
from wfops_pipelines.notify import Item, compose, digest_of, kind_of, send
from wfops_pipelines.services import Services
from wfops_pipelines.store import audit, notifications, reviews
from wfops_pipelines.store.notifications import News, Notice

NOTIFIER = Actor("notifications", "machine")
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=1)
DEFAULT_BASE = "http://127.0.0.1:3000"
_WORDS = {
    News.OPENED: "Waits for you",
    News.REMINDER: "Still waits",
    News.ESCALATED: "Handed on to you",
    News.ROUTED: "Sent to you",
    News.OVERDUE: "Overdue, it stays held",
    News.EXPIRED: "Rejected, nobody answered",
}
Waiting = tuple[Notice, Review]


def addresses(group: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Where a group is told; nothing where the environment names no place."""
    name = f"WFOPS_NOTIFY_{re.sub(r'[^A-Za-z0-9]', '_', group).upper()}"
    return tuple(dict.fromkeys((environ.get(name) or environ.get("WFOPS_NOTIFY") or "").split()))


def tell(services: Services) -> list[str]:
    """Send what is due; returns what was done, in words. One process at a time sends.

    An address that took a message gets it no second time; one that did not is tried again after
    30 seconds, then ever more rarely, at least once an hour, as long as the news is true.
    """
    with services.engine.connect() as lock:
        if not notifications.am_sender(lock):
            return []
        with services.engine.connect() as conn:
            waiting = [w for n in notifications.due(conn, services.clock()) for w in _pair(conn, n)]
        by_group = sorted(waiting, key=lambda w: w[0].group)
        done: list[str] = []
        for group, members in groupby(by_group, key=lambda w: w[0].group):
            done += _tell(group, list(members), services)
        return done


def _pair(conn: Connection, notice: Notice) -> Iterator[Waiting]:
    review = reviews.get(conn, notice.review)
    if review is not None:
        yield notice, review


def _tell(group: str, waiting: Sequence[Waiting], services: Services) -> Iterator[str]:
    now = services.clock()
    true, moot = [], []
    for notice, review in waiting:
        if _still_true(notice, review):
            true.append((notice, review))
        else:
            moot.append(notice)
    places = addresses(group, services.environ)
    with services.engine.begin() as conn:
        notifications.done(conn, moot, now, "moot")
        if not places:
            notifications.done(conn, [n for n, _ in true], now, "no address")
    if true and places:
        problems = [p for url in places for p in _send(group, url, true, services)]
        yield f"{group}: {len(true)} told" if not problems else f"{group}: {'; '.join(problems)}"
        _settle(true, problems, services, now)


def _still_true(notice: Notice, review: Review) -> bool:
    """News about a request that was answered meanwhile, or is another group's, is no news."""
    if notice.news is News.EXPIRED:
        return review.state is ReviewState.EXPIRED
    return review.state is ReviewState.PENDING and review.group == notice.group


def _send(group: str, url: str, waiting: Sequence[Waiting], services: Services) -> Iterator[str]:
    address = digest_of(url)
    fresh = [w for w in waiting if address not in w[0].told]
    if not fresh:
        return
    base = services.environ.get("WFOPS_PUBLIC_URL") or DEFAULT_BASE
    template = services.environ.get("WFOPS_NOTIFY_TEMPLATE")
    items = [_item(*w) for w in fresh]
    message = compose(group, items, base=base, template=Path(template) if template else None)
    problem = send(url, message)
    if problem is not None:
        yield problem
        return
    with services.engine.begin() as conn:
        notifications.told(conn, [n for n, _ in fresh], address)
        details: dict[str, Json] = {
            "kind": kind_of(url),
            "address": address,
            "reviews": [r.id for _, r in fresh],
        }
        audit.append(
            conn, AuditEvent(services.clock(), NOTIFIER, Action.NOTIFIED, group, "", details)
        )


def _item(notice: Notice, review: Review) -> Item:
    page = links.review_page(review.id)
    return Item(_WORDS[notice.news], review.subject, review.summary, page)


def _settle(
    waiting: Sequence[Waiting], problems: Sequence[str], services: Services, now: datetime
) -> None:
    with services.engine.begin() as conn:
        notices = [n for n, _ in waiting]
        if not problems:
            notifications.done(conn, notices, now)
            return
        for notice in notices:
            pause = min(FIRST_PAUSE * 2 ** min(notice.attempts, 20), LONGEST_PAUSE)
            notifications.failed(conn, [notice], now + pause, "; ".join(problems))
