"""Days as Dagster's partitions: materialized, held, backfilled and scheduled one by one."""

from dataclasses import replace
from datetime import UTC, date, datetime

import dagster as dg
import pytest

from wfops_pipelines import workbench
from wfops_pipelines.core.reviews import ReviewKind, Verb
from wfops_pipelines.errors import DestinationRefused, SourceRefused
from wfops_pipelines.orchestration import approval_gate_requests
from wfops_pipelines.orchestration.assemble import assemble
from wfops_pipelines.orchestration.decide_job import gate_jobs
from wfops_pipelines.store import reviews

pytestmark = pytest.mark.components


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


def materialize(bench, instance, day):
    job = assemble(bench.project).resolve_job_def("things")
    return job.execute_in_process(instance=instance, partition_key=day, raise_on_error=False)


def partitions(instance, *path):
    return instance.get_materialized_partitions(dg.AssetKey(path))


def test_each_partition_is_its_own_and_a_held_one_is_not_published(bench, instance):
    bench.source.answer([row("1", 1), row("2", 2, amount=-1)])
    assert materialize(bench, instance, "2026-05-01").success
    assert materialize(bench, instance, "2026-05-02").success
    assert partitions(instance, "things", "staged") == {"2026-05-01", "2026-05-02"}
    assert partitions(instance, "things", "published") == {"2026-05-01"}
    assert bench.rows("id") == [("1",)]


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
