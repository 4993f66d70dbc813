"""The inbox narrows down, puts together what has one cause, and leads to the prefilled job."""

import html
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from starlette.applications import Starlette
from starlette.testclient import TestClient

from wfops_pipelines import Above, Policy, workbench
from wfops_pipelines.core import links
from wfops_pipelines.core.confidence import Record
from wfops_pipelines.core.reviews import Actor, Review, ReviewKind, ReviewState, Verb
from wfops_pipelines.deciding import steering
from wfops_pipelines.store import reviews
from wfops_pipelines.web.inbox import MOST, age, causes, choices, due, narrow, ordered
from wfops_pipelines.web.pages import routes

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


def review(n, **more):
    known = {
        "id": f"rv-{n}",
        "sync": "invoices",
        "seq": n,
        "kind": ReviewKind.ROWS,
        "state": ReviewState.PENDING,
        "evidence_hash": f"{n:063d}f",
        "summary": f"{n} of 200 rows held: an invoice above 5,000.00, in {n} rows: in_{n}",
        "group": "finance",
        "opened_at": NOW - timedelta(hours=n),
        "requested_by": "",
    }
    return Review(**{**known, **more})


FEW = [
    review(1),
    review(2, assigned_to="ana"),
    review(3, kind=ReviewKind.WHOLE),
    review(4, sync="contacts", group="revops", seq=4),
    review(5, kind=ReviewKind.FAILURE, seq=None),
]


def ids(found):
    return [r.id for r in found]


def config(href):
    return yaml.safe_load(parse_qs(urlsplit(href).query)["config"][0])


def test_failures_come_first_then_holds_by_impact_doubt_and_age():
    assert ids(ordered(FEW, Record(), NOW)) == ["rv-5", "rv-4", "rv-3", "rv-2", "rv-1"]


@pytest.mark.parametrize(
    ("chosen", "left"),
    [
        ({"sync": "contacts"}, ["rv-4"]),
        ({"group": "finance", "kind": "rows"}, ["rv-2", "rv-1"]),
        ({"for": "ana"}, ["rv-2"]),
        ({"for": "nobody", "kind": "whole"}, ["rv-3"]),
        ({"sync": "'; drop table"}, []),
    ],
)
def test_filters_add_up(chosen, left):
    assert sorted(ids(narrow(FEW, chosen))) == sorted(left)


def test_each_filter_says_how_many_it_leaves_and_the_chosen_one_can_be_dropped():
    found = choices(FEW, {"group": "finance"})
    assert [(c.value, c.count) for c in found["kind"]] == [
        ("rows", 2),
        ("failure", 1),
        ("whole", 1),
    ]
    (finance, revops) = found["group"]
    assert (finance.chosen, finance.href) == (True, "/wfops")
    assert (revops.chosen, revops.href) == (False, "/wfops?group=revops")


def test_what_differs_in_figures_and_rows_only_is_answered_together():
    (cause,) = causes(FEW)
    assert cause.count == 2
    asked = config(cause.href)
    assert asked["reviews"] == [
        {"review": r.id, "evidence": r.evidence_hash} for r in (FEW[0], FEW[1])
    ]
    assert (asked["decision"], asked["reason"]) == (None, "")


def test_one_link_takes_no_more_than_an_address_can():
    (cause,) = causes([review(n) for n in range(1, 60)])
    assert cause.count == 59
    assert len(config(cause.href)["reviews"]) == MOST
    assert len(cause.href) < 8000


def test_an_answer_can_be_filled_in_and_the_reason_never_is():
    assert config(links.decide_launchpad(FEW[0], Verb.REJECT)) == {
        "review": "rv-1",
        "evidence": FEW[0].evidence_hash,
        "decision": "reject",
        "reason": "",
    }


@pytest.mark.parametrize(
    ("waited", "said"),
    [(30, "0 min"), (61 * 60, "1 hour"), (5 * 3600, "5 hours"), (49 * 3600, "2 days")],
)
def test_the_age_is_said_in_one_unit(waited, said):
    opened = NOW - timedelta(seconds=waited)
    assert age(replace(FEW[0], opened_at=opened), NOW) == said


