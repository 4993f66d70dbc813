"""Rows without a time, of which no day can say whether it has the newer version."""

from __future__ import annotations

from wfops_pipelines.core.findings import Finding, Severity, counted_rows
from wfops_pipelines.core.parts import Rows
from wfops_pipelines.core.snapshot import Snapshot
from wfops_pipelines.store.rows import keys_of
from wfops_pipelines.sync import Sync


def undated_findings(snapshot: Snapshot, rows: Rows, sync: Sync) -> list[Finding]:
    """They are in each day's answer; of two versions the one of the later day would stay."""
    names = [sync.key, sync.cursor] if sync.cursor is not None else []
    if snapshot.partition is None or not names or not {*names} <= {*rows.column_names}:
        return []
    keys: list[str] = []
    for part in rows.parts(names):
        keys += keys_of(part.filter(part[sync.cursor].is_null())[sync.key])
    if not keys:
        return []
    have, they = ("has", "it is") if len(keys) == 1 else ("have", "they are")
    said = (
        f"{counted_rows(len(keys))} {have} no {sync.cursor}, so that {they} of no day: what a "
        "later day brought of the same row would stay, be it older. Let the sync's function give "
        "them a time, or leave them out"
    )
    return [Finding("undated", Severity.CRITICAL, said, sync.cursor, len(keys), 0, tuple(keys))]
