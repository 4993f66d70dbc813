"""Without a cursor each run reads everything again, what a person put away, too."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from wfops_pipelines import Policy, undoing
from wfops_pipelines.core.reviews import Actor, ReviewKind, Verb
from wfops_pipelines.examining import scoring
from wfops_pipelines.reconciling.reconciliation import reconcile

pytestmark = pytest.mark.components

START = datetime(2026, 5, 1, 9, tzinfo=UTC)
CYD = Actor("cyd", verified=True)


def rows(count=8, **names):
    """Rows k0, k1, …, some of another name."""
    keys = [f"k{n}" for n in range(count)]
    return [
        {"id": k, "name": names.get(k, "a name"), "amount": 1, "updated_at": START} for k in keys
    ]


@pytest.fixture
def bench(make_bench, monkeypatch):
    """Each run reads all; who changes a name is asked. So few rows look like a replay."""
    monkeypatch.setattr(scoring, "score", lambda *_, **__: scoring.Scored((), "{}", {}))
    policy = Policy(
        reviewers="team", critical_fields=("name",), hold_rows_up_to=0.5, delete_rows_up_to=0.5
    )
    bench = make_bench(policy)
    bench.project.syncs["things"] = replace(bench.sync, cursor=None, missing="delete")
    bench.run(rows())
    return bench


def trusting(bench):
    """From now on no check asks about names."""
    policy = replace(bench.sync.policy, critical_fields=())
    bench.project.syncs["things"] = replace(bench.sync, policy=policy)


def names(bench):
    return {id: name for id, name, *_ in bench.rows() if name != "a name"}


def test_what_a_person_left_out_waits_again_and_is_not_published_unasked(bench):
    told = rows(k1="one", k2="two")
    held = bench.held(told)
    bench.release(bench.decide(held, Verb.APPROVE, exclude=("k2",)))
    trusting(bench)
    again = bench.held(told)
    assert (again.kind, again.keys) == (ReviewKind.ROWS, ("k2",))
    assert "1 row came again as it was put away in #2" in again.summary
    assert names(bench) == {"k1": "one"}
    assert reconcile(bench.sync, bench.services).missing == 0


def test_once_it_is_approved_or_mended_it_waits_no_more(bench):
    told = rows(k1="one", k2="two")
    bench.release(bench.decide(bench.held(told), Verb.REJECT))
    trusting(bench)
    assert bench.held(rows(k1="one", k2="mended")).keys == ("k1",)
    bench.release(bench.decide(bench.held(told), Verb.APPROVE))
    assert bench.run(told).judged[0].review is None
    assert names(bench) == {"k1": "one", "k2": "two"}


def test_of_a_whole_snapshot_that_was_rejected_only_what_was_news_in_it_waits(bench):
    many = {f"k{n}": "new" for n in range(1, 6)}
    whole = bench.held(rows(**many))
    assert whole.kind is ReviewKind.WHOLE
    bench.release(bench.decide(whole, Verb.REJECT))
    trusting(bench)
    assert bench.held(rows(k5="new")).keys == ("k5",)
    assert bench.run(rows()).judged[0].review is None


def test_what_was_taken_back_is_not_published_again_by_the_next_run(bench):
    trusting(bench)
    told = rows(k3="wrong")
    bench.run(told)
    asked = undoing.ask("things", 2, "wrong", CYD, bench.project, bench.services)
    bench.release(bench.decide(asked, Verb.APPROVE))
    assert bench.held(told).keys == ("k3",)
    assert names(bench) == {}


def test_a_deletion_that_was_rejected_is_asked_about_again(bench):
    policy = replace(bench.sync.policy, delete_rows_up_to=0)
    bench.project.syncs["things"] = replace(bench.sync, policy=policy)
    bench.release(bench.decide(bench.held(rows(7)), Verb.REJECT))
    policy = replace(policy, delete_rows_up_to=1)
    bench.project.syncs["things"] = replace(bench.sync, policy=policy)
    assert bench.held(rows(7)).keys == ("k7",)
