"""The story of one key: each of its versions, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from wfops_pipelines.core.snapshot import DELETED, Snapshot
from wfops_pipelines.destinations import deliveries
from wfops_pipelines.errors import WfopsError
from wfops_pipelines.reconciling.fates import Fate, Fates, Told, read_written
from wfops_pipelines.reconciling.standing import (
    Standing,
    Turn,
    keeps_all,
    row_of,
    standing,
    taken_since,
    too_late,
)
from wfops_pipelines.reconciling.underway import told_of_sent
from wfops_pipelines.services import Services
from wfops_pipelines.store import database
from wfops_pipelines.sync import Sync


@dataclass(frozen=True, slots=True)
class Version:
    """One staged row of a key: in which snapshot, when, and what became of it.

    cursor: the source's time of it; None where there is none, or the column is masked.
    by: who edited it or asked about it again. deletes: it says that the row is gone. turn: what was
    done with it at the destination. overtaken: the number of the snapshot whose newer row was there
    already when this one was published, so that it was not written.
    """

    seq: int
    staged_at: datetime
    cursor: datetime | None
    by: str
    told: Told
    deletes: bool = False
    turn: Turn | None = None
    overtaken: int | None = None

    @property
    def words(self) -> str:
        return self.told.words


def versions_of(sync: Sync, key: str, services: Services) -> list[Version]:
    """Every staged row of a key, oldest first. Raises WfopsError where there is none."""
    with database.still(services.engine) as conn:
        written = read_written(conn, sync.name)
        found = [
            version
            for seq in sorted(written.snapshots)
            for version in _versions_in(sync, written.of(seq), key, services, conn)
        ]
    if not found:
        raise WfopsError(f"{sync.name}: no staged snapshot has a row with the key {key!r}.")
    kept = keeps_all(sync.destination)
    stands = standing([v.turn for v in found if v.turn and not (kept and v.turn.back)])
    return [_placed(v, stands, kept=kept) for v in found]


def _placed(version: Version, stands: Standing, *, kept: bool) -> Version:
    turn, over = version.turn, stands.over.get(version.seq)
    if turn is None or over is None or over.version == turn.version:
        return version
    if version.told.fate is not Fate.PUBLISHED:
        return version
    now = None if stands.now is None else stands.now.seq
    since = taken_since(over.seq, row_of(now)) if stands.beaten(turn) else ""
    by = version.told.words.removeprefix("published")
    said = f"let go{by}, {too_late(over.seq, kept=kept)}"
    told = replace(version.told, words=f"{said}; {since}" if since else said)
    return replace(version, told=told, overtaken=over.seq)


def _versions_in(
    sync: Sync, fates: Fates, key: str, services: Services, conn: Connection
) -> Iterator[Version]:
    rows = services.rows(fates.snapshot)
    if sync.key not in rows.column_names:
        return
    shown = None if sync.cursor in sync.policy.masked else sync.cursor
    names = [n for n in (sync.key, shown, DELETED) if n in rows.column_names]
    for part in rows.parts([n for n in names if n]):
        places = [i for i, value in enumerate(part[sync.key].to_pylist()) if str(value) == key]
        for row in part.take(places).to_pylist() if places else ():
            told = _told(sync, fates, key, conn)
            moment = row.get(shown) if shown else None
            yield Version(
                seq=fates.snapshot.seq,
                staged_at=fates.snapshot.staged_at,
                cursor=moment if isinstance(moment, datetime) else None,
                by=_by(fates.snapshot, key),
                told=told,
                deletes=bool(row.get(DELETED)),
                turn=told.turn(fates.snapshot),
            )


def _told(sync: Sync, fates: Fates, key: str, conn: Connection) -> Told:
    told = fates.tell(key)
    if told.fate is not Fate.WAITING:
        return told
    sent = deliveries.of_snapshot(conn, sync.name, fates.snapshot.version)
    return told_of_sent(told, key, fates, sent)


def _by(snapshot: Snapshot, key: str) -> str:
    edited = f"edited by {snapshot.edited_by}" if snapshot.edited_by else ""
    if edited and not any(cell[0] == key for cell in snapshot.edits):
        edited = f"as it was, beside what was {edited}"
    again = f"asked about again by {snapshot.reopened_by}" if snapshot.reopened_by else ""
    return ", ".join(said for said in (edited, again) if said)
