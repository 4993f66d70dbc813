"""What of a snapshot went out, and which rows come as they went out last."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from wfops_pipelines.core.snapshot import Snapshot
from wfops_pipelines.errors import SnapshotDamaged
from wfops_pipelines.ledger import publications_of, published_rows
from wfops_pipelines.services import Services
from wfops_pipelines.staging.identities import identities_of
from wfops_pipelines.store import snapshots
from wfops_pipelines.store.rows import keys_of, remembered_key
from wfops_pipelines.sync import Sync

if TYPE_CHECKING:
    import pyarrow as pa

LOOK_BACK = 10  # extractions, for what had gone out before


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
