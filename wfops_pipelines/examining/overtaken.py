"""Rows that are not in a snapshot because a newer one has their key: versions, or other rows."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, select

from wfops_pipelines.core.findings import Finding, Severity
from wfops_pipelines.core.parts import Rows
from wfops_pipelines.core.snapshot import DELETED, Snapshot
from wfops_pipelines.store import tables as t
from wfops_pipelines.store.versions import counted_keys
from wfops_pipelines.sync import Sync

FEW = 2  # rows that pages which shift while they are read may bring twice, whatever their share
SHARE = 0.05


def overtaken_findings(snapshot: Snapshot, rows: Rows, sync: Sync) -> list[Finding]:
    """So many that the key may not name rows, and that other rows would be missing."""
    gone = snapshot.overtaken
    total = snapshot.rows + gone
    if gone <= max(FEW, SHARE * total):
        return []
    key, better = sync.key, [*_names(rows, sync)]
    meant = f" (as {' or '.join(better)}, which names each row)" if better else ""
    said = (
        f"{gone:,} of {total:,} rows that the source gave are not among these, because a newer "
        f"one has the same {key}. If {key} does not name one row alone, they are other rows, "
        f"which would be missing: mend key= of the sync{meant}, reject these, and {_again(sync)}, "
        "where they wait once more for what was rejected by the other key. "
        "If they are older versions of the same rows, approve: from then on that is usual here"
    )
    return [Finding("overtaken", Severity.CRITICAL, said, key, gone, f"at most {SHARE:.0%}")]


def _again(sync: Sync) -> str:
    if sync.cursor is None:
        return "the next run brings them all"
    return f"`wfops run {sync.name} --since DATE` brings the others"


def _names(rows: Rows, sync: Sync) -> Iterator[str]:
    """Columns that are called as keys are, and name each row that is here."""
    for name in rows.column_names:
        called = name.lower() in ("id", "uuid", "guid", "key") or name.lower().endswith("id")
        if called and name not in (sync.key, sync.cursor, DELETED):
            nulls, twice = counted_keys(rows, name)
            if not nulls and not twice:
                yield name


def published_before(conn: Connection, snapshot: Snapshot) -> bool:
    """Whether a person has let so many go in an earlier snapshot of the sync."""
    s, p = t.snapshots.c, t.publications.c
    many = s.overtaken > SHARE * (s.rows + s.overtaken)
    query = select(s.seq).join(t.publications, (p.sync == s.sync) & (p.seq == s.seq))
    mine = (s.sync == snapshot.sync, s.seq < snapshot.seq, s.overtaken > FEW, many)
    return conn.execute(query.where(*mine, p.reverted_at.is_(None)).limit(1)).first() is not None
