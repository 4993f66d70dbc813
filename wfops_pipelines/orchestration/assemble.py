"""All Dagster definitions of one project."""

from __future__ import annotations

import dagster as dg

from wfops_pipelines.orchestration.decide_job import gate_jobs
from wfops_pipelines.orchestration.steering_jobs import steering_jobs
from wfops_pipelines.orchestration.sync_assets import sync_assets, sync_job, sync_schedule
from wfops_pipelines.project import Project


def assemble(project: Project) -> dg.Definitions:
    """Assets, checks, jobs, schedules and sensors of everything the project declares."""
    syncs = list(project.syncs.values())
    sync_jobs = [sync_job(s) for s in syncs]
    declared = [sync_schedule(s, job) for s, job in zip(syncs, sync_jobs, strict=True)]
    groups = sorted(project.groups)
    return dg.Definitions(
        assets=[sync_assets(s, project.suites[s.name]) for s in syncs],
        jobs=[*sync_jobs, *gate_jobs(groups), *steering_jobs(groups)],
        schedules=[s for s in declared if s is not None],
        sensors=_sensors(project),
        executor=dg.in_process_executor,
        resources={"io_manager": dg.mem_io_manager},  # one process a run: nothing to hand over
    )


def _sensors(project: Project) -> list[dg.SensorDefinition]:
    found = [v for module in project.sensors for v in vars(module).values()]
    return [v for v in found if isinstance(v, dg.SensorDefinition)]
