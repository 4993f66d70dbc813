"""Rows that may be as a person put them away, of a sync that reads everything each time."""

from __future__ import annotations

from collections.abc import Collection

from wfops_pipelines.core.findings import Finding, Severity, counted_rows
from wfops_pipelines.core.parts import Rows
from wfops_pipelines.core.snapshot import Snapshot
from wfops_pipelines.store.rows import keys_of
from wfops_pipelines.store.settled import ALL
from wfops_pipelines.sync import Sync


def put_away_findings(settled: frozenset[str], rows: Rows, key: str) -> list[Finding]:
    """Rows that people settled, and that may be here as they were then."""
    if not settled or key not in rows.column_names:
        return []
    here = frozenset(k for part in rows.parts([key]) for k in keys_of(part[key]))
    keys = () if ALL in settled else tuple(sorted(settled & here))
    if not keys and ALL not in settled:
        return []
    which = counted_rows(len(keys)) if keys else "all rows"
    said = (
        f"{which} may be as a person put them away, edited them or asked about them: it was while "
        "this was extracted, or the file that could tell is lost"
    )
    return [Finding("put_away", Severity.CRITICAL, said, measured=len(keys), keys=keys)]


def returned_findings(
    snapshot: Snapshot, sync: Sync, same: Collection[str] = frozenset()
) -> list[Finding]:
    """Rows that a person put away, and that come again as they were, after other versions.

    Not those that the destination holds just so (`same`): nothing would come of them.
    """
    keys = tuple(key for key, before in snapshot.doubted if not before and key not in same)
    if not keys:
        return []
    row = "" if sync.key in sync.policy.masked or len(keys) > 1 else f" ({keys[0]})"
    said = (
        f"{counted_rows(len(keys))}{row} came again as a person had put "
        f"{'it' if len(keys) == 1 else 'them'} away; other values came in between, and none of "
        f"them was published. `wfops reconcile {sync.name} KEY` says who decided what"
    )
    return [Finding("put_away", Severity.CRITICAL, said, sync.key, len(keys), 0, keys)]
