"""The first rows after the project declared another key, another cursor, or days, for a sync."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, exists, func, or_, select

from wfops_pipelines.core.findings import Finding, Severity
from wfops_pipelines.core.reviews import HOLDS, ReviewState
from wfops_pipelines.core.snapshot import Snapshot, SnapshotState
from wfops_pipelines.store import snapshots
from wfops_pipelines.store import tables as t
from wfops_pipelines.sync import Day, Sync


@dataclass(frozen=True, slots=True)
class Declared:
    """What the project said when the snapshot `seq` was extracted and examined.

    key: the column that named its rows. cursor: the one that dated them, "" for none. days: whether
    it was of one day. Key and cursor are None where that was not noted.
    """

    seq: int
    key: str | None
    cursor: str | None
    days: bool


def declared_otherwise(conn: Connection, sync: Sync, snapshot: Snapshot) -> Declared | None:
    """The newest extraction (of its day) declared otherwise that went, waits or is settled.

    None where something that was extracted since was published, and not taken back: a person has
    let it go, then.
    """
    if snapshot.origin is not None:
        return None
    s, e, p = t.snapshots.c, t.evidence.c, t.publications.c
    rank = func.coalesce(s.origin, s.seq)
    same_day = s.partition.is_not_distinct_from(snapshot.partition)
    of_before = (s.sync == sync.name) & (s.seq < snapshot.seq)
    went = exists().where(p.sync == s.sync, p.seq == s.seq)
    q, r = t.quarantine.c, t.reviews.c
    open_ = [ReviewState.PENDING.value, ReviewState.APPROVED.value]  # approved, it may be under way
    asked = r.kind.in_([kind.value for kind in HOLDS]) & r.state.in_(open_)
    settled = or_(
        went,
        s.state == SnapshotState.CLEARED.value,
        exists().where(q.sync == s.sync, q.seq == s.seq),
        exists().where(r.sync == s.sync, r.seq == s.seq, asked),
    )
    # what was not noted is null, and is no other one
    otherwise = or_(e.named_by != sync.key, s.dated_by != (sync.cursor or ""), ~same_day)
    in_its_place = same_day
    if snapshot.partition is not None:  # what was extracted before it began has none of its rows
        began = Day(date.fromisoformat(snapshot.partition)).start
        in_its_place |= s.partition.is_(None) & (func.coalesce(s.asked_upto, s.staged_at) > began)
    with_evidence = t.snapshots.join(t.evidence, (e.sync == s.sync) & (e.seq == s.seq))
    wrong = snapshots.unnamed(conn, sync.name, sync.key)
    query = (
        select(rank.label("seq"), e.named_by, s.dated_by, s.partition)
        .select_from(with_evidence)
        .where(of_before, in_its_place, otherwise, settled, rank.not_in(wrong))
        .order_by(rank.desc())
        .limit(1)
    )
    found = conn.execute(query).first()
    if found is None:
        return None
    stays = exists().where(p.sync == s.sync, p.seq == s.seq, p.reverted_at.is_(None))
    since = select(s.seq).where(of_before, same_day, rank > found.seq, stays).limit(1)
    if conn.execute(since).first() is not None:
        return None
    return Declared(found.seq, found.named_by, found.dated_by, found.partition is not None)


def declared_anew_findings(before: Declared | None, sync: Sync) -> list[Finding]:
    """All rows wait: what was published or put away by other names may be among them."""
    if before is None:
        return []
    now: list[str] = []
    if before.key not in (None, sync.key):
        now.append(
            f"its rows are named by {sync.key} now, and were by {before.key} (an API that names "
            "its records itself is sent each row again)"
        )
    if before.cursor not in (None, sync.cursor or ""):
        had = before.cursor or "none"
        now.append(f"its cursor is {sync.cursor or 'none'} now, and was {had} (all is read again)")
    if sync.days_from is not None and not before.days:
        now.append("it is partitioned by day now, and was not (each day is read anew)")
    said = (
        f"{sync.name} is declared otherwise than it was up to #{before.seq}: {'; '.join(now)}. "
        "Rows that were published, rejected or left out before, or that wait, may be among these. "
        "Approve if that is meant: it is asked until some of them were published"
    )
    return [Finding("declared_anew", Severity.CRITICAL, said)]
