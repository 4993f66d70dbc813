"""What a person let go, or mended by an edit, is not held for its type again."""

from decimal import Decimal

import pytest
import sqlalchemy as sa

from tests.conftest import MACHINE
from tests.flow.amounts import page
from wfops_pipelines import Policy, flow
from wfops_pipelines.core.reviews import Edit, Verb
from wfops_pipelines.errors import BadDecision
from wfops_pipelines.reconciling.proving import prove
from wfops_pipelines.reconciling.reconciliation import reconcile
from wfops_pipelines.store import snapshots

pytestmark = pytest.mark.components


@pytest.fixture
def whole(make_bench):
    """A bench whose sync has published four snapshots of whole numbers."""
    bench = make_bench(Policy(reviewers="team", hold_rows_up_to=0.5))
    for number in range(4):
        assert bench.run(page(number)).judged[-1].review is None
    return bench


def kind(bench, snapshot):
    return str(bench.services.rows(snapshot).schema.field("amount").type)


def about_columns(judged):
    """What is said of a column's type, by whichever examiner."""
    found = judged.evidence.findings
    return [f.sentence for f in found if "type" in f.sentence and f.severity.value == "critical"]


@pytest.mark.parametrize(
    ("wrong", "mended"), [("ten", 10), ("ten", "10"), (10.5, 10), (10.5, "10"), ("ten", None)]
)
def test_a_column_whose_wrong_cell_was_edited_is_what_it_was(whole, wrong, mended):
    review = whole.held(page(5, wrong, 20))
    if (wrong, mended) == (10.5, "10"):
        with pytest.raises(BadDecision, match="does not fit the column amount"):
            whole.decide(review, Verb.APPROVE, edits=(Edit("5-0", {"amount": mended}),))
        return
    whole.decide(review, Verb.APPROVE, edits=(Edit("5-0", {"amount": mended}),))
    (judged,) = flow.judge_staged(whole.project, whole.sync, whole.services, MACHINE)
    assert kind(whole, judged.snapshot) == "int64"
    assert not about_columns(judged)
    whole.release(whole.decide(judged.review, Verb.APPROVE, "bob"))
    (after,) = whole.run(page(6)).judged
    assert after.review is None, after.review.summary
    assert kind(whole, after.snapshot) == "int64"
    assert reconcile(whole.sync, whole.services).missing == 0


def test_an_edit_that_leaves_another_wrong_cell_changes_no_type(whole):
    review = whole.held(page(5, "ten", "007", 20))
    whole.decide(review, Verb.APPROVE, edits=(Edit("5-0", {"amount": 10}),))
    (judged,) = flow.judge_staged(whole.project, whole.sync, whole.services, MACHINE)
    assert kind(whole, judged.snapshot) == "string"
    assert about_columns(judged)


def widen(bench):
    with bench.services.engine.begin() as conn:
        conn.execute(sa.text("alter table shop.things alter column amount type numeric"))


def test_fractions_that_were_let_go_after_newer_whole_numbers_are_not_held_again(whole):
    """A hold delays nobody, so that a person mostly answers when newer snapshots are out."""
    widen(whole)
    review = whole.held(page(5, 10.5, 20))
    assert whole.run(page(6)).judged[-1].review is None
    assert about_columns(whole.run(page(7, 11.5, 20)).judged[-1])  # nobody has said yet
    whole.release(whole.decide(review, Verb.APPROVE))
    (judged,) = whole.run(page(8, 10.5, 20)).judged
    assert not about_columns(judged)
    assert kind(whole, judged.snapshot) == "double"
    (judged,) = whole.run(page(9, 10, 20)).judged
    assert not about_columns(judged)
    assert kind(whole, judged.snapshot) == "double"


def test_a_number_that_was_staged_as_text_and_written_as_a_number_is_what_was_staged(whole):
    widen(whole)
    review = whole.held(page(5, "1007.50", 2001))
    assert kind(whole, review_snapshot(whole, review)) == "string"
    whole.release(whole.decide(review, Verb.APPROVE))
    assert whole.rows("amount")[-2:] == [(Decimal("1007.50"),), (2001,)]
    assert prove(whole.sync, whole.services).misfits == ()
    with whole.services.engine.begin() as conn:
        conn.execute(sa.text("update shop.things set amount = 2002 where id = '5-1'"))
    (misfit,) = prove(whole.sync, whole.services).misfits
    assert (misfit.key, misfit.words) == ("5-1", "the destination holds other values of amount")


def review_snapshot(bench, review):
    with bench.services.engine.connect() as conn:
        return snapshots.get(conn, "things", review.seq)


def test_an_edited_snapshot_that_keeps_its_fractions_settles_them(whole):
    """It joins no history of profiles, by which its type would be unheard of."""
    widen(whole)
    review = whole.held(page(5, 10.5, 20))
    whole.decide(review, Verb.APPROVE, edits=(Edit("5-1", {"amount": 20.5}),))
    (edited,) = flow.judge_staged(whole.project, whole.sync, whole.services, MACHINE)
    whole.release(whole.decide(edited.review, Verb.APPROVE, "bob"))
    (judged,) = whole.run(page(6, 11.5, 20)).judged
    assert not about_columns(judged)
    with whole.services.engine.connect() as conn:
        kept = snapshots.evidence(conn, "things", judged.snapshot.seq)[1]["anomaly"]
    assert kept["retyped"] == ["amount"]


def test_whole_numbers_that_are_let_go_late_bring_no_whole_numbers_back(whole):
    widen(whole)
    review = whole.held(page(5, -1, 20, 30))
    fractions = whole.held(page(6, 10.5, 20))
    whole.release(whole.decide(fractions, Verb.APPROVE))
    whole.release(whole.decide(review, Verb.APPROVE))
    assert not about_columns(whole.run(page(7, 10.5, 20)).judged[-1])


def test_decimals_of_as_many_places_are_one_type_however_large_they_are(make_bench):
    bench = make_bench(Policy(reviewers="team", hold_rows_up_to=0.5))
    for number, amounts in enumerate([("1.50", "2.00"), ("3.50", "2.00"), ("2000.10", "1.00")]):
        (judged,) = bench.run(page(number, *map(Decimal, amounts))).judged
        assert not about_columns(judged)
    (judged,) = bench.run(page(9, Decimal("2.125"), Decimal("2.000"))).judged
    assert about_columns(judged)
