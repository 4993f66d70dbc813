"""A run of the Dagster UI that reads from a date, by one line of config."""

from datetime import UTC, datetime

import dagster as dg
import pytest

from wfops_pipelines import workbench
from wfops_pipelines.core.reviews import Actor, Verb
from wfops_pipelines.errors import SourceRefused
from wfops_pipelines.orchestration import approval_gate_requests
from wfops_pipelines.orchestration.assemble import assemble
from wfops_pipelines.orchestration.since import asked_since, run_config
from wfops_pipelines.staging.extraction import stage
from wfops_pipelines.store import audit, reviews

pytestmark = pytest.mark.components


@pytest.fixture
def bench(bench, monkeypatch):
    monkeypatch.setattr(workbench, "services", lambda: bench.services)
    monkeypatch.setattr(workbench, "project", lambda: bench.project)
    monkeypatch.setattr(workbench, "secret", lambda: b"secret")
    bench.source.windowed = True
    return bench


@pytest.fixture
def materialize(bench):
    with dg.DagsterInstance.ephemeral() as instance:

        def run(since=""):
            job = assemble(bench.project).resolve_job_def("things")
            run.instance = instance
            return job.execute_in_process(
                run_config=run_config("things", since), instance=instance, raise_on_error=False
            )

        yield run


def row(id, day):
    at = datetime(2026, 5, day, 9, tzinfo=UTC)
    return {"id": id, "name": "n", "amount": 10, "updated_at": at}


def test_the_config_asks_the_source_for_more_and_the_audit_says_so(bench, materialize):
    bench.source.answer([row("1", 20)])
    assert materialize().success
    bench.source.answer([row("1", 20), row("0", 2)])
    assert materialize("2026-05-01").success
    assert bench.source.windows[-2].start == datetime(2026, 5, 1, tzinfo=UTC)
    assert [r[0] for r in bench.rows()] == ["0", "1"]
    with bench.services.engine.connect() as conn:
        assert audit.trail(conn, "things")[-1]["action"] == "source.read_again"


def test_a_date_that_cannot_be_fails_the_run_with_the_repair(bench, materialize):
    bench.source.answer([row("1", 20)])
    materialize()
    assert not materialize("{env: WFOPS_FAKE_TOKEN}").success
    with bench.services.engine.connect() as conn:
        (review,) = reviews.listed(conn)
    assert "Write it as 2026-05-01" in review.summary
    assert "not-a-secret" not in review.summary


def test_what_failed_is_retried_from_the_same_date(bench, materialize):
    bench.source.answer([row("1", 20)])
    materialize()
    bench.source.error = SourceRefused("the token is wrong")
    assert not materialize("2026-05-01").success
    with bench.services.engine.connect() as conn:
        (review,) = reviews.listed(conn)
    bench.decide(review, Verb.RETRY)
    bench.clock.advance(seconds=30)
    (request,) = [r for r in approval_gate_requests() if isinstance(r, dg.RunRequest)]
    assert asked_since("things", request.run_config) == "2026-05-01"


def test_a_run_that_judges_what_another_left_behind_tells_of_both(bench, materialize):
    bench.source.answer([row("0", 19)])
    stage(bench.sync, bench.services, Actor("test", "machine"), None)  # and then it crashed
    bench.source.answer([row("1", 20)])
    done = materialize()
    assert done.success
    told = done.asset_materializations_for_node("things__sync")
    names = [m.metadata["snapshot"].value for m in told if "verdict" in m.metadata]
    assert names == ["#1", "#2"]
    assert [r[0] for r in bench.rows()] == ["0", "1"]


def test_how_far_a_long_run_has_come_is_in_its_log(bench, materialize, monkeypatch):
    monkeypatch.setattr("wfops_pipelines.core.progress.EVERY", -1.0)
    bench.source.answer([row("0", 19)], [row("1", 20)])
    done = materialize()
    told = [entry.user_message for entry in materialize.instance.all_logs(done.run_id)]
    assert {"things: 1 row read", "things: 2 rows read"} <= set(told)
