"""Comments, assignments, re-opened rejections and the kill switch, from whatever channel."""

from dataclasses import replace
from datetime import UTC, datetime

import dagster as dg
import pytest

from wfops_pipelines import Policy, Route, workbench
from wfops_pipelines.core.people import People, Role
from wfops_pipelines.core.reviews import Actor, Verb
from wfops_pipelines.deciding import steering
from wfops_pipelines.errors import BadDecision, NotAllowed, WfopsError
from wfops_pipelines.orchestration.identity import IDENTITY_TAG, sign
from wfops_pipelines.orchestration.steering_jobs import steering_jobs
from wfops_pipelines.publishing import Paused
from wfops_pipelines.store import audit, controls, reviews

pytestmark = pytest.mark.components

START = datetime(2026, 5, 1, 9, tzinfo=UTC)
ANA, BOB, EVE = (
    Actor("ana", verified=True),
    Actor("bob", verified=True),
    Actor("eve", verified=True),
)


def row(id, amount=10):
    return {"id": id, "name": "n", "amount": amount, "updated_at": START}


PAGE = [row("1"), row("2", -5), row("3")]


def trail(bench, subject="things #1"):
    with bench.services.engine.connect() as conn:
        return [(e["action"], e["actor"], e["reason"]) for e in audit.trail(conn, subject)]


def test_a_comment_is_in_the_trail_and_changes_nothing_else(bench):
    review = bench.held(PAGE)
    steering.comment(review.id, "asked the vendor", ANA, bench.services)
    assert trail(bench)[-1] == ("review.commented", "ana", "asked the vendor")
    assert bench.review(review.id) == review


def test_a_review_is_assigned_to_a_member_and_freed_again(bench):
    review = bench.held(PAGE)
    steering.assign(review.id, "bob", "knows billing", ANA, bench.services)
    assert bench.review(review.id).assigned_to == "bob"
    with pytest.raises(BadDecision, match="eve is not a member of team"):
        steering.assign(review.id, "eve", "?", ANA, bench.services)
    steering.assign(review.id, "nobody", "ill", ANA, bench.services)
    assert bench.review(review.id).assigned_to is None


def test_who_is_in_no_group_and_no_role_says_nothing(bench):
    review = bench.held(PAGE)
    before = trail(bench)
    for act in (
        lambda: steering.comment(review.id, "hello", EVE, bench.services),
        lambda: steering.assign(review.id, "bob", "x", EVE, bench.services),
        lambda: bench.reopen(review, EVE),
        lambda: steering.pause("things", "x", EVE, bench.project, bench.services),
    ):
        with pytest.raises(NotAllowed):
            act()
    assert trail(bench) == before


def test_the_kill_switch_needs_the_role_and_stops_a_release(bench):
    review = bench.held(PAGE)
    taken = bench.decide(review, Verb.APPROVE)
    steering.pause("all", "wrong currency everywhere", ANA, bench.project, bench.services)
    with pytest.raises(Paused, match="wrong currency everywhere"):
        bench.release(taken)
    bench.services = replace(
        bench.services, people=People(bench.services.groups, {Role.ENGINEER: frozenset({"ana"})})
    )
    with pytest.raises(NotAllowed, match="role 'admin'"):
        steering.resume("all", "fine again", ANA, bench.project, bench.services)


def test_a_sync_that_is_not_there_and_an_empty_reason_are_refused(bench):
    with pytest.raises(WfopsError, match="Did you mean things"):
        steering.pause("thing", "x", ANA, bench.project, bench.services)
    with pytest.raises(WfopsError, match="reason: is empty"):
        steering.pause("things", "  ", ANA, bench.project, bench.services)


SECRET = b"k" * 32


@pytest.fixture
def launch(bench, monkeypatch):
    """Run one of the jobs as the Launchpad would, for a person or for nobody."""
    monkeypatch.setattr(workbench, "services", lambda: bench.services)
    monkeypatch.setattr(workbench, "project", lambda: bench.project)
    monkeypatch.setattr(workbench, "secret", lambda: SECRET)
    jobs = {j.name: j for j in steering_jobs(["team"])}

    def run(job, config, actor):
        id = "11111111-2222-3333-4444-555555555555"
        tags = {} if actor is None else {IDENTITY_TAG: sign(actor, id, SECRET)}
        return jobs[job].execute_in_process(
            run_config=config,
            run_id=id,
            tags=tags,
            resources={"io_manager": dg.mem_io_manager},
            raise_on_error=False,
        )

    return run


