"""Days as Dagster's partitions: materialized, held, backfilled and scheduled one by one."""

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pytest

from wfops_pipelines import workbench
from wfops_pipelines.core.reviews import Actor, Edit, ReviewKind, Verb
from wfops_pipelines.deciding import steering
from wfops_pipelines.errors import DestinationRefused, SourceRefused
from wfops_pipelines.orchestration import approval_gate_requests
from wfops_pipelines.orchestration.assemble import assemble
from wfops_pipelines.orchestration.decide_job import gate_jobs
from wfops_pipelines.project import load_project
from wfops_pipelines.store import reviews

pytestmark = pytest.mark.components

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def bench(bench, monkeypatch):
    monkeypatch.setattr(workbench, "services", lambda: bench.services)
    monkeypatch.setattr(workbench, "project", lambda: bench.project)
    monkeypatch.setattr(workbench, "secret", lambda: b"secret")
    bench.project.syncs["things"] = replace(
        bench.sync, days_from=date(2026, 5, 1), schedule="0 * * * *"
    )
    return bench


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def row(id, day, amount=10):
    return {
        "id": id, "name": "n", "amount": amount, "updated_at": datetime(2026, 5, day, 9, tzinfo=UTC)
    }  # fmt: skip


def materialize(bench, instance, day, **tags):
    job = assemble(bench.project).resolve_job_def("things")
    return job.execute_in_process(
        instance=instance, partition_key=day, raise_on_error=False, tags=tags
    )


def backfill(bench, instance, day):
    """As a backfill runs it; the assets that it materialized."""
    done = materialize(bench, instance, day, **{"dagster/backfill": "b1"})
    assert done.success
    return {
        event.asset_key.path[-1]: {k: m.value for k, m in event.materialization.metadata.items()}
        for event in done.get_asset_materialization_events()
    }


def partitions(instance, *path):
    return instance.get_materialized_partitions(dg.AssetKey(path))


def test_each_partition_is_its_own_and_a_held_one_is_not_published(bench, instance):
    bench.source.answer([row("1", 1), row("2", 2, amount=-1)])
    assert materialize(bench, instance, "2026-05-01").success
    assert materialize(bench, instance, "2026-05-02").success
    assert partitions(instance, "things", "staged") == {"2026-05-01", "2026-05-02"}
    assert partitions(instance, "things", "published") == {"2026-05-01"}
    assert bench.rows("id") == [("1",)]


def test_a_backfilled_day_without_news_is_up_to_date_and_says_so(bench, instance):
    bench.source.answer([row("1", 1)])
    assert backfill(bench, instance, "2026-05-01")["published"]["dagster/row_count"] == 1
    for day, number in (("2026-05-01", "#1"), ("2026-05-02", None)):
        done = backfill(bench, instance, day)
        assert done["staged"]["verdict"] == f"nothing new of {day}"
        assert done["staged"].get("snapshot") == number
        assert done["published"]["published"] == f"nothing new of {day}"
        assert [m["dagster/row_count"] for m in done.values()] == [0, 0]


def test_a_day_under_way_is_not_published_by_a_backfill_without_news(bench, instance):
    bench.source.answer([row("1", 1, amount=-1)])
    assert set(backfill(bench, instance, "2026-05-01")) == {"staged"}
    assert set(backfill(bench, instance, "2026-05-01")) == {"staged"}
    (held,) = pending(bench)
    bench.decide(held, Verb.APPROVE)  # and nobody has carried it out yet
    assert set(backfill(bench, instance, "2026-05-01")) == {"staged"}
    ana = Actor("ana", verified=True)
    steering.pause("things", "wrong currency", ana, bench.project, bench.services)
    bench.source.answer([row("2", 2)])
    assert set(backfill(bench, instance, "2026-05-02")) == {"staged"}


def test_a_schedule_tells_of_a_day_without_news_once(bench, instance):
    for expected in (2, 0, 0):
        done = materialize(bench, instance, "2026-05-02")
        assert len(done.get_asset_materialization_events()) == expected


def test_a_release_materializes_the_partition_that_was_held(bench, instance):
    bench.source.answer([row("1", 2, amount=-1)])
    materialize(bench, instance, "2026-05-02")
    with bench.services.engine.connect() as conn:
        (review,) = reviews.listed(conn)
    bench.decide(review, Verb.APPROVE)
    bench.clock.advance(seconds=30)
    (request,) = [r for r in approval_gate_requests() if isinstance(r, dg.RunRequest)]
    release = {j.name: j for j in gate_jobs(["team"])}["release"]
    release.execute_in_process(
        run_config=request.run_config,
        instance=instance,
        resources={"io_manager": dg.mem_io_manager},
    )
    assert partitions(instance, "things", "published") == {"2026-05-02"}


