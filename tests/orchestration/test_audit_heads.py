"""Signed heads in Dagster's event log: after each run, and for what no run has signed."""

from datetime import UTC, datetime

import dagster as dg
import pytest

from wfops_pipelines import auditing, workbench
from wfops_pipelines.core.audit import Action, AuditEvent
from wfops_pipelines.core.reviews import Actor
from wfops_pipelines.orchestration import sign_audit_head
from wfops_pipelines.orchestration.audit_heads import AUDIT_HEAD, recorded
from wfops_pipelines.orchestration.sync_assets import sync_assets
from wfops_pipelines.store import audit, database, heads

pytestmark = pytest.mark.components

ROWS = [{"id": "1", "name": "n", "amount": 5, "updated_at": datetime(2026, 5, 1, tzinfo=UTC)}]


@pytest.fixture
def bench(bench, monkeypatch):
    monkeypatch.setattr(workbench, "services", lambda: bench.services)
    monkeypatch.setattr(workbench, "project", lambda: bench.project)
    monkeypatch.setattr(workbench, "secret", lambda: b"k" * 32)
    return bench


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def paused(bench):
    with database.transaction(bench.services.engine) as conn:
        event = AuditEvent(bench.clock(), Actor("ana"), Action.PAUSED, "things", "a look first")
        audit.append(conn, event)


def test_a_run_signs_what_it_wrote_in_the_file_and_in_its_own_log(bench, instance):
    bench.source.answer(ROWS)
    assets = sync_assets(bench.sync, bench.project.suites["things"])
    done = dg.materialize([assets], instance=instance, resources={"io_manager": dg.mem_io_manager})
    assert done.success
    report = auditing.verify(bench.services)
    assert (report.problems, report.unsigned, report.signed) == ([], 0, report.events)
    (head,) = recorded(instance)
    assert [head] == heads.read(bench.services.vault)
    (record,) = instance.fetch_observations(AUDIT_HEAD, 10).records
    assert record.run_id == done.run_id


def test_the_sensor_signs_what_no_run_has_signed_and_is_quiet_otherwise(bench, instance):
    context = dg.build_sensor_context(instance)
    paused(bench)
    assert sign_audit_head(context).skip_message == "signed up to audit event 1"
    assert sign_audit_head(context).skip_message == "every audit event is signed"
    assert [h.n for h in recorded(instance)] == [1]


def test_the_log_tells_what_was_cut_off_when_the_file_is_gone(bench, instance):
    context = dg.build_sensor_context(instance)
    paused(bench)
    sign_audit_head(context)
    bench.services.vault.file.unlink()
    with bench.services.engine.begin() as conn:
        conn.exec_driver_sql("alter table wfops.audit disable trigger all")
        conn.exec_driver_sql("alter table wfops.audit_head disable trigger all")
        conn.exec_driver_sql("delete from wfops.audit")
        conn.exec_driver_sql(f"update wfops.audit_head set n = 0, hash = '{'0' * 64}'")
    found = auditing.verify(bench.services, list(recorded(instance))).problems
    assert any("event 1 was signed, but the trail ends at event 0" in p.words for p in found)


def test_a_rewritten_trail_makes_the_sensor_fail_aloud(bench, instance):
    context = dg.build_sensor_context(instance)
    paused(bench)
    sign_audit_head(context)
    with bench.services.engine.begin() as conn:
        conn.exec_driver_sql("alter table wfops.audit disable trigger all")
        conn.exec_driver_sql("update wfops.audit set hash = 'ab'")
    with pytest.raises(auditing.TrailRewritten):
        sign_audit_head(context)
