"""What earlier snapshots and the destination say about a sync, read before examining."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, select

from wfops_pipelines.core.policy import NewRow
from wfops_pipelines.core.snapshot import DELETED, Snapshot
from wfops_pipelines.destinations import Existing, Listing
from wfops_pipelines.examination import Past
from wfops_pipelines.ledger import parcel_of, published_rows
from wfops_pipelines.services import Services
from wfops_pipelines.store import drafts, learning, snapshots, waivers
from wfops_pipelines.store import tables as t
from wfops_pipelines.store.rows import living_rows
from wfops_pipelines.sync import Sync

if TYPE_CHECKING:
    import pyarrow as pa

TRAINING_SNAPSHOTS = 20


def read_past(
    sync: Sync, snapshot: Snapshot, table: pa.Table, services: Services
) -> Past | Exception:
    """The past of a snapshot; the error itself where it cannot be read, for the examiners."""
    try:
        with services.engine.connect() as conn:
            return _past(conn, sync, snapshot, table, services)
    except Exception as error:
        return error


def _past(
    conn: Connection, sync: Sync, snapshot: Snapshot, table: pa.Table, services: Services
) -> Past:
    found = published_tables(conn, sync, services, before=snapshot.seq, limit=TRAINING_SNAPSHOTS)
    published = [alive for _, rows in found if (alive := living_rows(rows)).num_rows]
    usable = sync.key in table.column_names and not table[sync.key].null_count
    parcel = parcel_of(sync, snapshot, table, services)
    wants_existing = usable and any(isinstance(r, NewRow) for r in sync.policy.high_impact)
    critical = [c for c in sync.policy.critical_fields if c in table.column_names]
    return Past(
        schema=published[-1].schema if published else None,
        previous_rows=published[-1].num_rows if published else None,
        profiles={}
        if snapshot.edited_by  # a few rows that a person changed are no day of the source
        else snapshots.published_profiles(
            conn, sync.name, snapshot.seq, incremental=sync.cursor is not None
        ),
        decided=learning.counts(conn, sync.name),
        published=published,
        existing=sync.destination.existing(conn, parcel, []) if wants_existing else Existing({}),
        diff=sync.destination.diff(conn, parcel, critical) if usable else None,
        living=_living(conn, sync, table, services),
        waivers=waivers.granted(conn, sync.name, services.clock()),
        drafts=drafts.of_snapshot(conn, sync.name, snapshot.rank),
    )


def _living(conn: Connection, sync: Sync, table: pa.Table, services: Services) -> int | None:
    """How many rows the destination holds; None where it cannot say, or nobody needs to know."""
    if DELETED not in table.column_names or not isinstance(sync.destination, Listing):
        return None
    return len(sync.destination.living(conn, sync.key, services.environ))


def published_tables(
    conn: Connection, sync: Sync, services: Services, *, limit: int, before: int | None = None
) -> list[tuple[int, pa.Table]]:
    """(number, published rows) of the last snapshots, oldest first; a lost file is left out."""
    p = t.publications.c
    query = select(p.seq, p.digest, p.part).where(p.sync == sync.name, p.reverted_at.is_(None))
    if before is not None:
        query = query.where(p.seq < before)
    rows = conn.execute(query.order_by(p.seq.desc()).limit(limit * 2)).all()
    parts: dict[tuple[int, str], set[str]] = {}
    for row in rows:
        parts.setdefault((int(row.seq), str(row.digest)), set()).add(str(row.part))
    newest = list(parts.items())[:limit]
    found = [
        (seq, published_rows(conn, sync, seq, digest, p, services)) for (seq, digest), p in newest
    ]
    return [(seq, table) for seq, table in found[::-1] if table is not None]
