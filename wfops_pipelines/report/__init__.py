"""The expectation report: one page a snapshot, and its failing rows as a CSV file.

    page = render_report(Report(snapshot, verdict, checks, …))

Pure functions of frozen values: nothing is read, fetched or written. The page is self-contained,
holds no script, and escapes whatever the data, the suite or the column names say.
"""

from wfops_pipelines.report.download import failing_rows_csv
from wfops_pipelines.report.history import History, PastSnapshot, Trend, render_history
from wfops_pipelines.report.model import Check, Link, Past, Report
from wfops_pipelines.report.page import render_report
from wfops_pipelines.report.rows import ROWS_ON_THE_PAGE, named_rows

__all__ = [
    "ROWS_ON_THE_PAGE",
    "Check",
    "History",
    "Link",
    "Past",
    "PastSnapshot",
    "Report",
    "Trend",
    "failing_rows_csv",
    "named_rows",
    "render_history",
    "render_report",
]
