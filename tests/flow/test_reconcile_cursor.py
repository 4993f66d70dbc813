"""The cursor's promise: it moves with the committed snapshot only, and nothing falls beside it."""

import contextlib
import os
import random
import signal
import threading
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from bench.reconcile_life import MACHINE, Life
from bench.reconcile_source import Moods, Moody
from bench.reconcile_world import Crash, ground, quick
from wfops_pipelines import Above, Policy, flow
from wfops_pipelines.core.reviews import HOLDS, Actor, ReviewState, Verb
from wfops_pipelines.deciding import reopening
from wfops_pipelines.reconciling.proving import prove
from wfops_pipelines.store import reviews, snapshots
from wfops_pipelines.testing import FrozenClock

pytestmark = pytest.mark.components

HOUR = timedelta(hours=1)
CALM = Moods(page=2)


@pytest.fixture
def on(database_url):
    with quick(), ground(database_url) as made:
        yield made


@pytest.fixture
def story(on):
    """`story(moods)`: a sync at a source that behaves but for these; amounts above 100 are held."""

    def make(moods=CALM, overlap=60):
        clock = FrozenClock()
        source = Moody(random.Random(1), clock, moods, calm=True)
        policy = Policy(
            reviewers="team", high_impact=(Above("amount", 100),), scope="whole",
            overlap_minutes=overlap,
        )  # fmt: skip
        project = on.project(source, policy, cursor="updated_at")
        services = replace(on.services, clock=clock)
        return Life(
            0, on, random.Random(1), clock, source, project, services, incremental=True,
            ordered=True,
        )  # fmt: skip

    return make


def amounts(life):
    """What the destination holds."""
    with life.services.engine.connect() as conn:
        if not conn.execute(sa.text("select to_regclass('sim.things')")).scalar():
            return {}
        return dict(tuple(r) for r in conn.execute(sa.text("select id, amount from sim.things")))


def staged(life):
    with life.services.engine.connect() as conn:
        return [s.rows for s in snapshots.latest(conn, "things")][::-1]


def head(life):
    with life.services.engine.connect() as conn:
        return snapshots.head(conn, "things")


def run(life, minutes=5):
    life.clock.advance(minutes=minutes)
    life.extract()
    return amounts(life)


def test_a_row_with_the_same_time_as_the_last_one_extracted_is_not_missed(story):
    life = story(Moods(tick=timedelta(minutes=15)))
    life.source.write("a", 1, "x")
    run(life, 1)
    life.source.write("b", 2, "x")
    assert life.source.versions["a"][-1].cursor == life.source.versions["b"][-1].cursor
    assert run(life, 1) == {"a": 1, "b": 2}


def test_a_row_exactly_at_the_edge_of_the_overlap_is_read(story):
    life = story()
    edge = life.clock()
    life.source.write("a", 1, "x", late=2 * HOUR)
    life.clock.now = edge + HOUR
    life.source.write("b", 2, "x")
    assert run(life) == {"b": 2}
    assert head(life).cursor == edge + HOUR
    life.clock.now = edge + 2 * HOUR
    assert run(life) == {"a": 1, "b": 2}


def test_a_row_that_becomes_visible_late_but_within_the_overlap_is_extracted_once(story):
    life = story()
    life.source.write("a", 1, "x", late=timedelta(minutes=50))
    life.clock.advance(minutes=10)
    life.source.write("b", 2, "x")
    assert run(life) == {"b": 2}
    life.clock.advance(minutes=45)
    assert run(life) == {"a": 1, "b": 2}
    run(life)
    assert staged(life) == [1, 1]


def test_a_row_that_becomes_visible_after_the_overlap_is_beyond_any_cursor(story):
    """The documented limit: `overlap_minutes` says how late a row may be."""
    life = story(overlap=60)
    life.source.write("a", 1, "x", late=3 * HOUR)
    life.clock.advance(hours=2)
    life.source.write("b", 2, "x")
    run(life)
    life.clock.advance(hours=2)
    assert run(life) == {"b": 2}


@pytest.mark.parametrize("skew", [-40, -5, 5, 40])
def test_a_source_whose_clock_is_wrong_loses_no_row(story, skew):
    life = story(Moods(skew=timedelta(minutes=skew)))
    for n, key in enumerate("abcdef"):
        life.source.write(key, n, "x")
        run(life, 7)
    life.clock.advance(minutes=45)
    assert run(life) == {key: n for n, key in enumerate("abcdef")}
    assert sum(staged(life)) == 6


def test_a_row_that_is_dated_ahead_does_not_take_the_cursor_with_it(story):
    life = story(Moods(endless=True))
    life.source.write("a", 1, "x", ahead=timedelta(days=30))
    run(life)
    assert head(life).cursor is None
    life.source.write("b", 2, "x")
    assert run(life) == {"a": 1, "b": 2}
    assert head(life).cursor == life.source.versions["b"][-1].cursor


def approve(life):
    (review,) = life.pending(*HOLDS)
    life.answer(review, Verb.APPROVE)
    life.release()
    return review


def test_a_date_that_was_wrong_is_mended_by_the_row_with_the_right_one(story):
    """Nobody can tell it from an answer that lags, so that a person does; and only once."""
    life = story(Moods(endless=True))
    life.source.write("a", 1, "x", ahead=timedelta(days=30))
    run(life)
    life.source.write("a", 2, "x")
    life.source.write("b", 3, "x")
    assert run(life) == {"a": 1}
    assert (
        "updated_at of 1 row does not say whether it is newer than what came before (a: "
        in approve(life).summary
    )
    assert amounts(life) == {"a": 2, "b": 3}
    life.source.write("a", 4, "x")
    assert run(life) == {"a": 4, "b": 3}


