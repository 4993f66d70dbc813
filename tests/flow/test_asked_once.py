"""A sync without a cursor that tells its rows again waits only for what would do something."""

from dataclasses import replace

import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from tests.destinations.contacts_api import contacts_api
from wfops_pipelines import Above, Always, Policy, flow, publishing, rest_destination, undoing
from wfops_pipelines.core.findings import Severity
from wfops_pipelines.core.reviews import Actor, Verb
from wfops_pipelines.reconciling.proving import prove
from wfops_pipelines.store import snapshots

pytestmark = pytest.mark.components

ANA, BOB = Actor("ana", verified=True), Actor("bob", verified=True)
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


def revert(bench, seq):
    asked = undoing.ask("things", seq, "wrong", ANA, bench.project, bench.services)
    bench.release(bench.decide(asked, Verb.APPROVE, actor=BOB))


@pytest.fixture
def waits(whole):
    """2 and 3 were let go once, and stand; a snapshot waits as a whole, for 5."""
    bench = whole(replace(LARGE, scope="whole"))
    bench.release(bench.decide(bench.held(PAGE), Verb.APPROVE))
    review = bench.held([*PAGE, row("5", 900)])
    found = {f.check: f.keys for f in bench.evidence(review).findings}
    assert (found["high_impact"], found["unchanged"]) == (("5",), ("2", "3"))
    return bench, review


ALL_OR_CLEAN = pytest.mark.parametrize(
    ("verb", "new"), [(Verb.APPROVE, [("5", 900)]), (Verb.APPROVE_CLEAN, [])]
)


def newest(bench):
    with bench.services.engine.connect() as conn:
        return snapshots.get(conn, "things", 3)


def large(bench):
    return [r for r in bench.rows("id, amount") if r[1] > 100]


def other_there(bench):
    """The rows of which reconcile says that the destination holds something else."""
    return [found.key for found in prove(bench.sync, bench.services).misfits]


@ALL_OR_CLEAN
def test_what_was_taken_back_while_all_waited_does_not_go_with_the_rest(waits, verb, new):
    bench, review = waits
    revert(bench, 1)
    assert bench.rows("id") == []
    bench.release(bench.decide(review, verb))
    assert bench.rows("id, amount") == [("1", 10), ("4", 10), *new]
    assert other_there(bench) == []


@ALL_OR_CLEAN
def test_what_somebody_changed_while_all_waited_stays_and_the_next_run_asks(waits, verb, new):
    bench, review = waits
    by_hand(bench, "update shop.things set amount = 1 where id = '2'")
    bench.release(bench.decide(review, verb))
    assert large(bench) == [("3", 700), *new]
    assert other_there(bench) == ["2"]
    assert waiting(bench, PAGE) == ["2"]


def test_what_still_stands_goes_with_the_rest_and_stays_known(approved):
    review = approved.held([*PAGE, row("5", 900)])
    approved.release(approved.decide(review, Verb.APPROVE))
    assert waiting(approved, [*PAGE, row("5", 900)]) == []
    assert large(approved) == [("2", 500), ("3", 700), ("5", 900)]


def test_what_changes_between_the_verdict_and_publishing_is_not_written(approved):
    approved.source.answer(PAGE)
    approved.clock.advance(minutes=15)
    run = flow.Run(Actor("gate", "machine"))
    (judged,) = flow.stage_and_judge(approved.project, approved.sync, approved.services, run)
    assert judged.review is None
    by_hand(approved, "update shop.things set amount = 1 where id = '2'")
    publishing.publish_cleared(approved.sync, approved.services, run.actor)
    assert large(approved) == [("3", 700)]
    assert waiting(approved, PAGE) == ["2"]
    assert other_there(approved) == ["2"]


def test_a_rejection_of_all_puts_away_nothing_that_stands(waits):
    bench, review = waits
    bench.release(bench.decide(review, Verb.REJECT))
    assert waiting(bench, [*PAGE, row("5", 900)]) == []
    (told,) = bench.services.folder("things").glob(f"{newest(bench).digest}.parquet")
    assert pq.read_table(told)["id"].to_pylist() == ["1", "2", "3", "4"]
    assert other_there(bench) == []


def test_what_was_not_taken_back_as_the_next_run_had_told_it_again_stays_known(approved):
    approved.run(PAGE)
    revert(approved, 1)
    assert large(approved) == [("2", 500), ("3", 700)]
    (judged,) = approved.run([row("1", 11), *PAGE[1:]]).judged
    assert (judged.snapshot.rows, judged.review) == (4, None)
    by_hand(approved, "update shop.things set amount = 1 where id in ('3', '4')")
    assert waiting(approved, PAGE) == ["3"]
    assert approved.rows("id, amount")[3] == ("4", 10)


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
