"""A failure that does not say its kind gets a proposed cause, which a person accepts or mends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from wfops_pipelines import Policy, Route
from wfops_pipelines.assist import failures
from wfops_pipelines.core.people import People, Role
from wfops_pipelines.core.reviews import Actor, ReviewKind, Verb
from wfops_pipelines.errors import BadDecision, NotAllowed, SourceRefused
from wfops_pipelines.failing import label, report_failure
from wfops_pipelines.store import audit, reviews
from wfops_pipelines.web import views

pytestmark = [pytest.mark.components, pytest.mark.slow]
ANA = Actor("ana", verified=True)
ROUTES = (Route("ops", failure="network"),)
REFUSED = ConnectionRefusedError("[Errno 111] Connection refused by 10.0.0.7")


@pytest.fixture
def bench(make_bench: Any) -> Any:
    made = make_bench(Policy(reviewers="team", routes=ROUTES))
    groups = {"team": frozenset({"ana", "bob"}), "ops": frozenset({"ana"})}
    people = People(groups, {r: frozenset() for r in Role})
    made.services = replace(made.services, people=people)
    return made


def report(bench: Any, error: Exception) -> Any:
    return report_failure(bench.sync, "extraction", error, bench.services, None)


def failure(bench: Any, review: Any) -> dict[str, Any]:
    with bench.services.engine.connect() as conn:
        return reviews.failure_of(conn, review.id) or {}


def test_a_likely_cause_is_proposed_routed_and_shown_and_stays_a_proposal(bench):
    review = report(bench, REFUSED)
    assert review.kind is ReviewKind.FAILURE
    assert review.summary.startswith("extraction failed (probably network): ")
    assert (review.group, "network" in review.routed) == ("ops", True)
    body = failure(bench, review)
    assert (body["kind"], body["proposed"]["value"]) == ("our_bug", "network")
    assert 0.6 < body["proposed"]["confidence"] < 1
    with bench.services.engine.connect() as conn:
        shown = views.review_view(conn, bench.project, bench.services, review)
    assert shown["advice"].startswith("Check that the other side is up")
    assert bench.review(review.id).label == ""


def test_an_error_that_says_its_kind_itself_is_not_guessed_at(bench):
    body = failure(bench, report(bench, SourceRefused("Connection refused")))
    assert (body["kind"], "proposed" in body) == ("auth", False)


def test_what_no_example_is_like_is_left_to_a_person(bench):
    review = report(bench, Exception("zzz qqq"))
    body = failure(bench, review)
    assert body["proposed"]["value"] is None
    assert body["proposed"]["why"].startswith("too unsure, a person labels")
    assert "(our_bug)" in review.summary


def test_a_decision_accepts_the_proposal_and_says_so_in_the_trail(bench):
    review = report(bench, REFUSED)
    bench.decide(review, Verb.RETRY)
    assert bench.review(review.id).label == "network"
    with bench.services.engine.connect() as conn:
        decided = [e for e in audit.trail(conn, "things") if e["action"] == "review.decided"]
    assert decided[-1]["details"]["cause"] == "network"


def test_what_a_person_says_it_was_teaches_the_next_ones(bench):
    odd = "the flux capacitor of tenant {} is not aligned"
    for n in range(6):
        review = report(bench, RuntimeError(odd.format(n)))
        label(review.id, "destination_refused", "asked the vendor", ANA, bench.services)
        bench.decide(review, Verb.REJECT)
        assert bench.review(review.id).label == "destination_refused"
    body = failure(bench, report(bench, RuntimeError(odd.format("x"))))
    assert body["proposed"]["value"] == "destination_refused"
    assert "6 accepted rows" in body["proposed"]["model"]
    with bench.services.engine.connect() as conn:
        said = [e for e in audit.trail(conn, "things") if e["action"] == "review.labelled"]
    assert (said[0]["actor"], said[0]["reason"]) == ("ana", "asked the vendor")


def test_only_a_member_labels_and_only_with_a_cause_that_there_is(bench):
    review = report(bench, REFUSED)
    with pytest.raises(NotAllowed, match="ops"):
        label(review.id, "network", "x", Actor("bob"), bench.services)
    with pytest.raises(BadDecision, match="none of auth, rate_limit"):
        label(review.id, "gremlins", "x", ANA, bench.services)
    with pytest.raises(BadDecision, match="no failure"):
        label("rv-none", "network", "x", ANA, bench.services)
    with pytest.raises(BadDecision, match="reason"):
        label(review.id, "network", "  ", ANA, bench.services)


def test_a_classifier_that_crashes_hides_no_failure(bench, monkeypatch):
    monkeypatch.setattr(failures, "propose", lambda *_: 1 / 0)
    review = report(bench, REFUSED)
    assert "(our_bug)" in review.summary


def test_addresses_and_ids_do_not_count():
    one = failures.failure_text("HTTPError", "503 for https://a.example/v1/x?k=1 of 123456789")
    other = failures.failure_text("HTTPError", "503 for https://b.example/v2/y of 987654321")
    assert one == other
