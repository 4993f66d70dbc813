"""What a reviewer sees of a hold: plots, reasons of each row, and what would be set in motion."""

import html
import random
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

import pytest
from starlette.testclient import TestClient

from tests.destinations.contacts_api import contacts_api
from tests.flow.test_left_out import crm
from tests.web.conftest import application
from wfops_pipelines import Above, Always, Policy, retrying, workbench
from wfops_pipelines.core.reviews import Actor, Verb
from wfops_pipelines.errors import (
    BadDecision,
    DestinationRefused,
    RefusedRow,
    SettingsError,
    SourceRefused,
)
from wfops_pipelines.failing import report_failure
from wfops_pipelines.flow import Run
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
    assert "anomaly (numbers) · measured" in page
    why = page.partition("Why it is held")[2].partition("</section>")[0]
    for finding in why.split("<li>")[1:]:
        strong = '<span class="tag critical">' in finding
        assert not (strong and "within the 11 snapshots before" in finding)
    (dot,) = re.findall(r'<circle cx="([\d.]+)" cy="6.0"', page)[:1]
    assert float(dot) > WIDTH - 10


def test_of_a_masked_column_the_kind_of_an_anomaly_is_told_and_no_value(make_bench, review_page):
    bench = make_bench(Policy(reviewers="team", masked=("amount",)))
    for number in range(12):
        bench.run(day(number))
    page = review_page(bench, bench.held(day(12, times=100)))
    (said,) = re.findall(r"<strong>(amount .masked.: [^<]*)</strong>\s*<div[^>]*>([^<]*)<", page)[
        :1
    ]
    assert "above" in said[0]
    assert said[1] == "anomaly (numbers)"


def test_each_row_says_why_in_words(make_bench, review_page):
    bench = make_bench(Policy(reviewers="team", hold_rows_up_to=0.9))
    review = bench.held([*day(0, 3), {**day(0)[5], "amount": -3, "name": None}])
    page = review_page(bench, review)
    (why,) = re.findall(r'<td class="why">(.+?)</td>', page)
    assert "name is never empty" in why
    assert "amount is at least 0" in why


def test_where_no_row_has_a_key_the_page_offers_a_rejection_only(make_bench, review_page):
    bench = make_bench(Policy(reviewers="team"))
    bench.project.syncs["things"] = replace(bench.sync, key="uid")
    page = review_page(bench, bench.held(day(0, 3)))
    assert "there is no key column" in page
    assert re.findall(r'<a class="button[^>]*>([^<]+)</a>', page)[0] == "Reject"
    assert "wfops decide" in page
    assert "approve --reason" not in page
    assert "--set KEY.COLUMN" not in page


def test_what_is_measured_of_high_impact_is_what_was_expected(make_bench, review_page):
    bench = make_bench(Policy(reviewers="team", scope="whole", high_impact=(Above("amount", 0.5),)))
    page = " ".join(review_page(bench, bench.held(day(0, 3))).split())
    assert "measured 3 · expected no row above 0.5 · 3 rows" in page


def buttons(page):
    return [html.unescape(b) for b in re.findall(r'<a class="button[^>]*>([^<]+)</a>', page)]


def test_an_approval_that_is_an_override_is_called_so_before(make_bench, review_page):
    bench = make_bench(Policy(reviewers="team", scope="whole"))
    page = review_page(bench, bench.held([*day(0, 3), {**day(0)[5], "amount": -3}]))
    assert "Approving is an override of the failed critical check amount_is_in_range" in page
    assert "needs the role override (ana, bob, cyd)" in page
    assert buttons(page) == ["Approve (override)", "Approve clean", "Reject"]
    (approve,) = re.findall(r'href="([^"]+)">Approve \(override\)', page)
    assert "# this is an override of the failed critical check" in unquote(html.unescape(approve))
    assert "publishes all of it as it is; that is an override of the failed critical" in page


def test_an_approval_of_what_a_person_is_to_judge_is_no_override(make_bench, review_page):
    bench = make_bench(Policy(reviewers="team", high_impact=(Above("amount", 100),)))
    page = review_page(bench, bench.held(day(0, 3)))
    assert "override" not in page.partition("Audit trail")[0]


