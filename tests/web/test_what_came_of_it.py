"""Once a request is answered, its page says what came of it, and no more what could."""

import re
from dataclasses import replace

import pytest

from tests.web.test_review_page import day, review_page  # noqa: F401
from wfops_pipelines import Policy
from wfops_pipelines.assist import draft
from wfops_pipelines.core.reviews import Edit, Verb

pytestmark = pytest.mark.components


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
