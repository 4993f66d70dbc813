"""Streams, snapshots and their evidence in the database."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, exists, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from wfops_pipelines.core.findings import Finding
from wfops_pipelines.core.reviews import HOLDS, ReviewKind, ReviewState
from wfops_pipelines.core.snapshot import Evidence, Snapshot, SnapshotState
from wfops_pipelines.errors import WfopsError
from wfops_pipelines.store import tables as t


class HeadMoved(WfopsError):
    """Another run staged a snapshot of this sync in the meantime; extract again."""


@dataclass(frozen=True, slots=True)
class Head:
    """Where a sync's stream is: cursor, number of the last snapshot, held column types."""

    cursor: datetime | None = None
    seq: int = 0
    types: Mapping[str, str] | None = None


def head(conn: Connection, sync: str, *, lock: bool = False) -> Head:
    """The stream's head; with `lock`, nobody moves it until this transaction ends."""
    query = select(t.streams).where(t.streams.c.sync == sync)
    row = conn.execute(query.with_for_update() if lock else query).one_or_none()
    return Head() if row is None else Head(row.cursor, row.seq, row.schema_json)


def locked_head(conn: Connection, sync: str) -> Head:
    """The stream's head, made if it is not there; nobody moves it until this transaction ends."""
    empty: dict[str, Any] = {"sync": sync, "cursor": None, "seq": 0, "schema_json": {}}
    conn.execute(upsert(t.streams).values(**empty).on_conflict_do_nothing())
    return head(conn, sync, lock=True)


def move_head(conn: Connection, sync: str, old: Head, new: Head) -> None:
    """Compare-and-swap of the stream's head. Raises HeadMoved when somebody else was first."""
    values = {"cursor": new.cursor, "seq": new.seq, "schema_json": dict(new.types or {})}
    if old.seq == 0:
        first = upsert(t.streams).values(sync=sync, **values)
        done = conn.execute(
            first.on_conflict_do_update(
                index_elements=["sync"], set_=values, where=t.streams.c.seq == 0
            )
        )
    else:
        same = (t.streams.c.sync == sync) & (t.streams.c.seq == old.seq)
        done = conn.execute(update(t.streams).where(same).values(**values))
    if done.rowcount != 1:
        raise HeadMoved(f"{sync}: another run staged snapshot #{old.seq + 1} first. Run it again.")


def add(conn: Connection, snapshot: Snapshot) -> None:
    conn.execute(
        insert(t.snapshots).values(
            sync=snapshot.sync,
            seq=snapshot.seq,
            digest=snapshot.digest,
            rows=snapshot.rows,
            duplicates=snapshot.duplicates,
            state=snapshot.state.value,
            staged_at=snapshot.staged_at,
            run_id=snapshot.run_id,
            cursor_from=snapshot.cursor_from,
            cursor_to=snapshot.cursor_to,
            origin=snapshot.origin,
            edited_by=snapshot.edited_by,
            edits=[list(e) for e in snapshot.edits] or None,
            partition=snapshot.partition,
            doubted=[list(d) for d in snapshot.doubted] or None,
            asked_after=snapshot.asked and snapshot.asked[0],
            asked_upto=snapshot.asked and snapshot.asked[1],
            reread_by=snapshot.reread_by,
            reopened_by=snapshot.reopened_by,
            overtaken=snapshot.overtaken,
            dated_by=snapshot.dated_by,
            dated_upto=snapshot.dated_upto,
            contradicted=[list(c) for c in snapshot.contradicted] or None,
        )
    )


def get(conn: Connection, sync: str, seq: int, *, lock: bool = False) -> Snapshot:
    """The snapshot `seq` of `sync`; with `lock`, no other transaction changes it meanwhile."""
    query = select(t.snapshots).where(t.snapshots.c.sync == sync, t.snapshots.c.seq == seq)
    return _snapshot(conn.execute(query.with_for_update() if lock else query).one())


def of_rank(conn: Connection, sync: str, rank: int) -> list[Snapshot]:
    """The snapshot with this number and those that edits made of it."""
    c = t.snapshots.c
    mine = (c.seq == rank) | (c.origin == rank)
    query = select(t.snapshots).where(c.sync == sync, mine).order_by(c.seq)
    return [_snapshot(r) for r in conn.execute(query)]


def partitions(conn: Connection, sync: str, seqs: Sequence[int]) -> dict[int, str | None]:
    """The partition of each of these snapshots."""
    c = t.snapshots.c
    query = select(c.seq, c.partition).where(c.sync == sync, c.seq.in_(seqs))
    return {row.seq: row.partition for row in conn.execute(query)}


def in_state(
    conn: Connection, sync: str, *states: SnapshotState, partition: str | None = None
) -> list[Snapshot]:
    """The sync's snapshots in any of `states`, oldest first; of one partition where given."""
    query = (
        select(t.snapshots)
        .where(t.snapshots.c.sync == sync, t.snapshots.c.state.in_([s.value for s in states]))
        .order_by(t.snapshots.c.seq)
    )
    if partition is not None:
        query = query.where(t.snapshots.c.partition == partition)
    return [_snapshot(r) for r in conn.execute(query)]


