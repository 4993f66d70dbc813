"""Without a cursor: values that were put away, and that the source tells again after others."""

import threading
import time
from dataclasses import replace
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from tests.flow.test_everything_each_time import row, settled
from wfops_pipelines import Policy, flow, publishing, undoing
from wfops_pipelines.core.reviews import Actor, Edit, Verb
from wfops_pipelines.deciding import steering
from wfops_pipelines.staging.extraction import stage
from wfops_pipelines.store import database, remembered

pytestmark = pytest.mark.components

ANA, BOB = Actor("ana", verified=True), Actor("bob", verified=True)
POLICY = Policy(reviewers="team", scope="whole", delete_rows_up_to=0.9, overlap_minutes=60)
QUEUE = replace(POLICY, while_held="queue")


@pytest.fixture
def whole(make_bench):
    def make(policy=POLICY, missing="keep"):
        bench = make_bench(policy)
        bench.project.syncs["things"] = replace(bench.sync, cursor=None, missing=missing)
        return bench

    return make


def revert(bench, seq):
    asked = undoing.ask("things", seq, "wrong", ANA, bench.project, bench.services)
    bench.release(bench.decide(asked, Verb.APPROVE, actor=BOB))


def amounts(bench):
    settled(bench)
    return bench.rows("id, amount")


def test_a_deletion_that_was_put_away_waits_where_it_comes_again(whole):
    """In between the row was told again, and nobody let that go."""
    bench = whole(missing="delete")
    bench.run([row("1"), row("2"), row("3")])
    bench.release(bench.decide(bench.held([row("1", -1), row("2")]), Verb.REJECT))
    bench.held([row("1", -2), row("2"), row("3")])
    review = bench.held([row("1"), row("2")])
    (found,) = [f for f in bench.evidence(review).findings if f.check == "put_away"]
    assert found.keys == ("3",)
    assert bench.rows("id, amount") == [("1", 10), ("2", 10), ("3", 10)]
    bench.release(bench.decide(review, Verb.REJECT))
    assert all(j.review is None for j in bench.run([row("1"), row("2")]).judged)
    settled(bench)


@pytest.mark.parametrize("pending", [20, 40])
def test_what_was_taken_back_is_news_where_another_value_had_gone_out_since(whole, pending):
    """Whatever waits by then: as it is (20), or as another one still."""
    bench = whole()
    bench.run([row("1"), row("2", 20)])
    bench.run([row("1"), row("2", 30)])
    bench.held([row("1", -5), row("2", pending)])
    revert(bench, 1)  # nothing of it is there any more
    bench.run([row("1"), row("2", 20)])
    assert amounts(bench) == [("1", 10), ("2", 20)]


def test_so_it_is_where_it_waits_while_the_sync_is_paused(whole):
    bench = whole()
    bench.run([row("1"), row("2", 20)])
    bench.run([row("1"), row("2", 30)])
    steering.pause("things", "wrong rows", ANA, bench.project, bench.services)
    bench.run([row("1", 11), row("2", 20)])
    revert(bench, 1)
    steering.resume("things", "mended", ANA, bench.project, bench.services)
    bench.run([row("1", 12), row("2", 20)])
    assert amounts(bench) == [("1", 12), ("2", 20)]


def queued(bench, between):
    """20 is rejected, then `between` has its turn, and then 20 again, which waits behind it."""
    bench.run([row("1"), row("2")])
    first = bench.held([row("1", -1), row("2", 20)])
    bench.clock.advance(minutes=1)
    second = bench.run(between).judged[0].review
    bench.clock.advance(minutes=1)
    bench.run([row("1"), row("2", 20)])
    bench.clock.advance(minutes=1)
    for review in (r for r in (first, second) if r is not None):
        bench.release(bench.decide(review, Verb.REJECT))
    publishing.publish_cleared(bench.sync, bench.services, ANA)


def test_what_waits_its_turn_behind_another_value_goes_as_that_did(whole):
    bench = whole(QUEUE)
    queued(bench, [row("1"), row("2", 30)])
    assert amounts(bench) == [("1", 10), ("2", 20)]
    bench.run([row("1"), row("2", 20)])
    assert amounts(bench) == [("1", 10), ("2", 20)]


def test_what_did_not_go_for_it_had_been_put_away_is_asked_about_when_it_is_told_again(whole):
    """It came after another value, which nobody let go."""
    bench = whole(QUEUE)
    queued(bench, [row("1", -2), row("2", -30)])
    assert amounts(bench) == [("1", 10), ("2", 10)]
    review = bench.held([row("1"), row("2", 20)])
    assert "put_away" in [f.check for f in bench.evidence(review).findings]
    settled(bench)