def test_the_acts_are_jobs_with_flat_config(bench, launch):
    review = bench.held(PAGE)
    text = {"review": review.id, "text": "from the Launchpad"}
    assert launch("comment", text, ANA).success
    assert trail(bench)[-1] == ("review.commented", "ana", "from the Launchpad")
    assert launch("pause", {"sync": "things", "reason": "a look"}, BOB).success
    with bench.services.engine.connect() as conn:
        assert "bob" in controls.paused(conn, "things")


def test_rows_that_an_approval_left_are_asked_about_again_from_the_launchpad(bench, launch):
    page = [*PAGE, row("4", -6)]
    review = bench.held(page)
    bench.release(bench.decide(review, Verb.APPROVE, exclude=("2",)))
    assert launch("reopen", {"review": review.id, "reason": "it was right"}, BOB).success
    with bench.services.engine.connect() as conn:
        (new,) = reviews.holding(conn, "things")
    assert (new.subject, new.reopened_by) == ("things #2", "bob")


def test_a_job_that_nobody_is_known_to_have_launched_does_nothing(bench, launch):
    assert not launch("pause", {"sync": "all", "reason": "x"}, None).success
    with bench.services.engine.connect() as conn:
        assert controls.paused(conn, "things") is None
        assert reviews.listed(conn) == []


ROUTES = Policy(reviewers="team", hold_rows_up_to=0.5, routes=(Route("boss", column="name"),))
BOSS = Actor("cyd", verified=True)


def with_boss(bench):
    people = People(
        {"team": frozenset({"ana", "bob"}), "boss": frozenset({"cyd"})},
        {r: frozenset() for r in Role},
    )
    bench.services = replace(bench.services, people=people)
    return bench


def test_a_hold_goes_to_the_group_of_the_rule_and_only_that_decides(make_bench):
    bench = with_boss(make_bench(ROUTES))
    review = bench.held([row("1"), {**row("2"), "name": None}, row("3")])
    assert (review.group, review.routed) == ("boss", "a rule of the policy: column name → boss")
    with pytest.raises(NotAllowed, match="boss"):
        bench.decide(review, Verb.REJECT)
    assert bench.decide(review, Verb.REJECT, actor=BOSS).final


def test_sending_a_review_on_is_one_act_and_teaches(make_bench):
    bench = with_boss(make_bench(ROUTES))
    for n in range(3):
        review = bench.held([row(f"{n}a"), row(f"{n}b", -5), row(f"{n}c")])
        assert review.group == "team"
        sent = steering.route(review.id, "boss", "theirs", ANA, bench.project, bench.services)
        assert bench.review(review.id) == sent
        assert trail(bench, review.subject)[-1] == ("review.routed", "ana", "theirs")
        bench.release(bench.decide(sent, Verb.REJECT, actor=BOSS))
    again = bench.held([row("9a"), row("9b", -5), row("9c")])
    assert (again.group, again.routed) == ("boss", "learned: boss decided 3 of 3 like it")


def test_a_review_is_sent_only_by_who_may_and_only_to_who_is_named(make_bench):
    bench = with_boss(make_bench(ROUTES))
    review = bench.held(PAGE)

    def send(to, who):
        steering.route(review.id, to, "theirs", who, bench.project, bench.services)

    with pytest.raises(BadDecision, match="Name one of boss"):
        send("strangers", ANA)
    with pytest.raises(BadDecision, match="Name one of boss"):
        send("team", ANA)
    with pytest.raises(NotAllowed):
        send("boss", BOSS)
    with pytest.raises(NotAllowed):
        send("boss", EVE)
    bench.decide(review, Verb.REJECT)
    with pytest.raises(BadDecision, match="nothing to decide"):
        send("boss", ANA)
