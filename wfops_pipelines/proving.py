"""Account for every key: what became of each of its versions, and what the destination holds.

Snapshot files are read one by one, and their bytes compared with their digests. What is said names
keys, snapshots and columns, never a value, so masked columns stay masked.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import Connection, exists, select

from wfops_pipelines.core.parts import Rows
from wfops_pipelines.core.snapshot import DELETED
from wfops_pipelines.destinations import Existing
from wfops_pipelines.destinations.names import SEQ
from wfops_pipelines.errors import SnapshotDamaged
from wfops_pipelines.fates import Fate, Fates, Told, read_written
from wfops_pipelines.ledger import parcel_of, select_rows
from wfops_pipelines.reconciliation import Account, count
from wfops_pipelines.services import Services
from wfops_pipelines.store import database
from wfops_pipelines.store import tables as t
from wfops_pipelines.store.rows import keys_of
from wfops_pipelines.sync import Sync

if TYPE_CHECKING:
    import pyarrow as pa

Cursors: TypeAlias = Mapping[str, set[datetime | None]]


@dataclass(frozen=True, slots=True)
class Misfit:
    """A key (or "*", a whole snapshot) that is not where it must be, and why not."""

    key: str
    seq: int
    words: str


@dataclass(frozen=True, slots=True)
class Proof:
    """What a sync's rows came to: by count, by key, and whatever does not fit."""

    account: Account
    keys: int
    fates: Mapping[Fate, int]
    misfits: tuple[Misfit, ...]


@dataclass(slots=True)
class _Pass:
    """One pass over the files, the newest rank first."""

    sync: Sync
    services: Services
    conn: Connection
    current: set[str] = field(default_factory=set)  # keys whose newest publication was seen
    reverted: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)
    fates: Counter[Fate] = field(default_factory=Counter)
    misfits: list[Misfit] = field(default_factory=list)

    def say(self, key: str, seq: int, words: str) -> None:
        self.misfits.append(Misfit(_named(self.sync, key), seq, words))


def prove(sync: Sync, services: Services) -> Proof:
    """Account for every row of the sync by key, in one consistent view of the database.

    Every remembered row is in its snapshot's file; every row of every file has one fate, and as
    many have each as the ledger counts; the newest published row of each key is what the
    destination holds. In memory are one file and the keys.
    """
    with database.still(services.engine) as conn:
        written = read_written(conn, sync.name)
        walk = _Pass(sync, services, conn)
        remembered = _remembered(conn, sync.name)
        seq, cursors = next(remembered, (0, {}))
        for snapshot in sorted(
            written.snapshots.values(), key=lambda s: (s.version, s.seq), reverse=True
        ):
            mine = snapshot.seq == seq
            _prove_one(walk, written.of(snapshot.seq), cursors if mine else {})
            if mine:
                seq, cursors = next(remembered, (0, {}))
        for key, gone in _orphans(conn, sync.name):
            walk.say(key, gone, "remembered as staged, but there is no such snapshot")
        account = count(conn, sync)
        _compare_counts(walk, account)
        return Proof(account, len(walk.keys), dict(walk.fates), tuple(walk.misfits))


def _prove_one(walk: _Pass, fates: Fates, remembered: Cursors) -> None:
    seq = fates.snapshot.seq
    try:
        table = walk.services.rows(fates.snapshot).whole()
    except SnapshotDamaged as damage:
        walk.say("*", seq, f"the snapshot's file: {damage}")
        return
    if table.num_rows != fates.snapshot.rows:
        walk.say("*", seq, f"the file holds {table.num_rows} rows, not {fates.snapshot.rows}")
    if walk.sync.key not in table.column_names:
        _tally(walk, fates, [fates.tell("None")] * table.num_rows)
        return
    keys = keys_of(table[walk.sync.key])
    told = [fates.tell(k) for k in keys]
    _tally(walk, fates, told)
    walk.keys.update(keys)
    for key, one in zip(keys, told, strict=True):
        if one.fate is Fate.NOWHERE:
            walk.say(key, seq, f"nowhere: {one.words}")
    _check_remembered(walk, seq, table, keys, remembered)
    _check_destination(walk, fates, table, keys, told)


def _tally(walk: _Pass, fates: Fates, told: Sequence[Told]) -> None:
    """Edited rows are their origin's: its held rows are superseded, and theirs count."""
    counted = Counter(one.fate for one in told)
    walk.fates.update(counted)
    published = sum(p.rows for p in fates.handed if p.reverted_at is None)
    if counted[Fate.PUBLISHED] != published:
        said = f"{counted[Fate.PUBLISHED]} rows went out, the ledger has {published}"
        walk.say("*", fates.snapshot.seq, said)


def _compare_counts(walk: _Pass, account: Account) -> None:
    by_count = {
        Fate.PUBLISHED: account.published,
        Fate.QUARANTINED: account.quarantined,
        Fate.HELD: account.held,
        Fate.WAITING: account.waiting,
    }
    if any("file" in m.words for m in walk.misfits):
        return  # what cannot be read cannot be counted either
    for fate, expected in by_count.items():
        if walk.fates[fate] != expected:
            words = f"{walk.fates[fate]} rows are {fate.value} by key, {expected} by count"
            walk.say("*", 0, words)


