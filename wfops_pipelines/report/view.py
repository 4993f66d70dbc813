"""What the page shows, in its order and with masked values already gone.

The template only lays out what stands here, so that nothing masked can reach it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from wfops_pipelines.core.findings import CheckResult, Finding, Outcome, Severity, counted
from wfops_pipelines.core.verdict import Hold, Publish, would_fail
from wfops_pipelines.report.model import Check, Link, Report
from wfops_pipelines.report.rows import (
    FailingRow,
    Named,
    failing_rows,
    is_expectation,
    other_findings,
)
from wfops_pipelines.report.show import (
    MASK,
    masked_sentence,
    plain,
    shortened,
    spelled,
)
from wfops_pipelines.report.spark import Spark, spark

_COUNTS = re.compile(r"all rows pass|0 rows|no value.*|[\d,]+ of [\d,]+ rows fail")
SIGNS = {Outcome.PASSED: "✓", Outcome.FAILED: "✕", Outcome.ERROR: "!"}


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One expectation as a line of the page."""

    words: str
    sign: str
    outcome: str
    severity: str
    measured: str
    expected: str
    failed: str
    share: float  # of rows that failed, 0-100
    error: str
    trend: Spark
    history: str | None
    waive: str | None
    waived: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RowLine:
    """One failing row: cells are (text, wrong) in the order of the columns."""

    key: str
    reasons: tuple[tuple[str, str], ...]  # severity, words
    cells: tuple[tuple[str, bool], ...]


@dataclass(frozen=True, slots=True)
class FindingLine:
    """A finding of another examiner."""

    check: str
    severity: str
    sentence: str
    rows: str


def verdict_words(report: Report) -> tuple[str, str]:
    """The headline, and the sentence below it."""
    match report.verdict:
        case Publish():
            return "Passed", f"all {counted(report.snapshot.rows, 'row')} may be published"
        case Hold(reasons=reasons, keys=keys):
            if keys is None:
                return "Held", f"the whole snapshot: {_why(report, reasons, 'it')}"
            rest = report.snapshot.rows - len(keys)
            may = f"the other {rest:,} may be published"
            return (
                "Held in part",
                f"{counted(len(keys), 'row')} held, {may}: {_why(report, reasons, 'them')}",
            )


def _why(report: Report, reasons: Sequence[Finding], what: str) -> str:
    """What holds, told apart as the sections of the page are."""
    bad, n = sum(c.result.outcome is not Outcome.PASSED for c in report.checks), len(report.checks)
    other = sum(not is_expectation(f) for f in reasons)
    told = f"{bad} of {n} expectations did not pass" if bad else f"all {n} expectations passed"
    more = (
        f"{counted(other, 'other finding')} hold{'s' if other == 1 else ''} {what}" if other else ""
    )
    return f"{told}{', and' if bad and more else ', but' if more else ''} {more}".rstrip()


def check_lines(report: Report) -> tuple[CheckLine, ...]:
    """The expectations, those that failed first, the worst of them on top."""
    order = {Outcome.ERROR: 0, Outcome.FAILED: 1, Outcome.PASSED: 2}
    ranked = sorted(report.checks, key=lambda c: (order[c.result.outcome], -c.result.severity.rank))
    return tuple(_line(check, report) for check in ranked)


def row_lines(report: Report, named: Sequence[Named]) -> tuple[RowLine, ...]:
    """These rows with every reason of each."""
    return tuple(_row(row, report) for row in failing_rows(report, named))


def columns_beside_key(report: Report) -> list[str]:
    """The columns of the table of failing rows, whose first column is the key."""
    return [plain(c) for c in report.columns if c != report.key]


def finding_lines(report: Report) -> tuple[FindingLine, ...]:
    """What the other examiners found, the worst first: that publishing would fail, on top."""
    ranked = sorted(other_findings(report), key=lambda f: (not would_fail(f), -f.severity.rank))
    return tuple(_finding(f, report.masked) for f in ranked)


def counts(report: Report) -> dict[str, int]:
    """How many expectations ended how."""
    results = [check.result.outcome for check in report.checks]
    return {outcome.value: results.count(outcome) for outcome in Outcome}


def safe_links(report: Report) -> tuple[Link, ...]:
    """The links that lead to a page; any other address is left out."""
    return tuple(link for link in report.links if safe_address(link.url))


def safe_address(url: str | None) -> str | None:
    """`url` if it is http(s) or a path on this server, else nothing."""
    if not url or any(ord(c) <= 32 or c == "\\" for c in url):
        return None
    try:
        scheme = urlsplit(url).scheme
    except ValueError:
        return None
    local = not scheme and not url.startswith("//")
    return url if scheme in ("http", "https") or local else None


def _line(check: Check, report: Report) -> CheckLine:
    r = check.result
    masked = bool({r.column, *check.columns} & report.masked)
    hidden = masked and not _COUNTS.fullmatch(str(r.measured))
    share = 100 * r.failed_rows / r.rows if r.rows else 0.0
    weight = Severity.CRITICAL if r.outcome is Outcome.ERROR else r.severity
    return CheckLine(
        words=plain(r.words),
        sign=SIGNS[r.outcome],
        outcome=r.outcome.value,
        severity=weight.value,
        measured=MASK if hidden and r.measured is not None else _measured(r),
        expected=_expected(r),
        failed=f"{r.failed_rows:,} of {counted(r.rows, 'row')}" if r.failed_rows else "",
        share=round(max(share, 1.5) if share else 0.0, 2),
        error=MASK if masked and r.error else shortened(plain(r.error)),
        trend=spark(check.trend, measured=not hidden),
        history=safe_address(check.history),
        waive=safe_address(check.waive),
        waived=tuple(shortened(plain(words)) for words in check.waived),
    )


def _measured(result: CheckResult) -> str:
    said_beside = result.failed_rows and _COUNTS.fullmatch(str(result.measured))
    return "" if said_beside else shortened(plain(result.measured))


def _expected(result: CheckResult) -> str:
    # the words say it already, unless the author chose other words
    text = plain(result.expected)
    return "" if text in plain(result.words) else shortened(text)


def _row(row: FailingRow, report: Report) -> RowLine:
    cells = zip(report.columns, row.cells, strict=False)  # no cells where values were not kept
    return RowLine(
        row.key,
        tuple((r.severity.value, plain(r.words)) for r in row.reasons),
        tuple((shortened(spelled(v)), c in row.wrong) for c, v in cells if c != report.key),
    )


def _finding(finding: Finding, masked: frozenset[str]) -> FindingLine:
    return FindingLine(
        plain(finding.check.replace("_", " ")),
        finding.severity.value,
        shortened(plain(masked_sentence(finding, masked))),
        counted(len(finding.keys), "row") if finding.keys else "",
    )
