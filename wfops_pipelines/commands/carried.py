"""What the commands do with a decision about rows, and say of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from wfops_pipelines.carrying import Carried, ReleaseFailed
    from wfops_pipelines.core.findings import Finding
    from wfops_pipelines.core.reviews import Actor, Review
    from wfops_pipelines.deciding.gate import Taken
    from wfops_pipelines.services import Services
    from wfops_pipelines.sync import Sync

MOST_SHOWN = 20  # edited cells, or rows of a finding
LONGEST = 200  # characters of a cell
_MASKED = "(masked)"
_DOES = "the approval gate of a running Dagster carries it out, or `wfops run {sync}`"


def carry_out(sync: Sync, taken: Taken, services: Services) -> None:
    """Carry a decision out, here and now, and say what came of it, or what will.

    Raises what made it fail.
    """
    from wfops_pipelines import carrying, flow
    from wfops_pipelines.commands.terminal import progress_told
    from wfops_pipelines.failing import GATE
    from wfops_pipelines.store import reviews

    with services.engine.connect() as conn:
        errand = reviews.errand(conn, taken.id)
    assert errand is not None  # it was posted with the decision
    try:
        with progress_told():
            done = carrying.carry_out(sync, errand, services, flow.Run(GATE))
    except carrying.ReleaseFailed as failed:
        typer.echo(_stands(failed, sync))
        raise failed.error from failed
    typer.echo(_said(sync, done, services))


def tell_hold(review: Review, sync: Sync | None, services: Services) -> None:
    """Say of a hold that waits how it is decided, and where approving is an override or fails."""
    from wfops_pipelines.commands.terminal import tell_page, who_decides
    from wfops_pipelines.core.answers import offered
    from wfops_pipelines.core.reviews import Verb
    from wfops_pipelines.deciding.weighing import weigh

    with services.engine.connect() as conn:
        weighed = weigh(conn, review, sync, services)
    if checks := weighed.overridden(Verb.APPROVE):
        typer.echo(f"    approve is an override of {checks}")
    if failing := weighed.fails(Verb.APPROVE):
        typer.echo(f"    approve publishes nothing yet: {failing}")
    if weighed.repaired:
        typer.echo(f"    {weighed.repaired}")
    verbs = " | ".join(verb.value for verb in offered(review, weighed))
    typer.echo(f"    {who_decides(review, services)}: wfops decide {review.id} {verbs} --reason …")
    tell_page(review, services)


def request(id: str, services: Services) -> Review:
    """A review request. Raises BadDecision where there is none of that name."""
    from wfops_pipelines.errors import BadDecision
    from wfops_pipelines.store import reviews

    with services.engine.connect() as conn:
        found = reviews.get(conn, id)
    if found is None:
        raise BadDecision(f"there is no review request {id!r}. List them with `wfops reviews`.")
    return found


def tell_findings(review: Review, sync: Sync | None, services: Services) -> None:
    """Print all that was found about the rows that a request is about."""
    from wfops_pipelines.core.snapshot import Evidence
    from wfops_pipelines.core.summary import in_order, said_of
    from wfops_pipelines.core.veiled import veiled
    from wfops_pipelines.store import snapshots

    if review.seq is None:
        return
    with services.engine.connect() as conn:
        stored = snapshots.evidence(conn, review.sync, review.seq)
    for found in in_order(Evidence.from_json(stored[1])) if stored else ():
        said = said_of(found, sync.policy) if sync else veiled(found)
        typer.echo(f"    {found.severity.value:8}  {said}")
        _tell_keys(found, said, sync)
    _tell_edits(review, sync, services)


def _tell_keys(found: Finding, said: str, sync: Sync | None) -> None:
    """Print which rows a finding names, as `--exclude` takes them, where its sentence does not."""
    from wfops_pipelines import masking

    names = [masking.named(sync, key) for key in found.keys[:MOST_SHOWN]] if sync else []
    if not names or (len(found.keys) == len(names) and said.endswith(f" {', '.join(names)}")):
        return
    more = len(found.keys) - len(names)
    rest = f" and {more:,} more: its page shows them all" if more else ""
    typer.echo(f"      rows: {', '.join(map(_key, names))}{rest}")


def _key(name: str) -> str:
    return name if name.isprintable() else repr(name)


def _tell_edits(review: Review, sync: Sync | None, services: Services) -> None:
    """Print the cells that somebody edited: who approves them sees what goes out."""
    from wfops_pipelines import masking
    from wfops_pipelines.store import snapshots

    if sync is None or review.seq is None:
        return
    with services.engine.connect() as conn:
        edits = snapshots.get(conn, sync.name, review.seq).edits
    for key, column, old, new in edits[:MOST_SHOWN]:
        was, now = (_MASKED, _MASKED) if column in sync.policy.masked else map(_cell, (old, new))
        typer.echo(f"      {masking.named(sync, key)}: {column} {was} → {now}")
    if len(edits) > MOST_SHOWN:
        typer.echo(f"      and {len(edits) - MOST_SHOWN:,} cells more: its page shows them all")


def _cell(value: str | None) -> str:
    """As one line that a terminal obeys in nothing."""
    if value is None:
        return "(empty)"
    return repr(value[:LONGEST]) + ("…" if len(value) > LONGEST else "")


def tell_votes(review: Review, sync: Sync | None, services: Services) -> None:
    """Say who has approved a request that more people must approve."""
    from wfops_pipelines.deciding.gate import votes_of, would

    with services.engine.connect() as conn:
        votes = votes_of(conn, review)
    if votes:
        who, of = ", ".join(v.actor for v in votes), f"{len(votes)} of {review.approvals_needed}"
        does = would(sync, review, votes[0].verb, votes[0].exclude or ())
        typer.echo(f"    {of} people: {who} would {does}")


def as_override(taken: Taken, actor: Actor, services: Services) -> str:
    """What a decision set aside, and who looks at that afterwards."""
    if not taken.override:
        return ""
    group = taken.review.group
    who = "somebody else looks at it afterwards"
    if not services.people.members(group) - {actor.name}:
        who = f"nobody else is in {group}; add who looks at it afterwards to reviewers.yaml"
    return f", an override of {', '.join(taken.override)}: {who}"


@contextmanager
def told_that_it_stands(taken: Taken, services: Services) -> Iterator[None]:
    """Where this shell lacks what going on needs, say what does instead."""
    from wfops_pipelines.commands.terminal import sign
    from wfops_pipelines.core.reviews import Verb
    from wfops_pipelines.errors import SettingsError

    try:
        yield
    except SettingsError:
        if taken.edited is not None or taken.verb is Verb.LEAVE_OUT:
            does = "goes on" if taken.edited is None else "examines what was edited"
            typer.echo(f"the decision stands: the next run with the variable set {does}")
        sign(services)
        raise


def _stands(failed: ReleaseFailed, sync: Sync) -> str:
    from wfops_pipelines.errors import SettingsError

    if failed.review is not None:
        return f"the decision stands, and {failed.review.id} asks how to go on (`wfops reviews`)"
    lacks = " with the variable set" if isinstance(failed.error, SettingsError) else ""
    return f"the decision stands: {_DOES.format(sync=sync.name)}{lacks}"


def tell(sync: Sync, found: Iterable[Carried], services: Services) -> None:
    """What came of decisions that others had left, each with its snapshot and who decided."""
    from wfops_pipelines.store import reviews

    for one in found:
        with services.engine.connect() as conn:
            review = reviews.get(conn, one.errand.review)
        assert review is not None
        subject = f"{sync.name} #{one.errand.seq}"
        said = _said(sync, one, services)
        typer.echo(f"{subject}: {_decided(review, one)}: {said}")


def _decided(review: Review, one: Carried) -> str:
    return f"{one.errand.verb.value} by {review.decided_by}"


def _said(sync: Sync, one: Carried, services: Services) -> str:
    from wfops_pipelines.core.reviews import Verb

    if one.waits:
        return f"not carried out yet: {one.waits} Then {_DOES.format(sync=sync.name)}"
    if one.publication is not None:
        return f"published {one.publication.words}"
    match one.errand.verb:
        case Verb.REJECT:
            return "quarantined; nothing was published"
        case Verb.LEAVE_OUT:
            return f"left out: {_left_out(sync, one, services)}"
        case _:
            return _reverted(one, services) or "another run has carried it out"


def _reverted(one: Carried, services: Services) -> str:
    """What was taken back, where that was to be done."""
    from wfops_pipelines.undoing import done_by

    with services.engine.connect() as conn:
        said = done_by(conn, f"{one.errand.sync} #{one.errand.seq}", one.errand.decision)
    return f"reverted: {said}" if said else ""


def _left_out(sync: Sync, one: Carried, services: Services) -> str:
    from wfops_pipelines.deciding.leaving import left_out_by
    from wfops_pipelines.masking import named

    with services.engine.connect() as conn:
        keys = left_out_by(conn, one.errand.decision)
    return ", ".join(named(sync, k) for k in keys) or "no row, all have arrived"
