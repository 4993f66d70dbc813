"""The expectation report as a file beside the snapshot."""

import logging
import re

import pytest

from wfops_pipelines import Policy
from wfops_pipelines.core.reviews import ReviewState

pytestmark = pytest.mark.components

ROWS = [
    {"id": "1", "name": "ann@example.com", "amount": 10},
    {"id": "2", "name": "bob@example.com", "amount": -7},
    {"id": "3", "name": None, "amount": 12},
]


def rows(bench):
    return [{**r, "updated_at": bench.clock.now} for r in ROWS]


def page(bench, seq=1):
    return (bench.folder / f"{seq:06d}-report.html").read_text("utf-8")


def test_every_examined_snapshot_has_its_report_beside_it(bench):
    bench.held(rows(bench))
    text = page(bench)
    assert "Held: <bdi>things #1</bdi>" in text
    assert "name is never empty" in text
    assert re.search(r'class="key"><bdi>2</bdi>', text)
    assert re.search(r'class="key"><bdi>3</bdi>', text)


def test_the_file_needs_no_server(bench):
    bench.held(rows(bench))
    assert "href=" not in page(bench)


def test_the_next_snapshots_report_has_the_trend_of_this_one(bench):
    bench.held(rows(bench))
    bench.run([{"id": "4", "name": "cyd", "amount": 3, "updated_at": bench.clock.now}])
    assert re.search(r"<title>#1: [^<]*fail", page(bench, 2))


def test_a_masked_column_stays_masked_in_the_file(make_bench):
    bench = make_bench(Policy(reviewers="team", masked=("name",), hold_rows_up_to=0.9))
    bench.held(rows(bench))
    assert "example.com" not in page(bench)


def test_a_report_that_cannot_be_written_changes_nothing_else(bench, caplog):
    (bench.folder / "000001-report.html").mkdir(parents=True)
    with caplog.at_level(logging.WARNING):
        review = bench.held(rows(bench))
    assert review.state is ReviewState.PENDING
    assert bench.rows() == []
    assert "things #1: the report could not be written" in caplog.text
    assert not list(bench.folder.glob("*.tmp"))
