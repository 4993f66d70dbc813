"""Many people at once, at the worst moments: one answer wins and none is lost."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from wfops_pipelines import Always, Policy
from wfops_pipelines.core.audit import Action
from wfops_pipelines.core.reviews import ReviewState, Verb
from wfops_pipelines.errors import AlreadyDecided
from wfops_pipelines.reconciling.reconciliation import reconcile
from wfops_pipelines.store import audit, reviews

pytestmark = [pytest.mark.components, pytest.mark.slow]

START = datetime(2026, 5, 1, 9, tzinfo=UTC)
ALWAYS = Policy(reviewers="team", high_impact=(Always("a message"),), scope="whole")


def row(n):
    return {"id": str(n), "name": "n", "amount": 1, "updated_at": START + timedelta(minutes=n)}


def hold_many(bench, count):
    return [bench.held([row(n)]) for n in range(count)]


def copies(bench, review, count):
    """Review requests about the same rows, as another hold would open them."""
    found = [replace(review, id=bench.services.id("rv")) for _ in range(count)]
    with bench.services.engine.begin() as conn:
        for one in found:
            reviews.open_review(conn, one)
    return found


def test_two_hundred_reviews_have_one_winner_each_of_eight_opposite_answers(make_bench):
    """The answers come within 50 ms of each other; every loser is told who won."""
    bench, dice = make_bench(ALWAYS), random.Random(20_261_124)
    held = copies(bench, bench.held([row(1)]), 200)
    start = threading.Event()

    def answer(review, i, delay):
        start.wait()
        threading.Event().wait(delay)  # the race itself: people are not simultaneous
        try:
            bench.decide(
                review, Verb.APPROVE if i % 2 else Verb.REJECT, ("ana", "bob", "cyd")[i % 3]
            )
        except AlreadyDecided as late:
            return str(late)
        return None

    with ThreadPoolExecutor(16) as pool:
        asked = [
            (r, pool.submit(answer, r, i, dice.random() * 0.05)) for r in held for i in range(8)
        ]
        start.set()
        answers: dict[str, list[str | None]] = {}
        for review, answered in asked:
            answers.setdefault(review.id, []).append(answered.result())
    for review in held:
        told = answers[review.id]
        winner = bench.review(review.id).decided_by
        assert told.count(None) == 1, (review.id, told)
        assert all(winner in t for t in told if t is not None)
    with bench.services.engine.connect() as conn:
        assert len(reviews.waiting(conn, bench.clock.now + timedelta(days=1))) == 200


def test_a_hundred_answers_in_the_moment_of_the_hold_are_all_acted_on_once(make_bench):
    """Each review request is answered as soon as it can be seen, while runs go on."""
    bench = make_bench(ALWAYS)
    taken, known, done = [], set(), threading.Event()

    def watch():
        while not done.is_set() or len(taken) < 100:
            with bench.services.engine.connect() as conn:
                fresh = [r for r in reviews.listed(conn) if r.id not in known]
            for review in fresh:
                known.add(review.id)
                taken.append(bench.decide(review, Verb.APPROVE))

    watcher = threading.Thread(target=watch)
    watcher.start()
    hold_many(bench, 100)
    done.set()
    watcher.join(120)
    assert len(taken) == 100
    with ThreadPoolExecutor(4) as pool:
        published = list(pool.map(bench.release, [t for t in taken for _ in range(2)]))
    assert sum(p is not None for p in published) == 100
    assert len(bench.rows()) == 100
    found = reconcile(bench.sync, bench.services)
    assert (found.published, found.missing) == (100, 0)


def test_a_decision_at_the_moment_at_which_it_becomes_moot_is_taken(make_bench, monkeypatch):
    """The person has the review request, the run has the audit trail: each waited for the other."""
    bench = make_bench()
    bench.project.syncs["things"] = replace(bench.sync, cursor=None)
    held = bench.held([{**row(1), "amount": -1}])
    append, deciding = audit.append, threading.Event()

    def late(conn, event):
        if event.action is Action.OVERRIDDEN:
            deciding.set()
            while not waits(bench):
                pass
        return append(conn, event)

    monkeypatch.setattr(audit, "append", late)
    with ThreadPoolExecutor(1) as pool:
        decided = pool.submit(bench.decide, held, Verb.APPROVE)
        assert deciding.wait(60)
        assert bench.run([row(1)]).publications
        assert decided.result().final
    assert bench.review(held.id).state is ReviewState.APPROVED


def waits(bench):
    """Whether some transaction waits for another one's lock."""
    query = (
        "select count(*) from pg_stat_activity "
        "where datname = current_database() and wait_event_type = 'Lock'"
    )
    with bench.services.engine.connect() as conn:
        return conn.execute(sa.text(query)).scalar_one()
