"""What a sync's owner asks of the gate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class Above:
    """High impact: rows whose `column` is greater than `limit` wait for a person."""

    column: str
    limit: float
    words: str = ""


@dataclass(frozen=True, slots=True)
class NewRow:
    """High impact: rows that the destination does not hold yet wait for a person."""

    words: str = "a new row"


@dataclass(frozen=True, slots=True)
class Always:
    """High impact: every row waits for a person, for example a message to a customer."""

    words: str


HighImpact: TypeAlias = Above | NewRow | Always


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The policy of one sync.

    critical_fields: columns whose change in an existing destination row a person approves.
    high_impact: rules that send rows to a person whatever their quality.
    false_holds: share of normal snapshots (0-1) that the anomaly scorer may hold.
    reviewers: the reviewer group that decides this sync's review requests.
    approvals: how many different people must approve.
    scope: "rows" holds flagged rows and lets the others go; "whole" holds the snapshot.
    hold_rows_up_to: share of flagged rows (0-1) above which the whole snapshot is held.
    warnings_hold: whether findings of severity warning hold as well.
    while_held: "pass" lets later snapshots go on; "queue" makes them wait, in order.
    overlap_minutes: how far before the cursor an extraction reads again, for late rows.
    masked: columns whose values no page, report or message shows.
    """

    critical_fields: tuple[str, ...] = ()
    high_impact: tuple[HighImpact, ...] = ()
    false_holds: float = 0.02
    reviewers: str = "reviewers"
    approvals: int = 1
    scope: Literal["rows", "whole"] = "rows"
    hold_rows_up_to: float = 0.2
    warnings_hold: bool = False
    while_held: Literal["pass", "queue"] = "pass"
    overlap_minutes: int = 60
    masked: tuple[str, ...] = ()

    def problems(self) -> list[tuple[str, str]]:
        """What is wrong with this policy, as (field, repair); empty when nothing is."""
        checks = [
            ("false_holds", 0 < self.false_holds <= 0.5, "a share between 0 and 0.5, as 0.02"),
            ("approvals", self.approvals >= 1, "a whole number from 1"),
            ("scope", self.scope in ("rows", "whole"), '"rows" or "whole"'),
            ("hold_rows_up_to", 0 <= self.hold_rows_up_to <= 1, "a share between 0 and 1"),
            ("while_held", self.while_held in ("pass", "queue"), '"pass" or "queue"'),
            ("overlap_minutes", self.overlap_minutes >= 0, "minutes, 0 or more"),
            ("reviewers", bool(self.reviewers.strip()), "the name of a group in reviewers.yaml"),
        ]
        return [(name, f"use {repair}") for name, fine, repair in checks if not fine]

    def columns(self) -> tuple[tuple[str, str], ...]:
        """Every column that the policy names, as (field of the policy, column)."""
        limits = [("high_impact", r.column) for r in self.high_impact if isinstance(r, Above)]
        critical = [("critical_fields", c) for c in self.critical_fields]
        return (*critical, *limits, *[("masked", c) for c in self.masked])
