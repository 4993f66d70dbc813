"""A sync in Dagster: two assets, its checks, a job and a schedule."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from wfops_pipelines import flow, publishing, workbench
from wfops_pipelines.checks.suite import Suite
from wfops_pipelines.errors import SyncFailure
from wfops_pipelines.failing import report_failure
from wfops_pipelines.orchestration import reporting
from wfops_pipelines.orchestration.audit_heads import seal_run
from wfops_pipelines.orchestration.days import daily_schedule, day_of, partitions_of
from wfops_pipelines.orchestration.gate_sensors import DECISION_TAG
from wfops_pipelines.orchestration.identity import actor_of
from wfops_pipelines.orchestration.progress import progress_logged
from wfops_pipelines.orchestration.since import op_name
from wfops_pipelines.project import Project
from wfops_pipelines.staging.rereading import moment, read_since
from wfops_pipelines.store import database, reviews, snapshots
from wfops_pipelines.sync import Sync

# a raw field: Dagster's pydantic config would also take {env: NAME}
READ_SINCE = dg.Field(
    str,
    is_required=False,
    description="first read again what the source has since then (UTC), as 2026-05-01",
)
RETRIES = 2
RETRY_SECONDS = 5
EXAMINERS = {
    "anomaly": "the snapshot looks like the ones before it",
    "critical_changes": "no critical field changes in rows that the destination holds",
    "high_impact": "no row needs a person's approval by rule",
}


def staged_key(sync: str) -> dg.AssetKey:
    return dg.AssetKey([sync, "staged"])


def published_key(sync: str) -> dg.AssetKey:
    return dg.AssetKey([sync, "published"])


def sync_assets(sync: Sync, suite: Suite) -> dg.AssetsDefinition:
    """`<sync>/staged` and `<sync>/published` with their checks.

    `published` is not materialized by a run whose snapshot is held: such a run succeeds. Of a
    partitioned sync, a day without news is materialized for a backfill, and for the first time.
    """

    @dg.multi_asset(
        name=op_name(sync.name),
        specs=_specs(sync),
        check_specs=_check_specs(sync, suite),
        can_subset=True,
        partitions_def=partitions_of(sync),
        config_schema={"since": READ_SINCE},
        group_name=None,
    )
    def run(context: dg.AssetExecutionContext) -> Iterator[Any]:
        selected = context.selected_asset_keys | context.selected_asset_check_keys
        with progress_logged(context):
            for event in _run(context, sync):
                if _key_of(event) in selected:
                    yield event
        seal_run(context)

    return run


def _key_of(event: Any) -> dg.AssetKey | dg.AssetCheckKey:
    key: dg.AssetKey = event.asset_key
    if isinstance(event, dg.AssetCheckResult):
        assert event.check_name is not None
        return dg.AssetCheckKey(key, event.check_name)
    return key


def sync_job(sync: Sync) -> Any:
    return dg.define_asset_job(
        sync.name,
        selection=dg.AssetSelection.assets(staged_key(sync.name), published_key(sync.name)),
        description=f"Stage, examine and publish {sync.name}.",
        executor_def=dg.in_process_executor,
    )


def sync_schedule(sync: Sync, job: Any) -> dg.ScheduleDefinition | None:
    if sync.schedule is None:
        return None
    name = f"{sync.name}_schedule"
    words = f"Runs {sync.name}. Switch it on in the Automation tab."
    if sync.days_from is not None:
        return daily_schedule(sync, name, words, job)
    return dg.ScheduleDefinition(name=name, job=job, cron_schedule=sync.schedule, description=words)


def _specs(sync: Sync) -> list[dg.AssetSpec]:
    shared: dict[str, Any] = {"group_name": sync.group, "owners": list(sync.owners)}
    staged, published = staged_key(sync.name), published_key(sync.name)
    first = sync.words.splitlines()[0] if sync.words else sync.name
    return [
        dg.AssetSpec(staged, description=f"{first} (staged)", skippable=True, **shared),
        dg.AssetSpec(
            published,
            deps=[staged],
            description=f"{first} Published to {sync.destination.words}.",
            skippable=True,
            **shared,
        ),
    ]


def _check_specs(sync: Sync, suite: Suite) -> list[dg.AssetCheckSpec]:
    staged = staged_key(sync.name)
    expected = {e.name: e.words for e in suite.expectations}
    specs = [
        dg.AssetCheckSpec(name, asset=staged, description=words)
        for name, words in {**expected, **EXAMINERS}.items()
    ]
    words = "every row is published or decided upon"
    return [
        *specs,
        dg.AssetCheckSpec("approval", asset=published_key(sync.name), description=words),
    ]


def _run(context: dg.AssetExecutionContext, sync: Sync) -> Iterator[Any]:
    services, project = workbench.services(), workbench.project()
    began, selected = services.clock(), context.selected_asset_keys
    _acknowledge_retry(context, sync)
    if staged_key(sync.name) in context.selected_asset_keys:
        judged = _guarded(context, sync, "extraction", lambda: _judge(context, project, sync))
        if not judged:
            yield from reporting.staged_before(context, sync, services)
        for one in judged:
            if one is judged[-1]:
                yield from reporting.staged_events(sync, one)
            else:
                reporting.log_staged(context, sync, one)
            _tag(context, one)
    if published_key(sync.name) in context.selected_asset_keys:
        actor = actor_of(context)
        done = _guarded(
            context,
            sync,
            "publishing",
            lambda: publishing.publish_cleared(sync, services, actor, day_of(context)),
        )
        if staged_key(sync.name) in selected:
            since = moment(text) if (text := _since(context)) else None
            flow.whole_run(sync, services, day_of(context), began, since)
        yield from reporting.published_events(context, sync, services, done)
    elif staged_key(sync.name) not in context.selected_asset_keys:
        yield from _reported_again(sync)


def _judge(
    context: dg.AssetExecutionContext, project: Project, sync: Sync
) -> tuple[flow.Judged, ...]:
    run = flow.Run(actor_of(context), context.run.run_id)
    try:
        since = read_since(sync, _since(context), workbench.services())
        day = day_of(context)
        return flow.stage_and_judge(project, sync, workbench.services(), run, day=day, since=since)
    except snapshots.HeadMoved as moved:
        context.log.info(f"{moved}")
        return ()


def _guarded(context: dg.AssetExecutionContext, sync: Sync, step: str, work: Any) -> Any:
    """Retry what is transient; else open a review request, once, and fail the run."""
    services, run_id, day = workbench.services(), context.run.run_id, day_of(context)
    try:
        return work()
    except SyncFailure as error:
        if error.transient and context.retry_number < RETRIES:
            raise dg.RetryRequested(RETRIES, RETRY_SECONDS) from error
        review = report_failure(
            sync, step, error, services, run_id, day, actor_of(context), _since(context)
        )
        raise reporting.failure(error, review) from error
    except Exception as error:
        report_failure(sync, step, error, services, run_id, day, since=_since(context))
        raise


def _since(context: dg.AssetExecutionContext) -> str:
    return str(context.op_execution_context.op_config.get("since", ""))


def _tag(context: dg.AssetExecutionContext, judged: flow.Judged) -> None:
    if judged.review is not None:
        tags = {"wfops/gate": "held", "wfops/review": judged.review.id}
        context.instance.add_run_tags(context.run.run_id, tags)


def _acknowledge_retry(context: dg.AssetExecutionContext, sync: Sync) -> None:
    """A run that a decision `retry` asked for has started: the errand is done."""
    decision = context.run.tags.get(DECISION_TAG)
    if decision is None:
        return
    services = workbench.services()
    with database.transaction(services.engine) as conn:
        errand = reviews.claim(conn, decision)
        if errand is not None and errand.seq is None and errand.sync == sync.name:
            reviews.finish(conn, decision, services.clock())


def _reported_again(sync: Sync) -> Iterator[Any]:
    """Only checks were asked for: say again what the newest snapshot's evidence says."""
    with workbench.services().engine.connect() as conn:
        for snapshot in snapshots.latest(conn, sync.name, 1):
            found = snapshots.evidence(conn, sync.name, snapshot.seq)
            if found is not None:
                yield from reporting.check_results(sync, snapshot.seq, found[1])
