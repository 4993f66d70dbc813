"""Judge a table that is there already by a sync's suite: by SQL, where the rows are."""

from __future__ import annotations

from wfops_pipelines.checks.gx import run_suite_by_sql
from wfops_pipelines.core.findings import CheckResult
from wfops_pipelines.destinations.table import TableDestination
from wfops_pipelines.errors import WfopsError
from wfops_pipelines.project import Project
from wfops_pipelines.services import Services
from wfops_pipelines.sync import Sync


def judge_table(
    sync: Sync, project: Project, services: Services, table: str | None = None
) -> tuple[str, tuple[CheckResult, ...]]:
    """(table, results) of `schema.name` in the product's database; the sync's own if not given.

    Nothing is held or recorded: the table is no snapshot. Raises WfopsError when the sync does not
    write to a table and none is named.
    """
    own = sync.destination
    if table is None and not isinstance(own, TableDestination):
        raise WfopsError(f"{sync.name} writes to {own.words}, no table. Name one: schema.table.")
    name = table or f"{own.schema}.{own.name}"  # type: ignore[attr-defined]
    url = services.engine.url.render_as_string(hide_password=False)
    return name, run_suite_by_sql(project.suite(sync.name), url, name, key=sync.key)
