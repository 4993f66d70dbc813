"""Account for every key: what became of each of its versions, and what the destination holds.

Snapshot files are read one by one, a part at a time, and their bytes compared with their digests.
What is said names keys, snapshots and columns, never a value, so masked columns stay masked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, select

from wfops_pipelines.core.parts import Rows
from wfops_pipelines.core.snapshot import CHANGED, DELETED
from wfops_pipelines.destinations import (
    RestDestination,
    TableDestination,
    deliveries,
    existing_in_parts,
)
from wfops_pipelines.destinations.deliveries import OPEN, Delivery, State
from wfops_pipelines.destinations.names import SEQ
from wfops_pipelines.errors import SnapshotDamaged
from wfops_pipelines.ledger import parcel_of
from wfops_pipelines.masking import named
from wfops_pipelines.reconciling.differing import differs, held_now
from wfops_pipelines.reconciling.fates import Fate, Fates, read_written
from wfops_pipelines.reconciling.reconciliation import Account, count
from wfops_pipelines.reconciling.remembered import Cursors, orphans, remembered_keys
from wfops_pipelines.reconciling.standing import keeps_all, standing, taken_since, too_late
from wfops_pipelines.reconciling.underway import told_of_sent
from wfops_pipelines.reconciling.walked import Walked
from wfops_pipelines.services import Services
from wfops_pipelines.store import database, snapshots
from wfops_pipelines.store import tables as t
from wfops_pipelines.store.rows import keys_of
from wfops_pipelines.store.settled import REVERTED
from wfops_pipelines.sync import Sync

if TYPE_CHECKING:
    import pyarrow as pa

_TRIES = 3
_NOTHING: tuple[int, Cursors] = (0, ())
_LOST = "remembered as staged, but not in the snapshot's file"
_OTHER = "another version than the one in the snapshot's file is remembered"


@dataclass(frozen=True, slots=True)
class Misfit:
    """A key (or "*", a whole snapshot) that is not where it must be, and why not."""

    key: str
    seq: int
    words: str


@dataclass(frozen=True, slots=True)
class Proof:
    """What a sync's rows came to: by count, by key, and whatever does not fit.

    beaten: the newest rows of their keys that were let go and are not at the destination, for a
    newer one was there, which was reverted since.
    """

    account: Account
    keys: int
    fates: Mapping[Fate, int]
    misfits: tuple[Misfit, ...]
    beaten: tuple[Misfit, ...] = ()


@dataclass(slots=True)
class _Pass:
    """One pass over the files, the newest rank first.

    sent: what was sent to an API of the snapshot that is looked at, before it was published.
    unnamed: the snapshots that were held because the key before this one named none of their rows.
    stays: the keys of rows that somebody had changed over there when they were to be taken back.
    taken: what was reverted of the snapshots so far, by number. arrived: how many rows the ledger
    of what was sent says more of than that they wait.
    """

    sync: Sync
    services: Services
    conn: Connection
    walked: Walked
    fates: Counter[Fate] = field(default_factory=Counter)
    sent: Mapping[str, Delivery] = field(default_factory=dict)
    misfits: list[Misfit] = field(default_factory=list)
    unnamed: frozenset[int] = frozenset()
    stays: set[str] = field(default_factory=set)
    taken: dict[int, Fates] = field(default_factory=dict)
    beaten: list[Misfit] = field(default_factory=list)
    arrived: Counter[Fate] = field(default_factory=Counter)

    def say(self, key: str, seq: int, words: str) -> None:
        self.misfits.append(self._misfit(key, seq, words))

    def say_beaten(self, key: str, seq: int, words: str) -> None:
        self.beaten.append(self._misfit(key, seq, words))

    def _misfit(self, key: str, seq: int, words: str) -> Misfit:
        return Misfit(key if key == "*" else named(self.sync, key), seq, words)


def prove(sync: Sync, services: Services) -> Proof:
    """As `_prove`; once more where something was published meanwhile, and does not fit for that.

    The view of the database stays as it was, and what lies outside of it does not.
    """
    for _ in range(_TRIES):
        proof, ledger = _prove(sync, services)
        with services.engine.connect() as conn:
            if not proof.misfits or _ledger(conn, sync.name) == ledger:
                return proof
    return proof


def _ledger(conn: Connection, sync: str) -> tuple[int, ...]:
    """What moves with each step of a snapshot or a publication."""
    p, s = t.publications.c, t.snapshots.c
    counted = select(func.count(), func.count(p.reverted_at)).where(p.sync == sync)
    staged = select(func.count()).where(s.sync == sync)
    return (*conn.execute(counted).one(), conn.execute(staged).scalar_one())


def _prove(sync: Sync, services: Services) -> tuple[Proof, tuple[int, ...]]:
    """Account for every row of the sync by key, in one consistent view of the database.

    Every remembered row is in its snapshot's file; every row of every file has one fate, and as
    many have each as the ledger counts; the newest published row of each key, or the newer one that
    a publication had sent when it broke off, is what the destination holds. The keys are in
    temporary tables.
    """
    with database.still(services.engine) as conn:
        ledger = _ledger(conn, sync.name)
        written = read_written(conn, sync.name)
        unnamed = snapshots.unnamed(conn, sync.name, sync.key)
        walk = _Pass(sync, services, conn, Walked.begin(conn), unnamed=unnamed)
        remembered = remembered_keys(conn, sync.name)
        seq, cursors = next(remembered, _NOTHING)
        for snapshot in sorted(
            written.snapshots.values(), key=lambda s: (s.version, s.seq), reverse=True
        ):
            mine = snapshot.seq == seq
            _prove_one(walk, written.of(snapshot.seq), cursors if mine else ())
            if mine:
                seq, cursors = next(remembered, _NOTHING)
        for key, gone in orphans(conn, sync.name):
            walk.say(key, gone, "remembered as staged, but there is no such snapshot")
        account = count(conn, sync)
        _compare_counts(walk, account)
        return _proof(walk, account), ledger


def _proof(walk: _Pass, account: Account) -> Proof:
    """What is known of rows that were sent is told of them, by count as by key."""
    out, person = walk.arrived[Fate.PUBLISHED], walk.arrived[Fate.HELD]
    fates = walk.fates + Counter({Fate.PUBLISHED: out, Fate.HELD: person})
    fates -= Counter({Fate.WAITING: out + person})
    account = replace(
        account, published=account.published + out, held=account.held + person,
        waiting=account.waiting - out - person, arrived=out, refused=person,
        beaten=len(walk.beaten),
    )  # fmt: skip
    beaten = tuple(walk.beaten)
    return Proof(account, len(walk.walked), dict(fates), tuple(walk.misfits), beaten)


def _prove_one(walk: _Pass, fates: Fates, remembered: Cursors) -> None:
    try:
        _prove_rows(walk, fates, walk.services.rows(fates.snapshot), remembered)
    except SnapshotDamaged as damage:
        walk.say("*", fates.snapshot.seq, f"the snapshot's file: {damage}")


def _prove_rows(walk: _Pass, fates: Fates, rows: Rows, remembered: Cursors) -> None:
    seq = fates.snapshot.seq
    if rows.num_rows != fates.snapshot.rows:
        walk.say("*", seq, f"the file holds {rows.num_rows} rows, not {fates.snapshot.rows}")
    if walk.sync.key not in rows.column_names or seq in walk.unnamed:
        _tally(walk, fates, Counter({fates.tell("None").fate: rows.num_rows}))
        return
    timed = _look(walk, fates, rows)
    timed = timed and fates.snapshot.dated_by in (None, walk.sync.cursor or "")
    if fates.named_by not in (None, walk.sync.key):
        remembered = ()  # under names by which nobody asks any more
    for key, lost in walk.walked.astray(remembered, timed=timed):
        walk.say(key, seq, _LOST if lost else _OTHER)
    fresh = walk.walked.finish(seq, rows.num_rows)
    if fresh.true_count:
        _compare(walk, fates, rows.filter(fresh))
    for row, refused in fates.refused:
        if row.part.endswith(REVERTED):
            walk.taken[seq] = fates
            walk.walked.revert(refused)
            if f" {CHANGED}{REVERTED}" in row.part:
                walk.stays.update(refused or ())


def _look(walk: _Pass, fates: Fates, rows: Rows) -> bool:
    """Tell the fate of each row; whether the rows have times."""
    walk.walked.begin_snapshot()
    walk.sent = {}
    counted: Counter[Fate] = Counter()
    place, timed, lost = 0, False, []
    by = fates.named_by if fates.named_by in rows.column_names else walk.sync.key
    asked = dict.fromkeys((walk.sync.key, by, walk.sync.cursor))
    for part in rows.parts([n for n in asked if n in rows.column_names]):
        keys, cursors = keys_of(part[walk.sync.key]), _cursors(walk.sync, part)
        told = [fates.tell(k) for k in (keys if by == walk.sync.key else keys_of(part[by]))]
        if not walk.sent and any(one.fate is Fate.WAITING for one in told):
            version = fates.snapshot.version
            walk.sent = deliveries.of_snapshot(walk.conn, walk.sync.name, version)
        counted.update(one.fate for one in told)
        if walk.sent:
            better = [
                told_of_sent(one, k, fates, walk.sent)
                for k, one in zip(keys, told, strict=True) if one.fate is Fate.WAITING
            ]  # fmt: skip
            walk.arrived.update(one.fate for one in better if one.fate is not Fate.WAITING)
        lost += [(k, one) for k, one in zip(keys, told, strict=True) if one.fate is Fate.NOWHERE]
        out = [
            one.fate is Fate.PUBLISHED or (one.fate is Fate.WAITING and _went(walk, k))
            for k, one in zip(keys, told, strict=True)
        ]
        waiting = [one.fate is Fate.WAITING for one in told]
        walk.walked.add(place, keys, cursors, out, waiting)
        place, timed = place + len(keys), timed or cursors.null_count < len(cursors)
    _tally(walk, fates, counted)
    for key, one in lost:
        walk.say(key, fates.snapshot.seq, f"nowhere: {one.words}")
    return timed


def _went(walk: _Pass, key: str) -> bool:
    """Whether the row was sent, or perhaps was, by a publication that broke off."""
    sent = walk.sent.get(key)
    return sent is not None and sent.state in (State.DELIVERED, *OPEN)


def _tally(walk: _Pass, fates: Fates, counted: Counter[Fate]) -> None:
    """Edited rows are their origin's: its held rows are superseded, and theirs count."""
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


