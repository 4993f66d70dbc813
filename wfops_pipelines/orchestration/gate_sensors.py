"""What the sensors in `sensors/` do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import dagster as dg
from sqlalchemy import Connection

from wfops_pipelines import notifying, workbench
from wfops_pipelines.deciding import deadlines
from wfops_pipelines.failing import known, report_failure
from wfops_pipelines.orchestration.since import asked_since, run_config
from wfops_pipelines.publishing import may_release
from wfops_pipelines.store import reviews
from wfops_pipelines.sync import Sync, day_named

HEAD_START = timedelta(seconds=10)  # the decide run releases by itself; the sensor takes the rest
DECISION_TAG = "wfops/decision"
GATE = "approval_gate"  # the sensor that starts runs, of syncs and of the gate's jobs
PARTITION_TAG = "dagster/partition"


def approval_gate_requests() -> Iterator[dg.RunRequest | dg.SkipReason]:
    """A run for each decision that was recorded and not acted on yet; each at most once a try."""
    services, project = workbench.services(), workbench.project()
    requests: list[dg.RunRequest | dg.SkipReason] = []
    with services.engine.connect() as conn:
        for errand in reviews.waiting(conn, services.clock() - HEAD_START):
            sync = project.syncs.get(errand.sync)
            if sync is not None and may_release(conn, sync, errand, services.clock()):
                requests.append(_request(conn, sync, errand))
    runs = [r for r in requests if isinstance(r, dg.RunRequest)]
    yield from runs or requests[:1] or [dg.SkipReason("every decision has been acted on")]


def _request(conn: Connection, sync: Sync, errand: reviews.Errand) -> dg.RunRequest | dg.SkipReason:
    """A day that the sync has no longer waits: Dagster would refuse all other requests with it."""
    key, tags = f"{errand.decision}/{errand.attempts}", {DECISION_TAG: errand.decision}
    if errand.seq is None:  # a failure, to be retried
        failed = reviews.failure_of(conn, errand.review) or {}
        again = run_config(errand.sync, str(failed.get("since", "")))
        day = failed.get("day") if sync.days_from else None
        if sync.days_from and day and date.fromisoformat(day) < sync.days_from:
            return dg.SkipReason(f"the retry of {day} waits: {sync.name} begins {sync.days_from}")
        return dg.RunRequest(
            run_key=key, job_name=errand.sync, tags=tags, partition_key=day, run_config=again
        )
    config = {"ops": {"act_on_decision": {"inputs": {"decision": errand.decision}}}}
    return dg.RunRequest(run_key=key, job_name="release", run_config=config, tags=tags)


def review_deadline_acts() -> dg.SkipReason:
    """Escalate, note or reject what nobody answered in time; says what was done."""
    done = deadlines.act(workbench.project(), workbench.services())
    return dg.SkipReason("; ".join(done) or "nothing is overdue")


def notifications_sent() -> dg.SkipReason:
    """Tell the reviewer groups what is new; says what was done."""
    return dg.SkipReason("; ".join(notifying.tell(workbench.services())) or "nothing is new")


def review_crashed_run(context: dg.RunFailureSensorContext) -> None:
    """Open a review request for a sync's run whose process died before it could do so itself."""
    run = context.dagster_run
    sync = workbench.project().syncs.get(run.job_name)
    if sync is not None and not _told(context, sync.name):
        error = RuntimeError(context.failure_event.message or "the run's process died")
        name = run.tags.get(PARTITION_TAG)
        day = day_named(name) if sync.days_from else None
        since = asked_since(sync.name, run.run_config)
        report_failure(sync, "run", error, workbench.services(), run.run_id, day, since=since)


def _told(context: dg.RunFailureSensorContext, sync: str) -> bool:
    """Whether a step raised what is already a review request of its own (or joined one)."""
    if not context.get_step_failure_events():
        return False  # the process died
    with workbench.services().engine.connect() as conn:
        return known(conn, sync, context.dagster_run.run_id)
