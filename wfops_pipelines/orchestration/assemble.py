"""All Dagster definitions of one project."""

from __future__ import annotations

from typing import Any

import dagster as dg

from wfops_pipelines.orchestration.decide_job import gate_jobs
from wfops_pipelines.orchestration.gate_sensors import GATE
from wfops_pipelines.orchestration.steering_jobs import steering_jobs
from wfops_pipelines.orchestration.sync_assets import sync_assets, sync_job, sync_schedule
from wfops_pipelines.project import Project


def assemble(project: Project) -> dg.Definitions:
    """Assets, checks, jobs, schedules and sensors of everything the project declares."""
    syncs = list(project.syncs.values())
    sync_jobs = [sync_job(s) for s in syncs]
    declared = [sync_schedule(s, job) for s, job in zip(syncs, sync_jobs, strict=True)]
    groups = sorted(project.groups)
    gate = gate_jobs(groups)
    return dg.Definitions(
        assets=[sync_assets(s, project.suites[s.name]) for s in syncs],
        jobs=[*sync_jobs, *gate, *steering_jobs(groups)],
        schedules=[s for s in declared if s is not None],
        sensors=_sensors(project, [*sync_jobs, *gate]),
        executor=dg.in_process_executor,
        resources={"io_manager": dg.mem_io_manager},  # one process a run: nothing to hand over
    )


def _sensors(project: Project, jobs: list[Any]) -> list[dg.SensorDefinition]:
    """The project's sensors; Dagster refuses runs of one that has not said which jobs it starts."""
    declared = [v for module in project.sensors for v in vars(module).values()]
    found = [v for v in declared if isinstance(v, dg.SensorDefinition)]
    return [s.with_attributes(jobs=jobs) if s.name == GATE else s for s in found]
