"""Which rows failed, and every reason of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from wfops_pipelines.core.findings import Finding, Json, Outcome, Severity
from wfops_pipelines.report.model import Check, Report
from wfops_pipelines.report.show import MASK, masked_sentence, plain

ROWS_ON_THE_PAGE = 200


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a row is on the list."""

    words: str
    severity: Severity
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Named:
    """A row that something names. number: its place among them, in the order of the findings."""

    key: str
    number: int
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class FailingRow:
    """A row with its cells, in the report's column order, and its reasons.

    `cells` is empty where the row's values were not kept.
    """

    key: str
    reasons: tuple[Reason, ...]
    cells: tuple[Json, ...]
    wrong: frozenset[str]


def named_rows(report: Report) -> tuple[Named, ...]:
    """Every row that failed an expectation or is named by a finding.

    Rows with the worst and the most reasons come first.
    """
    reasons: dict[str, list[Reason]] = {}
    for check in report.checks:
        if check.result.outcome is Outcome.FAILED:
            reason = _of_check(check)
            for key in check.result.failed_keys:
                reasons.setdefault(key, []).append(reason)
    for finding in other_findings(report):
        reason = _of_finding(finding, report.masked)
        for key in finding.keys:
            own = _of_row(finding, key, report.masked)
            reasons.setdefault(key, []).append(own or reason)
    rank = {severity: -severity.rank for severity in Severity}
    found = (Named(key, n, tuple(why)) for n, (key, why) in enumerate(reasons.items(), 1))
    return tuple(
        sorted(found, key=lambda r: (min(rank[w.severity] for w in r.reasons), -len(r.reasons)))
    )


def failing_rows(report: Report, named: Iterable[Named]) -> Iterator[FailingRow]:
    """These rows with their cells; masked ones are already replaced.

    A row whose values are not in `report.rows` keeps its key and reasons.
    """
    return (_row(report, row) for row in named)


def other_findings(report: Report) -> tuple[Finding, ...]:
    """The findings that are not about expectations."""
    return tuple(f for f in report.findings if not is_expectation(f))


def is_expectation(finding: Finding) -> bool:
    """Whether it repeats what stands among the expectations."""
    return finding.check.startswith("expectation:")


def _of_check(check: Check) -> Reason:
    result = check.result
    columns = check.columns or ((result.column,) if result.column else ())
    return Reason(f"expected: {result.words}", result.severity, columns)


def _of_finding(finding: Finding, masked: frozenset[str]) -> Reason:
    columns = (finding.column,) if finding.column else ()
    return Reason(masked_sentence(finding, masked), finding.severity, columns)


def _of_row(finding: Finding, key: str, masked: frozenset[str]) -> Reason | None:
    """What the finding tells of this row alone, if it does."""
    told = finding.reasons_of(key, masked)
    words = "; ".join(words for _, words in told)
    return Reason(words, finding.severity, tuple(c for c, _ in told)) if told else None


def _row(report: Report, row: Named) -> FailingRow:
    values: Mapping[str, Json] = report.rows.get(row.key, {})
    shown = report.columns if values else ()
    cells = tuple(MASK if c in report.masked else values.get(c) for c in shown)
    wrong = frozenset(c for reason in row.reasons for c in reason.columns)
    hidden = report.key in report.masked
    name = f"row {row.number} of this list" if hidden else plain(row.key)
    return FailingRow(name, row.reasons, cells, wrong)
