"""What a report is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from wfops_pipelines.core.findings import CheckResult, Finding, Json, Outcome
from wfops_pipelines.core.snapshot import Diff, Snapshot
from wfops_pipelines.core.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Past:
    """How one expectation ended on an earlier snapshot. `measured` is a number, or nothing."""

    seq: int
    outcome: Outcome
    rows: int = 0
    failed_rows: int = 0
    measured: float | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One expectation on this snapshot and, oldest first, on earlier ones.

    `columns` are all that it judges (a result names a column only when there is one): what it
    measured is masked when one of them is.
    """

    result: CheckResult
    trend: tuple[Past, ...] = ()
    columns: tuple[str, ...] = ()
    history: str | None = None  # address of its own page
    waive: str | None = None  # address where a person sets the failing rows aside
    waived: tuple[str, ...] = ()  # what is set aside, or asked to be, in words


@dataclass(frozen=True, slots=True)
class Link:
    """A link on the page: an address on this server, or http(s)."""

    text: str
    url: str


@dataclass(frozen=True, slots=True)
class Report:
    """Everything one page says about one snapshot.

    snapshot, verdict: what was examined and the machine's answer.
    checks: all expectations, in the suite's order.
    findings: all findings; those of expectations are not repeated beside `checks`.
    columns: the snapshot's columns in their order; `key` is one of them.
    rows: key as text to the row's values by column, for the rows that failed something and whose
    values are wanted.
    masked: columns whose values never appear, neither here nor in the download.
    difference: what publishing would change, against the last published state; `of_held` says that
    it is of the held rows only.
    published_seq: the last published snapshot, or nothing.
    suite_digest: which suite judged.
    became: what came of the verdict since, in words, and the address of the request about it.
    """

    snapshot: Snapshot
    verdict: Verdict
    checks: tuple[Check, ...]
    columns: tuple[str, ...]
    key: str
    written_at: datetime
    findings: tuple[Finding, ...] = ()
    rows: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    masked: frozenset[str] = frozenset()
    difference: Diff | None = None
    of_held: bool = False
    published_seq: int | None = None
    suite_digest: str = ""
    links: tuple[Link, ...] = ()
    became: str = ""
    became_by: str | None = None
