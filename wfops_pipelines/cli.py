"""The command line: `wfops --help`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from wfops_pipelines.commands import asset_pages, carried, failures
from wfops_pipelines.commands.audit import audit_app
from wfops_pipelines.commands.check import check
from wfops_pipelines.commands.deliveries import deliveries
from wfops_pipelines.commands.reconcile import reconcile
from wfops_pipelines.commands.terminal import me as _me
from wfops_pipelines.commands.terminal import open_all as _open
from wfops_pipelines.commands.terminal import progress_told, tell_judged, tell_waiting
from wfops_pipelines.commands.terminal import sign as _sign
from wfops_pipelines.commands.waivers import waivers_app
from wfops_pipelines.errors import WfopsError
from wfops_pipelines.settings import read_settings

app = typer.Typer(
    name="wfops",
    help="Write-Audit-Publish for SaaS syncs on Dagster, with a person at the gate.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(audit_app, name="audit")
app.add_typer(waivers_app, name="waivers")
app.command()(check)
app.command()(deliveries)
app.command()(reconcile)

VERBS = ("approve", "approve_clean", "reject", "retry", "leave_out")
SyncName = Annotated[str, typer.Argument(metavar="SYNC", help="the sync's name")]
Reason = Annotated[str, typer.Option("--reason", "-r", help="why; the audit trail keeps it")]
ReviewId = Annotated[str, typer.Argument(metavar="REVIEW", help="as rv-01J…")]
Port = Annotated[int, typer.Option(help="where the UI listens; 0 takes a free one")]


def main() -> None:
    """Run the command line; an expected error is one line on stderr and exit code 1."""
    try:
        app()
    except WfopsError as error:
        typer.secho(f"wfops: {error}", fg="red", err=True)
        sys.exit(1)


@app.command()
def dev(port: Port = 3000) -> None:
    """Serve the Dagster UI with everything it needs, until Ctrl-C."""
    from wfops_pipelines.serve import run_dev

    sys.exit(run_dev(read_settings(), port))


@app.command()
def demo(
    port: Port = 3000,
    once: Annotated[bool, typer.Option("--once", help="stop after the summary")] = False,
) -> None:
    """Run the syncs against the sandbox SaaS, show what is published and held, serve the UI."""
    from wfops_pipelines.demonstration import run_demo

    sys.exit(run_demo(read_settings(), port, once=once))


@app.command()
def run(
    name: SyncName,
    day: Annotated[
        str, typer.Option(help="of a sync with days_from: which, as 2026-05-01; today if left out")
    ] = "",
    since: Annotated[
        str, typer.Option(help="first read again what the source has since then, as 2026-05-01")
    ] = "",
) -> None:
    """Run one sync here and now, without Dagster: stage, examine, publish or hold.

    What was decided about its rows and nobody has carried out yet is carried out, too.
    """
    from wfops_pipelines import carrying, flow, retrying
    from wfops_pipelines.core.reviews import Actor
    from wfops_pipelines.sync import read_day

    _, project, services = _open()
    sync, actor = project.find(name), Actor("cli", "machine")
    project.suite(name)  # what is broken is told before anything is read
    which = read_day(sync, day, services.clock())
    by = flow.Run(_me(services) if since else actor)
    asked = carrying.take_up(sync, services, which, since)
    with asset_pages.told(project, sync, services) as judged, progress_told():
        tried = (retrying.retry if asked else retrying.run)(
            project, sync, services, by, which, since
        )
        judged += tried.judged
    _sign(services)
    if not tried.judged and tried.error is None:
        typer.echo(f"{name}: nothing new")
    failures.tell(tried, sync, services, quiet=True)


@app.command()
def reviews(
    review: Annotated[
        str | None, typer.Argument(metavar="[REVIEW]", help="this one, with all that was found")
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="decided ones too")] = False,
) -> None:
    """List the review requests that wait for a person."""
    from wfops_pipelines.core.reviews import HOLDS, ReviewKind, ReviewState
    from wfops_pipelines.store import reviews as store

    _, project, services = _open()
    if review is not None:
        found = [carried.request(review, services)]
    else:
        with services.engine.connect() as conn:
            found = store.listed(conn, pending=not all_)
    if not found:
        typer.echo("nothing waits for a decision")
    for one in found:
        what = f"{one.sync} #{one.seq}" if one.seq else one.sync
        typer.echo(f"{one.id}  {one.state.value:9} {what:24} {one.summary}")
        sync = project.syncs.get(one.sync)
        if review is not None and one.kind in HOLDS:
            carried.tell_findings(one, sync, services)
        if one.state is not ReviewState.PENDING:
            continue
        carried.tell_votes(one, sync, services)
        if one.kind is ReviewKind.FAILURE:
            failures.show_choices(one, sync, services)
        elif one.kind in HOLDS:
            carried.tell_hold(one, sync, services)
        else:
            tell_waiting(one, sync, services)


@app.command()
def decide(
    review: ReviewId,
    decision: Annotated[str, typer.Argument(metavar="DECISION", help=" | ".join(VERBS))],
    reason: Reason,
    evidence: Annotated[
        str | None, typer.Option(help="the hash you were shown; the current one if not given")
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(help="key of a row to leave out; repeatable")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="KEY.COLUMN=VALUE: edit a held row first; repeatable"),
    ] = None,
    break_glass: Annotated[
        bool, typer.Option("--break-glass", help="approve alone; needs the role override")
    ] = False,
) -> None:
    """Answer a review request, as the development user, and act on it."""
    from wfops_pipelines import flow, retrying
    from wfops_pipelines.core.reviews import (
        Actor,
        Decision,
        ReviewKind,
        parse_edits,
        parse_verb,
    )
    from wfops_pipelines.deciding import gate
    from wfops_pipelines.failing import GATE

    _, project, services = _open()
    found = carried.request(review, services)
    hash_ = evidence or found.evidence_hash
    asked = Decision(
        review, hash_, parse_verb(decision), reason, _me(services),
        tuple(exclude or ()), parse_edits(set_ or ()), break_glass,
    )  # fmt: skip
    sync = gate.sync_of(project, found)
    taken = gate.decide(asked, project, services, "command line")
    typer.echo(
        f"{decision if taken.edited is None else 'edit'} recorded as {taken.id}"
        f"{carried.as_override(taken, asked.actor, services)}"
    )
    pages = asset_pages.told(project, sync, services)
    with pages as judged, carried.told_that_it_stands(taken, services):
        if taken.edited is not None:
            run_ = flow.Run(Actor("cli", "machine"))
            judged += flow.judge_staged(project, sync, services, run_)
            tell_judged(judged, sync, services)
        elif not taken.final:
            typer.echo(f"{taken.approvals} of {found.approvals_needed} approvals")
        elif found.kind is ReviewKind.AFTER:
            typer.echo("nothing moves: the override was looked at")
        elif found.kind is ReviewKind.REVERT:
            if taken.verb.value == "approve":
                carried.carry_out(sync, taken, services)
            else:
                typer.echo("it stays as it is")
        elif found.kind is ReviewKind.WAIVER:
            typer.echo(
                "it counts from now on" if taken.verb.value == "approve" else "it never counts"
            )
        elif found.seq is not None:
            carried.carry_out(sync, taken, services)
            more = retrying.behind(sync, found.seq, services, flow.Run(GATE))
            failures.tell(more, sync, services, quiet=True)
        else:
            _sign(services)  # what comes now may fail
            with progress_told():
                failures.act(found, taken, sync, project, services, judged)
    _sign(services)


@app.command()
def pause(name: Annotated[str, typer.Argument(metavar="SYNC|all")], reason: Reason) -> None:
    """Stop publishing of one sync, or of all, until `wfops resume`."""
    from wfops_pipelines.deciding import steering

    _, project, services = _open()
    typer.echo(steering.pause(name, reason, _me(services), project, services))
    _sign(services)


@app.command()
def resume(name: Annotated[str, typer.Argument(metavar="SYNC|all")], reason: Reason) -> None:
    """Let a paused sync, or all, publish again."""
    from wfops_pipelines.deciding import steering

    _, project, services = _open()
    typer.echo(steering.resume(name, reason, _me(services), project, services))
    _sign(services)


@app.command()
def comment(review: ReviewId, text: Annotated[str, typer.Argument(metavar="TEXT")]) -> None:
    """Put a remark into the trail of a review request."""
    from wfops_pipelines.deciding import steering

    _, _, services = _open()
    found = steering.comment(review, text, _me(services), services)
    typer.echo(f"noted on {found.subject}")
    _sign(services)


@app.command()
def assign(
    review: ReviewId,
    to: Annotated[str, typer.Argument(metavar="NAME|nobody")],
    reason: Reason,
) -> None:
    """Say who looks at a review request."""
    from wfops_pipelines.deciding import steering

    _, _, services = _open()
    found = steering.assign(review, to, reason, _me(services), services)
    typer.echo(f"{found.subject} is for {found.assigned_to or 'nobody in particular'}")
    _sign(services)


@app.command()
def prepare(sync: Annotated[str, typer.Argument(help="The sync's name.")]) -> None:
    """Say which repairs of cells people accepted, and which rules could stand."""
    from wfops_pipelines.preparing import advice

    _, project, services = _open()
    with services.engine.connect() as conn:
        lines = advice(conn, project.find(sync))
    typer.echo("\n".join(lines) or f"{sync} has no rules: add assist=(tidy(…),) to it")


@app.command()
def route(
    review: ReviewId, to: Annotated[str, typer.Argument(metavar="GROUP")], reason: Reason
) -> None:
    """Let another group of the sync's policy decide."""
    from wfops_pipelines.deciding import steering

    _, project, services = _open()
    found = steering.route(review, to, reason, _me(services), project, services)
    typer.echo(f"{found.subject} is decided by {found.group}")
    _sign(services)


