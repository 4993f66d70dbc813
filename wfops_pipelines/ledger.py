"""The ledger of publications: what of each snapshot went out, and which rows that were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Connection, func, insert, or_, select

from wfops_pipelines.core.audit import Action, AuditEvent
from wfops_pipelines.core.findings import Finding, Json, counted_rows, findings_of
from wfops_pipelines.core.parts import Rows
from wfops_pipelines.core.reviews import Actor
from wfops_pipelines.core.snapshot import Snapshot
from wfops_pipelines.destinations import Keep, Parcel, RestDestination, deliveries
from wfops_pipelines.errors import SnapshotDamaged
from wfops_pipelines.postgres import locking
from wfops_pipelines.services import Services
from wfops_pipelines.store import audit, files, snapshots
from wfops_pipelines.store import tables as t
from wfops_pipelines.store.inferring import type_named
from wfops_pipelines.store.mixed import read_note
from wfops_pipelines.store.rows import keys_of
from wfops_pipelines.store.settled import ACTING, SETTLED
from wfops_pipelines.store.spelled import as_numbers
from wfops_pipelines.sync import Sync

if TYPE_CHECKING:
    import pyarrow as pa

CLEAN, HELD = "clean", "held"
AGAIN = " asked again #"  # in the part of what a person asks about again, before its snapshot
LEFT_OUT = " left out"  # in the part of what the destination refused, after that of the others


@dataclass(frozen=True, slots=True)
class Publication:
    """Rows of one snapshot that became current. `part` is "clean" or "held".

    named_by: the sync's key by then; None where that was not noted.
    """

    sync: str
    seq: int
    part: str
    digest: str
    rows: int
    inserted: int
    updated: int
    stale: int
    published_at: datetime
    reverted_at: datetime | None = None
    deleted: int = 0
    named_by: str | None = None

    @property
    def words(self) -> str:
        """How many rows went out; see `but`."""
        return f"{counted_rows(self.rows - self.stale)}{self.but}"

    @property
    def but(self) -> str:
        """How many rows did not go out, as the destination has newer versions of them."""
        if not self.stale:
            return ""
        few = self.stale == 1
        return (
            f"; {self.stale:,} {'was' if few else 'were'} stale: the destination has "
            f"{'a newer version' if few else 'newer versions'}"
        )


def one_at_a_time(conn: Connection, sync: Sync) -> None:
    """Wait until nobody else writes rows of this sync to its destination, or takes some back.

    Which of two versions of a row is newer can be told by what is there, and not by what somebody
    is just sending: an API would get the older one last, or a new row twice.
    """
    locking.one_at_a_time(conn, f"wfops {sync.name} at its destination")


def select_rows(rows: Rows, key: str, only: frozenset[str] | None, without: frozenset[str]) -> Rows:
    """The rows whose key (as text) is in `only` (None: all) and not in `without`, in order."""
    import pyarrow as pa

    if only is None and not without:
        return rows

    def wanted(part: pa.Table) -> pa.Array:
        keys = keys_of(part[key])
        return pa.array(
            [(only is None or k in only) and k not in without for k in keys], pa.bool_()
        )

    return rows.filter(pa.concat_arrays([wanted(part) for part in rows.parts([key])]))


def key_then(conn: Connection, sync: Sync, seq: int) -> str:
    """The key that named a snapshot's rows when it was examined; that of now where it was not."""
    return snapshots.named_by(conn, sync.name, seq) or sync.key


def renamed(conn: Connection, sync: Sync, seq: int) -> str:
    """Why rows of a snapshot cannot go to an API by the key of now, in words; "" where they can.

    What it was sent is known by the key of then: by another one it would be sent again.
    """
    then, to_api = key_then(conn, sync, seq), isinstance(sync.destination, RestDestination)
    if then == sync.key or not to_api or not deliveries.any_sent(conn, sync.name):
        return ""
    return (
        f"{sync.name} #{seq} was examined with the key {then!r}, and the sync's key is "
        f"{sync.key!r} now, by which the API would be sent again what it has"
    )


def rows_named(
    conn: Connection,
    sync: Sync,
    snapshot: Snapshot,
    rows: Rows,
    only: frozenset[str] | None,
    without: frozenset[str] = frozenset(),
) -> Rows:
    """As `select_rows`, by the key that named rows when the snapshot was examined.

    The project may name another one since, in which the same texts are other rows, or none.
    """
    return select_rows(rows, key_then(conn, sync, snapshot.seq), only, without)


def published_rows(
    conn: Connection, sync: Sync, seq: int, digest: str, parts: set[str], services: Services
) -> Rows | None:
    """The rows of a snapshot that its published `parts` are; None where its file is lost."""
    try:
        rows = files.read(services.folder(sync.name), digest, services.at_once)
    except SnapshotDamaged:
        return None
    held = snapshots.held_keys(conn, sync.name, seq)
    refused = _quarantined(conn, sync.name, seq)  # what a person refused never trains
    key = key_then(conn, sync, seq)
    if held is None or parts == {CLEAN, HELD}:
        found = select_rows(rows, key, None, refused)
    elif parts == {CLEAN}:
        found = select_rows(rows, key, None, held | refused)
    else:
        found = select_rows(rows, key, held, refused)
    return as_numbers(found, _types_before(_let_go(conn, sync, seq, found)))


def _types_before(named: Mapping[str, Finding]) -> dict[str, pa.DataType]:
    return {column: type_named(str(found.expected)) for column, found in named.items()}


