"""Take back what was published: asked for by one person, approved by another, within a window.

The rows that a publication changed get their former values, those that it added are deleted, and
those that are newer by now stay. What was taken back is quarantined and trains nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol, runtime_checkable

from sqlalchemy import Connection, exists, func, select, update

from wfops_pipelines import owning
from wfops_pipelines.core.audit import Action, AuditEvent
from wfops_pipelines.core.canonical import canonical, digest
from wfops_pipelines.core.findings import Json, counted_rows
from wfops_pipelines.core.reviews import (
    Actor,
    Review,
    ReviewKind,
    ReviewState,
    check_member,
    check_reason,
)
from wfops_pipelines.core.snapshot import AWAY, CHANGED, NEWER, Snapshot
from wfops_pipelines.destinations import Parcel, Reverted, no_undo
from wfops_pipelines.errors import BadDecision, DestinationRefused, SnapshotDamaged
from wfops_pipelines.ledger import (
    Publication,
    one_at_a_time,
    parcel_of,
    publications_of,
    published_rows,
    quarantine,
)
from wfops_pipelines.masking import masking
from wfops_pipelines.project import Project
from wfops_pipelines.reconciling.latecomers import latecomers
from wfops_pipelines.services import Services
from wfops_pipelines.store import audit, reviews, snapshots
from wfops_pipelines.store import tables as t
from wfops_pipelines.store.settled import REVERTED
from wfops_pipelines.sync import Sync


@runtime_checkable
class Undoable(Protocol):
    """A destination that can put back what it held before."""

    def revert(self, conn: Connection, parcel: Parcel) -> Reverted: ...


def can_undo(destination: object, key: str) -> bool:
    """Whether what this destination holds can be taken back, as it and the sync's key are."""
    return isinstance(destination, Undoable) and no_undo(destination, key) is None


def ask(
    name: str, seq: int, reason: str, actor: Actor, project: Project, services: Services
) -> Review:
    """Open a review request to revert a snapshot's publications; somebody else approves it.

    Raises BadDecision when there is nothing (left) to revert, NotAllowed for outsiders.
    """
    sync = project.find(name)
    why, group = check_reason(reason), sync.policy.reviewers
    check_member(actor.name, group, services.people.members(group))
    with services.engine.begin() as conn:
        parts = revertible(conn, sync, seq, services.clock())
        if not parts:
            raise BadDecision(_why_not(conn, sync, seq))
        late = latecomers(conn, sync, parts, services)
        review = _request(sync, seq, parts, why, actor, services, late)
        if not reviews.open_review(conn, review, fingerprint=f"revert/{seq}"):
            raise BadDecision(
                f"snapshot: reverting {name} #{seq} is asked for already. See /wfops."
            )
        details: dict[str, Json] = {"review": review.id, "evidence": review.evidence_hash}
        audit.append(conn, AuditEvent(
            services.clock(), actor, Action.REVERT_ASKED, review.subject, why, details
        ))  # fmt: skip
        return review


def revertible(conn: Connection, sync: Sync, seq: int, now: datetime) -> tuple[Publication, ...]:
    """The publications of a snapshot that may still be reverted, all of them or none."""
    hours = sync.policy.undo_hours
    if hours is None:
        return ()
    parts = [p for p in publications_of(conn, sync.name, seq) if p.reverted_at is None]
    late = any(p.published_at + timedelta(hours=hours) < now for p in parts)
    return () if late or hindrance(conn, sync, parts) else tuple(parts)


def hindrance(conn: Connection, sync: Sync, parts: Sequence[Publication]) -> str:
    """Why publications cannot be taken back as the sync is declared now; "" where they can."""
    return _no_way(sync) or next(filter(None, (_renamed(conn, sync, p) for p in parts)), "")


def _renamed(conn: Connection, sync: Sync, part: Publication) -> str:
    """Why a publication cannot be taken back by the key of now; "" where it can.

    Its rows are named by the key with which they were examined, what the destination keeps of them
    by that with which they were published. By another one, the same texts are other rows, or none.
    """
    examined = snapshots.named_by(conn, sync.name, part.seq) or sync.key
    sent = part.named_by or examined
    if examined == sent == sync.key:
        return ""
    words = f"{sync.name} #{part.seq} was published with the key {sent!r}"
    if examined != sent:
        return (
            f"{words}, and examined with {examined!r}, by which its rows have other names: nothing "
            "is taken back. Change them at the source."
        )
    return (
        f"{words}, and the sync's key is {sync.key!r} now, by which rows have other names: nothing "
        f"is taken back. Declare key={sent!r} again and take it back then, or change the rows at "
        "the source."
    )