def newest_of(conn: Connection, sync: str, partition: str) -> int:
    """The number of the newest snapshot of a partition; 0 when there is none."""
    c = t.snapshots.c
    query = select(func.coalesce(func.max(c.seq), 0))
    return int(conn.execute(query.where(c.sync == sync, c.partition == partition)).scalar_one())


def latest(conn: Connection, sync: str, limit: int = 20) -> list[Snapshot]:
    """The sync's newest snapshots, newest first."""
    query = select(t.snapshots).where(t.snapshots.c.sync == sync)
    return [
        _snapshot(r) for r in conn.execute(query.order_by(t.snapshots.c.seq.desc()).limit(limit))
    ]


def reaching(conn: Connection, sync: str, since: datetime) -> list[Snapshot]:
    """The snapshots of the source that may hold rows dated since then, newest first.

    A row from the future carried no cursor anywhere, so its date and when it was staged count, too.
    """
    c = t.snapshots.c
    may = (c.cursor_to >= since) | (c.staged_at >= since) | (c.dated_upto >= since)
    query = select(t.snapshots).where(c.sync == sync, c.origin.is_(None), may)
    return [_snapshot(r) for r in conn.execute(query.order_by(c.seq.desc()))]


def unnamed(conn: Connection, sync: str, key: str) -> frozenset[int]:
    """The numbers of held snapshots none of whose rows another key than `key` could name."""
    e, r = t.evidence.c, t.reviews.c
    whole = r.kind == ReviewKind.WHOLE.value
    held = exists().where(r.sync == e.sync, r.seq == e.seq, whole)
    query = select(e.seq, e.body).where(e.sync == sync, held, e.body.contains('"check":"key"'))
    return frozenset(
        int(row.seq)
        for row in conn.execute(query)
        for finding in map(Finding.from_json, json.loads(row.body)["findings"])
        if finding.names_none and finding.column != key
    )


def extracted_since(
    conn: Connection, sync: str, seq: int, before: int | None = None, limit: int | None = None
) -> list[Snapshot]:
    """The newest `limit` extractions after that number (and `before` another one), newest first."""
    c = t.snapshots.c
    query = select(t.snapshots).where(c.sync == sync, c.seq > seq, c.origin.is_(None))
    query = query if before is None else query.where(c.seq < before)
    return [_snapshot(r) for r in conn.execute(query.order_by(c.seq.desc()).limit(limit))]


def digests(conn: Connection) -> list[tuple[str, int, str]]:
    """(sync, number, digest) of every snapshot."""
    c = t.snapshots.c
    rows = conn.execute(select(c.sync, c.seq, c.digest).order_by(c.sync, c.seq))
    return [(r.sync, r.seq, r.digest) for r in rows]


def unsettled_before(conn: Connection, sync: str, rank: int, partition: str | None = None) -> bool:
    """Whether rows that came before those of `rank` (in their partition) are still on their way.

    They wait to be examined or published, for a person, or for somebody to act on a decision.
    """
    s, r, o = t.snapshots.c, t.reviews.c, t.outbox.c
    undone = exists().where(o.review == r.id, o.done_at.is_(None))
    asked = exists().where(
        r.sync == s.sync,
        r.seq == s.seq,
        r.kind.in_([kind.value for kind in HOLDS]),
        (r.state == ReviewState.PENDING.value) | undone,
    )
    moving = s.state.in_([SnapshotState.STAGED.value, SnapshotState.CLEARED.value])
    query = select(s.seq).where(
        s.sync == sync,
        func.coalesce(s.origin, s.seq) < rank,
        s.partition.is_not_distinct_from(partition),
    )
    return conn.execute(query.where(moving | asked).limit(1)).first() is not None


def unsettled(conn: Connection, sync: str, partition: str) -> bool:
    """As `unsettled_before`, of all rows of a partition."""
    return unsettled_before(conn, sync, newest_of(conn, sync, partition) + 1, partition)


def set_state(conn: Connection, sync: str, seq: int, state: SnapshotState) -> None:
    where = (t.snapshots.c.sync == sync) & (t.snapshots.c.seq == seq)
    conn.execute(update(t.snapshots).where(where).values(state=state.value))


def add_evidence(
    conn: Connection, evidence: Evidence, held: Iterable[str] | None, key: str
) -> None:
    """Keep the canonical text of the evidence: its hash is what a decision must name."""
    conn.execute(
        insert(t.evidence).values(
            sync=evidence.sync,
            seq=evidence.seq,
            hash=evidence.hash,
            body=evidence.text.decode("ascii"),
            held_keys=None if held is None else sorted(held),
            named_by=key,
        )
    )


