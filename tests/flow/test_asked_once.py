"""Of a sync without a cursor, a row that somebody let go waits again only where it would act."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from tests.destinations.contacts_api import contacts_api
from wfops_pipelines import Above, Always, Policy, rest_destination
from wfops_pipelines.core.findings import Severity
from wfops_pipelines.core.reviews import Verb
from wfops_pipelines.reconciling.proving import prove

pytestmark = pytest.mark.components

LARGE = Policy(reviewers="team", hold_rows_up_to=0.9, high_impact=(Above("amount", 100),))


def row(id, amount=10, name="n"):
    return {"id": id, "name": name, "amount": amount}


PAGE = [row("1"), row("2", 500), row("3", 700), row("4")]


@pytest.fixture
def whole(make_bench):
    """A sync without a cursor."""

    def make(policy=LARGE, **changes):
        bench = make_bench(policy, **changes)
        bench.project.syncs["things"] = replace(bench.sync, cursor=None)
        return bench

    return make


@pytest.fixture
def approved(whole):
    """One whose large rows 2 and 3 somebody let go."""
    bench = whole()
    bench.release(bench.decide(bench.held(PAGE), Verb.APPROVE))
    return bench


def waiting(bench, *pages):
    """The rows of which a run says that they are of high impact."""
    (judged,) = bench.run(*pages).judged
    if judged.review is None:
        return []
    found = bench.evidence(judged.review).findings
    return [key for f in found if f.check == "high_impact" for key in f.keys]


def by_hand(bench, said):
    with bench.services.engine.begin() as conn:
        conn.execute(sa.text(said))


def test_an_approved_row_is_not_asked_about_again(approved):
    for _ in range(3):
        assert waiting(approved, PAGE) == []
    assert prove(approved.sync, approved.services).misfits == ()


def test_only_what_changed_is_asked_about(approved):
    assert waiting(approved, [row("1"), row("2", 500), row("3", 701), row("5", 900)]) == ["3", "5"]
    assert waiting(approved, [row("1"), row("2", 500, "another"), row("3", 700)]) == ["2"]


def test_a_value_that_comes_back_is_asked_about(approved):
    assert waiting(approved, [row("1"), row("2", 50), row("3", 700), row("4")]) == []
    assert waiting(approved, PAGE) == ["2"]


def test_what_somebody_changed_at_the_destination_is_asked_about(approved):
    by_hand(approved, "update shop.things set amount = 1 where id = '2'")
    assert waiting(approved, PAGE) == ["2"]
    by_hand(approved, "delete from shop.things where id = '3'")
    assert waiting(approved, PAGE) == ["2", "3"]


def test_what_the_destination_holds_and_nobody_let_go_is_asked_about(whole):
    bench = whole()
    bench.run([row("1"), row("2")])
    by_hand(bench, "update shop.things set amount = 500 where id = '2'")
    assert waiting(bench, [row("1"), row("2", 500)]) == ["2"]


def test_nobody_knows_where_the_file_is_lost(approved):
    for file in approved.folder.glob("*.parquet"):
        file.unlink()
    assert waiting(approved, [row("1", 11), *PAGE[1:]]) == ["2", "3"]


def test_what_stayed_as_another_value_was_rejected_is_not_asked_about(approved):
    review = approved.held([row("1"), row("2", 500), row("3", 800), row("4")])
    approved.release(approved.decide(review, Verb.REJECT))
    assert waiting(approved, [row("1"), row("2", 500), row("3", 700), row("4")]) == []


def test_each_rule_of_an_api_that_is_read(whole):
    with contacts_api() as api:
        crm = rest_destination(
            "crm", "POST /contacts", update="PATCH /contacts/{remote_id}",
            read="GET /contacts/{remote_id}", record="contact",
            body={"email": "{name}", "ref": "{id}"},
        )  # fmt: skip
        every = replace(LARGE, high_impact=(Always("a customer is told"),), scope="whole")
        bench = whole(every, destination=crm, environ=api.environ)
        page = [row("1", name="a@x"), row("2", name="b@x")]
        bench.release(bench.decide(bench.held(page), Verb.APPROVE))
        assert waiting(bench, page) == []
        assert waiting(bench, [page[0], row("2", name="b2@x")]) == ["2"]


def priced(**changes):
    return [row(f"p{n:02}", changes.get(f"p{n:02}", 10 + n)) for n in range(25)]


def test_a_value_that_is_put_back_to_what_the_destination_holds_is_no_replay(whole):
    bench = whole()
    bench.run(priced())
    bench.run(priced(p03=14))
    raised = priced(p03=600)
    bench.release(bench.decide(bench.held(raised), Verb.REJECT))
    bench.run(raised)
    assert [j.review for j in bench.run(priced(p03=14)).judged] == [None]


def test_an_old_snapshot_that_would_take_something_back_is_a_replay(whole):
    bench = whole()
    bench.run(priced())
    bench.run(priced(p03=14))
    bench.run(priced(p03=15))
    (found,) = [
        f for f in bench.evidence(bench.held(priced(p03=14))).findings if "replay" in f.sentence
    ]
    assert found.severity is Severity.CRITICAL
