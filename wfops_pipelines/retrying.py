"""Try here and now what failed or what a decision lets go on, and say what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import chain

from wfops_pipelines import flow, publishing
from wfops_pipelines.carrying import (
    Carried,
    ReleaseFailed,
    carry_out_all,
    of_this_shell,
    open_decisions,
)
from wfops_pipelines.core.reviews import Review, Verb
from wfops_pipelines.errors import SettingsError
from wfops_pipelines.failing import report_failure
from wfops_pipelines.ledger import Publication, publications_since
from wfops_pipelines.project import Project
from wfops_pipelines.services import Services
from wfops_pipelines.staging.rereading import moment, read_since
from wfops_pipelines.store import snapshots
from wfops_pipelines.store.reviews import Errand
from wfops_pipelines.sync import Day, Sync, day_named


@dataclass(slots=True)
class Tried:
    """What one try did. `error`: where it broke off, `review`: the request that this opened.

    carried: what came of the decisions that were open, by their ids.
    """

    judged: tuple[flow.Judged, ...] = ()
    publications: list[Publication] = field(default_factory=list)
    carried: dict[str, Carried] = field(default_factory=dict)
    error: Exception | None = None
    review: Review | None = None


@dataclass(frozen=True, slots=True)
class _Step:
    """One step of a try, of one day of a partitioned sync; a failure is told by its name."""

    name: str
    work: Callable[[], object]
    day: Day | None


def run(
    project: Project, sync: Sync, services: Services, by: flow.Run, day: Day | None = None,
    since: str = "",
) -> Tried:  # fmt: skip
    """Stage and judge what is new (and what the source has since a date), publish what may go.

    What people have decided by then and nobody has carried out yet is carried out.
    """
    tried, began = Tried(), services.clock()

    def stage() -> None:
        again = read_since(sync, since, services)
        tried.judged = flow.stage_and_judge(project, sync, services, by, day=day, since=again)

    steps = chain([_Step("extraction", stage, day)], _outward(sync, services, by, day, tried))
    _try(sync, services, by, tried, steps, since)
    tried.publications = _published(sync, services, began)
    if tried.error is None:
        flow.whole_run(sync, services, day, began, moment(since) if since else None)
    return tried


def go_on(sync: Sync, services: Services, by: flow.Run, day: Day | None = None) -> Tried:
    """Publish what may go, and do what was decided and could not be done."""
    tried, began = Tried(), services.clock()
    _try(sync, services, by, tried, _outward(sync, services, by, day, tried))
    tried.publications = _published(sync, services, began)
    return tried


def behind(sync: Sync, seq: int, services: Services, by: flow.Run) -> Tried:
    """Publish what kept its turn behind a snapshot: no later run would do so for an old day."""
    tried, began = Tried(), services.clock()
    if sync.policy.while_held != "queue":
        return tried
    before = _published(sync, services, began)
    _try(sync, services, by, tried, [_publishing(sync, services, by, _day(sync, seq, services))])
    tried.publications = [p for p in _published(sync, services, began) if p not in before]
    return tried


def retry(
    project: Project, sync: Sync, services: Services, by: flow.Run, day: Day | None = None,
    since: str = "",
) -> Tried:  # fmt: skip
    """A whole run, whose failure is always reported: the request that asked for it is closed."""
    tried = run(project, sync, services, by, day, since)
    if isinstance(tried.error, SettingsError) and tried.review is None:
        tried.review = report_failure(
            sync, "run", tried.error, services, by.run_id, day, since=since
        )
    return tried


def _published(sync: Sync, services: Services, began: datetime) -> list[Publication]:
    with services.engine.connect() as conn:
        return publications_since(conn, sync.name, began)


def _day(sync: Sync, seq: int, services: Services) -> Day | None:
    with services.engine.connect() as conn:
        return day_named(snapshots.get(conn, sync.name, seq).partition)


def _outward(
    sync: Sync, services: Services, by: flow.Run, day: Day | None, tried: Tried
) -> Iterator[_Step]:
    """What goes out, in steps: publishing, and the open decisions, as long as that moves any.

    Rows that were left out come first, for they are in the way of the others. A release may let
    go on what kept its turn behind it, and that a further one.
    """

    def carry(verb: Verb | None = None) -> None:
        for done in carry_out_all(sync, services, by, verb):
            tried.carried[done.errand.decision] = done

    yield _Step("release", partial(carry, Verb.LEAVE_OUT), day)
    yield _publishing(sync, services, by, day)
    before: list[Errand] = []
    while (left := open_decisions(sync, services)) and left != before:
        before = left
        yield _Step("release", carry, day)
        for other in dict.fromkeys([day, *(_day(sync, e.seq, services) for e in left if e.seq)]):
            yield _publishing(sync, services, by, other)


def _publishing(sync: Sync, services: Services, by: flow.Run, day: Day | None) -> _Step:
    work = partial(publishing.publish_cleared, sync, services, by.actor, day)
    return _Step("publishing", work, day)


def _try(
    sync: Sync, services: Services, by: flow.Run, tried: Tried, steps: Iterable[_Step],
    since: str = "",
) -> None:  # fmt: skip
    """The steps in order, until one fails, about which somebody then hears."""
    for step in steps:
        try:
            step.work()
        except ReleaseFailed as failed:
            tried.error, tried.review = failed.error, failed.review
            return
        except snapshots.HeadMoved as error:
            tried.error = error  # another run does it at this moment
            return
        except Exception as error:
            tried.error = error
            if of_this_shell(error, by):
                return
            tried.review = report_failure(
                sync, step.name, error, services, by.run_id, step.day, by.actor, since
            )
            return
