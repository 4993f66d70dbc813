"""Ask again about rows that people put away.

Rows of a rejection are held again as they were. Those that an approval left in quarantine lie
beside published ones: they become a snapshot of their own, which is examined as it is judged now.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from wfops_pipelines.core.answers import after_mending
from wfops_pipelines.core.audit import Action, AuditEvent
from wfops_pipelines.core.findings import Finding, Json
from wfops_pipelines.core.reviews import (
    HOLDS,
    REFUSED,
    Actor,
    Review,
    ReviewKind,
    ReviewState,
    check_member,
    check_reason,
)
from wfops_pipelines.core.snapshot import Snapshot, SnapshotState
from wfops_pipelines.deciding.editing import enter_made, made_of
from wfops_pipelines.deciding.overriding import NAMELESS
from wfops_pipelines.deciding.steering import known_review
from wfops_pipelines.errors import BadDecision
from wfops_pipelines.ledger import AGAIN, CLEAN, HELD, key_then, rows_named
from wfops_pipelines.project import Project
from wfops_pipelines.services import Services
from wfops_pipelines.store import audit, database, files, reviews, snapshots
from wfops_pipelines.store import tables as t
from wfops_pipelines.store.mixed import Mixed, noted, read_note
from wfops_pipelines.store.rows import keys_of
from wfops_pipelines.sync import Sync

if TYPE_CHECKING:
    from wfops_pipelines.core.parts import Rows


@dataclass(frozen=True, slots=True)
class Reopened:
    """`review` holds the rows again; or they are `staged`, and whoever judges that opens one."""

    subject: str
    review: Review | None = None
    staged: Snapshot | None = None


def reopen(id: str, reason: str, actor: Actor, project: Project, services: Services) -> Reopened:
    """Ask again about rows that a request's decision put away; somebody else approves them.

    Raises BadDecision unless it was acted on and rows are still where it put them, NotAllowed
    unless `actor` is a member of its group, SnapshotDamaged when the staged file is not what it
    was. Then nothing has changed.
    """
    with database.transaction(services.engine) as conn:
        old = known_review(conn, id, lock=True)
        check_member(actor.name, old.group, services.people.members(old.group))
        why, refused = check_reason(reason), old.state in REFUSED
        decided = refused or old.state is ReviewState.APPROVED
        if old.kind not in HOLDS or not decided or old.seq is None:
            raise BadDecision(
                f"review: {old.id} is {old.state.value}; only rows that a decision put away are "
                "asked about again."
            )
        away = frozenset() if refused else put_away(conn, old)
        if refused or away == {NAMELESS}:
            _refuse_hopeless(conn, old)
        if reviews.undone(conn, old.id):
            raise BadDecision(f"review: the decision on {old.id} is being acted on. Try again.")
        if refused:
            done = _held_again(conn, old, actor, services)
        else:
            away -= {NAMELESS}  # what has no name, nobody can ask about
            done = _staged_again(conn, old, project.find(old.sync), away, actor, why, services)
        details: dict[str, Json] = {"reopens": old.id, "evidence": old.evidence_hash}
        details |= {"review": done.review.id} if done.review else {}
        details |= {"staged": done.staged.name} if done.staged else {}
        event = AuditEvent(services.clock(), actor, Action.REOPENED, old.subject, why, details)
        audit.append(conn, event)
        return done


def asked_before(conn: Connection, snapshot: Snapshot) -> str:
    """Of rows that were asked about again, who had put them up for the decision before."""
    q, d, r = t.quarantine.c, t.decisions.c, t.reviews.c
    found = t.quarantine.join(t.decisions, d.id == q.decision).join(t.reviews, r.id == d.review)
    taken = (q.sync == snapshot.sync) & q.part.endswith(f"{AGAIN}{snapshot.seq}")
    query = select(r.requested_by).select_from(found).where(taken).limit(1)
    return conn.execute(query).scalar_one_or_none() or ""


def put_away(conn: Connection, review: Review) -> frozenset[str]:
    """The keys of rows that an approval of this request left in quarantine, and nobody asked about
    since."""
    rows = conn.execute(select(t.quarantine.c["keys"]).where(_put_away(conn, review)))
    return frozenset(key for row in rows for key in row[0] or ())


def _put_away(conn: Connection, review: Review) -> ColumnElement[bool]:
    q = t.quarantine.c
    by_it = q.decision.in_(reviews.errands_of(conn, review.id))
    return (q.sync == review.sync) & (q.seq == review.seq) & q.part.in_([CLEAN, HELD]) & by_it


def _refuse_hopeless(conn: Connection, old: Review) -> None:
    """What was found stays, also where the key was mended since."""
    found = snapshots.evidence(conn, old.sync, old.seq) if old.seq else None
    for finding in map(Finding.from_json, found[1]["findings"] if found else ()):
        if finding.names_none:
            raise BadDecision(
                f"review: nobody could approve {old.id}: {finding.sentence}. Instead, "
                f"{after_mending(old.sync)}."
            )


def _held_again(conn: Connection, old: Review, actor: Actor, services: Services) -> Reopened:
    """The rows leave the quarantine, and a new request about the same evidence holds them."""
    assert old.seq is not None
    if conn.execute(delete(t.quarantine).where(_put_away(conn, old))).rowcount == 0:
        raise BadDecision(f"review: {old.id} was re-opened already. Open the inbox.")
    if old.kind is ReviewKind.WHOLE:
        snapshots.set_state(conn, old.sync, old.seq, SnapshotState.HELD)
    new = replace(
        old,
        id=services.id("rv"),
        state=ReviewState.PENDING,
        summary=f"re-opened by {actor.name}: {old.summary}",
        opened_at=services.clock(),
        reopened_by=actor.name if actor.verified else "",
        reopens=old.id,
        decided_at=None,
        decided_by=None,
        assigned_to=None,
    )
    reviews.open_review(conn, new)
    return Reopened(old.subject, review=new)


def _staged_again(
    conn: Connection,
    old: Review,
    sync: Sync,
    keys: frozenset[str],
    actor: Actor,
    reason: str,
    services: Services,
) -> Reopened:
    """The rows become the stream's next snapshot, without being newer than they are."""
    assert old.seq is not None
    head = snapshots.head(conn, sync.name, lock=True)
    if not keys:
        raise BadDecision(
            f"review: {old.id} left no row in quarantine about which nobody has asked again yet."
        )
    parent = snapshots.get(conn, sync.name, old.seq)
    rows = services.rows(parent)
    kinds = _kinds_of(rows, key_then(conn, sync, old.seq), keys)
    rows = rows_named(conn, sync, parent, rows, keys)
    folder = services.folder(sync.name)
    snapshot = replace(
        made_of(parent, keys, services),
        seq=head.seq + 1,
        digest=files.write(folder, rows, services.at_once, noted(kinds)),
        rows=rows.num_rows,
        reopened_by=actor.name,
    )
    enter_made(conn, snapshot, parent, head, actor, reason)
    _take_out(conn, old, snapshot, keys)
    return Reopened(snapshot.name, staged=snapshot)


