"""A staged extraction and what is known about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from wfops_pipelines.core.canonical import canonical, digest
from wfops_pipelines.core.findings import CheckResult, Finding, Json


class SnapshotState(Enum):
    """Where a snapshot is on its way."""

    STAGED = "staged"  # the file is there; nothing was examined yet
    CLEARED = "cleared"  # the verdict lets rows go; they are not published yet
    HELD = "held"  # nothing may go before a decision
    SETTLED = "settled"  # every row is published, waits in a review request, or is quarantined


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One staged extraction: immutable, named by the SHA-256 of its Parquet file.

    `seq` counts a sync's snapshots from 1. `duplicates` is how many rows of the extraction were
    dropped because the same key and version came twice or had been staged before.
    """

    sync: str
    seq: int
    digest: str
    rows: int
    staged_at: datetime
    state: SnapshotState = SnapshotState.STAGED
    run_id: str | None = None
    cursor_from: datetime | None = None
    cursor_to: datetime | None = None
    duplicates: int = 0

    @property
    def name(self) -> str:
        return f"{self.sync} #{self.seq}"


@dataclass(frozen=True, slots=True)
class Diff:
    """What publishing would do to the destination, read from the destination itself.

    `changes` lists critical fields that change: (row key, column, old, new).
    """

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    changes: tuple[tuple[str, str, str | None, str | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that the examiners found in one snapshot. Its hash names exactly this evidence."""

    sync: str
    seq: int
    digest: str
    rows: int
    findings: tuple[Finding, ...] = ()
    results: tuple[CheckResult, ...] = ()
    diff: Diff | None = None
    anomaly: dict[str, Json] = field(default_factory=dict)

    def as_json(self) -> dict[str, Json]:
        return {
            "sync": self.sync,
            "seq": self.seq,
            "digest": self.digest,
            "rows": self.rows,
            "findings": [f.as_json() for f in self.findings],
            "results": [_result_json(r) for r in self.results],
            "diff": None if self.diff is None else _diff_json(self.diff),
            "anomaly": self.anomaly,
        }

    @property
    def hash(self) -> str:
        return digest(canonical(self.as_json()))


def _result_json(result: CheckResult) -> Json:
    return {
        "name": result.name,
        "words": result.words,
        "outcome": result.outcome.value,
        "severity": result.severity.value,
        "column": result.column,
        "measured": result.measured,
        "expected": result.expected,
        "rows": result.rows,
        "failed_rows": result.failed_rows,
        "failed_keys": list(result.failed_keys),
        "error": result.error,
    }


def _diff_json(diff: Diff) -> Json:
    return {
        "inserted": diff.inserted,
        "updated": diff.updated,
        "unchanged": diff.unchanged,
        "deleted": diff.deleted,
        "changes": [list(c) for c in diff.changes],
    }
