"""The project names another key while rows wait: what was decided about names stays about them."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.conftest import MACHINE
from wfops_pipelines import Policy, flow, publishing
from wfops_pipelines.core.reviews import Actor, Edit, Verb
from wfops_pipelines.errors import BadDecision
from wfops_pipelines.reconciling.proving import prove

pytestmark = pytest.mark.components

ANA, BOB = Actor("ana", verified=True), Actor("bob", verified=True)
WHOLE = Policy(reviewers="team", scope="whole")


def row(id, code, amount=10):
    at = datetime(2026, 5, 1, 9, tzinfo=UTC)
    return {"id": id, "name": "n", "amount": amount, "code": code, "updated_at": at}


# the texts of one key are the other's, of other rows: nothing fails of itself
PAGE = [row("1", "2"), row("2", "3", -5), row("3", "1")]


def rekeyed(bench):
    bench.project.syncs["things"] = replace(bench.sync, key="code")


def accounted(bench):
    proof = prove(bench.sync, bench.services)
    assert proof.misfits == ()
    assert proof.account.missing == 0
    return [r[0] for r in bench.rows("id")]


def test_rows_that_wait_to_be_published_go_without_those_that_are_held(make_bench):
    bench = make_bench(Policy(reviewers="team", hold_rows_up_to=0.9))
    bench.source.answer(PAGE)
    (judged,) = flow.stage_and_judge(bench.project, bench.sync, bench.services, MACHINE)
    rekeyed(bench)
    publishing.publish_cleared(bench.sync, bench.services, MACHINE.actor)
    assert accounted(bench) == ["1", "3"]
    bench.release(bench.decide(judged.review, Verb.APPROVE))
    assert accounted(bench) == ["1", "2", "3"]


@pytest.mark.parametrize("verb", [Verb.APPROVE, Verb.APPROVE_CLEAN])
def test_what_a_decision_left_out_is_left_out_by_the_name_that_it_had(make_bench, verb):
    bench = make_bench(WHOLE)
    review = bench.held(PAGE)
    rekeyed(bench)
    exclude = ("2",) if verb is Verb.APPROVE else ()
    bench.release(bench.decide(review, verb, exclude=exclude))
    assert accounted(bench) == ["1", "3"]
    again = bench.reopen(review, ANA)
    bench.release(bench.decide(again, Verb.APPROVE, actor=BOB))
    assert accounted(bench) == ["1", "2", "3"]


def test_an_edit_is_refused_with_both_keys(make_bench):
    bench = make_bench(WHOLE)
    review = bench.held(PAGE)
    rekeyed(bench)
    with pytest.raises(BadDecision, match=r"with the key 'id'.*'code' now"):
        bench.decide(review, Verb.APPROVE, edits=(Edit("2", {"amount": 5}),))