def needless_before(conn: Connection, sync: Sync, now: datetime) -> datetime:
    """What was replaced before this moment can be asked for no more, and nobody waits for it."""
    r, s, o = t.reviews.c, t.snapshots.c, t.outbox.c
    undone = exists().where(o.review == r.id, o.done_at.is_(None))
    asked = select(r.seq).where(
        r.sync == sync.name,
        r.kind == ReviewKind.REVERT.value,
        (r.state == ReviewState.PENDING.value) | undone,
    )
    query = select(func.min(s.staged_at)).where(s.sync == sync.name, s.seq.in_(asked))
    waited_for: datetime | None = conn.execute(query).scalar_one()
    old = now - timedelta(hours=2 * (sync.policy.undo_hours or 0))
    return old if waited_for is None else min(old, waited_for)


def revert(
    conn: Connection,
    sync: Sync,
    snapshot: Snapshot,
    decision: str,
    services: Services,
    actor: Actor,
) -> Reverted:
    """Do what an approved request asked for, in the caller's transaction.

    Raises DestinationRefused where it cannot be done as the sync is declared by now.
    """
    destination = sync.destination
    parts = [p for p in publications_of(conn, sync.name, snapshot.seq) if p.reverted_at is None]
    if why := hindrance(conn, sync, parts):
        raise DestinationRefused(why)
    assert isinstance(destination, Undoable)
    one_at_a_time(conn, sync)
    owning.refuse_strangers(conn, sync, services)
    total, away = Reverted(), list[tuple[str, frozenset[str]]]()
    for part in parts:
        rows = published_rows(conn, sync, snapshot.seq, snapshot.digest, {part.part}, services)
        if rows is None:
            raise SnapshotDamaged(f"{snapshot.name}: its file is gone, so nothing was reverted.")
        parcel = parcel_of(sync, snapshot, rows, services, part.part)
        with masking(sync, parcel):
            done = destination.revert(conn, parcel)
        away += _put_away(part.part, parcel.keys(), done.stayed)
        total += done
    for name, keys in away:  # last: it locks the audit trail
        quarantine(conn, snapshot, services, actor, name, decision, keys)
    _note(conn, snapshot, decision, total, services, actor)
    return total


def _put_away(
    part: str, keys: Sequence[str], stayed: Mapping[str, str]
) -> Iterator[tuple[str, frozenset[str]]]:
    """The rows of a part by what became of them; those that stay are current no more, either."""
    for why in sorted(set(stayed.values())):
        yield f"{part} {why}{REVERTED}", frozenset(k for k, v in stayed.items() if v == why)
    if len(stayed) < len(keys) or not keys:
        yield f"{part}{REVERTED}", frozenset(keys) - stayed.keys()


def done_by(conn: Connection, snapshot: str, decision: str | None = None) -> str:
    """What a decision (None: the newest) to revert has done, in words; "" while it has not."""
    for event in reversed(audit.of_actions(conn, [snapshot], [Action.REVERTED])):
        if decision in (None, event["details"]["decision"]):
            return _done(event["details"])
    return ""


_STAYS = {
    CHANGED: "somebody changed {} since", NEWER: "a newer version is there",
    AWAY: "nothing is there any more",
}  # fmt: skip


def _done(details: Mapping[str, Any]) -> str:
    """As "1 of 3 restored; 2 stay, for somebody changed them since"."""
    restored, deleted, newer = (int(details[n]) for n in ("restored", "deleted", "newer"))
    did = [f"{restored:,}"] if restored or not deleted else []
    all_ = f" of {restored + deleted + newer:,}" if newer or not deleted else ""
    said = f"{restored:,}{all_} restored" if did else ""
    if deleted:
        said = f"{said}, {deleted:,} deleted" if did else f"{deleted:,}{all_} deleted"
    for why, count in details.get("stayed", {} if not newer else {NEWER: newer}).items():
        what = _STAYS[why].format("it" if count == 1 else "them")
        said += f"; {count:,} {'stays' if count == 1 else 'stay'}, for {what}"
    return said