def facts(page):
    """What would be set in motion, as the page has it above the held rows."""
    found = re.findall(r"<div><b>([^<]*)</b> (amount[^<]*)</div>", page)
    return [f"{html.unescape(much)} {what}" for much, what in found]


@pytest.mark.parametrize(
    ("amounts", "told"),
    [
        (("1007.50", "ten", 200), "1,207.50 amount, all held rows together; 1 value is no number"),
        ((float("nan"), 200.5), "200.5 amount, all held rows together; 1 value is no number"),
        ((START.date(), None), "? amount, all held rows together: 1 value is no number"),
    ],
)
def test_what_an_amount_arrives_as_breaks_no_page(make_bench, review_page, amounts, told):
    bench = make_bench(Policy(reviewers="team", high_impact=(Above("amount", 50_000),)))
    assert bench.run(day(0)).judged[-1].review is None
    rows = [{**r, "amount": a} for r, a in zip(day(1), amounts, strict=False)]
    assert facts(review_page(bench, bench.held(rows))) == [told]


def test_where_every_row_is_flagged_no_clean_ones_are_offered(make_bench, review_page):
    bench = make_bench(Policy(reviewers="team"))
    review = bench.held([{**r, "amount": -1} for r in day(0, 3)])
    page = review_page(bench, review)
    assert buttons(page) == ["Approve (override)", "Reject"]
    assert "approve_clean" not in page
    with pytest.raises(BadDecision, match="would publish nothing, for every row is flagged"):
        bench.decide(review, Verb.APPROVE_CLEAN)


def test_one_row_is_not_called_rows(make_bench, review_page):
    bench = make_bench(Policy(reviewers="team", hold_rows_up_to=0.9))
    review = bench.held([*day(0, 1), {**day(0)[5], "amount": -3}])
    bench.release(bench.decide(review, Verb.APPROVE))
    page = review_page(bench, review)
    assert "Published: 1 held row (" in page
    assert "<b>1</b> row inserted" in page
    assert not re.search(r"\b1 (\w+ )?rows", re.sub("<.*?>", "", page))


def test_masked_columns_give_no_reason_away(make_bench, review_page):
    policy = Policy(reviewers="team", hold_rows_up_to=0.9, masked=("amount",))
    bench = make_bench(policy)
    page = review_page(bench, bench.held([*day(0, 3), {**day(0)[5], "amount": -98765}]))
    assert "98765" not in page


def test_a_masked_key_is_on_no_page_and_in_no_message(make_bench, review_page):
    policy = Policy(
        reviewers="team",
        hold_rows_up_to=0.9,
        masked=("id",),
        critical_fields=("name",),
        high_impact=(Above("amount", 200),),
    )
    bench = make_bench(policy)
    bench.run(day(0, 6))
    later = {"updated_at": START + timedelta(hours=9)}
    changed = [{**r, "name": "new", "amount": -r["amount"], **later} for r in day(0, 6)]
    review = bench.held([*changed, {**day(0, 20)[-1], **later}])
    page = review_page(bench, review)
    assert "amount is above 200, in 1 row<" in page
    assert not re.search(r"000-0\d\d", review.summary + page)


def test_rows_of_a_doubtful_order_name_no_masked_key(make_bench, review_page):
    bench = make_bench(Policy(reviewers="team", masked=("id",)))
    bench.run(day(5, 6))
    review = bench.held([{**r, "updated_at": START - timedelta(days=9)} for r in day(5, 3)])
    page = review_page(bench, review)
    assert "(one of them: a version of" in page
    assert not re.search(r"005-0\d\d", review.summary + page)


@pytest.fixture
def flooded(make_bench):
    """A sync with a history, and a held snapshot whose every amount is a hundred times as large."""

    def make(policy):
        bench = make_bench(policy)
        dice = random.Random(1)
        for number in range(9):
            rows = [{**r, "amount": dice.randrange(1000, 9000)} for r in day(number, 60)]
            for judged in bench.run(rows).judged:
                assert judged.review is None, judged.review.summary
        bold = replace(bench.sync, policy=replace(policy, false_holds=0.5))
        bench.project.syncs["things"] = bold  # so few rows can be judged by
        return bench, bench.held(day(9, 60, times=10_000))

    return make


