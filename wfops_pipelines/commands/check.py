"""`wfops check`: everything that does not fit in a project, at once, and what was not looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wfops_pipelines.errors import ProjectError, SettingsError
from wfops_pipelines.settings import Settings, read_settings

if TYPE_CHECKING:
    from wfops_pipelines.project import Project

_OF_PEOPLE = ("policy.reviewers", "policy.escalate_to", "policy.routes", "policy.approvals")


def check(
    folder: Annotated[
        Path | None, typer.Argument(help="the project; this folder if not given")
    ] = None,
) -> None:
    """Validate the project: names, columns, suites, policies, reviewer groups, sensors."""
    from wfops_pipelines.project import open_project

    settings = read_settings(start=folder)
    unread: list[ProjectError] = []
    project = open_project(settings.root, tell=unread.append)
    found = [*unread, *_fitting(project, unread)]
    wrong, unknown = _columns(settings, project)
    for problem in dict.fromkeys(map(str, [*found, *wrong])):
        typer.secho(f"✗ {problem}", fg="red", err=True)
    for said in unknown:
        typer.echo(f"· {said}")
    if count := len({str(e) for e in [*found, *wrong]}):
        typer.echo(f"{count} to repair in {settings.root}", err=True)
        raise typer.Exit(1)
    typer.echo(f"✓ {settings.root}: {_counted(project)}")


def _fitting(project: Project, unread: Sequence[ProjectError]) -> Iterator[ProjectError]:
    """How the rooms fit together, but for what follows from a file that could not be read."""
    from wfops_pipelines.validation import problems

    assets = {Path(e.file).stem for e in unread if Path(e.file).parent.name == "assets"}
    people = any(Path(e.file).name == "reviewers.yaml" for e in unread)
    for problem in problems(project):
        stray = problem.field == "file name" and Path(problem.file).stem in assets
        empty = assets and Path(problem.file).name == "assets"
        if not (stray or empty or (people and problem.field in _OF_PEOPLE)):
            yield problem


def _columns(settings: Settings, project: Project) -> tuple[list[ProjectError], list[str]]:
    """Columns that are named and not there; and whose columns nobody knows, with the reason."""
    from wfops_pipelines.naming import dangling, known_columns
    from wfops_pipelines.validation import file_of

    untold = [n for n, sync in project.syncs.items() if known_columns(sync, ()) is None]
    staged, why = _staged(settings, project, untold) if untold else ({}, "")
    wrong: list[ProjectError] = []
    unknown = []
    for name, sync in project.syncs.items():
        columns = known_columns(sync, staged.get(name, ()))
        if columns is None:
            unknown.append(
                f"{name}: its columns were not checked: its function does not write each row as "
                f"{{…}}, and {why}. What is misspelt is held by its first run: `wfops run {name}`."
            )
        else:
            wrong += dangling(project, sync, file_of(project, sync), columns)
    return wrong, unknown


def _staged(
    settings: Settings, project: Project, names: Sequence[str]
) -> tuple[Mapping[str, Sequence[str]], str]:
    """The columns of these syncs' snapshots; and why there may be none, in words."""
    from sqlalchemy.exc import SQLAlchemyError

    from wfops_pipelines.services import open_services
    from wfops_pipelines.store import snapshots

    try:
        services = open_services(settings, project.people)
        with services.engine.connect() as conn:
            found = {n: [*(snapshots.head(conn, n).types or {})] for n in names}
    except (SettingsError, SQLAlchemyError):
        return {}, "no database answers that knows its snapshots (`wfops dev` starts one)"
    return found, "it has no snapshot yet"


def _counted(project: Project) -> str:
    from wfops_pipelines.core.findings import counted

    counts = {
        "sync": len(project.syncs),
        "expectation": sum(len(s.expectations) for s in project.suites.values()),
        "reviewer group": len(project.groups),
        "sensor": len(project.sensors),
    }
    return ", ".join(counted(number, noun) for noun, number in counts.items())