@app.command()
def label(
    review: ReviewId,
    cause: Annotated[str, typer.Argument(help="auth, network, schema, …")],
    reason: Reason,
) -> None:
    """Say what a failure really was; the next one like it is proposed as such."""
    from wfops_pipelines import failing

    _, _, services = _open()
    found = failing.label(review, cause, reason, _me(services), services)
    typer.echo(f"{found.subject} failed by {found.label}")
    _sign(services)


@app.command()
def reopen(review: ReviewId, reason: Reason) -> None:
    """Ask again about rows that were rejected or left in quarantine."""
    from wfops_pipelines import flow
    from wfops_pipelines.core.reviews import Actor
    from wfops_pipelines.deciding import reopening

    _, project, services = _open()
    done = reopening.reopen(review, reason, _me(services), project, services)
    if done.staged is not None:
        sync = project.find(done.staged.sync)
        typer.echo(f"{done.subject} was made of the rows that were left in quarantine")
        with asset_pages.told(project, sync, services) as judged:
            judged += flow.judge_staged(project, sync, services, flow.Run(Actor("cli", "machine")))
            tell_judged(judged, sync, services)
    elif done.review is not None:
        if done.review.sync in project.syncs:
            asset_pages.tell(project, project.syncs[done.review.sync], services)
        typer.echo(f"{done.subject} waits again: {done.review.id}")
        tell_waiting(done.review, project.syncs.get(done.review.sync), services)
    _sign(services)


