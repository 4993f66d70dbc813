"""What people settled about rows of a sync otherwise than by publishing them as they came."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Connection, select

from wfops_pipelines.core.snapshot import Snapshot
from wfops_pipelines.store import tables as t

ALL = ""  # no key is empty


def lately(conn: Connection, sync: str) -> list[tuple[int, frozenset[str] | None]]:
    """Of which snapshots people settled which rows (None: all), oldest first.

    Since the newest extraction began that staged anything.
    """
    began = _began(conn, sync)
    return [] if began is None else [*_settled(conn, sync, began)]


def meanwhile(conn: Connection, snapshot: Snapshot) -> frozenset[str]:
    """The keys of rows that people settled while a snapshot of everything was extracted.

    They may be in it as they were; where all of an older one was put away, `ALL` is among them.
    """
    if not snapshot.ordinary or snapshot.asked is None:
        return frozenset()
    begun = snapshot.asked[1] or snapshot.staged_at
    older = (keys for seq, keys in _settled(conn, snapshot.sync, begun) if seq < snapshot.seq)
    return frozenset(key for keys in older for key in ({ALL} if keys is None else keys))


def _began(conn: Connection, sync: str) -> datetime | None:
    """When the newest extraction began that staged anything."""
    s = t.snapshots.c
    query = select(s.asked_upto, s.staged_at).where(s.sync == sync, s.origin.is_(None))
    newest = conn.execute(query.order_by(s.seq.desc()).limit(1)).one_or_none()
    if newest is None:
        return None
    begun: datetime = min(newest.asked_upto or newest.staged_at, newest.staged_at)
    return begun


def _settled(
    conn: Connection, sync: str, moment: datetime
) -> Iterator[tuple[int, frozenset[str] | None]]:
    """Of which snapshots people settled which rows (None: all) since then, oldest first."""
    q, r, s = t.quarantine.c, t.reviews.c, t.snapshots.c
    away = select(q.seq, q["keys"], q.at).where(q.sync == sync, q.at >= moment)
    again = select(r.seq, r["keys"], r.kind, r.opened_at.label("at"))
    again = again.where(r.sync == sync, r.reopens.is_not(None), r.opened_at >= moment)
    edited = select(s.origin.label("seq"), s.edits, s.staged_at.label("at"))
    edited = edited.where(s.sync == sync, s.edits.is_not(None), s.staged_at >= moment)
    found: list[tuple[datetime, int, frozenset[str] | None]] = []
    for row in conn.execute(away):
        found.append((row.at, row.seq, None if row[1] is None else frozenset(row[1])))
    for row in conn.execute(again):
        found.append((row.at, row.seq, frozenset(row[1]) if row.kind == "rows" else None))
    for row in conn.execute(edited):
        found.append((row.at, row.seq, frozenset(cell[0] for cell in row.edits)))
    for _, seq, keys in sorted(found, key=lambda one: one[:2]):
        yield seq, keys
