"""What a revert does not bring back: rows that were let go while what it takes back was there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection

from wfops_pipelines.core.snapshot import Snapshot, SnapshotState
from wfops_pipelines.ledger import Publication, publications_of, publications_since, published_rows
from wfops_pipelines.reconciling.standing import keeps_all
from wfops_pipelines.services import Services
from wfops_pipelines.store import snapshots
from wfops_pipelines.store.rows import keys_of
from wfops_pipelines.sync import Sync


def latecomers(
    conn: Connection, sync: Sync, parts: Sequence[Publication], services: Services
) -> dict[str, int]:
    """Of the rows that these publications of one snapshot wrote, those whose version before it was
    let go only after it, and so not written: by key, that version's snapshot."""
    since = min(p.published_at for p in parts)
    late = {p.seq for p in publications_since(conn, sync.name, since) if p.stale and _stands(p)}
    if not late or keeps_all(sync.destination):
        return {}
    found = {s.seq: s for s in snapshots.in_state(conn, sync.name, *SnapshotState)}
    mine = found[parts[0].seq]
    least = min(found[seq].version for seq in late)
    between = [s for s in found.values() if least <= s.version < mine.version]
    out = {k: p for p in parts for k in _keys(conn, sync, mine, p, services)}
    told: dict[str, int] = {}
    for one in sorted(between, key=lambda s: s.version):  # the newest of them counts
        for part in filter(_stands, publications_of(conn, sync.name, one.seq)):
            for key in _keys(conn, sync, one, part, services):
                if key in out and part.published_at > out[key].published_at:
                    told[key] = one.seq
                else:
                    told.pop(key, None)
    return told


def _stands(publication: Publication) -> bool:
    return publication.reverted_at is None


def _keys(
    conn: Connection, sync: Sync, snapshot: Snapshot, part: Publication, services: Services
) -> Iterator[str]:
    rows = published_rows(conn, sync, snapshot.seq, snapshot.digest, {part.part}, services)
    if rows is not None and sync.key in rows.column_names:
        for each in rows.parts([sync.key]):
            yield from keys_of(each[sync.key])
