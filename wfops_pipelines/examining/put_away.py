"""Rows that are as a person put them away before, which only a sync without a cursor stages."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from sqlalchemy import Connection, select

from wfops_pipelines.core.findings import Finding, Severity, counted_rows
from wfops_pipelines.core.parts import Rows
from wfops_pipelines.core.snapshot import Snapshot
from wfops_pipelines.errors import SnapshotDamaged
from wfops_pipelines.ledger import published_rows
from wfops_pipelines.services import Services
from wfops_pipelines.store import snapshots
from wfops_pipelines.store import tables as t
from wfops_pipelines.store.mixed import read_note, sliced
from wfops_pipelines.store.row_models import Source
from wfops_pipelines.store.rows import keys_of
from wfops_pipelines.store.versions import versions
from wfops_pipelines.sync import Sync

LATEST = 50  # times that rows were put away


def put_away(
    conn: Connection, sync: Sync, snapshot: Snapshot, rows: Rows, published: Sequence[Source],
    services: Services,
) -> dict[str, int]:  # fmt: skip
    """By key, in which snapshot a row was put away as it is now, and has not gone out since.

    published: what went out last, oldest first. A row that is as it went out last is no news.
    """
    if sync.cursor is not None or snapshot.origin or sync.key not in rows.column_names:
        return {}
    away: dict[str, tuple[int, int | None]] = {}
    for seq, keys in _quarantined(conn, snapshot):
        for key, version in _there(conn, sync, seq, keys, services).items():
            away.setdefault(key, (seq, version))
    here = dict(_versions(rows, sync.key, away)) if away else {}
    found = {k: away[k][0] for k, v in here.items() if away[k][1] in (None, v)}
    for source in reversed(published):
        if not found or (source is not published[-1] and source.seq < min(found.values())):
            break
        for key, version in _out(conn, sync, source, found, services).items():
            if source.seq > found[key] or version == here[key]:
                del found[key]
    return found


def put_away_findings(found: Mapping[str, int]) -> list[Finding]:
    """They wait for a person again, for nothing else would stop them."""
    if not found:
        return []
    numbers = [f"#{seq}" for seq in sorted(set(found.values()))]
    were = "it was" if len(found) == 1 else "they were"
    said = (
        f"{counted_rows(len(found))} came again as {were} put away in {', '.join(numbers)}: "
        "without a cursor each run reads everything. Reject until that is mended at the source, or "
        "approve: then nobody is asked again"
    )
    return [Finding("put_away", Severity.CRITICAL, said, None, len(found), 0, tuple(found))]


def _quarantined(
    conn: Connection, snapshot: Snapshot
) -> Iterator[tuple[int, frozenset[str] | None]]:
    """Snapshots and keys (None: all) of what was put away before or taken back, newest first."""
    q = t.quarantine.c
    query = select(q.seq, q["keys"]).where(q.sync == snapshot.sync, q.seq < snapshot.seq)
    for row in conn.execute(query.order_by(q.seq.desc(), q.at.desc()).limit(LATEST)).all():
        yield row[0], None if row[1] is None else frozenset(row[1])


def _there(
    conn: Connection, sync: Sync, seq: int, keys: frozenset[str] | None, services: Services
) -> dict[str, int | None]:
    """The versions of what was put away; None where the file that had them is lost."""
    try:
        rows = services.rows(snapshots.get(conn, sync.name, seq))
        named = sync.key in rows.column_names
        return dict(_versions(rows, sync.key, keys)) if named else {}
    except SnapshotDamaged:
        return dict.fromkeys(keys or ())


def _out(
    conn: Connection, sync: Sync, source: Source, keys: Collection[str], services: Services
) -> dict[str, int | None]:
    """The versions of these rows in what was published of a snapshot."""
    parts = set(source.parts)
    rows = published_rows(conn, sync, source.seq, source.digest, parts, services)
    if rows is None or sync.key not in rows.column_names:
        return {}
    named = (keys_of(part[sync.key]) for part in rows.parts([sync.key]))
    out = frozenset(k for part in named for k in part if k in keys)
    return _there(conn, sync, source.seq, out, services) if out else {}


def _versions(
    rows: Rows, key: str, only: Collection[str] | None = None
) -> Iterator[tuple[str, int]]:
    """Key and version of each row; `only`: of these."""
    mixed, at = read_note(rows.schema), 0
    for part in rows.parts():
        found = versions(part, sliced(mixed, at, part.num_rows)).tolist()
        named = zip(keys_of(part[key]), found, strict=True)
        yield from ((k, v) for k, v in named if only is None or k in only)
        at += part.num_rows
