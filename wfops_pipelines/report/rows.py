"""Which rows failed, and every reason of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from wfops_pipelines.core.findings import Finding, Json, Outcome, Severity
from wfops_pipelines.report.model import Check, Report
from wfops_pipelines.report.show import MASK, masked_sentence, plain


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a row is on the list."""

    words: str
    severity: Severity
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FailingRow:
    """A row with its cells, in the report's column order, and its reasons.

    `cells` is empty where the row's values were not kept.
    """

    key: str
    reasons: tuple[Reason, ...]
    cells: tuple[Json, ...]
    wrong: frozenset[str]

    @property
    def rank(self) -> tuple[int, int]:
        """Rows with the worst and the most reasons come first."""
        return (-max(r.severity.rank for r in self.reasons), -len(self.reasons))


def failing_rows(report: Report) -> tuple[FailingRow, ...]:
    """Every row that failed an expectation or is named by a finding, the worst first.

    Masked cells are already replaced. A row whose values are not in `report.rows` keeps its key
    and reasons.
    """
    reasons: dict[str, list[Reason]] = {}
    for check in report.checks:
        if check.result.outcome is Outcome.FAILED:
            _add(reasons, check.result.failed_keys, _of_check(check))
    for finding in other_findings(report):
        for key in finding.keys:
            _add(reasons, (key,), _of_finding(finding, key, report.masked))
    numbers = {key: number for number, key in enumerate(reasons, 1)}
    rows = [_row(report, key, tuple(why), numbers[key]) for key, why in reasons.items()]
    return tuple(sorted(rows, key=lambda row: row.rank))


def other_findings(report: Report) -> tuple[Finding, ...]:
    """The findings that are not about expectations."""
    return tuple(f for f in report.findings if not f.check.startswith("expectation:"))


def _add(reasons: dict[str, list[Reason]], keys: tuple[str, ...], reason: Reason) -> None:
    for key in keys:
        reasons.setdefault(key, []).append(reason)


def _of_check(check: Check) -> Reason:
    result = check.result
    columns = check.columns or ((result.column,) if result.column else ())
    return Reason(f"expected: {result.words}", result.severity, columns)


def _of_finding(finding: Finding, key: str, masked: frozenset[str]) -> Reason:
    if told := finding.reasons_of(key, masked):
        words = "; ".join(words for _, words in told)
        return Reason(words, finding.severity, tuple(c for c, _ in told))
    columns = (finding.column,) if finding.column else ()
    return Reason(masked_sentence(finding, masked), finding.severity, columns)


def _row(report: Report, key: str, reasons: tuple[Reason, ...], number: int) -> FailingRow:
    values: Mapping[str, Json] = report.rows.get(key, {})
    shown = report.columns if values else ()
    cells = tuple(MASK if c in report.masked else values.get(c) for c in shown)
    wrong = frozenset(c for reason in reasons for c in reason.columns)
    name = f"row {number} of this list" if report.key in report.masked else plain(key)
    return FailingRow(name, reasons, cells, wrong)
