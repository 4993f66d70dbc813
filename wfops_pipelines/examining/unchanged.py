"""What of a snapshot went out, and which rows come as they went out last."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from wfops_pipelines.core.parts import Rows
from wfops_pipelines.core.snapshot import Snapshot
from wfops_pipelines.errors import SnapshotDamaged
from wfops_pipelines.examining.identities import identities_of
from wfops_pipelines.ledger import parcel_of, publications_of, published_rows, select_rows
from wfops_pipelines.services import Services
from wfops_pipelines.store import snapshots
from wfops_pipelines.store.rows import keys_of, remembered_key
from wfops_pipelines.sync import Sync

if TYPE_CHECKING:
    import pyarrow as pa

ASKED = 32  # questions to a destination about rows that may be the same there
LOOK_BACK = 10  # extractions, for what had gone out before


def unchanged(
    conn: Connection,
    sync: Sync,
    snapshot: Snapshot,
    rows: Rows,
    services: Services,
    keys: Collection[str],
) -> frozenset[str]:
    """Those of these rows (keys as texts) of which nothing would come: they went out before.

    The newest version of each that went out, and was not taken back, is the same, and the
    destination holds it just so, or a newer one. None where there is a cursor, by which only news
    comes.
    """
    if not keys or sync.cursor is not None:
        return frozenset()
    told = dict(versions_in(conn, sync, snapshot, frozenset(keys), services))
    gone = gone_before(conn, sync, snapshot, told, services)
    names = [remembered_key(key) for key in gone]
    return held_just_so(conn, sync, snapshot, rows, services, names)


def held_just_so(
    conn: Connection,
    sync: Sync,
    snapshot: Snapshot,
    rows: Rows,
    services: Services,
    keys: Sequence[str],
) -> frozenset[str]:
    """Those of these rows that the destination holds just so, asked for by halves.

    After `ASKED` questions the others count as changed: most of them are.
    """
    same: set[str] = set()
    waiting, asked = [keys] if keys else [], 0
    while waiting and asked < ASKED:
        some, asked = waiting.pop(0), asked + 1
        few = select_rows(rows, sync.key, frozenset(some), frozenset())
        asking = parcel_of(sync, snapshot, few, services)
        if sync.destination.diff(conn, asking, []).changes_nothing:
            same.update(some)
        elif len(some) > 1:
            waiting += [some[: len(some) // 2], some[len(some) // 2 :]]
    return frozenset(same)


def gone_before(
    conn: Connection, sync: Sync, root: Snapshot, told: Mapping[str, str], services: Services
) -> set[str]:
    """Of these rows, those whose newest version that went out before `root` is the same.

    told: their versions by key, as remembered; and so are the keys found.
    """
    left, found = dict(told), set[str]()
    before = snapshots.extracted_since(conn, sync.name, 0, root.rank, LOOK_BACK)
    for made in (m for b in before for m in reversed(snapshots.of_rank(conn, sync.name, b.seq))):
        if not left:
            break
        if not (parts := parts_out(conn, made, current=True)):
            continue
        try:
            out = set(keys_out(conn, sync, made, parts, services))
            asked = frozenset(map(remembered_key, left))
            for key, version in versions_in(conn, sync, made, asked, services):
                if remembered_key(key) in out and left.pop(key, None) == version:
                    found.add(key)
        except SnapshotDamaged:
            break  # of what went out last, nobody knows what it was
    return found


def versions_in(
    conn: Connection,
    sync: Sync,
    snapshot: Snapshot,
    keys: Collection[str] | None,
    services: Services,
) -> list[tuple[str, str]]:
    """(key, version) of these rows (None: of all) of a snapshot, as remembered."""
    parts = identities_of(conn, sync, snapshot, services, keys)
    return [pair for part in parts for pair in pairs_of(part)]


def pairs_of(part: pa.Table) -> Iterator[tuple[str, str]]:
    """(key, version) of each of these identities."""
    return zip(part["key"].to_pylist(), part["version"].to_pylist(), strict=True)


def parts_out(conn: Connection, snapshot: Snapshot, *, current: bool = False) -> set[str]:
    """The parts of it that went out; `current`: and were not taken back."""
    found = publications_of(conn, snapshot.sync, snapshot.seq)
    return {p.part for p in found if not current or p.reverted_at is None}


def keys_out(
    conn: Connection, sync: Sync, snapshot: Snapshot, parts: set[str], services: Services
) -> Iterator[str]:
    """The keys of those of its rows that went out, as these parts."""
    rows = published_rows(conn, sync, snapshot.seq, snapshot.digest, parts, services)
    for part in () if rows is None else rows.parts([sync.key]):
        yield from keys_of(part[sync.key])
