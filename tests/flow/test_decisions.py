"""One decision wins, whoever asks and however often."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from wfops_pipelines import Policy
from wfops_pipelines.core.reviews import Actor, ReviewKind, ReviewState, Verb
from wfops_pipelines.errors import (
    AlreadyDecided,
    BadDecision,
    EvidenceChanged,
    NotAllowed,
    SourceRateLimited,
    SourceRefused,
)
from wfops_pipelines.failing import report_failure
from wfops_pipelines.flow import Run
from wfops_pipelines.store import audit, reviews

pytestmark = pytest.mark.components

BAD = [{"id": "1", "name": "n", "amount": -5, "updated_at": datetime(2026, 5, 1, tzinfo=UTC)}]


def test_the_second_of_two_people_is_told_who_was_first(bench):
    review = bench.held(BAD)
    bench.decide(review, Verb.REJECT, "ana")
    with pytest.raises(AlreadyDecided, match="already rejected by ana"):
        bench.decide(review, Verb.APPROVE, "bob")


def test_eight_opposite_decisions_at_once_have_one_winner(bench):
    review = bench.held(BAD)
    gate = threading.Barrier(8)

    def answer(i):
        gate.wait()
        verb = Verb.APPROVE if i % 2 else Verb.REJECT
        try:
            return bench.decide(review, verb, ("ana", "bob", "cyd")[i % 3])
        except AlreadyDecided as late:
            return late

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(answer, range(8)))
    winners = [a for a in answers if not isinstance(a, AlreadyDecided)]
    assert len(winners) == 1
    assert bench.review(review.id).state in (ReviewState.APPROVED, ReviewState.REJECTED)
    with bench.services.engine.connect() as conn:
        decided = [e for e in audit.trail(conn, "things #1") if "verb" in e["details"]]
        assert len(reviews.waiting(conn, bench.clock.now.replace(year=2030))) == 1
    assert [e["details"]["verb"] for e in decided] == [winners[0].verb.value]


def test_two_releases_at_once_publish_once(bench):
    taken = bench.decide(bench.held(BAD), Verb.APPROVE)
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: bench.release(taken), range(4)))
    assert [d.rows for d in done if d is not None] == [1]


def test_a_decision_about_stale_evidence_changes_nothing(bench):
    review = bench.held(BAD)
    with pytest.raises(EvidenceChanged):
        bench.decide(review, Verb.APPROVE, evidence="0" * 64)
    assert bench.review(review.id).state is ReviewState.PENDING


def test_a_decision_without_a_reason_changes_nothing(bench):
    review = bench.held(BAD)
    with pytest.raises(BadDecision):
        bench.decide(review, Verb.APPROVE, reason="  ")
    assert bench.review(review.id).state is ReviewState.PENDING


def test_somebody_outside_the_group_changes_nothing(bench):
    review = bench.held(BAD)
    with pytest.raises(NotAllowed, match="not a member"):
        bench.decide(review, Verb.APPROVE, "mallory")
    assert bench.review(review.id).state is ReviewState.PENDING


def test_an_unknown_review_says_where_to_look(bench):
    review = bench.held(BAD)
    with pytest.raises(BadDecision, match="wfops reviews"):
        bench.decide(replace(review, id="rv-nope"), Verb.APPROVE)


def test_nobody_verified_approves_what_they_launched(bench):
    from wfops_pipelines import flow

    bench.source.answer(BAD)
    run = Run(Actor("ana", verified=True))
    passed = flow.run_sync(bench.project, bench.sync, bench.services, run)
    review = passed.judged[0].review
    with pytest.raises(NotAllowed, match="four eyes"):
        bench.decide(review, Verb.APPROVE, "ana")
    bench.decide(review, Verb.APPROVE, "bob")


def test_two_approvals_need_two_people(make_bench):
    bench = make_bench(Policy(reviewers="team", approvals=2))
    review = bench.held(BAD)
    assert not bench.decide(review, Verb.APPROVE, "ana").final
    assert bench.review(review.id).state is ReviewState.PENDING
    with pytest.raises(NotAllowed, match="ana has approved this already"):
        bench.decide(review, Verb.APPROVE, "ana")
    assert bench.decide(review, Verb.APPROVE, "bob").final
    assert bench.review(review.id).state is ReviewState.APPROVED


def test_one_rejection_is_enough(make_bench):
    bench = make_bench(Policy(reviewers="team", approvals=2))
    review = bench.held(BAD)
    bench.decide(review, Verb.APPROVE, "ana")
    assert bench.decide(review, Verb.REJECT, "bob").final


def test_a_failure_opens_one_review_for_each_cause(bench):
    def report(error):
        return report_failure(bench.sync, "extraction", error, bench.services, None)

    first = report(SourceRefused("401 from fake"))
    assert first.kind is ReviewKind.FAILURE
    assert report(SourceRefused("401 from fake, again")) is None
    assert report(SourceRateLimited("429")) is not None
    with bench.services.engine.connect() as conn:
        assert reviews.failure_of(conn, first.id)["kind"] == "auth"


def test_a_failure_can_be_retried_and_then_counts_as_new(bench):
    def report():
        return report_failure(bench.sync, "extraction", SourceRefused("401"), bench.services, None)

    first = report()
    bench.decide(first, Verb.RETRY)
    assert bench.review(first.id).state is ReviewState.RETRIED
    assert report() is not None


def test_the_trail_refuses_to_be_edited(bench):
    import sqlalchemy as sa

    bench.held(BAD)
    for change in ("update wfops.audit set body = '{}'", "delete from wfops.audit"):
        with (
            pytest.raises(sa.exc.DBAPIError, match="insert-only"),
            bench.services.engine.begin() as conn,
        ):
            conn.execute(sa.text(change))