def test_odd_rows_of_one_column_are_told_together_and_each_with_its_reasons(flooded, review_page):
    bench, review = flooded(Policy(reviewers="team"))
    page = review_page(bench, review)
    told = page.partition("<h2>The held rows</h2>")[0].count("unlike the published rows")
    assert 1 <= told <= 2
    assert re.search(r"\d\d rows are unlike the published rows, most of all row 009-0", page)
    reasons = re.findall(r'<td class="why">(.+?)</td>', page)
    of_values = [r for r in reasons if "amount: " in r and "is far from most published" in r]
    assert len(set(of_values)) > 20
    report = TestClient(application()).get(f"/wfops/reports/things/{review.seq}").text
    assert len(set(re.findall(r"amount: (\d+) is far from most published", report))) > 20


def test_odd_rows_name_no_masked_key(flooded, review_page):
    bench, review = flooded(Policy(reviewers="team", masked=("id", "name")))
    page = review_page(bench, review)
    assert "most of all a row" in page
    assert not re.search(r"009-0\d\d", review.summary + page)


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


@pytest.mark.parametrize("masked", [(), ("id", "name")])
def test_a_failures_page_shows_the_refused_rows_and_a_way_out(make_bench, review_page, masked):
    with contacts_api() as api:
        bench = make_bench(Policy(reviewers="team", masked=masked), crm(), api.environ)
        rows = day(0, 2)
        rows[0]["name"] = "<b>odd</b>"
        rows[1]["name"] = "b@x"
        bench.source.answer(rows)
        by = Run(Actor("test", "machine"))
        review = retrying.run(bench.project, bench.sync, bench.services, by).review
    page = review_page(bench, review)
    assert f"wfops decide {review.id} leave_out --reason" in page
    assert "decision%3A%20leave_out" in page
    assert "<b>" not in page
    assert ("000-000" in page, "odd" in page) == (not masked, not masked)
    assert "was refused with 422" in page
    assert "else leave out the rows that were refused" in page


def test_of_held_rows_it_shows_what_publishing_those_would_change(make_bench, review_page):
    bench = make_bench(Policy(reviewers="team", hold_rows_up_to=0.9, critical_fields=("name",)))
    bench.run(day(0, 6))
    rows = day(0, 9)
    changed = {**rows[0], "name": "other", "updated_at": START + timedelta(days=1)}
    page = review_page(
        bench, bench.held([changed, *rows[6:], {**rows[5], "id": "x", "amount": -3}])
    )
    panel = page.partition("What publishing the held rows would change")[2].partition("<section")[0]
    assert re.findall(r"<b>(\d+)</b> rows? (\w+)", panel) == [
        ("1", "inserted"), ("1", "updated"), ("0", "unchanged"), ("0", "deleted"),
    ]  # fmt: skip
    assert "other" in panel


@pytest.mark.parametrize(
    "error",
    [SourceRefused("it said 404"), KeyError("id"), SettingsError("WFOPS_CRM_TOKEN is not set")],
)
def test_every_failure_has_a_page(make_bench, review_page, error):
    bench = make_bench(Policy(reviewers="team"))
    review = report_failure(bench.sync, "extraction", error, bench.services, "a run")
    page = review_page(bench, review)
    assert "What failed" in page
    assert str(error) in page.replace("&#39;", "'")
    assert f"wfops decide {review.id} retry --reason" in page


def test_many_refused_rows_are_counted_and_stand_in_no_address(bench, review_page):
    rows = [RefusedRow(1, f"k{i}", "create", "no e-mail") for i in range(150)]
    bench.run(day(0, 1))
    error = DestinationRefused("no e-mail", rows=rows)
    page = review_page(bench, report_failure(bench.sync, "publishing", error, bench.services, None))
    assert page.count("<td>create</td><td>no e-mail</td>") == 100
    assert "and 50 more" in page
    assert "exclude" not in page.partition("card decision")[2]
