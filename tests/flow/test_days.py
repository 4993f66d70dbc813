"""A sync that is partitioned by day: each day passes the gate on its own."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from tests.conftest import MACHINE
from wfops_pipelines import Policy, flow
from wfops_pipelines.core.reviews import Edit, ReviewKind, Verb
from wfops_pipelines.errors import SettingsError
from wfops_pipelines.publishing import publish_cleared
from wfops_pipelines.reconciling.reconciliation import reconcile
from wfops_pipelines.staging.extraction import stage
from wfops_pipelines.store import snapshots
from wfops_pipelines.sync import Day, read_day

pytestmark = pytest.mark.components

FIRST, SECOND = Day(date(2026, 5, 1)), Day(date(2026, 5, 2))


def row(id, day=FIRST, name="a name", amount=10, hours=9):
    return {
        "id": id,
        "name": name,
        "amount": amount,
        "updated_at": day.start + timedelta(hours=hours),
    }


@pytest.fixture
def bench(make_bench):
    bench = make_bench(Policy(reviewers="team", hold_rows_up_to=0.5))
    bench.project.syncs["things"] = replace(bench.sync, days_from=date(2026, 4, 1))
    return bench


def run(bench, day, *pages):
    bench.source.answer(*pages)
    bench.clock.advance(minutes=15)
    return flow.run_sync(bench.project, bench.sync, bench.services, MACHINE, day=day)


def test_a_day_asks_the_source_for_its_hours_and_takes_no_other_days_rows(bench):
    run(bench, FIRST, [row("1"), row("2", SECOND), row("3", hours=24)])
    window = bench.source.windows[-1]
    assert (window.start, window.end) == (FIRST.start, FIRST.end)
    assert [r[0] for r in bench.rows()] == ["1"]
    run(bench, SECOND, [row("1"), row("2", SECOND), row("3", hours=24)])
    assert [r[0] for r in bench.rows()] == ["1", "2", "3"]
    assert reconcile(bench.sync, bench.services).missing == 0


def test_a_day_run_again_is_not_judged_as_if_all_of_it_were_new(bench):
    first = run(bench, FIRST, [row("1")]).judged[0].snapshot
    again = run(bench, FIRST, [row("1"), row("2")]).judged[0].snapshot
    assert first.asked == (FIRST.start, FIRST.end)
    assert again.asked == (None, FIRST.end)


def test_an_old_day_that_is_backfilled_late_overwrites_nothing_newer(bench):
    run(bench, SECOND, [row("1", SECOND, amount=20)])
    passed = run(bench, FIRST, [row("1", FIRST, amount=10), row("2", FIRST)])
    assert passed.publications[0].stale == 1
    assert bench.rows("id, amount") == [("1", 20), ("2", 10)]


def test_a_day_run_again_stages_what_is_new_in_it_only(bench):
    run(bench, FIRST, [row("1")])
    again = run(bench, FIRST, [row("1"), row("2", hours=3)])
    assert [j.snapshot.rows for j in again.judged] == [1]
    assert run(bench, FIRST, [row("1"), row("2", hours=3)]).judged == ()


def test_a_row_without_a_time_waits_for_a_person_since_it_is_of_no_day(bench):
    """As an older day it would lose against what a later one brought, and nobody would hear."""
    undated = {**row("9"), "updated_at": None}
    run(bench, SECOND, [row("1", SECOND), row("2", SECOND)])
    (judged,) = run(bench, FIRST, [row("3"), row("4"), undated]).judged
    assert judged.review.keys == ("9",)
    assert "1 row has no updated_at, so that it is of no day" in judged.review.summary
    assert [r[0] for r in bench.rows()] == ["1", "2", "3", "4"]


def test_a_held_day_holds_no_other_and_is_released_as_what_it_is(bench):
    held = run(bench, FIRST, [row("1", amount=-1)]).judged[0].review
    assert held.kind is ReviewKind.WHOLE
    run(bench, SECOND, [row("1", SECOND, amount=5)])
    assert bench.rows("id, amount") == [("1", 5)]
    done = bench.release(bench.decide(held, Verb.APPROVE))
    assert done.stale == 1
    assert bench.rows("id, amount") == [("1", 5)]


def test_a_queue_is_one_for_each_day(make_bench):
    bench = make_bench(Policy(reviewers="team", while_held="queue"))
    bench.project.syncs["things"] = replace(bench.sync, days_from=date(2026, 4, 1))
    run(bench, FIRST, [row("1", amount=-1)])
    assert run(bench, SECOND, [row("2", SECOND)]).publications
    assert not run(bench, FIRST, [row("3", hours=4)]).publications


def edit(bench, review, key, **values):
    """The edited snapshot, and the request that it opens; a run of its day examines it."""
    taken = bench.decide(review, Verb.APPROVE, edits=(Edit(key, values),))
    (judged,) = flow.judge_staged(bench.project, bench.sync, bench.services, MACHINE, FIRST)
    assert judged.snapshot.seq == taken.edited
    return judged


def test_an_edit_of_a_held_day_is_of_that_day(bench):
    """Without its day it would be older than all that the days have published."""
    run(bench, FIRST, [row("1", amount=5)])
    held = run(bench, FIRST, [row("1", amount=-1, hours=10)]).judged[0].review
    judged = edit(bench, held, "1", amount=6)
    assert judged.snapshot.partition == FIRST.name
    bench.release(bench.decide(judged.review, Verb.APPROVE, "bob"))
    assert bench.rows("id, amount") == [("1", 6)]
    account = reconcile(bench.sync, bench.services)
    assert (account.stale, account.missing) == (0, 0)


def test_an_edit_of_an_old_day_overwrites_no_newer_day(bench):
    held = run(bench, FIRST, [row("1", amount=-1)]).judged[0].review
    run(bench, SECOND, [row("1", SECOND, amount=20)])
    judged = edit(bench, held, "1", amount=6)
    bench.release(bench.decide(judged.review, Verb.APPROVE, "bob"))
    assert bench.rows("id, amount") == [("1", 20)]


def test_the_queue_of_a_day_waits_for_its_edit(make_bench):
    bench = make_bench(Policy(reviewers="team", while_held="queue"))
    bench.project.syncs["things"] = replace(bench.sync, days_from=date(2026, 4, 1))
    held = run(bench, FIRST, [row("1", amount=-1)]).judged[0].review
    judged = edit(bench, held, "1", amount=6)
    assert not run(bench, FIRST, [row("3", hours=10)]).publications
    bench.release(bench.decide(judged.review, Verb.APPROVE, "bob"))
    assert run(bench, FIRST).publications


def test_runs_of_two_days_at_once_lose_nothing(bench, monkeypatch):
    """The second run stages between the first one's look at the stream and its transaction."""
    import wfops_pipelines.staging.extraction as extraction

    gather, done = extraction.gather, []

    def meanwhile(*args):
        if not done:
            done.append(True)
            bench.source.answer([row("1"), row("2", SECOND)])
            stage(bench.sync, bench.services, MACHINE.actor, None, day=SECOND)
        return gather(*args)

    monkeypatch.setattr(extraction, "gather", meanwhile)
    run(bench, FIRST, [row("1")])
    publish_cleared(bench.sync, bench.services, MACHINE.actor)
    flow.judge_staged(bench.project, bench.sync, bench.services, MACHINE, SECOND)
    publish_cleared(bench.sync, bench.services, MACHINE.actor, SECOND)
    assert [r[0] for r in bench.rows()] == ["1", "2"]
    account = reconcile(bench.sync, bench.services)
    assert (account.staged, account.missing) == (2, 0)


