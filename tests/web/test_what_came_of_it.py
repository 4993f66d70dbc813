"""Once a request is answered, its page says what came of it, and no more what could."""

import re
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from tests.destinations.contacts_api import contacts_api
from tests.flow.test_left_out import crm
from tests.web.conftest import application
from tests.web.test_review_page import day, review_page  # noqa: F401
from wfops_pipelines import Policy, retrying, undoing
from wfops_pipelines.assist import draft
from wfops_pipelines.core.reviews import Actor, Edit, Verb
from wfops_pipelines.flow import Run

pytestmark = pytest.mark.components
BOB = Actor("bob", verified=True)


@pytest.fixture
def drafted(make_bench, tmp_path):
    """A bench whose sync drafts a reply for each row, and the request about three such rows."""
    (tmp_path / "reply.jinja").write_text("Dear {{ row.name }}", "utf-8")
    bench = make_bench(Policy(reviewers="team", hold_rows_up_to=1.0))
    asked = draft("reply", template=tmp_path / "reply.jinja", context={}, name="name")
    bench.project.syncs["things"] = replace(bench.sync, assist=(asked,))
    return bench, bench.held(day(0, 3))


@pytest.fixture
def said(review_page):  # noqa: F811
    """The sentence above the drafts on the page of a request."""

    def read(bench, review):
        panel = review_page(bench, review).partition("<h2>What was drafted</h2>")[2]
        return re.search(r'<p class="soft">(.*?)</p>', panel, re.DOTALL)[1]

    return read


def test_while_drafts_wait_the_page_says_how_to_accept_them(drafted, said):
    assert "Nothing of it has gone out. Approve the rows to accept it" in said(*drafted)


def test_drafts_that_went_out_are_said_to_have_gone_without_those_left_out(drafted, said):
    bench, review = drafted
    taken = bench.decide(review, Verb.APPROVE, exclude=("000-001",))
    assert "approved with its rows, which have not gone out yet" in said(bench, review)
    bench.release(taken)
    assert "It went out with the approved rows on 20" in (words := said(bench, review))
    assert "but for 1 row left out, in quarantine" in words
    assert "Nothing of it" not in words
    assert "Approve the rows" not in words


def test_drafts_of_rejected_rows_stay_in_quarantine(drafted, said):
    bench, review = drafted
    bench.release(bench.decide(review, Verb.REJECT))
    assert "Nothing of it has gone out: the rows were rejected, and stay" in said(bench, review)


def test_drafts_that_were_edited_are_told_of_by_the_next_request(drafted, said):
    bench, review = drafted
    bench.decide(review, Verb.APPROVE, edits=(Edit("000-000", {"reply": "Dear Ann"}),))
    assert "an edit or a newer snapshot took its place" in said(bench, review)


@pytest.fixture
def report(drafted, review_page):  # noqa: F811
    """The line at the top of the report that says what came of the verdict."""
    bench, review = drafted

    def read():
        review_page(bench, review)  # it is served from this bench
        text = TestClient(application()).get(f"/wfops/reports/things/{review.seq}").text
        found = re.search(r'<p class="became">(.*?)</p>', text)
        return found and found[1]

    return read


def test_a_report_says_who_decided_and_what_went_out(drafted, report):
    bench, review = drafted
    assert report() is None
    taken = bench.decide(review, Verb.APPROVE)
    assert "Approved by ana (unverified) on 20" in report()
    assert "; not published yet<" in report()
    bench.release(taken)
    assert "; 3 rows (held) published on 20" in report()
    assert "not published yet" not in report()
    assert f'href="/wfops/r/{review.id}"' in report()


def test_a_report_says_that_what_was_rejected_stays(drafted, report):
    bench, review = drafted
    bench.release(bench.decide(review, Verb.REJECT))
    assert "Rejected by ana (unverified)" in report()
    assert "; what was held stays in quarantine<" in report()


def test_a_report_says_that_what_went_out_was_taken_back(drafted, report):
    bench, review = drafted
    bench.release(bench.decide(review, Verb.APPROVE))
    asked = undoing.ask("things", 1, "wrong", BOB, bench.project, bench.services)
    bench.release(bench.decide(asked, Verb.APPROVE))
    assert ", and taken back on 20" in report()


def test_the_page_of_a_revert_speaks_of_the_revert(drafted, review_page):  # noqa: F811
    bench, review = drafted
    bench.release(bench.decide(review, Verb.APPROVE))
    asked = undoing.ask("things", 1, "wrong", BOB, bench.project, bench.services)
    page = review_page(bench, asked)
    assert "<h1>Revert things #1" in page
    assert "What was found before it was published" in page
    assert "The rows of this snapshot" in page
    for old in ("Why it is held", "The held rows", "would change", "What was drafted"):
        assert old not in page
    listed = TestClient(application()).get("/wfops").text.partition("Decided lately")[2]
    assert "some rows · by ana" in listed or "whole snapshot · by ana" in listed


def test_lately_decided_failures_say_that_rows_were_left_out(make_bench, review_page):  # noqa: F811
    with contacts_api() as api:
        bench = make_bench(Policy(reviewers="team"), crm(), api.environ)
        bench.source.answer([{**day(0, 1)[0], "name": "odd"}])
        by = Run(Actor("test", "machine"))
        review = retrying.run(bench.project, bench.sync, bench.services, by).review
        bench.decide(review, Verb.LEAVE_OUT)
    review_page(bench, review)
    listed = TestClient(application()).get("/wfops").text.partition("Decided lately")[2]
    assert ">left out</span>" in listed
    assert "failure · by ana" in listed