def test_a_wrong_date_that_comes_again_after_it_was_mended_waits_for_a_person(story):
    life = story(Moods(endless=True))
    life.source.write("a", 1, "x", ahead=timedelta(days=30))
    run(life)
    life.source.write("a", 2, "x")
    run(life)
    approve(life)
    mended = life.source.versions["a"].pop()
    assert run(life) == {"a": 2}
    assert [r.seq for r in life.pending(*HOLDS)] == [3]
    life.source.versions["a"].append(mended)
    assert run(life) == {"a": 2}


def test_a_row_dated_in_the_future_does_not_replace_another_unseen(story):
    """It may be what a copy that lags says of a wrong date that was mended since."""
    life = story(Moods(endless=True))
    life.source.write("a", 1, "x", ahead=timedelta(hours=4))
    wrong = life.source.versions["a"].pop()
    life.source.write("a", 2, "x")
    assert run(life) == {"a": 2}
    mended, life.source.versions["a"] = life.source.versions["a"], [wrong]
    assert run(life) == {"a": 2}
    assert "goes back or lies in the future" in life.pending(*HOLDS)[0].summary
    life.source.versions["a"] = mended
    assert run(life) == {"a": 2}


def test_an_older_answer_that_never_came_before_is_not_dropped_unseen(story):
    """A clock behind ours makes a wrong date look right: what contradicts it is shown."""
    life = story(Moods(skew=timedelta(minutes=-40)))
    life.source.write("a", 1, "x", ahead=timedelta(minutes=35))
    run(life)
    life.source.write("a", 2, "x")
    assert run(life) == {"a": 1}
    assert head(life).seq == 2
    approve(life)
    assert amounts(life) == {"a": 2}


def test_an_older_answer_beside_the_newer_one_is_no_news(story):
    life = story()
    life.source.write("a", 1, "x")
    life.clock.advance(minutes=1)
    life.source.write("a", 2, "x")
    run(life)
    both = life.source.versions["a"]
    life.source.versions |= {"a": both[1:], "a of the replica": both[:1]}
    assert run(life) == {"a": 2}
    assert staged(life) == [1]


def test_an_older_answer_of_a_replica_that_lags_changes_nothing(story):
    life = story()
    life.source.write("a", 1, "x")
    assert run(life) == {"a": 1}
    life.source.write("a", 2, "x")
    assert run(life) == {"a": 2}
    hidden = life.source.versions["a"].pop()
    assert run(life) == {"a": 2}
    life.source.versions["a"].append(hidden)
    assert run(life) == {"a": 2}
    assert staged(life) == [1, 1]


@pytest.mark.parametrize("before", [True, False])
def test_a_crash_between_the_file_and_the_transaction_loses_and_doubles_nothing(story, before):
    life = story()
    life.source.write("a", 1, "x")
    life.ground.boundaries.arm(1, _crash, before=before)
    life.clock.advance(minutes=1)
    with pytest.raises(Crash):
        flow.stage(life.sync, life.services, MACHINE, None)
    assert len(list(life.services.folder("things").glob("*.parquet"))) == 1
    assert head(life).seq == (0 if before else 1)
    assert run(life) == {"a": 1}
    assert staged(life) == [1]
    assert prove(life.sync, life.services).misfits == ()


def _crash():
    raise Crash


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("commit", [1, 2, 3])
def test_a_process_killed_at_any_commit_of_a_run_loses_and_doubles_nothing(story, commit, before):
    life = story()
    life.source.write("a", 1, "x")
    life.source.write("b", 2, "x")
    life.clock.advance(minutes=1)
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            life.ground.engine.dispose(close=False)
            life.ground.boundaries.arm(commit, _kill, before=before)
            life.extract()
        os._exit(1)
    _, status = os.waitpid(pid, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert run(life) == {"a": 1, "b": 2}
    assert staged(life) == [2]
    assert prove(life.sync, life.services).misfits == ()


def _kill():
    os.kill(os.getpid(), signal.SIGKILL)


def test_two_runs_at_once_stage_each_row_once(story, monkeypatch):
    life, told = story(), []
    for n, key in enumerate("abcde"):
        life.source.write(key, n, "x")
    life.clock.advance(minutes=1)
    meet = threading.Barrier(2, timeout=60)

    def pages(window, connection):
        yield from Moody.pages(life.source, window, connection)
        meet.wait()

    def extract():
        try:
            flow.stage(life.sync, life.services, MACHINE, None)
            told.append("staged")
        except snapshots.HeadMoved:
            told.append("head moved")

    with monkeypatch.context() as patched:
        patched.setattr(life.source, "pages", pages)
        threads = [threading.Thread(target=extract) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert sorted(told) == ["head moved", "staged"]
    assert run(life) == {key: n for n, key in enumerate("abcde")}
    assert staged(life) == [5]


def test_a_rejected_snapshot_is_not_extracted_again_but_can_be_asked_about_again(story):
    life = story()
    life.source.write("a", 101, "x")
    run(life)
    (review,) = life.pending(*flow.gate.HOLDS)
    life.answer(review, Verb.REJECT)
    life.release()
    assert run(life) == {}
    assert staged(life) == [1]
    cyd = Actor("cyd", verified=True)
    again = reopening.reopen(review.id, "it was right", cyd, life.project, life.services).review
    life.answer(again, Verb.APPROVE)
    life.release()
    assert amounts(life) == {"a": 101}


def test_a_held_row_does_not_keep_the_next_version_of_it_from_coming(story):
    life = story()
    life.source.write("a", 101, "x")
    run(life)
    life.source.write("a", 7, "x")
    assert run(life) == {"a": 7}
    with life.services.engine.connect() as conn:
        (review,) = reviews.listed(conn, sync="things")
    assert review.state is ReviewState.PENDING