@pytest.fixture
def browser(bench, monkeypatch):
    monkeypatch.setattr(workbench, "services", lambda: bench.services)
    monkeypatch.setattr(workbench, "project", lambda: bench.project)
    monkeypatch.setattr(workbench, "secret", lambda: b"k" * 32)
    return TestClient(Starlette(routes=routes()))


@pytest.mark.components
def test_the_page_shows_filters_owners_causes_and_what_is_paused(bench, browser):
    at = datetime(2026, 5, 1, tzinfo=UTC)
    held = bench.held([{"id": "1", "name": "n", "amount": -5, "updated_at": at}])
    with bench.services.engine.begin() as conn:
        for n in range(250):
            reviews.open_review(conn, replace(held, id=f"rv-{n:04d}"))
    steering.assign("rv-0007", "bob", "knows it", Actor("ana"), bench.services)
    steering.pause("things", "vendor is down", Actor("ana"), bench.project, bench.services)
    page = browser.get("/wfops").text
    assert "251 review requests wait" in page
    assert "Answer these 251 together" in page
    assert "and 51 more" in page
    assert "vendor is down" in page
    mine = browser.get("/wfops?for=bob").text
    assert "rv-0007" in mine
    assert "rv-0008" not in mine
    assert "Nothing fits" in browser.get("/wfops?sync=<b>nowhere</b>").text


@pytest.mark.components
def test_each_request_whose_approval_is_an_override_is_marked(make_bench, monkeypatch):
    bench = make_bench(Policy(reviewers="team", high_impact=(Above("amount", 9),)))
    monkeypatch.setattr(workbench, "services", lambda: bench.services)
    monkeypatch.setattr(workbench, "project", lambda: bench.project)
    monkeypatch.setattr(workbench, "secret", lambda: b"k" * 32)
    at = datetime(2026, 5, 1, tzinfo=UTC)
    wrong = bench.held([{"id": "1", "name": "n", "amount": -5, "updated_at": at}])
    large = bench.held([{"id": "2", "name": "n", "amount": 10, "updated_at": at}])
    page = TestClient(Starlette(routes=routes())).get("/wfops").text
    lines = {r.id: page.partition(f"/r/{r.id}")[2].partition("</li>")[0] for r in (wrong, large)}
    said = 'title="by what was found, approving is an override of the failed critical check amount'
    assert said in lines[wrong.id]
    assert "override" not in lines[large.id]


@pytest.mark.components
def test_a_rejected_request_offers_to_be_reopened_and_a_pending_one_each_answer(bench, browser):
    at = datetime(2026, 5, 1, tzinfo=UTC)
    held = bench.held([{"id": "1", "name": "n", "amount": -5, "updated_at": at}])
    page = browser.get(f"/wfops/r/{held.id}").text
    assert "Re-open" not in page
    approve, reject = re.findall(r'<a class="button[^"]*" href="([^"]+)">', page)
    assert config(html.unescape(approve))["decision"] == "approve"
    assert config(html.unescape(reject))["decision"] == "reject"
    bench.release(bench.decide(held, Verb.REJECT))
    assert "/jobs/reopen/playground" in browser.get(f"/wfops/r/{held.id}").text


@pytest.mark.components
def test_an_approved_request_offers_to_be_reopened_while_rows_of_it_are_in_quarantine(
    bench, browser
):
    at = datetime(2026, 5, 1, tzinfo=UTC)
    rows = [{"id": n, "name": "n", "amount": -5, "updated_at": at} for n in "12"]
    held = bench.held(rows)
    bench.release(bench.decide(held, Verb.APPROVE, exclude=("2",)))
    page = browser.get(f"/wfops/r/{held.id}").text
    assert "The rows that were left in quarantine are held again" in page
    again = bench.reopen(held, Actor("ana"))
    assert "Re-open" not in browser.get(f"/wfops/r/{held.id}").text
    assert "ana asks again about 1 row" in browser.get(f"/wfops/r/{again.id}").text


def test_a_deadline_is_told_before_and_after_it():
    held = review(0)
    assert due(held, 30, NOW) == "due in 1 day"
    assert due(held, 30, NOW + timedelta(hours=29)) == "due in 1 hour"
    assert due(held, 30, NOW + timedelta(hours=30)) == "overdue"
    assert due(held, None, NOW) is None
    assert due(review(0, kind=ReviewKind.FAILURE), 1, NOW) is None
