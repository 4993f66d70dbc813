"""Requests that nobody answers: escalated, noted or rejected, once, and never approved."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from wfops_pipelines import Policy
from wfops_pipelines.core.people import People
from wfops_pipelines.core.reviews import Actor, ReviewState, Verb
from wfops_pipelines.deciding import deadlines
from wfops_pipelines.errors import AlreadyDecided, NotAllowed
from wfops_pipelines.reconciling.reconciliation import reconcile
from wfops_pipelines.store import audit, reviews

pytestmark = pytest.mark.components

BAD = [{"id": "1", "name": "n", "amount": -5, "updated_at": datetime(2026, 5, 1, tzinfo=UTC)}]


def policy(**more):
    return Policy(reviewers="team", **more)


def act(bench):
    return deadlines.act(bench.project, bench.services)


def events(bench):
    with bench.services.engine.connect() as conn:
        trail = audit.trail(conn, "things #1")
    return [(e["action"], e["actor_kind"]) for e in trail if e["actor"] == "review_deadlines"]


def test_nothing_happens_before_its_time_or_without_a_deadline(make_bench):
    bench = make_bench(policy(deadline_hours=48, at_deadline="reject"))
    review = bench.held(BAD)
    bench.clock.advance(hours=47)
    assert act(bench) == []
    assert bench.review(review.id).state is ReviewState.PENDING


def test_the_next_group_decides_after_an_escalation(make_bench):
    from dataclasses import replace

    bench = make_bench(policy(escalate_hours=4, escalate_to="chiefs"))
    people = People(
        {**bench.services.groups, "chiefs": frozenset({"zoe"})}, bench.services.people.roles
    )
    bench.services = replace(bench.services, people=people)
    review = bench.held(BAD)
    bench.clock.advance(hours=5)
    assert act(bench) == ["things #1: no answer from team; chiefs decides now"]
    assert act(bench) == []
    with pytest.raises(NotAllowed, match="not a member of the reviewer group 'chiefs'"):
        bench.decide(review, Verb.REJECT, "ana")
    bench.decide(review, Verb.REJECT, "zoe")
    assert events(bench) == [("review.escalated", "machine")]


def test_a_deadline_that_holds_is_noted_once(make_bench):
    bench = make_bench(policy(deadline_hours=1))
    review = bench.held(BAD)
    bench.clock.advance(hours=2)
    assert len(act(bench)) == 1
    assert act(bench) == []
    assert bench.review(review.id).state is ReviewState.PENDING
    assert events(bench) == [("review.overdue", "machine")]


def test_a_deadline_that_rejects_quarantines_as_the_machines_act(make_bench):
    bench = make_bench(policy(deadline_hours=1, at_deadline="reject"))
    review = bench.held(BAD)
    bench.clock.advance(hours=2)
    act(bench)
    closed = bench.review(review.id)
    assert (closed.state, closed.decided_by) == (ReviewState.EXPIRED, "machine:review_deadlines")
    with pytest.raises(AlreadyDecided, match="already expired"):
        bench.decide(review, Verb.APPROVE)
    release_waiting(bench)
    assert bench.rows() == []
    found = reconcile(bench.sync, bench.services)
    assert (found.quarantined, found.missing) == (1, 0)
    assert events(bench) == [("review.expired", "machine")]


def release_waiting(bench):
    from wfops_pipelines import publishing

    with bench.services.engine.connect() as conn:
        waiting = reviews.waiting(conn, bench.clock.now.replace(year=2030))
    for errand in waiting:
        publishing.release(bench.sync, errand.decision, bench.services, Actor("gate", "machine"))


def test_what_expired_can_be_reopened(make_bench):
    bench = make_bench(policy(deadline_hours=1, at_deadline="reject"))
    review = bench.held(BAD)
    bench.clock.advance(hours=2)
    act(bench)
    release_waiting(bench)
    new = bench.reopen(review, Actor("ana"))
    assert act(bench) == []  # its time begins anew
    bench.release(bench.decide(new, Verb.APPROVE, "bob"))
    assert len(bench.rows()) == 1
    assert reconcile(bench.sync, bench.services).missing == 0


def test_two_clocks_and_a_person_at_once_have_one_winner(make_bench):
    bench = make_bench(policy(deadline_hours=1, at_deadline="reject"))
    for _ in range(5):
        review = bench.held([{**BAD[0], "updated_at": bench.clock.now}])
        bench.clock.advance(hours=2)

        def approve(review=review):
            try:
                return [bench.decide(review, Verb.APPROVE).id]
            except AlreadyDecided:
                return []

        with ThreadPoolExecutor(3) as pool:
            asked = [pool.submit(f) for f in (lambda: act(bench), approve, lambda: act(bench))]
            done = [x for a in asked for x in a.result()]
        assert len(done) == 1
        state = bench.review(review.id).state
        assert state in (ReviewState.APPROVED, ReviewState.EXPIRED)
        with bench.services.engine.connect() as conn:
            assert len(reviews.errands_of(conn, review.id)) == 1