@pytest.fixture
def gate(bench, instance):
    """The requests of the approval gate's sensor, as the daemon evaluates it."""
    sensors = load_project(ROOT).sensors

    def ticked():
        bench.clock.advance(minutes=30)
        repository = assemble(replace(bench.project, sensors=sensors)).get_repository_def()
        with dg.build_sensor_context(instance, repository_def=repository) as context:
            return repository.get_sensor_def("approval_gate").evaluate_tick(context).run_requests

    return ticked


def carried_out(bench, instance, request):
    """What Dagster does with a request."""
    job = assemble(bench.project).resolve_job_def(request.job_name)
    return job.execute_in_process(
        run_config=request.run_config, instance=instance, tags=request.tags,
        partition_key=request.partition_key, raise_on_error=False,
    )  # fmt: skip


def pending(bench):
    """What waits for a person, but for a look afterwards at an override."""
    with bench.services.engine.connect() as conn:
        return [r for r in reviews.listed(conn) if r.kind is not ReviewKind.AFTER]


def test_the_daemon_takes_releases_and_retries_of_days(bench, instance, gate):
    bench.source.answer([row("1", 1, amount=-1), row("2", 2, amount=-1), row("3", 3)])
    for day in ("2026-05-01", "2026-05-02", "2026-05-03"):
        assert materialize(bench, instance, day).success
    assert partitions(instance, "things", "published") == {"2026-05-03"}
    bench.source.pages_, bench.source.error = (), SourceRefused("the token is wrong")
    materialize(bench, instance, "2026-05-04")
    bench.source.answer([row("4", 4)])
    bench.source.error = None
    for review in pending(bench):
        failed = review.kind is ReviewKind.FAILURE
        bench.decide(review, Verb.RETRY if failed else Verb.APPROVE)
    asked = gate()
    assert sorted((r.job_name, r.partition_key) for r in asked if r.partition_key) == [
        ("things", "2026-05-04")
    ]
    for request in asked:
        assert carried_out(bench, instance, request).success
    days = {f"2026-05-0{n}" for n in range(1, 5)}
    assert partitions(instance, "things", "published") == days
    assert [r[0] for r in bench.rows("id")] == ["1", "2", "3", "4"]
    assert gate() == []
    assert pending(bench) == []


@pytest.mark.parametrize(("now", "retries"), [(date(2026, 5, 20), 0), (None, 1)])
def test_a_retry_of_a_day_that_the_sync_lost_stops_no_other_decision(
    bench, instance, gate, now, retries
):
    bench.source.answer([row("1", 1, amount=-1)])
    materialize(bench, instance, "2026-05-01")
    (held,) = pending(bench)
    bench.source.pages_, bench.source.error = (), SourceRefused("the token is wrong")
    materialize(bench, instance, "2026-05-02")
    (failed,) = [r for r in pending(bench) if r.kind is ReviewKind.FAILURE]
    bench.decide(failed, Verb.RETRY)
    bench.decide(held, Verb.APPROVE)
    bench.project.syncs["things"] = replace(bench.sync, days_from=now)
    asked = sorted((r.job_name, r.partition_key) for r in gate())
    assert asked == [("release", None), ("things", None)][: 1 + retries]


def test_a_failed_day_is_over_by_a_later_run_of_that_day_only(bench, instance):
    bench.source.pages_, bench.source.error = (), SourceRefused("the token is wrong")
    for day in ("2026-05-01", "2026-05-02"):
        materialize(bench, instance, day)
    bench.source.error = None
    bench.source.answer([row("2", 2), row("3", 3)])
    bench.clock.advance(minutes=15)
    for day in ("2026-05-02", "2026-05-03"):
        assert materialize(bench, instance, day).success
    assert [r.summary.split(" failed")[0] for r in pending(bench)] == ["extraction of 2026-05-01"]


def test_an_edit_of_a_held_day_is_released_as_that_day(bench, instance, gate):
    bench.source.answer([row("1", 2, amount=-1)])
    materialize(bench, instance, "2026-05-02")
    bench.decide(pending(bench)[0], Verb.APPROVE, edits=(Edit("1", {"amount": 3}),))
    bench.source.answer()
    assert materialize(bench, instance, "2026-05-01").success
    assert pending(bench) == []  # it is not this day's to examine
    assert materialize(bench, instance, "2026-05-02").success
    bench.decide(pending(bench)[0], Verb.APPROVE, "bob")
    before = partitions(instance, "things", "published")
    (request,) = gate()
    assert carried_out(bench, instance, request).success
    assert partitions(instance, "things", "published") - before == {"2026-05-02"}


