"""`wfops reconcile`: where every extracted row is, or the whole story of one."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from wfops_pipelines.commands.terminal import open_all
from wfops_pipelines.core.findings import counted, counted_rows

if TYPE_CHECKING:
    from wfops_pipelines.reconciling.proving import Proof
    from wfops_pipelines.reconciling.stories import Version
    from wfops_pipelines.sync import Sync


def reconcile(
    name: Annotated[str, typer.Argument(metavar="SYNC", help="the sync's name")],
    key: Annotated[
        str | None, typer.Argument(metavar="[KEY]", help="tell the story of this row alone")
    ] = None,
) -> None:
    """Account for every extracted row, by count and by key, against the destination."""
    from wfops_pipelines.reconciling import proving, stories

    _, project, services = open_all()
    sync = project.find(name)
    if key is not None:
        for version in stories.versions_of(sync, key, services):
            typer.echo(_story(version))
        return
    proof = proving.prove(sync, services)
    _show(proof, sync)
    if proof.account.missing or proof.misfits:
        missing, wrong = proof.account.missing, len(proof.misfits)
        lost = f"{counted_rows(missing)} {'is' if missing == 1 else 'are'} unaccounted for"
        said = f"{lost}, {wrong:,} {'does' if wrong == 1 else 'do'} not fit"
        typer.secho(said, fg="red", err=True)
        raise typer.Exit(1)
    said = f"every row of {counted(proof.keys, 'key')} is accounted for"
    typer.echo(f"{said}{_but(len(proof.beaten))}")


def _show(proof: Proof, sync: Sync) -> None:
    from wfops_pipelines.masking import named

    for label, count in proof.account.lines():
        typer.echo(f"{label:24}{count:>12,}")
    for row in proof.beaten:
        typer.secho(f"! {named(sync, row.key)}: #{row.seq}: {row.words}", fg="yellow")
    for misfit in proof.misfits:
        where = f"#{misfit.seq}: " if misfit.seq else ""
        typer.secho(f"✗ {named(sync, misfit.key)}: {where}{misfit.words}", fg="red", err=True)


def _but(beaten: int) -> str:
    if not beaten:
        return ""
    return f"; of {beaten:,} the newest version that was let go is not at the destination"


def _story(version: Version) -> str:
    of = f", as of {_at(version.cursor)}" if version.cursor else ""
    by = f", {version.by}" if version.by else ""
    what = ", a deletion" if version.deletes else ""
    since = f" ({_at(version.told.at)})" if version.told.at else ""
    return f"#{version.seq} staged {_at(version.staged_at)}{what}{of}{by}: {version.words}{since}"


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