def _check_remembered(
    walk: _Pass,
    seq: int,
    table: pa.Table,
    keys: Sequence[str],
    remembered: Cursors,
) -> None:
    cursors = _cursors(walk.sync, table)
    held: dict[str, set[datetime | None]] = {}
    for key, cursor in zip(keys, cursors, strict=True):
        held.setdefault(key, set()).add(cursor)
    timed = walk.sync.cursor is not None and any(c is not None for c in cursors)
    for key, moments in remembered.items():
        if key not in held:
            walk.say(key, seq, "remembered as staged, but not in the snapshot's file")
        elif timed and not moments <= held[key]:
            walk.say(key, seq, "another version than the one in the snapshot's file is remembered")


def _cursors(sync: Sync, table: pa.Table) -> list[datetime | None]:
    if sync.cursor is None or sync.cursor not in table.column_names:
        return [None] * table.num_rows
    values = table[sync.cursor].to_pylist()
    return [v if isinstance(v, datetime) else None for v in values]


def _check_destination(
    walk: _Pass, fates: Fates, table: pa.Table, keys: Sequence[str], told: Sequence[Told]
) -> None:
    """The newest publication of each key against what the destination holds."""
    out = {k for k, one in zip(keys, told, strict=True) if one.fate is Fate.PUBLISHED}
    fresh = frozenset(out - walk.current)
    if fresh:
        rows = select_rows(Rows.of(table), walk.sync.key, fresh, frozenset())
        _compare(walk, fates, rows)
    walk.current |= fresh
    for row, refused in fates.refused:
        if row.part.endswith(" reverted"):
            walk.reverted |= refused if refused is not None else set(keys)


def _compare(walk: _Pass, fates: Fates, rows: Rows) -> None:
    parcel = parcel_of(walk.sync, fates.snapshot, rows, walk.services)
    columns = [c for c in rows.column_names if c not in (walk.sync.key, DELETED)]
    held = walk.sync.destination.existing(walk.conn, parcel, [*columns, SEQ])
    for row in parcel.each():
        key = str(row[walk.sync.key])
        if (words := _differs(held, key, row, fates.snapshot.version, walk.reverted)) is not None:
            walk.say(key, fates.snapshot.seq, words)


def _differs(
    held: Existing, key: str, row: Mapping[str, Any], rank: int, reverted: set[str]
) -> str | None:
    """What is wrong with the destination's row; None where it is this very one, or may differ.

    Where something newer was reverted, the destination holds again what it held before that.
    """
    found = held.rows.get(key)
    if row.get(DELETED):
        back = "deleted, but it lives at the destination"
        return None if found is None or key in reverted else back
    if found is None:
        return None if key in reverted else "published, but the destination does not hold it"
    place = found.get(SEQ, rank)
    if place < rank:
        older = f"the destination holds the older row of #{place}"
        return None if key in reverted else older
    if place > rank:
        return f"the destination holds a row of #{place} that was not published"
    other = sorted(c for c in found if c in row and not _same(found[c], row[c]))
    return f"the destination holds other values of {', '.join(other)}" if other else None


def _same(held: Any, staged: Any) -> bool:
    if isinstance(held, memoryview):
        held = held.tobytes()
    return bool(held == staged or (held != held and staged != staged))


def _remembered(conn: Connection, sync: str) -> Iterator[tuple[int, Cursors]]:
    """(snapshot, cursors of each key) that extraction remembers, the newest snapshot first.

    Rows that an older version of the product staged are not tied to a snapshot, and left out.
    """
    r, s = t.staged_rows.c, t.snapshots.c
    query = (
        select(r.seq, r.key, r.cursor)
        .join(t.snapshots, (s.sync == r.sync) & (s.seq == r.seq))
        .where(r.sync == sync)
        .order_by(r.seq.desc())
    )
    rows = conn.execute(query.execution_options(stream_results=True))
    for seq, group in groupby(rows, key=lambda row: int(row.seq)):
        cursors: dict[str, set[datetime | None]] = {}
        for row in group:
            cursors.setdefault(str(row.key), set()).add(row.cursor)
        yield seq, cursors


def _orphans(conn: Connection, sync: str) -> Iterator[tuple[str, int]]:
    """Remembered keys whose snapshot is not there."""
    r, s = t.staged_rows.c, t.snapshots.c
    there = exists().where(s.sync == r.sync, s.seq == r.seq)
    query = select(r.key, r.seq).where(r.sync == sync, r.seq.is_not(None), ~there)
    yield from ((str(row.key), int(row.seq)) for row in conn.execute(query))


def _named(sync: Sync, key: str) -> str:
    """The key as it may be shown."""
    if sync.key not in sync.policy.masked or key == "*":
        return key
    return f"sha256:{hashlib.sha256(key.encode()).hexdigest()[:12]}"