def _cursors(sync: Sync, part: pa.Table) -> Any:
    """The times of the rows; null where there are none."""
    import pyarrow as pa

    kind = pa.timestamp("us", "UTC")
    if sync.cursor not in part.column_names or not pa.types.is_timestamp(part[sync.cursor].type):
        return pa.nulls(part.num_rows, kind)
    return part[sync.cursor].cast(kind)


def _compare(walk: _Pass, fates: Fates, rows: Rows) -> None:
    parcel = parcel_of(walk.sync, fates.snapshot, rows, walk.services)
    columns = [c for c in rows.column_names if c not in (walk.sync.key, DELETED)]
    asked, rank = [*columns, SEQ], fates.snapshot.version
    for part, held in existing_in_parts(walk.sync.destination, walk.conn, parcel, asked):
        for row in part.each():
            key = str(row[walk.sync.key])
            if key in walk.sent and walk.sent[key].state in OPEN:
                continue  # nobody knows which version is there
            words, excused = differs(held, key, row, rank)
            if words is None or key in walk.stays:
                continue
            if walk.walked.reverted(key):
                there = held.rows.get(key)
                over = _beaten_by(walk, fates, key)
                if over is not None and (excused or (there and SEQ not in there)):
                    said = taken_since(over, held_now(there))
                    walk.say_beaten(key, fates.snapshot.seq, f"let go, {too_late(over)}; {said}")
                    continue
                if excused:
                    continue
            if not (_outside(walk.sync) and walk.walked.moving(key)):
                walk.say(key, fates.snapshot.seq, words)


def _beaten_by(walk: _Pass, fates: Fates, key: str) -> int | None:
    """The snapshot for whose row this newest one was not written, and that was reverted since."""
    mine = fates.tell(key).turn(fates.snapshot)
    others = [other.tell(key).turn(other.snapshot) for other in walk.taken.values()]
    if mine is None or keeps_all(walk.sync.destination):
        return None
    over = standing([mine, *(turn for turn in others if turn)]).beaten(mine)
    return None if over is None else over.seq


def _outside(sync: Sync) -> bool:
    """Whether rows are there before the ledger says so, all of a publication at once."""
    return not isinstance(sync.destination, TableDestination | RestDestination)
