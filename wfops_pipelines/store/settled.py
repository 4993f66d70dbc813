"""What people settled about rows of a sync otherwise than by publishing them as they came."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, select

from wfops_pipelines.core.reviews import HOLDS
from wfops_pipelines.core.snapshot import NEWER, Snapshot
from wfops_pipelines.store import tables as t

ALL = ""  # no key is empty
LATE = timedelta(minutes=5)  # what was noted before may be seen only now: it waited for locks
REVERTED = " reverted"  # in the part of what was taken back, or stays for a reason before it
ACTING = " acting"  # in the part of what was to come of nothing, and would have done something
SETTLED = " settled as of #"  # in the part of what people settled otherwise, before its snapshot


@dataclass(frozen=True, slots=True)
class Settled:
    """Rows of the snapshot `seq`, by their keys (None: all), and when somebody settled them.

    `root` is the extraction that told them: `seq`, or that of which an edit or a question was made.
    `as_one`: they were settled all together, not each for itself.
    """

    at: datetime
    seq: int
    keys: frozenset[str] | None
    root: int
    as_one: bool = False


def lately(conn: Connection, sync: str) -> list[Settled]:
    """What people settled since the newest extraction began that staged anything."""
    began = _began(conn, sync)
    return [] if began is None else _since(conn, sync, began - LATE)


def ever(conn: Connection, sync: str) -> list[Settled]:
    """What people settled since the beginning."""
    return _since(conn, sync, datetime(1, 1, 1, tzinfo=UTC))


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
    risky = (o for o in found if o.root < snapshot.seq and (o.at >= begun or lost(o.seq)))
    return frozenset(key for o in risky for key in ({ALL} if o.keys is None else o.keys))


def unreadable(
    conn: Connection, snapshot: Snapshot, lost: Callable[[int], bool], may: Container[int]
) -> frozenset[str]:
    """The keys of rows that may be in what was read again as people settled otherwise.

    What is staged twice is told by the files, and one is `lost`, of the extractions that `may` hold
    such rows. As of `meanwhile`, `ALL` is any.
    """
    found = [o for o in ever(conn, snapshot.sync) if o.root < snapshot.seq and o.root in may]
    gone = {seq for seq in {o.seq for o in found} if lost(seq)}
    risky = (o for o in found if o.seq in gone)
    return frozenset(key for o in risky for key in ({ALL} if o.keys is None else o.keys))


def since(conn: Connection, snapshot: Snapshot) -> list[Settled]:
    """What people settled of older extractions since that of this snapshot began."""
    begun = (snapshot.asked and snapshot.asked[1]) or snapshot.staged_at
    return [o for o in _since(conn, snapshot.sync, begun - LATE) if o.root < snapshot.seq]


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
    """What was put away, taken back, asked about again or edited since then, oldest first.

    And what was decided about and is not carried out yet, as a whole: it goes by that decision.
    Not what did not go because of one of these: nobody settled it as it came then. Nor what was
    not taken back as something newer is there, which stands.
    """
    q, r, s, o = t.quarantine.c, t.reviews.c, t.snapshots.c, t.outbox.c
    away = select(q.at, q.seq, q["keys"], q.part).where(q.sync == sync, q.at >= moment)
    moot = (SETTLED, ACTING, f" {NEWER}{REVERTED}")
    away = away.where(*(~q.part.contains(mark) for mark in moot))
    held = r.kind.in_([k.value for k in HOLDS])
    again = select(r.opened_at, r.seq, r["keys"], r.kind)
    again = again.where(r.sync == sync, r.reopens.is_not(None), r.opened_at >= moment)
    decided = select(o.created_at, r.seq, r["keys"], r.kind)
    decided = decided.select_from(t.outbox.join(t.reviews, r.id == o.review))
    decided = decided.where(o.sync == sync, o.done_at.is_(None), o.created_at >= moment, held)
    edited = select(s.staged_at, s.origin, s.edits)
    edited = edited.where(s.sync == sync, s.edits.is_not(None), s.staged_at >= moment)
    found: list[Settled] = []
    for row in conn.execute(away):
        part, back, _ = row.part.partition(REVERTED)
        as_one = row[2] is None or bool(back and " " not in part)  # else it stays, and it says why
        found.append(Settled(row[0], row[1], _set(row[2]), row[1], as_one))
    for row in conn.execute(again.union_all(decided)):
        keys = _set(row[2]) if row.kind == "rows" else None
        found.append(Settled(row[0], row[1], keys, row[1], keys is None))
    for row in conn.execute(edited):
        keys = frozenset(cell[0] for cell in row.edits)
        found.append(Settled(row[0], row[1], keys, row[1]))
    roots = _roots(conn, sync, {one.seq for one in found})
    in_order = sorted(found, key=lambda one: (one.at, one.seq))
    return [replace(one, root=roots.get(one.seq, one.seq)) for one in in_order]


def _roots(conn: Connection, sync: str, seqs: Collection[int]) -> dict[int, int]:
    """By number, whose rows these snapshots hold that were made of others."""
    c = t.snapshots.c
    made = (c.sync == sync) & c.seq.in_(seqs) & c.origin.is_not(None)
    query = select(c.seq, c.origin).where(made)
    return {row.seq: row.origin for row in conn.execute(query)} if seqs else {}


def _set(keys: list[str] | None) -> frozenset[str] | None:
    return None if keys is None else frozenset(keys)
