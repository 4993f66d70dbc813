"""What people settled about rows of a sync otherwise than by publishing them as they came."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from wfops_pipelines.core.snapshot import Snapshot
from wfops_pipelines.store import tables as t

ALL = ""  # no key is empty


@dataclass(frozen=True, slots=True)
class Settled:
    """Rows of the snapshot `seq`, by their keys (None: all), and when somebody settled them."""

    at: datetime
    seq: int
    keys: frozenset[str] | None


def lately(conn: Connection, sync: str) -> list[Settled]:
    """What people settled since the newest extraction began that staged anything."""
    began = _began(conn, sync)
    return [] if began is None else _since(conn, sync, began)


def meanwhile(conn: Connection, snapshot: Snapshot, lost: Callable[[int], bool]) -> frozenset[str]:
    """The keys of rows that may be in a snapshot of everything as people settled otherwise.

    It was while that was extracted, or the file is `lost` (asked by number) that says how they
    were. Where it may be any row, `ALL` is among them.
    """
    if not snapshot.ordinary or snapshot.asked is None:
        return frozenset()
    begun = snapshot.asked[1] or snapshot.staged_at
    before = _began(conn, snapshot.sync, snapshot.seq)
    found = _since(conn, snapshot.sync, begun if before is None else min(before, begun))
    risky = (o for o in found if o.seq < snapshot.seq and (o.at >= begun or lost(o.seq)))
    return frozenset(key for o in risky for key in ({ALL} if o.keys is None else o.keys))


def _began(conn: Connection, sync: str, below: int | None = None) -> datetime | None:
    """When the newest extraction began that staged anything; of those `below` a number."""
    s = t.snapshots.c
    query = select(s.asked_upto, s.staged_at).where(s.sync == sync, s.origin.is_(None))
    query = query if below is None else query.where(s.seq < below)
    newest = conn.execute(query.order_by(s.seq.desc()).limit(1)).one_or_none()
    if newest is None:
        return None
    begun: datetime = min(newest.asked_upto or newest.staged_at, newest.staged_at)
    return begun


def _since(conn: Connection, sync: str, moment: datetime) -> list[Settled]:
    """What was put away, taken back, asked about again or edited since then, oldest first."""
    q, r, s = t.quarantine.c, t.reviews.c, t.snapshots.c
    away = select(q.at, q.seq, q["keys"]).where(q.sync == sync, q.at >= moment)
    again = select(r.opened_at, r.seq, r["keys"], r.kind)
    again = again.where(r.sync == sync, r.reopens.is_not(None), r.opened_at >= moment)
    edited = select(s.staged_at, s.origin, s.edits)
    edited = edited.where(s.sync == sync, s.edits.is_not(None), s.staged_at >= moment)
    found = [Settled(row[0], row[1], _set(row[2])) for row in conn.execute(away)]
    for row in conn.execute(again):
        found.append(Settled(row[0], row[1], _set(row[2]) if row.kind == "rows" else None))
    for row in conn.execute(edited):
        found.append(Settled(row[0], row[1], frozenset(cell[0] for cell in row.edits)))
    return sorted(found, key=lambda one: (one.at, one.seq))


def _set(keys: list[str] | None) -> frozenset[str] | None:
    return None if keys is None else frozenset(keys)