def _kinds_of(rows: Rows, key: str, keys: frozenset[str]) -> Mixed:
    """What kind each value was of columns that hold several, of these rows."""
    import numpy as np

    kinds = read_note(rows.schema)
    if not kinds:
        return {}
    ours = [k in keys for part in rows.parts([key]) for k in keys_of(part[key])]
    return {name: of_all[np.array(ours, bool)] for name, of_all in kinds.items()}


def _take_out(conn: Connection, old: Review, snapshot: Snapshot, keys: frozenset[str]) -> None:
    """The quarantine says of these rows which snapshot holds them now, and keeps the nameless."""
    q = t.quarantine.c
    where = _put_away(conn, old)
    for row in conn.execute(select(t.quarantine).where(where)).all():
        here = sorted(keys.intersection(row._mapping["keys"]))
        stays = sorted({*row._mapping["keys"]} - keys)
        mine = (q.sync == row.sync) & (q.seq == row.seq) & (q.part == row.part)
        if stays:
            conn.execute(
                update(t.quarantine).where(mine).values(keys=stays, rows=row.rows - len(here))
            )
        else:
            conn.execute(delete(t.quarantine).where(mine))
        moved = {**row._mapping, "part": f"{row.part}{AGAIN}{snapshot.seq}", "keys": here}
        conn.execute(insert(t.quarantine).values({**moved, "rows": len(here)}))
