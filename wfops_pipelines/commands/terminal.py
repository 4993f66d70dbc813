"""What the commands share: the project, the database, who asks, and the signed head."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from wfops_pipelines.core.findings import counted_rows
from wfops_pipelines.core.progress import heard
from wfops_pipelines.settings import Settings, read_settings

if TYPE_CHECKING:
    from wfops_pipelines.core.reviews import Actor, Review
    from wfops_pipelines.flow import Judged
    from wfops_pipelines.project import Project
    from wfops_pipelines.services import Services
    from wfops_pipelines.sync import Sync


def open_all() -> tuple[Settings, Project, Services]:
    """A suite that is broken is told, and stops no other sync."""
    import typer

    from wfops_pipelines.project import load_project
    from wfops_pipelines.services import open_services

    settings = read_settings()
    project = load_project(settings.root, lenient=True)
    for problem in project.broken.values():
        typer.echo(str(problem), err=True)
    return settings, project, open_services(settings, project.people)


def me(services: Services) -> Actor:
    """The development user: a command line has no proxy that says who types."""
    from wfops_pipelines.identity import developer

    return developer(services.environ)


def sign(services: Services) -> None:
    """Let a signed head vouch for what this command has written into the audit trail."""
    from wfops_pipelines import auditing

    auditing.seal(services)


def progress_told() -> AbstractContextManager[None]:
    """Print meanwhile how far reading and sending have come."""
    handler = logging.StreamHandler()  # stderr: what a command prints can still be piped
    handler.setFormatter(logging.Formatter("  %(message)s"))
    return heard(handler)


def tell_waiting(review: Review, sync: Sync | None, services: Services) -> None:
    """Print the commands that decide a review request, and where its page is."""
    import typer

    from wfops_pipelines.core.answers import answers
    from wfops_pipelines.deciding.weighing import weigh

    with services.engine.connect() as conn:
        weighed = weigh(conn, review, sync, services)
    first, *others = answers(review, weighed)
    if weighed.repaired:
        typer.echo(f"  {weighed.repaired}")
    typer.echo(f"  {who_decides(review, services)}: {first.command}")
    typer.echo(f"    which {first.does}{'; or' if others else ''}")
    for other in others:
        typer.echo(f"    {other.command}  # {other.does}")
    tell_page(review, services)


def tell_page(review: Review, services: Services) -> None:
    """Print where the page of a review request is, as far as the address is known."""
    import typer

    from wfops_pipelines.core.links import review_page

    base, page = services.environ.get("WFOPS_PUBLIC_URL"), review_page(review.id)
    where = f"{base.rstrip('/')}{page}" if base else f"{page} at the address of the UI"
    typer.echo(f"  look at it: {where}")


def who_decides(review: Review, services: Services) -> str:
    """Whom the command is for."""
    from wfops_pipelines.core.answers import others
    from wfops_pipelines.core.reviews import ReviewKind

    if not (review.requested_by or review.reopened_by):
        return "decide it"
    does = "looks at" if review.kind is ReviewKind.AFTER else "approves"
    if names := others(review, services.people.members(review.group)):
        return f"{names} {does} it"
    return f"nobody else is in {review.group}; add who {does} it to reviewers.yaml, for"


def tell_judged(
    judged: Sequence[Judged],
    sync: Sync,
    services: Services,
    published: Collection[int] = (),
    *,
    failed: bool = False,
) -> None:
    """What became of each snapshot; `published` are the numbers of those of which rows went.

    `failed`: the run did, which is told after this.
    """
    import typer

    for one in judged:
        went = one.snapshot.seq in published
        said = _became(one, went, services, failed=failed)
        typer.echo(f"{one.snapshot.name}: {counted_rows(one.snapshot.rows)}, {said}")
        if one.review is not None:
            tell_waiting(one.review, sync, services)


def _became(one: Judged, went: bool, services: Services, *, failed: bool) -> str:
    if one.review is not None:
        return f"held: {one.review.summary}" + ("; the others are published" if went else "")
    return "published" if went else f"cleared{_why_not(one, services, failed=failed)}"


def _why_not(one: Judged, services: Services, *, failed: bool) -> str:
    """Why what may go has not gone: some of it was refused, the sync is paused, or its turn."""
    from wfops_pipelines.store import controls

    sync = one.snapshot.sync
    if said := _arrived(one, services):
        return f"; {said}"
    with services.engine.connect() as conn:
        paused = controls.paused(conn, sync)
    if paused:
        why = f"it is paused ({paused}); `wfops resume {sync}` lets it go on"
        return f", and not published yet: {why}"
    return (
        ", and not published, for the run failed"
        if failed
        else (", and not published yet: its turn comes")
    )


def _arrived(one: Judged, services: Services) -> str:
    """How many rows an API has of a snapshot that is not published, if it was asked at all."""
    from wfops_pipelines.destinations.deliveries import State, of_snapshot

    with services.engine.connect() as conn:
        states = [d.state for d in of_snapshot(conn, one.snapshot.sync, one.snapshot.seq).values()]
    if not states:
        return ""
    arrived, refused = states.count(State.DELIVERED), states.count(State.REFUSED)
    rest = one.snapshot.rows - arrived - refused
    more = f", {rest:,} not settled yet" if rest else ""
    have, were = ("has" if arrived == 1 else "have"), ("was" if refused == 1 else "were")
    return f"{counted_rows(arrived)} {have} arrived, {refused:,} {were} refused{more}"
