"""The command line of deliveries to SaaS APIs: `wfops deliveries --help`."""

from __future__ import annotations

from typing import Annotated

import typer

from wfops_pipelines.commands.terminal import me, open_all, sign


def deliveries(
    name: Annotated[str, typer.Argument(metavar="SYNC", help="the sync's name")],
    delivered: Annotated[
        str | None, typer.Option(metavar="KEY", help="this row in doubt has arrived")
    ] = None,
    again: Annotated[
        str | None, typer.Option(metavar="KEY", help="this one has not: send it once more")
    ] = None,
    snapshot: Annotated[
        int | None, typer.Option(help="its number, where a row is unknown in several")
    ] = None,
    reason: Annotated[
        str, typer.Option("--reason", "-r", help="why; the audit trail keeps it")
    ] = "",
) -> None:
    """List the rows that did not arrive at the sync's API; settle those that nobody knows of.

    A row that was left out is listed until a newer version of it has arrived. A KEY that the policy
    masks is shown, and taken, as sha256:…
    """
    from wfops_pipelines.deciding import leaving, settling
    from wfops_pipelines.errors import BadDecision
    from wfops_pipelines.masking import named

    _, project, services = open_all()
    if delivered is not None and again is not None:
        raise BadDecision("say --delivered or --again, one row at a time.")
    key = delivered if delivered is not None else again
    if key is not None:
        arrived = delivered is not None
        entry = settling.settle(
            name, key, arrived, reason, me(services), project, services, snapshot
        )
        row = named(project.find(name), entry.key)
        typer.echo(f"{row} of {name} {'has arrived' if arrived else 'is sent with the next try'}")
        sign(services)
        return
    found, left_out = settling.unsettled(name, project, services), settling.left_out(name, services)
    if not found:
        but = ", but for what was left out" if left_out else ""
        typer.echo(f"every row that was sent has arrived{but}")
    for line in settling.shown(name, [*found, *left_out], project, services):
        typer.echo(line)
    refused = [one for one in found if one.state.value == "refused"]
    with services.engine.connect() as conn:
        for number in sorted({one.number for one in refused}):
            keys = [one.key for one in refused if one.number == number]
            if newer := leaving.newer_staged(conn, project.find(name), number, keys):
                typer.echo(f"  {newer}")
    if refused:
        typer.echo("`wfops reviews` says how to go on without what was refused")
