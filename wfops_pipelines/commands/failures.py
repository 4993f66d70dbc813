"""What the commands say of failures: which rows were refused, and what can be done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from wfops_pipelines.core.findings import counted_rows

if TYPE_CHECKING:
    from wfops_pipelines.core.reviews import Review
    from wfops_pipelines.deciding.gate import Taken
    from wfops_pipelines.project import Project
    from wfops_pipelines.retrying import Tried
    from wfops_pipelines.services import Services
    from wfops_pipelines.sync import Sync


def show_choices(review: Review, services: Services) -> None:
    """Print the refused rows of a failure, with what was said of each, and a command a choice."""
    from wfops_pipelines.core.answers import answers

    for row in _failure(review, services).get("refused", ()):
        typer.echo(f"    {row['act']} of {row['row']}: {row['said']}")
    for answer in answers(review):
        typer.echo(f"  {answer.command}  # {answer.does}")


def act(found: Review, taken: Taken, sync: Sync, project: Project, services: Services) -> None:
    """Do what was decided about a failure, and tell what came of it.

    Raises what made it fail again, with the new review request told.
    """
    from wfops_pipelines import flow, publishing, retrying
    from wfops_pipelines.core.reviews import Verb
    from wfops_pipelines.failing import GATE
    from wfops_pipelines.sync import day_named

    failed = _failure(found, services)
    day, asked = day_named(failed.get("day")), flow.Run(GATE)
    match taken.verb:
        case Verb.RETRY:
            _take_up(taken, services)
            since = failed.get("since", "")
            if since:
                typer.echo(f"reads again what the source has since {since}")
            tell(retrying.retry(project, sync, services, asked, day, since), services)
        case Verb.LEAVE_OUT:
            publishing.release(sync, taken.id, services, GATE)
            _tell_left_out(sync, taken, services)
            tell(retrying.go_on(sync, services, asked, day), services)
        case _:
            typer.echo("closed; nothing has changed, and the next run tries again")


@contextmanager
def told_that_it_stands(taken: Taken, services: Services) -> Iterator[None]:
    """Where this shell lacks what carrying a decision out needs, say who does it instead."""
    from wfops_pipelines.commands.terminal import sign
    from wfops_pipelines.core.reviews import Verb
    from wfops_pipelines.errors import SettingsError

    try:
        yield
    except SettingsError:
        who = "the approval gate of a running Dagster acts on it"
        if taken.edited is not None:
            who = "the next run with the variable set examines what was edited"
        elif taken.verb is Verb.LEAVE_OUT:
            who = "the next run with the variable set goes on"
        if taken.verb is not Verb.RETRY:  # of which the new request was told
            typer.echo(f"the decision stands: {who}")
            sign(services)
        raise


def tell(tried: Tried, services: Services, *, quiet: bool = False) -> None:
    """What a try did, snapshot by snapshot; raises what made it fail.

    `quiet`: of a run, which says by itself that nothing was new.
    """
    from wfops_pipelines.commands.terminal import tell_judged
    from wfops_pipelines.errors import SettingsError
    from wfops_pipelines.store.snapshots import HeadMoved

    out = {p.seq: p for p in tried.publications}
    known = {one.snapshot.seq for one in tried.judged}
    said = "published now: an earlier run had left them" if quiet else "published"
    for done in (p for p in tried.publications if p.seq not in known):
        typer.echo(f"{done.sync} #{done.seq}: {counted_rows(done.rows)}, {said}")
    tell_judged(tried.judged, services, out, failed=tried.error is not None)
    if tried.error is not None:
        if tried.review is not None:
            typer.echo(f"it failed: {tried.review.id}")
            show_choices(tried.review, services)
        elif not isinstance(tried.error, SettingsError | HeadMoved):
            typer.echo("it failed; `wfops reviews` lists what waits for a person")
        raise tried.error
    if not (quiet or tried.judged or tried.publications):
        typer.echo("nothing was left to do")


def _take_up(taken: Taken, services: Services) -> None:
    """The approval gate need not start a run for it any more."""
    from wfops_pipelines.store import database, reviews

    with database.transaction(services.engine) as conn:
        if reviews.claim(conn, taken.id) is not None:
            reviews.finish(conn, taken.id, services.clock())


def _tell_left_out(sync: Sync, taken: Taken, services: Services) -> None:
    from wfops_pipelines.deciding.leaving import left_out_by
    from wfops_pipelines.masking import named

    with services.engine.connect() as conn:
        keys = left_out_by(conn, taken.id)
    typer.echo(f"left out: {', '.join(named(sync, k) for k in keys) or 'no row, all have arrived'}")


def _failure(review: Review, services: Services) -> Mapping[str, Any]:
    from wfops_pipelines.store import reviews

    with services.engine.connect() as conn:
        return reviews.failure_of(conn, review.id) or {}
