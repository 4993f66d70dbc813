"""The page of a revert says by row what it restores, beside what is there now."""

import html
import re

import pytest

from tests.destinations.contacts_api import contacts_api
from tests.flow.test_undo import ask, row
from tests.flow.test_undo_rest import crm
from tests.flow.test_undo_rest import row as contact
from tests.web.test_review_page import review_page  # noqa: F401
from wfops_pipelines import Policy
from wfops_pipelines.core.reviews import Actor, Verb
from wfops_pipelines.destinations import database_table

pytestmark = pytest.mark.components

BOB = Actor("bob", verified=True)


@pytest.fixture
def restored(review_page):  # noqa: F811
    """The table of a revert's page: row, what happens to it, column, now, restored."""

    def read(bench, seq):
        review = ask(bench, seq)
        page = review_page(bench, review).partition("What taking it back restores</h2>")[2]
        lines = re.findall(r"<tr><td.*?</tr>", page.partition("</section>")[0])
        cells = [re.findall(r"<td[^>]*>(.*?)</td>", line) for line in lines]
        return [[html.unescape(re.sub("<.*?>", "", c)) for c in line] for line in cells]

    return read


def test_changed_rows_come_with_what_they_were_and_added_ones_go(bench, restored):
    bench.run([row("1"), row("2")])
    bench.run([row("2", 99, 30, name="x"), row("3", 5, 31)])
    assert restored(bench, 2) == [
        ["2", "gets its former values", "name", "x", "n"],
        ["", "", "amount", "99", "10"],
        ["", "", "updated_at", "2026-05-01 09:30:00+00:00", "2026-05-01 09:00:00+00:00"],
        ["3", "is deleted", "", "", ""],
    ]


def test_a_row_that_is_newer_by_now_stays(bench, restored):
    bench.run([row("1")])
    bench.run([row("1", 99, 30)])
    bench.run([row("1", 100, 60)])
    assert restored(bench, 2) == [["1", "stays: a later snapshot has changed it since", "", "", ""]]


def test_rows_that_are_left_in_quarantine_are_no_part_of_it(bench, restored):
    bench.run([row("1"), row("2", -5)])
    assert [line[0] for line in restored(bench, 1)] == ["1"]


def test_masked_columns_stay_masked(make_bench, restored):
    bench = make_bench(Policy(reviewers="team", masked=("amount", "id")))
    bench.run([row("1", 11)])
    bench.run([row("1", 99, 30)])
    told = restored(bench, 2)
    assert ["", "", "amount", "•••", "•••"] in [[*line[:0], "", "", *line[2:]] for line in told]
    assert told[0][0].startswith("sha256:")


def test_of_an_api_the_fields_that_are_sent_back_are_shown(make_bench, restored):
    with contacts_api() as api:
        bench = make_bench(Policy(reviewers="team"), crm(), api.environ)
        bench.run([contact("1", "a@x")])
        bench.run([contact("1", "wrong@x", 30), contact("2", "b@x", 30)])
        assert restored(bench, 2) == [
            ["1", "gets its former values", "email", "wrong@x", "a@x"],
            ["2", "is deleted", "", "", ""],
        ]


def test_rows_that_a_revert_does_not_change_come_last(make_bench, restored):
    with contacts_api() as api:
        bench = make_bench(Policy(reviewers="team"), crm(), api.environ)
        bench.run([contact(str(n), f"{n}@x") for n in range(10, 40)])
        bench.run([contact(str(n), f"{n}@x" if n < 39 else "wrong@x", 30) for n in range(10, 40)])
        told = restored(bench, 2)
        assert told[0] == ["39", "gets its former values", "email", "wrong@x", "39@x"]
        assert {line[1] for line in told[1:]} == {"stays as it is: its former values are the same"}
        assert len(told) == 25


def test_what_is_asked_for_is_not_offered_again(bench, review_page):  # noqa: F811
    bench.run([row("1"), row("2")])
    page = review_page(bench, ask(bench, 1))
    assert "(2 inserted, 0 updated, 0 deleted, 0 left out" in page
    assert "Ask to revert it" not in page


def test_once_it_is_taken_back_there_is_nothing_to_restore(bench, review_page):  # noqa: F811
    bench.run([row("1")])
    bench.run([row("1", 99, 30)])
    review = ask(bench, 2)
    bench.release(bench.decide(review, Verb.APPROVE, actor=BOB))
    assert "What taking it back restores" not in review_page(bench, review)


def test_where_the_destination_keeps_it_the_page_says_so(make_bench, tmp_path, review_page):  # noqa: F811
    environ = {"WFOPS_ERP_URL": f"sqlite:///{tmp_path}/erp.db"}
    bench = make_bench(Policy(reviewers="team"), database_table("erp", "things"), environ)
    bench.run([row("1")])
    assert "is kept at the destination" in review_page(bench, ask(bench, 1))


def test_once_it_is_done_the_page_says_what_was_taken_back(bench, review_page):  # noqa: F811
    bench.run([row("1"), row("2")])
    bench.run([row("1", 99, 30), row("2", 99, 30)])
    bench.run([row("1", 100, 60)])
    review = ask(bench, 2)
    assert "What was taken back" not in review_page(bench, review)
    bench.release(bench.decide(review, Verb.APPROVE, actor=BOB))
    page = review_page(bench, bench.review(review.id))
    assert "1 of 2 restored; 1 stays, for a newer version is there." in page
