"""A staged extraction and what is known about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from functools import cached_property
from typing import Any, TypeAlias

from wfops_pipelines.core.canonical import canonical, digest
from wfops_pipelines.core.findings import CheckResult, Finding, Json

# Why a row stays that is taken back: a newer one is there, somebody changed it, nothing is there.
NEWER, CHANGED, AWAY = "newer", "changed", "away"
DELETED = "_deleted"  # the column that marks a tombstone in a snapshot
Cell: TypeAlias = "tuple[str, str, str | None, str | None]"
"""Row key, column, the value before, the value now."""
_LIVING = frozenset({"", "0", "f", "false", "n", "no", "none", "null"})  # CSV says "false"


def says_gone(value: Any) -> bool:
    """Whether a mark of deletion, as a source or a destination writes it, says so."""
    if isinstance(value, str):
        return value.strip().lower() not in _LIVING
    return value not in (None, False, 0) and value == value  # NaN is a null to many


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
    An edited snapshot has the `origin` whose rows it holds, who edited it, and its `edits`: (row
    key, column, old, new). So has a snapshot of rows that had been put away and about which a
    person asks again, `reopened_by`. `partition` is the day it is about, as "2026-05-01", of a sync
    that is partitioned. `doubted` are rows whose dates contradict the order in which they came:
    (row key, the cursor of the version that came before, as an ISO time); without a cursor, rows
    that came again as they had been put away, after other versions: (row key, ""). `asked` is the
    stretch of the cursor (after, up to) that no extraction had been asked for before, as far as it
    is known.
    `contradicted` are cells in which two versions of a row with the same time differ, in one
    extraction; what came last now is the row. `reread_by` is who had the source read from a date
    (`wfops run --since`). `overtaken` is how many other rows of the extraction had the key of one
    that is newer, and are not in it. `dated_by` is the sync's cursor by then, "" where it had none,
    None where that was not noted. `dated_upto` is the latest time of its rows, where it lies ahead
    of the extraction, and carries no cursor.
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
    origin: int | None = None
    edited_by: str | None = None
    edits: tuple[Cell, ...] = ()
    partition: str | None = None
    doubted: tuple[tuple[str, str], ...] = ()
    asked: tuple[datetime | None, datetime | None] | None = None
    contradicted: tuple[Cell, ...] = ()
    reread_by: str | None = None
    reopened_by: str | None = None
    overtaken: int = 0
    dated_by: str | None = None
    dated_upto: datetime | None = None

    @property
    def ordinary(self) -> bool:
        """Whether it is what a run of the source gives: a few mended rows tell of no usual day."""
        return self.edited_by is self.reread_by is self.reopened_by is None

    @property
    def name(self) -> str:
        return f"{self.sync} #{self.seq}"

    @property
    def rank(self) -> int:
        """Its place in the order of the source: an edit makes no row newer than it is."""
        return self.seq if self.origin is None else self.origin

    @property
    def version(self) -> int:
        """What guards newer rows at the destination against these: rank, days before all else.

        A backfill reads old days late; its rows are no newer for that.
        """
        if self.partition is None:
            return self.rank
        return (date.fromisoformat(self.partition).toordinal() << 32) | self.rank


def number_in(version: int) -> int:
    """The rank in a snapshot's version."""
    return version & 0xFFFF_FFFF


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

    @property
    def changes_nothing(self) -> bool:
        """Whether the destination holds all rows just so, or newer ones."""
        return not (self.inserted or self.updated or self.deleted)

    def __add__(self, other: Diff) -> Diff:
        """What both would do, of different rows."""
        return Diff(
            self.inserted + other.inserted,
            self.updated + other.updated,
            self.unchanged + other.unchanged,
            self.deleted + other.deleted,
            self.changes + other.changes,
        )

    def as_json(self) -> dict[str, Json]:
        return {
            "inserted": self.inserted,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "deleted": self.deleted,
            "changes": [list(c) for c in self.changes],
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Diff:
        return cls(**{**body, "changes": tuple(tuple(c) for c in body["changes"])})


@dataclass(frozen=True)
class Evidence:
    """All that the examiners found in one snapshot. Its hash names exactly this evidence.

    `held_diff` is the part of `diff` that waits, where only some rows are held.
    """

    sync: str
    seq: int
    digest: str
    rows: int
    findings: tuple[Finding, ...] = ()
    results: tuple[CheckResult, ...] = ()
    diff: Diff | None = None
    anomaly: dict[str, Json] = field(default_factory=dict)
    held_diff: Diff | None = None

    def as_json(self) -> dict[str, Json]:
        return {
            "sync": self.sync,
            "seq": self.seq,
            "digest": self.digest,
            "rows": self.rows,
            "findings": [f.as_json() for f in self.findings],
            "results": [r.as_json() for r in self.results],
            "diff": None if self.diff is None else self.diff.as_json(),
            "anomaly": self.anomaly,
            **({} if self.held_diff is None else {"held_diff": self.held_diff.as_json()}),
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Evidence:
        findings = tuple(Finding.from_json(f) for f in body["findings"])
        results = tuple(CheckResult.from_json(r) for r in body["results"])
        diff = None if body["diff"] is None else Diff.from_json(body["diff"])
        held = Diff.from_json(body["held_diff"]) if body.get("held_diff") else None
        parts = {"findings": findings, "results": results, "diff": diff, "held_diff": held}
        return cls(**{**body, **parts})

    @cached_property
    def text(self) -> bytes:
        """Its canonical text, which is kept and hashed; long where many rows are named."""
        return canonical(self.as_json())

    @property
    def hash(self) -> str:
        return digest(self.text)
