"""What the commands say of failures: which rows were refused, and what can be done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from wfops_pipelines.core.findings import counted_rows

if TYPE_CHECKING:
    from wfops_pipelines.core.reviews import Review
    from wfops_pipelines.deciding.gate import Taken
    from wfops_pipelines.flow import Judged
    from wfops_pipelines.project import Project
    from wfops_pipelines.retrying import Tried
    from wfops_pipelines.services import Services
    from wfops_pipelines.sync import Sync

MOST_SHOWN = 20  # rows, each with what was said of it


def show_choices(review: Review, sync: Sync | None, services: Services) -> None:
    """Print the refused rows of a failure, with what was said of each, and a command a choice."""
    from wfops_pipelines.commands.terminal import tell_page
    from wfops_pipelines.core.answers import Weighed, answers, others
    from wfops_pipelines.core.reviews import Verb
    from wfops_pipelines.deciding.leaving import newer_of

    refused = _failure(review, services).get("refused", ())
    for row in refused[:MOST_SHOWN]:
        typer.echo(f"    {row['act']} of {row['row']}: {row['said']}")
    if len(refused) > MOST_SHOWN:
        rest = counted_rows(len(refused) - MOST_SHOWN)
        typer.echo(f"    and {rest} more: `wfops deliveries {review.sync}` lists them all")
    with services.engine.connect() as conn:
        newer = newer_of(conn, sync, review)
    if newer:
        typer.echo(f"    {newer}")
    if review.requested_by and Verb.LEAVE_OUT in review.offered:
        who = others(review, services.people.members(review.group)) or "nobody yet"
        typer.echo(f"    {review.requested_by} had a hand in these rows; {who} may leave them out")
    for answer in answers(review, Weighed()):
        typer.echo(f"  {answer.command}  # {answer.does}")
    tell_page(review, services)


def act(
    found: Review, taken: Taken, sync: Sync, project: Project, services: Services,
    judged: list[Judged],
) -> None:  # fmt: skip
    """Do what was decided about a failure, and tell what came of it; adds what it has `judged`.

    Raises what made it fail again, with the new review request told.
    """
    from wfops_pipelines import carrying, flow, retrying
    from wfops_pipelines.commands import carried
    from wfops_pipelines.core.reviews import Verb
    from wfops_pipelines.failing import GATE
    from wfops_pipelines.sync import day_named

    failed = _failure(found, services)
    day, asked = day_named(failed.get("day")), flow.Run(GATE)
    match taken.verb:
        case Verb.RETRY:
            since = failed.get("since", "")
            carrying.take_up(sync, services, day, since)
            of = f" of the day {day.name}" if day else ""
            typer.echo(f"a whole run of {sync.name}{of} begins, which tries what failed again")
            if since:
                typer.echo(f"reads again what the source has since {since}")
            tried = retrying.retry(project, sync, services, asked, day, since)
            judged += tried.judged
            tell(tried, sync, services)
        case Verb.LEAVE_OUT:
            carried.carry_out(sync, taken, services)
            tell(retrying.go_on(sync, services, asked, day), sync, services)
        case _:
            typer.echo("closed; nothing has changed, and the next run tries again")


def tell(tried: Tried, sync: Sync, services: Services, *, quiet: bool = False) -> None:
    """What a try did, snapshot by snapshot; raises what made it fail.

    `quiet`: of a run, which says by itself that nothing was new.
    """
    from wfops_pipelines.commands import carried
    from wfops_pipelines.commands.terminal import tell_judged
    from wfops_pipelines.errors import SettingsError
    from wfops_pipelines.store.snapshots import HeadMoved

    carried.tell(sync, tried.carried.values(), services)
    out = {p.seq: p for p in tried.publications}
    known = {one.snapshot.seq for one in tried.judged}
    decided = [c.publication for c in tried.carried.values()]
    said = "published now: an earlier run had left them" if quiet else "published"
    for done in (p for p in tried.publications if p.seq not in known and p not in decided):
        rows = counted_rows(done.rows - done.stale)
        typer.echo(f"{done.sync} #{done.seq}: {rows}, {said}{done.but}")
    tell_judged(tried.judged, sync, services, out, failed=tried.error is not None)
    if tried.error is not None:
        if tried.review is not None:
            typer.echo(f"it failed: {tried.review.id}")
            show_choices(tried.review, sync, services)
        elif not isinstance(tried.error, SettingsError | HeadMoved):
            typer.echo("it failed as before: `wfops reviews` lists the request that asks about it")
        raise tried.error
    if not (quiet or tried.judged or tried.publications or tried.carried):
        typer.echo("nothing was left to do")


def _failure(review: Review, services: Services) -> Mapping[str, Any]:
    from wfops_pipelines.store import reviews

    with services.engine.connect() as conn:
        return reviews.failure_of(conn, review.id) or {}
