"""A sync without a cursor that tells what the destination holds just so replays nothing."""

from dataclasses import replace

import pytest

from wfops_pipelines import Above, Policy
from wfops_pipelines.core.findings import Severity
from wfops_pipelines.core.reviews import Verb

pytestmark = pytest.mark.components

LARGE = Policy(reviewers="team", hold_rows_up_to=0.9, high_impact=(Above("amount", 100),))


def row(id, amount=10, name="n"):
    return {"id": id, "name": name, "amount": amount}


@pytest.fixture
def whole(make_bench):
    """A sync without a cursor."""

    def make(policy=LARGE, **changes):
        bench = make_bench(policy, **changes)
        bench.project.syncs["things"] = replace(bench.sync, cursor=None)
        return bench

    return make


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
