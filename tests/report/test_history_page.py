"""The history tells which expectations fail, and when, under the same rules as a report."""

from dataclasses import replace
from datetime import timedelta

from tests.report.sample_reports import HOSTILE, NOW, trend
from wfops_pipelines.core.findings import Severity
from wfops_pipelines.report import History, PastSnapshot, Trend, render_history


def history(**changes):
    values = [100.0 + i for i in range(10)]
    made = History(
        sync="billing_invoices",
        trends=(
            Trend("id is unique", Severity.CRITICAL, trend("." * 10), ("id",), "/wfops/h/1"),
            Trend("email is never empty", Severity.CRITICAL, trend("....x.x..."), ("email",)),
            Trend(
                "the mean of amount is at most 9", Severity.INFO, trend("." * 10, values), ("a",)
            ),
        ),
        snapshots=tuple(
            PastSnapshot(40 + i, NOW + timedelta(hours=i), 4000, "settled", f"/wfops/s/{i}")
            for i in range(10)
        ),
        written_at=NOW,
    )
    return replace(made, **changes)


def test_the_least_reliable_expectation_comes_first():
    html = render_history(history())
    assert html.index("email is never empty") < html.index("id is unique")
    assert "#46" in html
    assert "passed 8 of the last 10" in html


def test_the_newest_snapshot_comes_first_and_leads_to_its_report():
    html = render_history(history())
    assert html.index('href="/wfops/s/9"') < html.index('href="/wfops/s/0"')
    assert "1 of 3 failed" in html
    assert "all 3 passed" in html


def test_one_expectation_shows_what_was_measured_each_time():
    html = render_history(history(trends=history().trends[2:], back="/wfops/h"))
    assert "the mean of amount is at most 9: billing_invoices" in html
    assert "109" in html
    assert "all expectations" in html


def test_measured_values_of_masked_columns_are_not_in_the_history():
    html = render_history(history(trends=history().trends[2:], masked=frozenset({"a"})))
    assert "109" not in html
    assert "•••" in html


def test_hostile_words_are_text_in_the_history():
    evil = "".join(HOSTILE)
    bad = Trend(evil, Severity.INFO, trend("x"), (), "javascript:alert(1)")
    html = render_history(history(sync=evil, trends=(bad,), back="data:text/html,x"))
    assert "<script" not in html
    assert "<img" not in html
    assert "javascript:" not in html.lower()


def test_a_sync_without_history_has_a_page():
    assert "the last 0 snapshots" in render_history(history(trends=(), snapshots=()))
