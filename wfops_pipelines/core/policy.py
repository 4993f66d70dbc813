"""What a sync's owner asks of the gate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class Above:
    """High impact: rows whose `column` is above `limit`, empty or no number wait for a person."""

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


@dataclass(frozen=True, slots=True)
class Route:
    """Which group decides holds of one kind, or failures of one kind.

    to: the group. column: findings about this column. check: the examiner ("anomaly",
    "critical_changes", "high_impact", "drafted", "schema") or a whole check's name. failure:
    failed steps of this kind ("auth", "network", "schema", …). With column and check both count.
    """

    to: str
    column: str | None = None
    check: str | None = None
    failure: str | None = None

    def takes(self, check: str, column: str | None) -> bool:
        """Whether a finding of this check about this column goes to the group."""
        if self.column is None and self.check is None:
            return False
        same = self.check is None or self.check in (check, check.split(":")[0])
        return same and (self.column is None or self.column == column)

    @property
    def words(self) -> str:
        named = {"column": self.column, "check": self.check, "failure": self.failure}
        return f"{', '.join(f'{k} {v}' for k, v in named.items() if v)} → {self.to}"


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
    delete_rows_up_to: the share (0-1) of the destination's rows that one snapshot may delete
    without a person; one row always may, unless it is 0.
    overlap_minutes: how far before the cursor an extraction reads again, for late rows. Made more
    than four times as long, it finds rows that are no longer remembered, and stages them once more.
    masked: columns whose values no page, report or message shows.
    undo_hours: how long what a publication replaced is kept, so that it can be reverted.
    remind_hours: after so many hours without an answer its group is reminded, once.
    escalate_hours, escalate_to: after so many hours without an answer, whose group decides next.
    deadline_hours, at_deadline: after so many hours the machine notes it ("hold") or rejects the
    rows ("reject"); it never approves.
    auto_release: the confidence (0.9 up to 1) from which holds for anomalies and warnings are
    released without a person; None, the default: never. spot_checks: the share (0-1) of those that
    a person decides all the same.
    routes: which other groups decide what; the first rule that fits a hold or a failure counts.
    """

    critical_fields: tuple[str, ...] = ()
    high_impact: tuple[HighImpact, ...] = ()
    false_holds: float = 0.02
    reviewers: str = "reviewers"
    approvals: int = 1
    scope: Literal["rows", "whole"] = "rows"
    hold_rows_up_to: float = 0.2
    delete_rows_up_to: float = 0.05
    warnings_hold: bool = False
    while_held: Literal["pass", "queue"] = "pass"
    overlap_minutes: int = 60
    masked: tuple[str, ...] = ()
    undo_hours: float | None = 24
    remind_hours: float | None = None
    escalate_hours: float | None = None
    escalate_to: str | None = None
    deadline_hours: float | None = None
    at_deadline: Literal["hold", "reject"] = "hold"
    routes: tuple[Route, ...] = ()
    auto_release: float | None = None
    spot_checks: float = 0.1

    def problems(self) -> list[tuple[str, str]]:
        """What is wrong with this policy, as (field, repair); empty when nothing is."""
        columns = 'column names in brackets, with a comma after a single one: ("email",)'
        checks = [
            ("critical_fields", _names(self.critical_fields), columns),
            ("masked", _names(self.masked), columns),
            ("high_impact", _rules(self.high_impact), "rules in brackets: (Above(…),)"),
            ("false_holds", _within(self.false_holds, 1e-6, 0.5), "a share up to 0.5, as 0.02"),
            ("approvals", _whole(self.approvals, 1), "a whole number from 1"),
            ("scope", self.scope in ("rows", "whole"), '"rows" or "whole"'),
            ("hold_rows_up_to", _within(self.hold_rows_up_to, 0, 1), "a share between 0 and 1"),
            ("delete_rows_up_to", _within(self.delete_rows_up_to, 0, 1), "a share from 0 to 1"),
            ("while_held", self.while_held in ("pass", "queue"), '"pass" or "queue"'),
            ("overlap_minutes", _whole(self.overlap_minutes, 0), "whole minutes, 0 or more"),
            ("reviewers", _named(self.reviewers), "the name of a group in reviewers.yaml"),
            ("undo_hours", _hours(self.undo_hours), "hours above 0, or None to keep nothing"),
            ("remind_hours", _hours(self.remind_hours), "hours above 0, or leave it out"),
            ("escalate_hours", _hours(self.escalate_hours), "hours above 0, or leave it out"),
            ("escalate_to", self._escalates(), "escalate_hours and escalate_to together"),
            ("deadline_hours", _hours(self.deadline_hours), "hours above 0, or leave it out"),
            (
                "routes",
                _routes(self.routes),
                'rules in brackets: (Route("finance", column="amount"),)',
            ),
            ("at_deadline", self.at_deadline in ("hold", "reject"), '"hold" or "reject"'),
        ]
        released = self.auto_release is None or _within(self.auto_release, 0.9, 0.9999)
        checks += [
            ("auto_release", released, "a confidence from 0.9 to 0.9999, or leave it out"),
            ("spot_checks", _within(self.spot_checks, 0.01, 1), "a share from 0.01 to 1, as 0.1"),
        ]
        return [(name, f"use {repair}") for name, fine, repair in checks if not fine]

    def _escalates(self) -> bool:
        return (self.escalate_hours is None) == (self.escalate_to is None)

    def columns(self) -> tuple[tuple[str, str], ...]:
        """Every column that the policy names, as (field of the policy, column)."""
        limits = [("high_impact", r.column) for r in self.high_impact if isinstance(r, Above)]
        limits += [("routes", r.column) for r in self.routes if r.column is not None]
        critical = [("critical_fields", c) for c in self.critical_fields]
        return (*critical, *limits, *[("masked", c) for c in self.masked])


def _named(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _names(value: object) -> bool:
    """A text alone would be read as one column for each of its letters."""
    return isinstance(value, tuple | list) and all(_named(v) for v in value)


def _rules(value: object) -> bool:
    return isinstance(value, tuple | list) and all(isinstance(v, HighImpact) for v in value)


def _routes(value: object) -> bool:
    """A rule about nothing would never route anything."""
    return isinstance(value, tuple | list) and all(
        isinstance(r, Route) and _named(r.to) and any((r.column, r.check, r.failure)) for r in value
    )


def _within(value: object, low: float, high: float) -> bool:
    return isinstance(value, int | float) and low <= value <= high


def _hours(value: object) -> bool:
    if value is None:
        return True
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e5


def _whole(value: object, low: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= low
