"""What a reviewer sees of a hold: plots, reasons of each row, and what would be set in motion."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from starlette.testclient import TestClient

from tests.web.conftest import application
from wfops_pipelines import Above, Always, Policy, workbench
from wfops_pipelines.web.plots import HEIGHT, WIDTH, plot

pytestmark = pytest.mark.components

START = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
def review_page(monkeypatch):
    def get(bench, review):
        monkeypatch.setattr(workbench, "services", lambda: bench.services)
        monkeypatch.setattr(workbench, "project", lambda: bench.project)
        monkeypatch.setattr(workbench, "secret", lambda: b"k" * 32)
        return TestClient(application()).get(f"/wfops/r/{review.id}").text

    return get


def day(number, rows=30, times=1):
    return [
        {
            "id": f"{number:03d}-{i:03d}",
            "name": f"name {i % 7}",
            "amount": (100 + 13 * i + number) * times,
            "updated_at": START + timedelta(days=number, minutes=i),
        }
        for i in range(rows)
    ]


def test_an_anomaly_is_drawn_beside_the_snapshots_before(make_bench, review_page):
    bench = make_bench(Policy(reviewers="team"))
    for number in range(12):
        for judged in bench.run(day(number)).judged:
            assert judged.review is None, judged.review.summary
    review = bench.held(day(12, times=100))
    page = review_page(bench, review)
    assert "above the 11 snapshots before" in page
    (dot,) = re.findall(r'<circle cx="([\d.]+)" cy="6.0"', page)[:1]
    assert float(dot) > WIDTH - 10


def test_each_row_says_why_in_words(make_bench, review_page):
    bench = make_bench(Policy(reviewers="team", hold_rows_up_to=0.9))
    review = bench.held([*day(0, 3), {**day(0)[5], "amount": -3, "name": None}])
    page = review_page(bench, review)
    (why,) = re.findall(r'<td class="why">(.+?)</td>', page)
    assert "name is never empty" in why
    assert "amount is at least 0" in why


def test_masked_columns_give_no_reason_away(make_bench, review_page):
    policy = Policy(reviewers="team", hold_rows_up_to=0.9, masked=("amount",))
    bench = make_bench(policy)
    page = review_page(bench, bench.held([*day(0, 3), {**day(0)[5], "amount": -98765}]))
    assert "98765" not in page


def test_the_sum_at_stake_and_the_messages_are_counted(make_bench, review_page):
    policy = Policy(
        reviewers="team", high_impact=(Above("amount", 200), Always("a message to a customer"))
    )
    bench = make_bench(policy)
    page = review_page(bench, bench.held(day(0, 4)))
    assert f"<b>{sum(r['amount'] for r in day(0, 4)):,}</b> amount, all held rows" in page
    assert "<b>4</b> × a message to a customer" in page


def test_a_plot_stays_inside_its_frame_whatever_the_values():
    for past in ([1, 2, 1e300], [5, 5, 5], [-1e-9, 0, 3], [0.0] * 31):
        found = plot(past)
        xy = [tuple(map(float, p.split(","))) for p in found.line.split()] + [found.dot]
        assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in xy)
    assert plot([1, 2]) is None
    assert plot([3, 4, 1]).words == "below the 2 snapshots before"
