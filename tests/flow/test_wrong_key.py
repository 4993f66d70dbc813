"""A first run with a wrong `key=`: what it held can be brought once the key is mended."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.conftest import MACHINE
from tests.flow.test_reading_since import Timely
from wfops_pipelines import Policy, flow
from wfops_pipelines.core.answers import answers
from wfops_pipelines.core.reviews import Actor, Edit, Verb
from wfops_pipelines.deciding.weighing import weigh
from wfops_pipelines.errors import BadDecision
from wfops_pipelines.reconciling.proving import prove
from wfops_pipelines.reconciling.reconciliation import reconcile
from wfops_pipelines.testing import FakeSource

pytestmark = pytest.mark.components

FIRST = datetime(2026, 5, 1, tzinfo=UTC)
ANA = Actor("ana", verified=True)


def row(n):
    at = FIRST + timedelta(hours=n)
    return {"id": str(n), "name": "a name", "amount": 10, "supplier": None, "updated_at": at}


PAGE = [row(n) for n in range(8)]


def keyed(bench, key):
    bench.project.syncs["things"] = replace(bench.sync, key=key)


def whole(bench):
    assert prove(bench.sync, bench.services).misfits == ()
    return reconcile(bench.sync, bench.services)


def again(bench, since=FIRST):
    bench.source.answer(PAGE)
    bench.clock.advance(minutes=15)
    return flow.run_sync(bench.project, bench.sync, bench.services, MACHINE, since=since)


@pytest.fixture
def bench(make_bench):
    bench = make_bench(Policy(reviewers="team", overlap_minutes=60))
    bench.source = Timely(windowed=True)
    bench.project.syncs["things"] = replace(bench.sync, source=bench.source)
    return bench


@pytest.mark.parametrize("key", ["supplier_id", "supplier"])  # not there, null
def test_what_a_wrong_key_held_is_brought_from_a_date_once_it_is_mended(bench, key):
    keyed(bench, key)
    review = bench.held(PAGE)
    assert whole(bench).held == 8
    bench.release(bench.decide(review, Verb.REJECT))
    assert whole(bench).quarantined == 8
    keyed(bench, "id")
    assert whole(bench).quarantined == 8
    assert [j.snapshot.rows for j in again(bench, None).judged] == [2]  # the overlap
    assert whole(bench).published == 2
    assert [j.snapshot.rows for j in again(bench).judged] == [6]
    assert len(bench.rows()) == 8
    assert again(bench).judged == ()
    account = whole(bench)
    assert (account.published, account.quarantined, account.missing) == (8, 8, 0)


def test_with_the_key_mended_a_hold_that_still_waits_is_accounted_for(bench):
    keyed(bench, "supplier_id")
    review = bench.held(PAGE)
    keyed(bench, "id")
    assert whole(bench).held == 8
    again(bench)
    assert len(bench.rows()) == 8
    assert (whole(bench).held, whole(bench).published) == (8, 8)
    bench.release(bench.decide(review, Verb.REJECT))
    assert whole(bench).quarantined == 8


def test_a_wrong_key_that_is_not_mended_brings_nothing_twice(bench):
    keyed(bench, "supplier_id")
    bench.held(PAGE)
    assert again(bench).judged == ()


@pytest.mark.parametrize("key", ["supplier_id", "supplier"])
def test_only_a_rejection_is_offered_and_all_else_is_refused_with_the_way_on(bench, key):
    keyed(bench, key)
    review = bench.held(PAGE)
    with bench.services.engine.connect() as conn:
        weighed = weigh(conn, review, bench.project.syncs["things"], bench.services)
    assert [a.name for a in answers(review, weighed)] == ["reject"]
    way = r"reject.*mend.*`wfops run things --since DATE`"
    for verb, more in (
        (Verb.APPROVE, {}),
        (Verb.APPROVE_CLEAN, {}),
        (Verb.APPROVE, {"edits": (Edit("None", {"amount": 5}),)}),
    ):
        with pytest.raises(BadDecision, match=way):
            bench.decide(review, verb, **more)
    assert bench.review(review.id) == review
    bench.release(bench.decide(review, Verb.REJECT))
    with pytest.raises(BadDecision, match=r"nobody could approve.*`wfops run things --since DATE`"):
        bench.reopen(review, ANA)
    assert whole(bench).quarantined == 8


def test_a_sync_that_reads_everything_each_time_needs_no_date(bench):
    bench.source = FakeSource()
    bench.project.syncs["things"] = replace(bench.sync, source=bench.source, key="supplier_id")
    review = bench.held(PAGE)
    with pytest.raises(BadDecision, match="the next run brings its rows"):
        bench.decide(review, Verb.APPROVE)
    bench.release(bench.decide(review, Verb.REJECT))
    keyed(bench, "id")
    assert [j.snapshot.rows for j in again(bench, None).judged] == [8]
    assert whole(bench).missing == 0


def test_rows_that_one_key_made_one_of_come_once_it_is_mended(bench):
    page = [{**row(n), "country": "de" if n % 2 else "at"} for n in range(8)]
    keyed(bench, "country")
    review = bench.held(page)
    assert "6 of 8 rows that the source gave are not among these" in review.summary
    bench.release(bench.decide(review, Verb.REJECT))
    keyed(bench, "id")
    bench.source.answer(page)
    bench.clock.advance(minutes=15)
    passed = flow.run_sync(bench.project, bench.sync, bench.services, MACHINE, since=FIRST)
    (judged,) = passed.judged
    assert judged.snapshot.rows == 6
    assert "named by id now, and were by country" in judged.review.summary
    bench.release(bench.decide(judged.review, Verb.APPROVE))
    assert [r[0] for r in bench.rows()] == [str(n) for n in range(6)]  # 6 and 7 were rejected
    assert reconcile(bench.sync, bench.services).missing == 0
