"""The page: a template and the lines that it lays out."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from wfops_pipelines.report import view
from wfops_pipelines.report.model import Report
from wfops_pipelines.report.rows import ROWS_ON_THE_PAGE, named_rows
from wfops_pipelines.report.show import MASK, in_utc, plain

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER = Path(__file__).with_name("templates")


def render_report(report: Report) -> str:
    """The whole page as HTML: no script, no request to anywhere, every value escaped."""
    headline, sentence = view.verdict_words(report)
    named = named_rows(report)
    return (
        environment()
        .get_template("report.html")
        .render(
            report=report,
            headline=headline,
            sentence=sentence,
            counts=view.counts(report),
            checks=view.check_lines(report),
            findings=view.finding_lines(report),
            rows=view.row_lines(report, named[:ROWS_ON_THE_PAGE]),
            all_rows=len(named),
            columns=view.columns_beside_key(report),
            links=view.safe_links(report),
            became_by=view.safe_address(report.became_by),
            changes=_changes(report),
            style=style(),
        )
    )


def _changes(report: Report) -> list[tuple[str, str, str, str]]:
    """Critical fields that change: row, column, old, new, masked as everywhere."""
    found = []
    for key, column, old, new in report.difference.changes[:50] if report.difference else ():
        row = MASK if report.key in report.masked else plain(key)
        values = (MASK, MASK) if column in report.masked else (plain(old), plain(new))
        found.append((row, plain(column), *values))
    return found


@cache
def environment() -> Environment:
    """Templates that escape everything and refuse a name that is not given."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"text": plain, "utc": in_utc}
    return made


@cache
def style() -> str:
    """The style sheet that stands inside each page."""
    return (FOLDER / "report.css").read_text("utf-8")
