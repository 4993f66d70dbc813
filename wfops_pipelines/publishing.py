"""Publish what may go: the exact staged bytes, each part of a snapshot at most once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection, delete, insert

from wfops_pipelines import failing, mending, owning, undoing
from wfops_pipelines.core.audit import Action, AuditEvent
from wfops_pipelines.core.findings import Json, findings_of
from wfops_pipelines.core.parts import Rows
from wfops_pipelines.core.reviews import HOLDS, Actor, Review, ReviewKind, Verb
from wfops_pipelines.core.snapshot import Snapshot, SnapshotState
from wfops_pipelines.core.verdict import flagged
from wfops_pipelines.deciding import confident, leaving
from wfops_pipelines.errors import DestinationRefused, WfopsError
from wfops_pipelines.examining.impact import UNCHANGED
from wfops_pipelines.examining.unchanged import unchanged
from wfops_pipelines.ledger import (
    CLEAN,
    HELD,
    Publication,
    key_then,
    left_out,
    one_at_a_time,
    parcel_of,
    quarantine,
    renamed,
    rows_named,
    select_rows,
)
from wfops_pipelines.masking import masking
from wfops_pipelines.services import Services
from wfops_pipelines.staging import put_away
from wfops_pipelines.store import (
    audit,
    controls,
    database,
    files,
    remembered,
    reviews,
    snapshots,
)
from wfops_pipelines.store import tables as t
from wfops_pipelines.store.rows import keys_of
from wfops_pipelines.store.settled import ACTING, SETTLED
from wfops_pipelines.sync import Day, Sync

BACK_OFF = timedelta(seconds=20)


class Paused(WfopsError):
    """The sync is paused: nothing is published until somebody resumes it."""


class OutOfTurn(WfopsError):
    """An earlier snapshot of a sync that keeps its order still waits for a person."""


def publish_cleared(
    sync: Sync, services: Services, actor: Actor, day: Day | None = None
) -> tuple[Publication, ...]:
    """Publish all rows that the verdict let go, oldest snapshot first. Nothing while paused."""
    name = day.name if day else None
    with services.engine.connect() as conn:
        if controls.paused(conn, sync.name):
            return ()
        cleared = snapshots.in_state(conn, sync.name, SnapshotState.CLEARED, partition=name)
    if cleared:
        owning.own(sync, services)
    done = [_publish_clean(sync, s.seq, services, actor) for s in cleared]
    mending.close(sync, "publishing", services, name)
    return tuple(p for p in done if p is not None)


def _publish_clean(sync: Sync, seq: int, services: Services, actor: Actor) -> Publication | None:
    with database.transaction(services.engine) as conn:
        snapshot = snapshots.get(conn, sync.name, seq, lock=True)
        if snapshot.state is not SnapshotState.CLEARED or _must_wait(conn, sync, snapshot):
            return None
        if controls.paused(conn, sync.name):
            return None
        held = snapshots.held_keys(conn, sync.name, seq) or frozenset()
        one_at_a_time(conn, sync)  # whoever takes rows back now has done so
        away = _settled_otherwise(conn, sync, snapshot, services, without=held)
        without = held.union(*away.values())
        done = _publish(conn, sync, snapshot, services, actor, CLEAN, without=without)
        _put_away(conn, snapshot, services, actor, CLEAN, away)
        snapshots.set_state(conn, sync.name, seq, SnapshotState.SETTLED)
        return done


def _settled_otherwise(
    conn: Connection,
    sync: Sync,
    snapshot: Snapshot,
    services: Services,
    *,
    only: frozenset[str] | None = None,
    without: frozenset[str] = frozenset(),
) -> dict[int, frozenset[str]]:
    """Rows that a machine let go, and that people put away or changed as they are before they went.

    By the number of the snapshot as of which; of those that `_publish` would take.
    """
    found, seen = put_away.settled_since(conn, sync, snapshot, services), without
    away = {}
    for root, keys in sorted(found.items(), reverse=True):
        mine = (keys if only is None else keys & only) - seen
        if mine:
            away[root] = mine
        seen |= keys
    return away


def _put_away(
    conn: Connection,
    snapshot: Snapshot,
    services: Services,
    actor: Actor,
    part: str,
    away: Mapping[int, frozenset[str]],
) -> None:
    """Note what `_settled_otherwise` found. To be called last: it locks the audit trail."""
    for root, keys in away.items():
        quarantine(conn, snapshot, services, actor, f"{part}{SETTLED}{root}", "", keys)


def _must_wait(conn: Connection, sync: Sync, snapshot: Snapshot) -> bool:
    if sync.policy.while_held != "queue":
        return False
    return snapshots.unsettled_before(conn, sync.name, snapshot.rank, snapshot.partition)


def release(sync: Sync, decision: str, services: Services, actor: Actor) -> Publication | None:
    """Do what a decision asked for, once: publish or quarantine, in one transaction.

    None when there was nothing (left) to publish. Raises Paused or OutOfTurn when it must wait,
    SnapshotDamaged or DestinationRefused when it cannot be done; the errand then stays.
    """
    with services.engine.connect() as conn:
        errand = reviews.errand(conn, decision)
        if errand is None or errand.seq is None:
            return None
        review = reviews.get(conn, errand.review)
        day = snapshots.get(conn, sync.name, errand.seq).partition
    if review and review.kind in HOLDS and errand.verb in (Verb.APPROVE, Verb.APPROVE_CLEAN):
        owning.own(sync, services)
    done = _release(sync, decision, services, actor)
    mending.close(sync, "release", services, day)
    return done


def _release(sync: Sync, decision: str, services: Services, actor: Actor) -> Publication | None:
    with database.transaction(services.engine) as conn:
        errand = reviews.claim(conn, decision)
        if errand is None or errand.seq is None:
            return None
        review = reviews.get(conn, errand.review)
        assert review is not None
        snapshot = snapshots.get(conn, sync.name, errand.seq, lock=True)
        if review.kind is ReviewKind.REVERT:
            undoing.revert(conn, sync, snapshot, errand.decision, services, actor)
            reviews.finish(conn, decision, services.clock())
            return None
        if errand.verb is Verb.LEAVE_OUT:
            leaving.leave_out(conn, snapshot, errand.decision, services, actor)
            reviews.finish(conn, decision, services.clock())
            return None
        _refuse_early(conn, sync, snapshot)
        done = _carry_out(conn, sync, snapshot, review, errand, services, actor)
        if review.kind is ReviewKind.WHOLE:
            snapshots.set_state(conn, sync.name, snapshot.seq, SnapshotState.SETTLED)
        reviews.finish(conn, decision, services.clock())
        return done


def may_release(conn: Connection, sync: Sync, errand: reviews.Errand, now: datetime) -> bool:
    """Whether another try of this errand makes sense now: nothing in its way, back-off over.

    Taking back and leaving out wait neither for a paused sync nor for their turn, here as in
    `release`. What failed for good is tried again once somebody has answered the request about it.
    """
    if errand.attempts and now < errand.created_at + errand.attempts**2 * BACK_OFF:
        return False
    if errand.seq is None:
        return True
    snapshot = snapshots.get(conn, sync.name, errand.seq)
    if errand.attempts and failing.waiting(conn, sync.name, "release", snapshot.partition):
        return False
    review = reviews.get(conn, errand.review)
    if errand.verb is Verb.LEAVE_OUT or (review and review.kind is ReviewKind.REVERT):
        return True
    return not controls.paused(conn, sync.name) and not _must_wait(conn, sync, snapshot)


def _refuse_early(conn: Connection, sync: Sync, snapshot: Snapshot) -> None:
    if paused := controls.paused(conn, sync.name):
        raise Paused(f"{sync.name} is paused ({paused}). `wfops resume {sync.name}` lets it go on.")
    if _must_wait(conn, sync, snapshot):
        raise OutOfTurn(
            f"{snapshot.name} keeps its turn: an earlier snapshot still waits for a decision, "
            "or for what was decided to be done."
        )


def _carry_out(
    conn: Connection,
    sync: Sync,
    snapshot: Snapshot,
    review: Review,
    errand: reviews.Errand,
    services: Services,
    actor: Actor,
) -> Publication | None:
    held = frozenset(review.keys) if review.kind is ReviewKind.ROWS else None
    match errand.verb:
        case Verb.APPROVE:
            excluded, away = reviews.excluded(conn, errand.decision), dict[int, frozenset[str]]()
            if review.decided_by == str(confident.MACHINE):  # people may have said else since
                one_at_a_time(conn, sync)
                away = _settled_otherwise(conn, sync, snapshot, services, only=held)
            done = _publish(
                conn, sync, snapshot, services, actor, HELD, only=held,
                without=excluded.union(*away.values()), decision=errand.decision,
            )  # fmt: skip
            _put_away(conn, snapshot, services, actor, HELD, away)
            if excluded:
                quarantine(conn, snapshot, services, actor, HELD, errand.decision, excluded)
            return done
        case Verb.APPROVE_CLEAN:
            named = _flagged(conn, sync, snapshot)
            done = _publish(
                conn, sync, snapshot, services, actor, CLEAN, without=named,
                decision=errand.decision,
            )  # fmt: skip
            quarantine(conn, snapshot, services, actor, HELD, errand.decision, named)
            return done
        case Verb.REJECT:
            quarantine(conn, snapshot, services, actor, HELD, errand.decision, held)
            return None
        case Verb.RETRY | Verb.LEAVE_OUT:
            return None


def _flagged(conn: Connection, sync: Sync, snapshot: Snapshot) -> frozenset[str]:
    found = snapshots.evidence(conn, sync.name, snapshot.seq)
    assert found is not None
    return flagged(findings_of(found[1]), sync.policy)


def _refuse_renamed(conn: Connection, sync: Sync, snapshot: Snapshot) -> None:
    if why := renamed(conn, sync, snapshot.seq):
        raise DestinationRefused(
            f"{why}. Declare key={key_then(conn, sync, snapshot.seq)!r} again and retry; change it "
            "when nothing is under way any more."
        )


def _publish(
    conn: Connection,
    sync: Sync,
    snapshot: Snapshot,
    services: Services,
    actor: Actor,
    part: str,
    *,
    only: frozenset[str] | None = None,
    without: Iterable[str] = (),
    decision: str | None = None,
) -> Publication:
    one_at_a_time(conn, sync)
    _refuse_renamed(conn, sync, snapshot)
    rows = rows_named(conn, sync, snapshot, services.rows(snapshot), only, frozenset(without))
    away = left_out(conn, sync.name, snapshot.seq)
    rows = select_rows(rows, sync.key, None, away)
    acting = _acting(conn, sync, snapshot, rows, services)
    rows = rows_named(conn, sync, snapshot, rows, None, acting)
    old = undoing.needless_before(conn, sync, services.clock())
    parcel = parcel_of(sync, snapshot, rows, services, part, old)
    with _numbered(snapshot), masking(sync, parcel):
        written = sync.destination.publish(conn, services.engine, parcel)
    files.check(services.folder(sync.name), snapshot.digest)  # it was read a part at a time
    if sync.cursor is None:  # what people put away before counts no more: something newer went
        names = partial(remembered.names_of, rows, sync.key)
        remembered.forget_older(conn, sync.name, snapshot.rank, names)
    done = Publication(
        sync.name,
        snapshot.seq,
        part,
        snapshot.digest,
        rows.num_rows,
        written.inserted,
        written.updated,
        written.stale,
        services.clock(),
        deleted=written.deleted,
        named_by=sync.key,
    )
    _forget_replaced(conn, sync, old)
    _enter(conn, done, decision, actor)
    if acting:
        quarantine(conn, snapshot, services, actor, f"{part}{ACTING}", "", acting)
    return done


def _acting(
    conn: Connection, sync: Sync, snapshot: Snapshot, rows: Rows, services: Services
) -> frozenset[str]:
    """Which of these rows nobody was asked about as nothing would come of them, and now would.

    What they were was taken back since, or somebody changed it at the destination.
    """
    stored = snapshots.evidence(conn, sync.name, snapshot.seq)
    found = findings_of(stored[1]) if stored else ()
    spared = frozenset(k for f in found if f.check == UNCHANGED for k in f.keys)
    if not spared:
        return spared
    going = rows_named(conn, sync, snapshot, rows, spared)
    key = key_then(conn, sync, snapshot.seq)
    here = frozenset(k for part in going.parts([key]) for k in keys_of(part[key]))
    if key != sync.key:
        return here  # nobody can tell which rows these were
    return here - unchanged(conn, sync, snapshot, going, services, here)


@contextmanager
def _numbered(snapshot: Snapshot) -> Iterator[None]:
    """A destination knows a snapshot by its version, which an edit has from its origin."""
    try:
        yield
    except DestinationRefused as error:
        error.rows = tuple(replace(row, seq=snapshot.seq) for row in error.rows)
        raise


def _forget_replaced(conn: Connection, sync: Sync, old: datetime) -> None:
    conn.execute(delete(t.replaced).where(t.replaced.c.sync == sync.name, t.replaced.c.at < old))
    parts, rows = t.replaced_parts.c, t.replaced_rows
    forgotten = delete(t.replaced_parts).where(parts.sync == sync.name, parts.at < old)
    gone: Sequence[int] = conn.execute(forgotten.returning(parts.id)).scalars().all()
    if gone:
        conn.execute(delete(rows).where(rows.c.part.in_(gone)))


def _enter(conn: Connection, done: Publication, decision: str | None, actor: Actor) -> None:
    """The ledger's primary key makes a second publication of the same part impossible."""
    at = done.published_at
    conn.execute(
        insert(t.publications).values(
            sync=done.sync,
            seq=done.seq,
            part=done.part,
            digest=done.digest,
            rows=done.rows,
            inserted=done.inserted,
            updated=done.updated,
            stale=done.stale,
            deleted=done.deleted,
            decision=decision,
            named_by=done.named_by,
            published_at=at,
        )
    )
    details: dict[str, Json] = {
        "part": done.part, "digest": done.digest, "rows": done.rows, "inserted": done.inserted,
        "updated": done.updated, "stale": done.stale, "decision": decision,
    }  # fmt: skip
    if done.deleted:
        details["deleted"] = done.deleted
    subject = f"{done.sync} #{done.seq}"
    audit.append(conn, AuditEvent(at, actor, Action.PUBLISHED, subject, "", details))
