"""The approval gate picks up every decision that nobody has acted on, and no other."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from tests.destinations.contacts_api import contacts_api
from tests.flow.test_left_out import crm
from wfops_pipelines import Policy, retrying, workbench
from wfops_pipelines.core.audit import Action, AuditEvent
from wfops_pipelines.core.reviews import Actor, ReviewKind, ReviewState, Verb
from wfops_pipelines.errors import (
    DestinationRefused,
    DestinationUnreachable,
    SettingsError,
    SourceRefused,
)
from wfops_pipelines.failing import report_failure
from wfops_pipelines.flow import Run
from wfops_pipelines.orchestration import approval_gate_requests, review_crashed_run
from wfops_pipelines.orchestration.assemble import assemble
from wfops_pipelines.orchestration.decide_job import gate_jobs
from wfops_pipelines.project import load_project
from wfops_pipelines.store import controls, database, reviews

pytestmark = pytest.mark.components

ROOT = Path(__file__).resolve().parents[2]
BAD = [{"id": "1", "name": "n", "amount": -5, "updated_at": datetime(2026, 5, 1, tzinfo=UTC)}]


@pytest.fixture
def bench(bench, monkeypatch):
    monkeypatch.setattr(workbench, "services", lambda: bench.services)
    monkeypatch.setattr(workbench, "project", lambda: bench.project)
    return bench


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as found:
        yield found


def requests():
    return [r for r in approval_gate_requests() if isinstance(r, dg.RunRequest)]


def test_a_fresh_decision_is_left_to_the_run_that_took_it(bench):
    bench.decide(bench.held(BAD), Verb.APPROVE)
    assert requests() == []


def test_a_decision_that_nobody_acted_on_is_released_once_by_the_gates_run(bench):
    taken = bench.decide(bench.held(BAD), Verb.APPROVE)
    bench.clock.advance(seconds=30)
    (request,) = requests()
    assert request.run_key == f"{taken.id}/0"
    assert request.job_name == "release"
    release = {j.name: j for j in gate_jobs(["team"])}["release"]
    done = release.execute_in_process(
        run_config=request.run_config, resources={"io_manager": dg.mem_io_manager}
    )
    assert done.success
    assert bench.rows("id, amount") == [("1", -5)]
    assert requests() == []


def test_dagster_takes_the_runs_that_the_projects_own_sensor_asks_for(bench, instance):
    """A sensor starts only jobs that it named before; Dagster itself looks."""
    sensors = load_project(ROOT).sensors
    repository = assemble(replace(bench.project, sensors=sensors)).get_repository_def()
    released = bench.decide(bench.held(BAD), Verb.APPROVE)
    failed = report_failure(bench.sync, "extraction", SourceRefused("401"), bench.services, None)
    retried = bench.decide(failed, Verb.RETRY)
    bench.clock.advance(seconds=30)
    with dg.build_sensor_context(instance, repository_def=repository) as context:
        ticked = repository.get_sensor_def("approval_gate").evaluate_tick(context)
    assert {(r.job_name, r.tags["wfops/decision"]) for r in ticked.run_requests} == {
        ("release", released.id), ("things", retried.id),
    }  # fmt: skip


def test_a_failed_release_is_tried_again_later_under_a_new_key(bench):
    taken = bench.decide(bench.held(BAD), Verb.APPROVE)
    bench.clock.advance(seconds=15)
    with database.transaction(bench.services.engine) as conn:
        reviews.failed(conn, taken.id, "the destination was down")
    assert requests() == []
    bench.clock.advance(seconds=30)
    assert [r.run_key for r in requests()] == [f"{taken.id}/1"]


def test_a_decision_to_leave_rows_out_is_done_and_the_others_go_on(make_bench, monkeypatch):
    with contacts_api() as api:
        bench = make_bench(Policy(reviewers="team"), crm(), api.environ)
        monkeypatch.setattr(workbench, "services", lambda: bench.services)
        monkeypatch.setattr(workbench, "project", lambda: bench.project)
        good = {**BAD[0], "amount": 1}
        bench.source.answer([good, {**good, "id": "2", "name": "b@x"}])
        by = Run(Actor("test", "machine"))
        review = retrying.run(bench.project, bench.sync, bench.services, by).review
        bench.decide(review, Verb.LEAVE_OUT)
        bench.clock.advance(seconds=30)
        (request,) = requests()
        assert request.job_name == "release"
        release = {j.name: j for j in gate_jobs(["team"])}["release"]
        done = release.execute_in_process(
            run_config=request.run_config, resources={"io_manager": dg.mem_io_manager}
        )
        (told,) = done.asset_materializations_for_node("act_on_decision")
        assert told.metadata["inserted"].value == 1
        assert [r["email"] for r in api.records.values()] == ["b@x"]
        assert requests() == []


@pytest.mark.parametrize(
    ("error", "asked"), [(DestinationRefused("no column"), 1), (DestinationUnreachable("down"), 0)]
)
def test_a_release_that_no_further_try_mends_asks_a_person_at_once(
    bench, monkeypatch, error, asked
):
    def refuse(*_):
        raise error

    taken = bench.decide(bench.held(BAD), Verb.APPROVE)
    monkeypatch.setattr("wfops_pipelines.publishing.release", refuse)
    release = {j.name: j for j in gate_jobs(["team"])}["release"]
    config = {"ops": {"act_on_decision": {"inputs": {"decision": taken.id}}}}
    with pytest.raises(type(error)):
        release.execute_in_process(run_config=config, resources={"io_manager": dg.mem_io_manager})
    with bench.services.engine.connect() as conn:
        failures = [r for r in reviews.listed(conn) if r.kind is ReviewKind.FAILURE]
        assert reviews.errand(conn, taken.id).attempts == 1
    assert len(failures) == asked
    assert all("release failed (destination_refused)" in r.summary for r in failures)


@pytest.mark.parametrize(
    ("error", "tries"), [(DestinationRefused("no column"), 1), (DestinationUnreachable("down"), 6)]
)
@pytest.mark.parametrize("answer", [Verb.RETRY, Verb.REJECT])
def test_a_release_that_failed_for_good_is_tried_again_once_somebody_has_answered(
    bench, instance, monkeypatch, error, tries, answer
):
    repository = assemble(
        replace(bench.project, sensors=load_project(ROOT).sensors)
    ).get_repository_def()

    def ticks():
        """The release runs that Dagster would start on the next day."""
        bench.clock.advance(hours=24)
        with dg.build_sensor_context(instance, repository_def=repository) as context:
            ticked = repository.get_sensor_def("approval_gate").evaluate_tick(context)
        return [r for r in ticked.run_requests if r.job_name == "release"]

    def run(request):
        job = repository.get_job("release")
        return job.execute_in_process(request.run_config, instance, raise_on_error=False)

    def refuse(*_):
        raise error

    taken = bench.decide(bench.held(BAD), Verb.APPROVE)
    with monkeypatch.context() as broken:
        broken.setattr("wfops_pipelines.publishing.release", refuse)
        for attempt in range(tries):
            (request,) = ticks()
            assert request.run_key == f"{taken.id}/{attempt}"
            assert not run(request).success
    assert ticks() == []
    with bench.services.engine.connect() as conn:
        (failure,) = [r for r in reviews.listed(conn) if r.kind is ReviewKind.FAILURE]
    bench.decide(failure, answer)
    (request,) = ticks()
    assert run(request).success
    assert bench.rows("id, amount") == [("1", -5)]


def run_release(request):
    job = {j.name: j for j in gate_jobs(["team"])}[request.job_name]
    job.execute_in_process(
        run_config=request.run_config, resources={"io_manager": dg.mem_io_manager}
    )


@pytest.fixture
def keyless(make_bench, monkeypatch):
    """A bench that writes to an API, in a Dagster where its token was not set."""
    with contacts_api() as api:
        bench = make_bench(Policy(reviewers="team"), crm(), api.environ)
        monkeypatch.setattr(workbench, "services", lambda: bench.services)
        monkeypatch.setattr(workbench, "project", lambda: bench.project)
        bench.environ, bench.token = bench.services.environ, api.environ["WFOPS_CRM_TOKEN"]
        yield bench


def test_a_release_without_its_variable_asks_a_person_once_until_somebody_sets_it(keyless):
    taken = keyless.decide(keyless.held([{**BAD[0], "name": "a@x"}]), Verb.APPROVE)
    del keyless.environ["WFOPS_CRM_TOKEN"]
    keyless.clock.advance(seconds=30)
    with pytest.raises(SettingsError):
        run_release(*requests())
    (review,) = failures(keyless)
    assert "release failed (auth): WFOPS_CRM_TOKEN is not set" in review.summary
    keyless.clock.advance(hours=24)
    assert requests() == []  # it waits for the answer, and asks no second time
    keyless.environ["WFOPS_CRM_TOKEN"] = keyless.token
    keyless.release(taken)
    assert failures(keyless) == []
    assert keyless.review(review.id).state is ReviewState.SUPERSEDED


def test_the_others_of_rows_left_out_that_cannot_go_on_ask_a_person(keyless):
    good = {**BAD[0], "amount": 1}
    keyless.source.answer([good, {**good, "id": "2", "name": "b@x"}])
    by = Run(Actor("test", "machine"))
    review = retrying.run(keyless.project, keyless.sync, keyless.services, by).review
    keyless.decide(review, Verb.LEAVE_OUT)
    del keyless.environ["WFOPS_CRM_TOKEN"]
    keyless.clock.advance(seconds=30)
    with pytest.raises(SettingsError):
        run_release(*requests())
    (told,) = failures(keyless)
    assert "publishing failed (auth): WFOPS_CRM_TOKEN is not set" in told.summary
    keyless.environ["WFOPS_CRM_TOKEN"] = keyless.token
    keyless.run([])
    assert failures(keyless) == []


def test_what_nobody_has_tried_yet_goes_past_a_failed_release(bench):
    first = bench.decide(bench.held(BAD), Verb.APPROVE)
    with database.transaction(bench.services.engine) as conn:
        reviews.failed(conn, first.id, "no column")
    report_failure(bench.sync, "release", DestinationRefused("no column"), bench.services, None)
    second = bench.decide(bench.held([{**BAD[0], "id": "2"}]), Verb.APPROVE)
    bench.clock.advance(hours=1)
    assert [r.run_key for r in requests()] == [f"{second.id}/0"]


def test_the_gate_waits_while_the_sync_is_paused(bench):
    bench.decide(bench.held(BAD), Verb.APPROVE)
    bench.clock.advance(seconds=30)
    event = AuditEvent(bench.clock(), Actor("ana"), Action.PAUSED, "things", "a look first")
    with database.transaction(bench.services.engine) as conn:
        controls.pause(conn, event)
    assert requests() == []


def test_a_retry_runs_the_sync_again(bench):
    error = SourceRefused("401")
    review = report_failure(bench.sync, "extraction", error, bench.services, None)
    taken = bench.decide(review, Verb.RETRY)
    bench.clock.advance(seconds=30)
    (request,) = requests()
    assert request.job_name == "things"
    assert request.tags == {"wfops/decision": taken.id}


def test_a_rejected_failure_runs_nothing(bench):
    error = SourceRefused("401")
    review = report_failure(bench.sync, "extraction", error, bench.services, None)
    bench.decide(review, Verb.REJECT)
    bench.clock.advance(seconds=30)
    assert requests() == []


def crashed(instance, told):
    """The context of Dagster's sensor for a failed run of `things` whose step raised."""

    @dg.op
    def refuse(context):
        told(context.run_id)
        raise DestinationRefused("row 3: the plan is unknown")

    @dg.job(name="things")
    def things():
        refuse()

    done = things.execute_in_process(instance=instance, raise_on_error=False)
    (event,) = [e for e in done.all_events if e.is_run_failure]
    run = instance.get_run_by_id(done.run_id)
    context = dg.build_run_status_sensor_context("run_failures", event, instance, run)
    return context.for_run_failure()


def failures(bench):
    with bench.services.engine.connect() as conn:
        return [r for r in reviews.listed(conn) if r.kind is ReviewKind.FAILURE]


def test_a_failure_that_was_told_is_not_told_again_as_a_crash(bench, instance):
    def told(run_id):
        error = DestinationRefused("row 3: the plan is unknown")
        report_failure(bench.sync, "publish", error, bench.services, run_id)

    for _ in range(2):  # the second joins the first one's request
        review_crashed_run(crashed(instance, told))
        assert [r.cause for r in failures(bench)] == ["publish failed: destination_refused"]


def test_a_run_that_failed_before_anybody_was_told_is_told(bench, instance):
    review_crashed_run(crashed(instance, lambda _: None))
    (review,) = failures(bench)
    assert "run failed" in review.summary