def test_the_same_day_twice_at_once_is_staged_once(bench, monkeypatch):
    import wfops_pipelines.staging.extraction as extraction

    gather, done = extraction.gather, []

    def meanwhile(*args):
        if not done:
            done.append(True)
            stage(bench.sync, bench.services, MACHINE.actor, None, day=FIRST)
            bench.source.answer([row("1"), row("2")])
        return gather(*args)

    monkeypatch.setattr(extraction, "gather", meanwhile)
    with pytest.raises(snapshots.HeadMoved, match="2026-05-01"):
        run(bench, FIRST, [row("1")])
    bench.source.answer([row("1"), row("2")])
    assert stage(bench.sync, bench.services, MACHINE.actor, None, day=FIRST).rows == 1
    account = reconcile(bench.sync, bench.services)
    assert (account.staged, account.missing) == (2, 0)


def test_a_run_without_a_day_is_refused_and_forgets_no_other(bench):
    run(bench, FIRST, [row("1")])
    with pytest.raises(SettingsError, match="things is partitioned by day"):
        stage(bench.sync, bench.services, MACHINE.actor, None)
    assert run(bench, FIRST, [row("1")]).judged == ()


def test_a_run_of_a_day_leaves_what_is_staged_of_another_to_that(bench):
    bench.source.answer([row("1")])
    stage(bench.sync, bench.services, MACHINE.actor, None, day=FIRST)
    passed = run(bench, SECOND, [row("2", SECOND)])
    assert [j.snapshot.partition for j in passed.judged] == ["2026-05-02"]


def test_a_day_is_named_as_a_date_that_the_sync_has(bench):
    now = datetime(2026, 5, 3, 1, tzinfo=UTC)
    assert read_day(bench.sync, "", now) == Day(date(2026, 5, 3))
    for wrong in ("2026-05-04", "2026-03-31", "yesterday"):
        with pytest.raises(SettingsError, match="--day"):
            read_day(bench.sync, wrong, now)
