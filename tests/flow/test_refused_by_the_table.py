"""A value that the table refuses is held with row and column, before a person approves it."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from tests.conftest import MACHINE
from wfops_pipelines import Policy, flow
from wfops_pipelines.core.reviews import Edit, Verb
from wfops_pipelines.reconciling.reconciliation import reconcile

pytestmark = pytest.mark.components

START = datetime(2026, 5, 1, 9, tzinfo=UTC)
TABLE = (
    "create schema shop; create table shop.things (id text primary key, name varchar(6), "
    "amount numeric(6,2) check (amount <> 13), updated_at timestamptz)"
)


def row(id, name="a name", amount=10, minutes=0):
    moment = START + timedelta(minutes=minutes)
    return {"id": id, "name": name, "amount": amount, "updated_at": moment}


@pytest.fixture
def theirs(make_bench):
    bench = make_bench(Policy(reviewers="team", hold_rows_up_to=0.7, masked=("name",)))
    with bench.services.engine.begin() as conn:
        conn.execute(sa.text(TABLE))
    return bench


def test_rows_that_the_table_refuses_wait_with_a_reason_and_the_others_go(theirs):
    bad = [row("2", name="too long"), row("3", amount=10_000), row("4", amount=13)]
    review = theirs.held([row("1"), *bad, row("5")])
    assert review.keys == ("2", "3", "4")
    assert theirs.rows("id") == [("1",), ("5",)]
    said = "1 row (2) cannot be written to table shop.things: name is longer than the 6 characters"
    assert said in review.summary
    assert "Mend the values at the source, in the sync's function or by an edit" in review.summary
    theirs.release(theirs.decide(review, Verb.REJECT))
    assert reconcile(theirs.sync, theirs.services).quarantined == 3


def test_an_edit_that_mends_the_value_lets_the_row_go(theirs):
    review = theirs.held([row("1"), row("2", amount=99_999)])
    theirs.decide(review, Verb.APPROVE, edits=(Edit("2", {"amount": 99}),))
    (judged,) = flow.judge_staged(theirs.project, theirs.sync, theirs.services, MACHINE)
    assert {f.check for f in judged.evidence.findings} == {"edited"}
    theirs.release(theirs.decide(judged.review, Verb.APPROVE, "bob"))
    assert theirs.rows("id, amount") == [("1", 10), ("2", 99)]


def test_a_masked_key_is_named_nowhere(make_bench):
    bench = make_bench(Policy(reviewers="team", hold_rows_up_to=0.7, masked=("id",)))
    with bench.services.engine.begin() as conn:
        conn.execute(sa.text(TABLE))
    review = bench.held([row("1"), row("s3cr3t", amount=10_000)])
    assert review.keys == ("s3cr3t",)
    assert "s3cr3t" not in review.summary