def test_a_value_after_which_another_one_went_as_it_was_edited_is_news_again(whole):
    bench = whole()
    bench.run([row("1"), row("3")])
    review = bench.held([row("1"), row("2", -5), row("3")])
    bench.source.answer([row("1"), row("2", -6), row("3")])
    bench.clock.advance(minutes=15)
    stage(bench.sync, bench.services, ANA, None)
    bench.release(bench.decide(review, Verb.APPROVE_CLEAN))
    (judged,) = flow.judge_staged(bench.project, bench.sync, bench.services, flow.Run(BOB))
    bench.decide(judged.review, Verb.APPROVE, actor=ANA, edits=(Edit("2", {"amount": 6}),))
    (again,) = flow.judge_staged(bench.project, bench.sync, bench.services, flow.Run(ANA))
    bench.release(bench.decide(again.review, Verb.APPROVE, actor=BOB))
    bench.project.suites["things"] = replace(bench.project.suites["things"], expectations=())
    bench.run([row("1"), row("2", -5), row("3")])
    assert amounts(bench) == [("1", 10), ("2", -5), ("3", 10)]


@pytest.mark.parametrize("verb", [Verb.REJECT, Verb.APPROVE])
def test_under_a_first_cursor_it_is_asked_about_once(whole, verb):
    """Each extraction of the overlap tells it again."""

    def at(*cells):
        return {**row(*cells), "updated_at": datetime(2026, 5, 1, 9, tzinfo=UTC)}

    bench = whole()
    bench.run([at("1"), at("2")])
    bench.release(bench.decide(bench.held([at("1", -1), at("2", 20)]), Verb.REJECT))
    bench.held([at("1", -1), at("2", -20)])
    bench.project.syncs["things"] = replace(bench.sync, cursor="updated_at")
    page = [at("1"), at("2", 20), at("3")]
    bench.release(bench.decide(bench.held(page), verb))
    assert bench.run(page).judged == ()
    settled(bench)


def test_an_extraction_and_a_publication_that_change_what_is_remembered_do_not_deadlock(whole):
    """They meet the same rows in any order."""
    bench, started = whole(), threading.Event()
    bench.run([row("1"), row("2")])

    def told(key, version="new"):
        empty = pa.array([None], pa.timestamp("us", "UTC"))
        return pa.table({"key": [key], "version": [version], "cursor": empty})

    def parts():
        started.set()
        yield told("b")
        yield told("a")

    def published():
        with database.transaction(bench.services.engine) as conn:
            remembered.forget_older(conn, "things", 5, parts)

    with database.transaction(bench.services.engine) as conn:
        for key in ("a", "b"):
            remembered.recall(conn, "things", 1, told(key, "old"))
    other = threading.Thread(target=published)
    with database.transaction(bench.services.engine) as conn:
        remembered.pass_by(conn, "things", 5, told("a"))
        other.start()
        started.wait(1)  # without the lock it holds b by then, or soon, and waits for a
        remembered.pass_by(conn, "things", 5, told("b"))
    other.join(30)
    assert not other.is_alive()


def test_what_is_taken_back_just_before_an_extraction_is_not_published_again(whole):
    """It is seen after that has begun, for it waits for the audit trail."""
    bench = whole()
    bench.run([row("1"), row("2")])
    bench.run([row("1"), row("2", 20)])
    asked = undoing.ask("things", 2, "wrong", ANA, bench.project, bench.services)
    decision = bench.decide(asked, Verb.APPROVE, actor=BOB)
    bench.source.answer([row("1", 11), row("2", 20)])
    bench.clock.advance(minutes=15)
    threads = [
        threading.Thread(target=lambda: bench.release(decision)),
        threading.Thread(target=lambda: stage(bench.sync, bench.services, ANA, None)),
    ]
    with bench.services.engine.connect() as blocker, blocker.begin():
        blocker.exec_driver_sql("lock table wfops.audit in exclusive mode")
        for number, one in enumerate(threads, 1):
            one.start()
            waits_for(blocker, number)
            bench.clock.advance(seconds=1)
    for one in threads:
        one.join(30)
    flow.judge_staged(bench.project, bench.sync, bench.services, flow.Run(ANA))
    publishing.publish_cleared(bench.sync, bench.services, ANA)
    assert amounts(bench) == [("1", 11), ("2", 10)]


def waits_for(blocker, others):
    """Until so many other connections wait for a lock."""
    query = "select count(*) from pg_locks where not granted"
    deadline = time.monotonic() + 20
    while blocker.exec_driver_sql(query).scalar_one() < others and time.monotonic() < deadline:
        time.sleep(0.02)
