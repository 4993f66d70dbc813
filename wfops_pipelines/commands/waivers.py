"""The command line of waivers: `wfops waivers --help`."""

from __future__ import annotations

from typing import Annotated

import typer

from wfops_pipelines.commands.terminal import me, open_all, sign, tell_waiting

waivers_app = typer.Typer(
    help="Failing expectations that do not hold some rows, for a while.", no_args_is_help=True
)
Reason = Annotated[str, typer.Option("--reason", "-r", help="why; the audit trail keeps it")]


@waivers_app.command("list")
def list_(
    name: Annotated[str | None, typer.Argument(metavar="[SYNC]", help="only of this sync")] = None,
) -> None:
    """List the waivers that count now, and those that wait for a second person."""
    from wfops_pipelines.store import waivers

    _, project, services = open_all()
    found = []
    with services.engine.connect() as conn:
        for sync in [project.find(name).name] if name else sorted(project.syncs):
            found += [(w, "counts") for w in waivers.granted(conn, sync, services.clock())]
            found += [(w, "asked") for w in waivers.asked_for(conn, sync, services.clock())]
    if not found:
        typer.echo("nothing is waived")
    for waiver, state in found:
        typer.echo(
            f"{waiver.id}  {state:6}  until {waiver.last_day}  {waiver.sync:20} {waiver.rows:12} "
            f"{waiver.words} ({waiver.actor}: {waiver.reason})"
        )


@waivers_app.command("ask")
def ask(
    sync: Annotated[str, typer.Argument(metavar="SYNC")],
    snapshot: Annotated[int, typer.Argument(metavar="SNAPSHOT", help="its number")],
    expectation: Annotated[
        str, typer.Argument(metavar="EXPECTATION", help="its name, as in the report's address")
    ],
    until: Annotated[str, typer.Option(help="the last day on which it counts (UTC)")],
    reason: Reason,
    row: Annotated[
        list[str] | None, typer.Option(help="key of a failing row; repeatable; all if not given")
    ] = None,
    evidence: Annotated[
        str | None, typer.Option(help="the hash you were shown; the current one if not given")
    ] = None,
) -> None:
    """Waive a failing expectation for some rows; somebody else grants a critical one's."""
    from wfops_pipelines.deciding import waiving
    from wfops_pipelines.store import snapshots

    _, project, services = open_all()
    if evidence is None:
        with services.engine.connect() as conn:
            found = snapshots.evidence(conn, project.find(sync).name, snapshot)
        evidence = found[0] if found else ""
    asked = waiving.Asked(sync, snapshot, expectation, evidence, until, reason, tuple(row or ()))
    waived = waiving.waive(asked, me(services), project, services)
    typer.echo(waived.words)
    if waived.review is not None:
        tell_waiting(waived.review, None, services)
    sign(services)


@waivers_app.command("end")
def end(
    waiver: Annotated[str, typer.Argument(metavar="WAIVER", help="as wv-01J…")], reason: Reason
) -> None:
    """End a waiver before its day."""
    from wfops_pipelines.deciding import waiving

    _, _, services = open_all()
    ended = waiving.end(waiver, reason, me(services), services)
    typer.echo(f"{ended.words} holds again")
    sign(services)
