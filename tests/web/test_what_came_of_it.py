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
from wfops_pipelines.flow import Run, judge_staged

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
def goes_on(review_page):  # noqa: F811
    """Where the page of a request leads that another one took the place of; the inbox as well."""

    def read(bench, review):
        found = re.findall(
            r'[Ii]n its place:? (<a href="[^"]+">[^<]+</a>)', review_page(bench, review)
        )
        inbox = TestClient(application()).get("/wfops").text.partition("Decided lately")[2]
        assert all(f"in its place {link}" in inbox for link in found)
        return found

    return read


def test_an_edited_request_leads_to_the_one_about_the_edit(drafted, goes_on):
    bench, review = drafted
    bench.decide(review, Verb.APPROVE, edits=(Edit("000-000", {"reply": "Dear Ann"}),))
    (link,) = goes_on(bench, review)
    assert link == '<a href="/wfops/reports/things/2">the edited snapshot #2</a>'
    (judged,) = judge_staged(bench.project, bench.sync, bench.services, Run(Actor("g", "machine")))
    (link,) = goes_on(bench, review)
    assert f"/wfops/r/{judged.review.id}" in link
    assert "the request about the edited snapshot #2, which waits" in link
    bench.decide(judged.review, Verb.REJECT, "bob")
    assert "which is rejected" in goes_on(bench, review)[0]


def test_a_request_that_a_newer_snapshot_made_moot_leads_to_that(bench, goes_on):
    bench.project.syncs["things"] = replace(bench.sync, cursor=None)
    old = bench.held([{**r, "amount": -1} for r in day(0, 3)])
    new = bench.held([{**r, "amount": -2} for r in day(0, 3)])
    assert goes_on(bench, new) == []
    (link,) = goes_on(bench, old)
    assert f"/wfops/r/{new.id}" in link
    assert "the newer snapshot #2" in link
    bench.run(day(0, 3))
    (link,) = goes_on(bench, new)
    assert link == '<a href="/wfops/reports/things/3">the newer snapshot #3</a>'


def test_a_failure_that_shows_other_rows_by_now_leads_to_the_request_that_does(make_bench, goes_on):
    with contacts_api() as api:
        bench = make_bench(Policy(reviewers="team"), crm(), api.environ)
        by = Run(Actor("test", "machine"))
        asked = []
        for name in ("odd", "odder"):
            bench.source.answer([{**day(0, 1)[0], "name": name, "id": name}])
            bench.clock.advance(minutes=15)
            asked.append(retrying.run(bench.project, bench.sync, bench.services, by).review)
            with bench.services.engine.begin() as conn:
                conn.exec_driver_sql("update wfops.deliveries set state = 'delivered'")
        (link,) = goes_on(bench, asked[0])
        assert f"/wfops/r/{asked[1].id}" in link


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


def test_while_a_newer_version_of_a_refused_row_waits_the_page_says_so(
    make_bench,
    review_page,  # noqa: F811
):
    with contacts_api() as api:
        bench = make_bench(Policy(reviewers="team"), crm(), api.environ)
        found = []
        for n, name in enumerate(["odd", "b@x"]):
            bench.source.answer([{**day(n, 1)[0], "name": name, "id": "7"}])
            bench.clock.advance(minutes=15)
            by = Run(Actor("test", "machine"))
            found.append(retrying.run(bench.project, bench.sync, bench.services, by).review)
            told = "newer staged already: 7 (#2)" in review_page(bench, found[0])
            assert told == (n == 1)
        bench.decide(found[0], Verb.LEAVE_OUT)
    assert "newer staged" not in review_page(bench, found[0])