def evidence(conn: Connection, sync: str, seq: int) -> tuple[str, dict[str, Any]] | None:
    """(hash, body) of a snapshot's evidence, or None before it was examined."""
    query = select(t.evidence.c.hash, t.evidence.c.body)
    row = conn.execute(
        query.where(t.evidence.c.sync == sync, t.evidence.c.seq == seq)
    ).one_or_none()
    return None if row is None else (row.hash, json.loads(row.body))


def evidences(
    conn: Connection, sync: str, upto: int, limit: int
) -> list[tuple[Snapshot, Evidence]]:
    """The newest `limit` examined snapshots up to `upto` with their evidence, oldest first."""
    join = t.snapshots.join(
        t.evidence,
        (t.evidence.c.sync == t.snapshots.c.sync) & (t.evidence.c.seq == t.snapshots.c.seq),
    )
    query = (
        select(t.snapshots, t.evidence.c.body)
        .select_from(join)
        .where(t.snapshots.c.sync == sync, t.snapshots.c.seq <= upto)
        .order_by(t.snapshots.c.seq.desc())
        .limit(limit)
    )
    rows = conn.execute(query).all()[::-1]
    return [(_snapshot(r), Evidence.from_json(json.loads(r.body))) for r in rows]


def held_keys(conn: Connection, sync: str, seq: int) -> frozenset[str] | None:
    """Keys of the rows that the verdict holds back; None when it is all of them or none."""
    query = select(t.evidence.c.held_keys).where(t.evidence.c.sync == sync, t.evidence.c.seq == seq)
    keys = conn.execute(query).scalar_one_or_none()
    return None if keys is None else frozenset(keys)


def named_by(conn: Connection, sync: str, seq: int) -> str | None:
    """The sync's key when this was examined: its verdict and decisions name rows by that."""
    c = t.evidence.c
    return conn.execute(select(c.named_by).where(c.sync == sync, c.seq == seq)).scalar()


def newest_declared(conn: Connection, sync: str) -> tuple[str | None, str | None]:
    """The key by which the newest examined extraction was named, and the cursor ("" for none) by
    which the newest one was dated; None where that was not noted."""
    s, e = t.snapshots.c, t.evidence.c
    extracted = (s.sync == sync) & s.origin.is_(None)
    dated = select(s.dated_by).where(extracted).order_by(s.seq.desc()).limit(1)
    about = t.snapshots.join(t.evidence, (e.sync == s.sync) & (e.seq == s.seq))
    named = select(e.named_by).select_from(about).where(extracted).order_by(s.seq.desc()).limit(1)
    return conn.execute(named).scalar(), conn.execute(dated).scalar()


def add_profile(conn: Connection, sync: str, seq: int, body: str) -> None:
    conn.execute(upsert(t.profiles).values(sync=sync, seq=seq, body=body).on_conflict_do_nothing())


def published_profiles(
    conn: Connection, sync: str, before: int, *, incremental: bool, limit: int = 90
) -> dict[int, str]:
    """Profiles of the newest published snapshots before `before`, oldest first, by number.

    The first load of an `incremental` sync is left out: it holds everything at once, and would
    make every later oddity look small.
    """
    p, pub = t.profiles.c, t.publications.c
    published = (
        select(pub.seq)
        .where(pub.sync == sync, pub.seq < before, pub.reverted_at.is_(None))
        .distinct()
        .scalar_subquery()
    )
    query = select(p.seq, p.body).where(p.sync == sync, p.seq.in_(published))
    if incremental:
        s = t.snapshots.c
        later = select(s.seq).where(s.sync == sync, s.cursor_from.is_not(None))
        query = query.where(p.seq.in_(later.scalar_subquery()))
    rows = conn.execute(query.order_by(p.seq.desc()).limit(limit)).all()[::-1]
    return {int(r.seq): str(r.body) for r in rows}


def _snapshot(row: Row[Any]) -> Snapshot:
    return Snapshot(
        sync=row.sync,
        seq=row.seq,
        digest=row.digest,
        rows=row.rows,
        staged_at=row.staged_at,
        state=SnapshotState(row.state),
        run_id=row.run_id,
        cursor_from=row.cursor_from,
        cursor_to=row.cursor_to,
        duplicates=row.duplicates,
        origin=row.origin,
        edited_by=row.edited_by,
        edits=tuple((k, c, old, new) for k, c, old, new in row.edits or ()),
        partition=row.partition,
        doubted=tuple((key, before) for key, before in row.doubted or ()),
        asked=(row.asked_after, row.asked_upto) if row.asked_upto else None,
        reread_by=row.reread_by,
        reopened_by=row.reopened_by,
        overtaken=row.overtaken or 0,
        dated_by=row.dated_by,
        dated_upto=row.dated_upto,
        contradicted=tuple((k, c, old, new) for k, c, old, new in row.contradicted or ()),
    )
