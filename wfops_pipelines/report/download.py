"""The failing rows as CSV that a spreadsheet shows and never runs."""

from __future__ import annotations

import csv
import io
import re

from wfops_pipelines.core.findings import Json
from wfops_pipelines.report.model import Report
from wfops_pipelines.report.rows import failing_rows, named_rows
from wfops_pipelines.report.show import spelled

_FORMULA = re.compile(r"[\s\x00-\x1f\u00a0\ufeff]*[=+\-@|%\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")


def failing_rows_csv(report: Report) -> str:
    """Every failing row: its key, its reasons, then the snapshot's columns, masked as on the page.

    Every cell is quoted, and text that a spreadsheet would take for a formula starts with an
    apostrophe. Numbers stay numbers.
    """
    out = io.StringIO()
    write = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow
    write([safe_cell(name) for name in ("row", "reasons", *report.columns)])
    for row in failing_rows(report, named_rows(report)):
        reasons = "; ".join(f"{r.severity.value}: {r.words}" for r in row.reasons)
        write([safe_cell(cell) for cell in (row.key, reasons, *row.cells)])
    return out.getvalue()


def safe_cell(value: Json) -> str:
    """One cell as text that no spreadsheet takes for a formula."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else spelled(value)
    text = text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
    if _FORMULA.match(text) and not _NUMBER.fullmatch(text):
        return f"'{text}"
    return text