def _note(
    conn: Connection,
    snapshot: Snapshot,
    decision: str,
    done: Reverted,
    services: Services,
    actor: Actor,
) -> None:
    p, now = t.publications.c, services.clock()
    mine = (p.sync == snapshot.sync) & (p.seq == snapshot.seq) & p.reverted_at.is_(None)
    conn.execute(update(t.publications).where(mine).values(reverted_at=now, reverted_by=decision))
    details: dict[str, Json] = {
        "decision": decision, "restored": done.restored, "deleted": done.deleted,
        "newer": done.newer,
    }  # fmt: skip
    if done.stayed:
        details["stayed"] = dict(Counter(done.stayed.values()))
    audit.append(conn, AuditEvent(now, actor, Action.REVERTED, snapshot.name, "", details))


def _instead(conn: Connection, sync: Sync, seq: int) -> str:
    """Where rows of a snapshot went as another one: what can be taken back is that."""
    same = (s.seq for s in snapshots.of_rank(conn, sync.name, seq) if s.seq != seq)
    went = [n for n in same if publications_of(conn, sync.name, n)]
    if not went:
        return ""
    asked = ", ".join(f"`wfops revert {sync.name} {n} --reason …`" for n in went)
    return f" Its rows went as they were edited, or asked about again: {asked}."


def _why_not(conn: Connection, sync: Sync, seq: int) -> str:
    if why := _no_way(sync):
        return f"snapshot: {why}"
    if sync.policy.undo_hours is None:
        return f"snapshot: the policy of {sync.name} keeps nothing to revert to (undo_hours)."
    parts = publications_of(conn, sync.name, seq)
    if not parts:
        return f"snapshot: nothing of {sync.name} #{seq} was published.{_instead(conn, sync, seq)}"
    if all(p.reverted_at for p in parts):
        return f"snapshot: {sync.name} #{seq} was reverted already."
    if why := hindrance(conn, sync, parts):
        return f"snapshot: {why}"
    return (
        f"snapshot: {sync.name} #{seq} was published more than {sync.policy.undo_hours:g} hours "
        "ago, and the policy keeps what it replaced no longer (undo_hours)."
    )


def _not_back(late: Mapping[str, int]) -> str:
    """That a revert brings back what was there, and not what came too late."""
    if not late:
        return ""
    numbers = ", ".join(f"#{seq}" for seq in sorted(set(late.values())))
    return (
        f"; of {counted_rows(len(late))} a version that was let go came too late to be written "
        f"({numbers}), and does not come back"
    )


def _no_way(sync: Sync) -> str:
    """Why nothing can be taken back from where the sync goes; "" where it can."""
    if can_undo(sync.destination, sync.key):
        return ""
    why = no_undo(sync.destination, sync.key)
    because = f": {why}" if why else ""
    return f"what went to the {sync.destination.words} cannot be taken back{because}."


def _request(
    sync: Sync,
    seq: int,
    parts: Sequence[Publication],
    reason: str,
    actor: Actor,
    services: Services,
    late: Mapping[str, int],
) -> Review:
    rows = [[p.part, p.digest, p.rows, p.inserted, p.updated, p.deleted] for p in parts]
    inserted, updated = sum(p.inserted for p in parts), sum(p.updated for p in parts)
    deleted = sum(p.deleted for p in parts)
    lives = "lives" if deleted == 1 else "live"
    back = f"{counted_rows(deleted)} that it deleted {lives} again, " if deleted else ""
    added = f"{counted_rows(inserted)} that it added {'is' if inserted == 1 else 'are'}"
    changed = f"{updated:,} {'gets its' if updated == 1 else 'get their'}"
    body = {"revert": sync.name, "snapshot": seq, "parts": rows}
    return Review(
        id=services.id("rv"),
        sync=sync.name,
        seq=seq,
        kind=ReviewKind.REVERT,
        state=ReviewState.PENDING,
        evidence_hash=digest(canonical(body)),
        summary=(
            f"{actor.name} asks to revert {sync.name} #{seq}: {added} deleted, {back}{changed} "
            f"former values, newer ones stay{_not_back(late)}: {reason}"
        ),
        group=sync.policy.reviewers,
        opened_at=services.clock(),
        requested_by=actor.name,
        approvals_needed=sync.policy.approvals,
    )