def test_what_queued_behind_a_held_day_goes_with_its_release(bench, instance, gate):
    """The schedule does not run an old day again, and nothing else would publish it."""
    policy = replace(bench.sync.policy, while_held="queue")
    bench.project.syncs["things"] = replace(bench.sync, policy=policy)
    for rows in ([row("1", 1, amount=-1)], [row("2", 1)], [row("3", 2, amount=-1)]):
        bench.source.answer(rows)
        bench.clock.advance(minutes=15)
        materialize(bench, instance, f"2026-05-0{rows[0]['updated_at'].day}")
    held = next(r for r in pending(bench) if r.seq == 1)
    bench.decide(held, Verb.REJECT)
    (request,) = gate()
    assert carried_out(bench, instance, request).success
    assert [r[0] for r in bench.rows("id")] == ["2"]
    assert partitions(instance, "things", "published") == {"2026-05-01"}


def test_what_waits_of_one_day_is_not_said_of_another(bench, instance):
    bench.source.answer([row("1", 1, amount=-1)])
    materialize(bench, instance, "2026-05-01")
    materialize(bench, instance, "2026-05-02")
    key = dg.AssetKey(["things", "published"])
    seen = instance.fetch_observations(key, 10).records
    assert [r.asset_observation.partition for r in seen] == ["2026-05-01"]


def test_a_failed_day_is_retried_as_that_day(bench, instance):
    bench.source.pages_, bench.source.error = (), SourceRefused("the token is wrong")
    for day in ("2026-05-01", "2026-05-02", "2026-05-02"):
        assert not materialize(bench, instance, day).success
    with bench.services.engine.connect() as conn:
        found = sorted(reviews.listed(conn), key=lambda r: r.summary)
    assert [r.summary.split(" failed")[0] for r in found] == [
        "extraction of 2026-05-01",
        "extraction of 2026-05-02",
    ]
    bench.decide(found[0], Verb.RETRY)
    bench.clock.advance(seconds=30)
    (request,) = [r for r in approval_gate_requests() if isinstance(r, dg.RunRequest)]
    assert (request.job_name, request.partition_key) == ("things", "2026-05-01")


def test_a_release_that_failed_for_good_is_retried_as_its_day(bench, instance, monkeypatch):
    bench.source.answer([row("1", 2, amount=-1)])
    materialize(bench, instance, "2026-05-02")
    with bench.services.engine.connect() as conn:
        (held,) = reviews.listed(conn)
    taken = bench.decide(held, Verb.APPROVE)

    def refuse(*_):
        raise DestinationRefused("no such column")

    monkeypatch.setattr("wfops_pipelines.publishing.release", refuse)
    release = {j.name: j for j in gate_jobs(["team"])}["release"]
    config = {"ops": {"act_on_decision": {"inputs": {"decision": taken.id}}}}
    with pytest.raises(DestinationRefused):
        release.execute_in_process(
            run_config=config, instance=instance, resources={"io_manager": dg.mem_io_manager}
        )
    with bench.services.engine.connect() as conn:
        failed = next(r for r in reviews.listed(conn) if r.kind is ReviewKind.FAILURE)
    assert failed.summary.startswith("release of 2026-05-02 failed (destination_refused)")
    bench.decide(failed, Verb.RETRY)
    bench.clock.advance(seconds=30)
    asked = {r.job_name: r for r in approval_gate_requests() if isinstance(r, dg.RunRequest)}
    assert asked["things"].partition_key == "2026-05-02"
    assert set(asked) == {"things", "release"}


def test_the_schedule_runs_today_and_the_days_that_the_overlap_reaches(bench):
    repository = assemble(bench.project).get_repository_def()
    (schedule,) = repository.schedule_defs
    for hour, minute, days in ((0, 30, ["2026-06-01", "2026-06-02"]), (9, 0, ["2026-06-02"])):
        at = datetime(2026, 6, 2, hour, minute, tzinfo=UTC)
        with dg.build_schedule_context(
            scheduled_execution_time=at, repository_def=repository
        ) as context:
            due = schedule.evaluate_tick(context).run_requests
        assert [r.partition_key for r in due] == days