def _let_go(conn: Connection, sync: Sync, seq: int, rows: Rows) -> dict[str, Finding]:
    """The columns whose numbers are text only because of rows that are not among these.

    By column, the finding about its type, which names those rows and the type that was published
    before. What goes without them goes as numbers, and the next numbers are no change of the
    columns.
    """
    if not read_note(rows.schema) or sync.key not in rows.column_names:
        return {}
    named = _named(conn, sync, seq, rows)
    there: frozenset[str] = frozenset()
    for part in rows.parts([sync.key]) if named else ():
        there |= frozenset(keys_of(part[sync.key]))
    return {c: f for c, f in named.items() if there.isdisjoint(f.keys)}


def _named(conn: Connection, sync: Sync, seq: int, rows: Rows) -> dict[str, Finding]:
    """By column, what names the rows for whose sake its numbers were staged as text."""
    stored = snapshots.evidence(conn, sync.name, seq)
    found = [f for f in findings_of(stored[1]) if f.check == "schema"] if stored else []
    texts = {f.name for f in rows.schema if str(f.type) == "string"}
    return {f.column: f for f in found if f.column is not None and f.column in texts and f.keys}


def _quarantined(conn: Connection, sync: str, seq: int) -> frozenset[str]:
    q = t.quarantine.c
    query = select(q["keys"]).where(q.sync == sync, q.seq == seq, _put_away())
    return frozenset(k for row in conn.execute(query) for k in row[0] or ())


def _put_away() -> ColumnElement[bool]:
    """Of the quarantine what never was published, against what was taken back."""
    part = t.quarantine.c.part
    marks = (LEFT_OUT, AGAIN, SETTLED, ACTING)
    return or_(part.in_([CLEAN, HELD]), *(part.contains(mark) for mark in marks))


def left_out(conn: Connection, sync: str, seq: int) -> frozenset[str]:
    """The rows of a snapshot that the destination refused and a person left out."""
    q = t.quarantine.c
    query = select(q["keys"]).where(q.sync == sync, q.seq == seq, q.part.contains(LEFT_OUT))
    return frozenset(k for row in conn.execute(query) for k in row[0])


def refused_rows(conn: Connection, sync: str, seqs: Sequence[int]) -> dict[int, int]:
    """How many rows of each of these snapshots a person put away."""
    q = t.quarantine.c
    query = select(q.seq, func.sum(q.rows)).where(q.sync == sync, q.seq.in_(seqs), _put_away())
    return {int(row[0]): int(row[1]) for row in conn.execute(query.group_by(q.seq))}


def publications_of(conn: Connection, sync: str, seq: int) -> list[Publication]:
    """What was published of a snapshot so far."""
    return _publications(conn, sync, t.publications.c.seq == seq)


def publications_since(conn: Connection, sync: str, moment: datetime) -> list[Publication]:
    """What was published of a sync since then, oldest first."""
    return _publications(conn, sync, t.publications.c.published_at >= moment)


def _publications(conn: Connection, sync: str, which: ColumnElement[bool]) -> list[Publication]:
    c = t.publications.c
    query = select(t.publications).where(c.sync == sync, which).order_by(c.published_at, c.seq)
    names = (
        "sync", "seq", "part", "digest", "rows", "inserted", "updated", "stale",
        "published_at", "reverted_at", "named_by",
    )  # fmt: skip
    return [
        Publication(**{n: getattr(r, n) for n in names}, deleted=r.deleted or 0)
        for r in conn.execute(query)
    ]


def parcel_of(
    sync: Sync, snapshot: Snapshot, rows: Rows, services: Services, part: str = "",
    forget: datetime | None = None,
) -> Parcel:  # fmt: skip
    """Rows of a snapshot as a destination takes them, with the place for what they replace.

    part: which publication of the snapshot they are. forget: what was kept before is needed no
    longer.
    """
    keep, rows = None, _as_sent(sync, snapshot, rows, services)
    if sync.policy.undo_hours is not None:
        keep = Keep(t.replaced.fullname, snapshot.seq, services.clock(), forget, part)
    return Parcel(
        sync.name, snapshot.version, sync.key, rows, services.environ, keep, snapshot.staged_at,
        services.at_once,
    )  # fmt: skip


def _as_sent(sync: Sync, snapshot: Snapshot, rows: Rows, services: Services) -> Rows:
    """The rows with numbers as such, where what made them texts did not go with them, or will not.

    These may be some of those that went: then it must have been put away.
    """
    if not read_note(rows.schema):
        return rows
    with services.engine.connect() as conn:
        named = _let_go(conn, sync, snapshot.seq, rows)
        if named and publications_of(conn, sync.name, snapshot.seq):
            away = _quarantined(conn, sync.name, snapshot.seq)
            named = {c: f for c, f in named.items() if away.issuperset(f.keys)}
    return as_numbers(rows, _types_before(named))


def quarantine(
    conn: Connection,
    snapshot: Snapshot,
    services: Services,
    actor: Actor,
    part: str,
    decision: str,
    keys: frozenset[str] | None,
    *,
    action: Action = Action.QUARANTINED,
    reason: str = "",
    more: Mapping[str, Json] | None = None,
) -> None:
    """Put rows away, for good unless a person re-opens the request. None: the whole snapshot."""
    at, count = services.clock(), snapshot.rows if keys is None else len(keys)
    conn.execute(
        insert(t.quarantine).values(
            sync=snapshot.sync,
            seq=snapshot.seq,
            part=part,
            rows=count,
            keys=None if keys is None else sorted(keys),
            decision=decision,
            at=at,
        )
    )
    details: dict[str, Json] = {
        "part": part,
        "digest": snapshot.digest,
        "rows": count,
        "decision": decision,
        **(more or {}),
    }
    event = AuditEvent(at, actor, action, snapshot.name, reason, details)
    audit.append(conn, event)
