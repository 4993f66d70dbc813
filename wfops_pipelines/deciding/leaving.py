"""Leave rows out that a destination refused for good: a person decides, and the others go on.

Only what the ledger of deliveries calls refused: of a row that may have arrived nobody can say that
it is not there. Such a row is in quarantine; its next version is sent as usual.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from sqlalchemy import Connection, func, select

from wfops_pipelines.core.audit import Action
from wfops_pipelines.core.findings import Json
from wfops_pipelines.core.reviews import Actor, Decision, Review, naming_refused
from wfops_pipelines.core.snapshot import Snapshot, SnapshotState
from wfops_pipelines.destinations import deliveries
from wfops_pipelines.errors import EvidenceChanged
from wfops_pipelines.ledger import CLEAN, HELD, LEFT_OUT, quarantine
from wfops_pipelines.masking import meant, named
from wfops_pipelines.services import Services
from wfops_pipelines.store import reviews, snapshots
from wfops_pipelines.store import tables as t
from wfops_pipelines.store.rows import remembered_as, remembered_key
from wfops_pipelines.sync import Sync

_FEW = 5  # rows that are named


def checked(conn: Connection, decision: Decision, review: Review, sync: Sync) -> Decision:
    """The decision with the keys that it is about.

    Raises BadDecision for a key that was not refused, EvidenceChanged where it is so no longer.
    """
    keys = meant(sync, decision.exclude, review.keys)
    exclude = tuple(keys[key] for key in decision.exclude)
    asked = naming_refused(replace(decision, exclude=exclude), review)
    snapshot = snapshots.get(conn, review.sync, snapshot_of(conn, review))
    still = deliveries.refused(conn, review.sync, snapshot.version)
    for key in asked.exclude:
        if key not in still:
            raise EvidenceChanged(
                f"{named(sync, key)} of {snapshot.name} is not refused any more, so it cannot be "
                f"left out. `wfops deliveries {review.sync}` says what became of it."
            )
    return asked


def newer_of(conn: Connection, sync: Sync | None, review: Review) -> str:
    """As `newer_staged`, of the rows that a request about a failure is about."""
    if sync is None or not review.keys:
        return ""
    return newer_staged(conn, sync, snapshot_of(conn, review), review.keys)


def snapshot_of(conn: Connection, review: Review) -> int:
    """The number of the snapshot whose rows were refused."""
    body = reviews.failure_of(conn, review.id) or {}
    return int(body["snapshot"])


def newer_staged(conn: Connection, sync: Sync, seq: int, keys: Collection[str]) -> str:
    """What to do where newer versions of refused rows of snapshot `seq` wait; "" where none does.

    Each would be sent after the refused one, which would be refused again.
    """
    r, names = t.staged_rows.c, [*remembered_as(keys)]
    mine = (r.sync == sync.name) & (r.seq > seq) & r.key.in_(names)
    query = select(r.key, func.max(r.seq)).where(mine).group_by(r.key)
    found: dict[str, int] = {row[0]: row[1] for row in conn.execute(query)}
    if not found:
        return ""
    told = sorted((named(sync, remembered_key(key)), newest) for key, newest in found.items())
    listed = ", ".join(f"{key} (#{newest})" for key, newest in told[:_FEW])
    more = f" and {len(told) - _FEW:,} more" if len(told) > _FEW else ""
    return (
        f"newer staged already: {listed}{more}. `retry` would send the version of #{seq} first, "
        "and later snapshots wait for it; `leave_out` leaves out that version only, and the newer "
        "one goes next"
    )


def leave_out(
    conn: Connection, snapshot: Snapshot, decision: str, services: Services, actor: Actor
) -> list[str]:
    """Do what a decision asked for, in the caller's transaction, under the snapshot's lock.

    The keys that were left out: those that are still refused.
    """
    keys = reviews.excluded(conn, decision)
    who, why = _words(conn, decision)
    said = f"left out by {who}: “{why}”"
    gone = deliveries.leave_out(conn, snapshot.sync, snapshot.version, keys, said)
    more: dict[str, Json] = {"by": who, "keys": [*gone]}
    for part, some in _parts(conn, snapshot, gone).items():
        name = f"{part}{LEFT_OUT} {decision}"
        quarantine(
            conn, snapshot, services, actor, name, decision, some,
            action=Action.LEFT_OUT, reason=why, more=more,
        )  # fmt: skip
    return gone


def left_out_by(conn: Connection, decision: str) -> list[str]:
    """The keys of the rows that were left out by this decision."""
    q = t.quarantine.c
    found = conn.execute(select(q["keys"]).where(q.decision == decision))
    return sorted(key for row in found for key in row[0])


def _words(conn: Connection, decision: str) -> tuple[str, str]:
    """Who decided, and why."""
    d = t.decisions.c
    row = conn.execute(select(d.actor, d.verified, d.reason).where(d.id == decision)).one()
    return str(Actor(row.actor, verified=row.verified)), str(row.reason)


def _parts(conn: Connection, snapshot: Snapshot, keys: list[str]) -> dict[str, frozenset[str]]:
    """The rows by the part of the snapshot with which they were sent."""
    held = snapshots.held_keys(conn, snapshot.sync, snapshot.seq)
    whole = held is None and snapshot.state is SnapshotState.HELD
    late = frozenset(k for k in keys if whole or k in (held or ()))
    found = {CLEAN: frozenset(keys) - late, HELD: late}
    return {part: some for part, some in found.items() if some}
