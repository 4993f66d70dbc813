"""The product's own pages on the real database, with hostile data."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from wfops_pipelines import Policy, workbench
from wfops_pipelines.core.reviews import Verb
from wfops_pipelines.web.pages import routes

pytestmark = pytest.mark.components

EVIL = '<script>alert(1)</script><img src=x onerror="alert(2)">'


def row(id, name="a name", amount=10):
    moment = datetime(2026, 5, 1, tzinfo=UTC) + timedelta(seconds=len(id))
    return {"id": id, "name": name, "amount": amount, "updated_at": moment}


@pytest.fixture
def client(monkeypatch):
    def open_(bench):
        monkeypatch.setattr(workbench, "services", lambda: bench.services)
        monkeypatch.setattr(workbench, "project", lambda: bench.project)
        monkeypatch.setattr(workbench, "secret", lambda: b"k" * 32)
        return TestClient(Starlette(routes=routes()))

    return open_


def test_the_review_page_shows_the_evidence_and_leads_to_the_launchpad(bench, client):
    review = bench.held([row("1"), row("2", amount=-5), row("3")])
    page = client(bench).get(f"/wfops/r/{review.id}")
    assert page.status_code == 200
    assert "amount is at least 0" in page.text
    assert review.evidence_hash in page.text
    assert "/locations/wfops/jobs/decide/playground/setup?config=" in page.text
    assert "snapshot.staged" in page.text


def test_a_decided_review_shows_who_and_why_and_offers_nothing(bench, client):
    review = bench.held([row("1", amount=-5)])
    bench.decide(review, Verb.REJECT, "bob", reason="wrong currency")
    page = client(bench).get(f"/wfops/r/{review.id}").text
    assert "wrong currency" in page
    assert "bob (unverified)" in page
    assert "/jobs/decide" not in page


def test_data_never_becomes_markup(bench, client):
    review = bench.held([row(EVIL, EVIL, -5), {**row("2", EVIL), EVIL: EVIL}, row("3")])
    browser = client(bench)
    for path in ("/wfops", f"/wfops/r/{review.id}", "/wfops/reports/things/1", f"/wfops/{EVIL}"):
        page = browser.get(path)
        assert page.text.count("<script") == page.text.count('<script nonce="')
        assert "<img" not in page.text
        policy = page.headers["content-security-policy"]
        assert policy.startswith("sandbox ")
        assert "allow-same-origin" not in policy
        assert "default-src 'none'" in policy


def test_masked_columns_are_masked_on_every_page(make_bench, client):
    policy = Policy(
        reviewers="team", masked=("name",), critical_fields=("name",), hold_rows_up_to=0.9
    )
    bench = make_bench(policy)
    bench.run([row("1", "Secret-One"), row("2", "x"), row("3", "y")])
    later = {**row("1", "Secret-Two", -4), "updated_at": datetime(2026, 5, 2, tzinfo=UTC)}
    review = bench.held([later, row("44", "z"), row("55", "q")])
    browser = client(bench)
    for path in ("/wfops", f"/wfops/r/{review.id}", "/wfops/reports/things/2"):
        assert "Secret" not in browser.get(path).text


def test_a_report_shows_the_first_failing_rows_and_the_download_has_all(bench, client):
    bench.held([row(f"{i:03d}", f"name {i}", amount=-i) for i in range(1, 231)])
    browser = client(bench)
    page = browser.get("/wfops/reports/things/1").text
    assert len(set(re.findall(r"name (\d+)<", page))) == 200
    assert "230" in page
    download = browser.get("/wfops/reports/things/1/failing.csv").text
    header, *lines = csv.reader(io.StringIO(download))
    amounts = [line[header.index("amount")] for line in lines]
    assert sorted(map(int, amounts)) == list(range(-230, 0))


def test_the_inbox_is_there_for_other_tools_as_well(bench, client):
    review = bench.held([row("1", amount=-5)])
    found = client(bench).get("/wfops/api/reviews").json()
    assert [r["id"] for r in found] == [review.id]


@pytest.mark.parametrize("path", ["/wfops/r/rv-nope", "/wfops/reports/things/99", "/wfops/x/y"])
def test_what_is_not_there_is_said_in_words(bench, client, path):
    page = client(bench).get(path)
    assert page.status_code == 404
    assert "inbox" in page.text


@pytest.mark.parametrize("method", ["post", "put", "delete", "patch"])
def test_no_page_takes_anything_but_get(bench, client, method):
    assert getattr(client(bench), method)("/wfops").status_code == 405