@app.command()
def revert(
    name: SyncName,
    snapshot: Annotated[int, typer.Argument(metavar="SNAPSHOT", help="its number")],
    reason: Reason,
) -> None:
    """Ask to take back what a snapshot published; somebody else approves it."""
    from wfops_pipelines import undoing

    _, project, services = _open()
    asked = undoing.ask(name, snapshot, reason, _me(services), project, services)
    typer.echo(f"{asked.id}: {asked.summary}")
    tell_waiting(asked, project.find(name), services)
    _sign(services)


@app.command()
def anomaly(
    name: SyncName,
    reset: Annotated[
        bool, typer.Option("--reset", help="forget what reviewers' decisions taught it")
    ] = False,
    reason: Reason = "",
) -> None:
    """Show what the anomaly scorer of a sync goes by: history, basis, weights."""
    from wfops_pipelines import learning

    _, project, services = _open()
    sync = project.find(name)
    if reset:
        learning.forget(sync, reason, _me(services), services)
        _sign(services)
    known = learning.learned(sync, services)
    are = "snapshot is" if known.history == 1 else "snapshots are"
    typer.echo(f"{known.history} published {are} the history\n{known.basis}")
    if known.since is not None:
        typer.echo(f"decisions count since the reset at {known.since:%Y-%m-%d %H:%M} UTC")
    for kind, weight in sorted(known.weights.items()):
        no, yes = known.decided[kind]
        typer.echo(f"{kind:12}counts {weight:.2f} ({yes} approved, {no} rejected)")
    if not known.weights:
        typer.echo("every kind of finding counts in full")


@app.command()
def suggest(name: SyncName) -> None:
    """Print a diff for the sync's suite, made from published history; nothing is written.

    Accept it with `wfops suggest SYNC | git apply` in the project's folder, or edit it first.
    """
    from wfops_pipelines import suggesting

    _, project, services = _open()
    found = suggesting.suggest(project.find(name), project, services)
    for line in found.report:
        typer.echo(line, err=True)
    said = f"{len(found.added)} more, {len(found.widened)} wider" if found.diff else "no change"
    typer.echo(f"{found.file.name}: {said}", err=True)
    typer.echo(found.diff, nl=False)


@app.command()
def judge(
    name: SyncName,
    table: Annotated[
        str | None,
        typer.Argument(metavar="[TABLE]", help="schema.table; the sync's own if not given"),
    ] = None,
) -> None:
    """Judge a table by the sync's suite, by SQL: what the destination holds, however large."""
    from wfops_pipelines import judging
    from wfops_pipelines.core.findings import Outcome

    _, project, services = _open()
    sync = project.find(name)
    judged, results = judging.judge_table(sync, project, services, table)
    failed = [r for r in results if r.outcome is not Outcome.PASSED]
    for result in results:
        why = result.error or (f"{result.failed_rows:,} rows" if result.failed_rows else "")
        typer.echo(f"{result.outcome.value:7} {result.severity.value:9} {result.words}  {why}")
    typer.echo(f"{judged}: {len(results) - len(failed)} of {len(results)} expectations pass")
    if failed:
        raise typer.Exit(1)
