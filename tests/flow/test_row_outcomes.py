"""Each decision says something about each flagged row, and the next page shows what."""

from __future__ import annotations

from typing import Any

import pytest

from wfops_pipelines import Policy
from wfops_pipelines.core.reviews import Edit, Verb
from wfops_pipelines.core.row_confidence import RowOutcome, RowRecord
from wfops_pipelines.store import row_outcomes
from wfops_pipelines.web import views

pytestmark = pytest.mark.components
LOW = "amount_is_in_range"


def record(n: int, amount: float = 5, minute: int = 0) -> dict[str, Any]:
    at = f"2026-06-01T10:{minute:02}:00Z"
    return {"id": n, "name": "n", "amount": amount, "updated_at": at}


@pytest.fixture
def bench(make_bench: Any) -> Any:
    return make_bench(Policy(reviewers="team", hold_rows_up_to=0.9))


def known(bench: Any) -> list[RowOutcome]:
    with bench.services.engine.connect() as conn:
        return row_outcomes.of_sync(conn, "things")


def test_rows_that_went_and_rows_that_were_left_out_are_told_apart(bench):
    review = bench.held([record(1), record(2, -1), record(3, -2), record(4, -3)])
    bench.decide(review, Verb.APPROVE, exclude=("3",))
    assert known(bench) == [RowOutcome(LOW, 2, 1)]


def test_rejected_and_edited_rows_were_not_let_go_as_they_were(bench):
    bench.decide(bench.held([record(1), record(2, -1)]), Verb.REJECT)
    assert known(bench) == [RowOutcome(LOW, 0, 1)]
    review = bench.held([record(3), record(4, -1, 1), record(5, -1, 1), record(6, minute=1)])
    bench.decide(review, Verb.APPROVE, edits=[Edit("4", {"amount": 1.0})])
    bench.decide(bench.held(), Verb.APPROVE, who="bob")
    assert sorted(known(bench), key=lambda o: o.let_go) == [
        RowOutcome(LOW, 0, 1), RowOutcome(LOW, 0, 1), RowOutcome(LOW, 1, 0),
    ]  # fmt: skip


def test_the_page_gives_each_flagged_row_a_chance_and_says_on_what_it_rests(bench):
    bench.decide(bench.held([record(1), record(2, -1)]), Verb.REJECT)
    review = bench.held([record(3, minute=2), record(4, -1, 2)])
    with bench.services.engine.connect() as conn:
        shown = views.review_view(conn, bench.project, bench.services, review)
    (row,) = shown["held"]["rows"]
    assert row["confidence"] == RowRecord([RowOutcome(LOW, 0, 1)]).confidence(LOW)
    assert row["confidence"].words == "0% of rows like it were let go (1 decision)"
    assert row["confidence"].chance < 0.5


def test_a_vote_that_is_not_final_counts_nothing(make_bench):
    bench = make_bench(Policy(reviewers="team", hold_rows_up_to=0.9, approvals=2))
    review = bench.held([record(1), record(2, -1)])
    bench.decide(review, Verb.APPROVE)
    assert known(bench) == []
    bench.decide(review, Verb.APPROVE, who="bob")
    assert known(bench) == [RowOutcome(LOW, 1, 0)]
