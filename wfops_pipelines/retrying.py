"""Try here and now what failed or what a decision lets go on, and say what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from wfops_pipelines import flow, publishing
from wfops_pipelines.core.reviews import Actor, Review
from wfops_pipelines.errors import SettingsError, SyncFailure
from wfops_pipelines.failing import GATE, report_failure
from wfops_pipelines.ledger import Publication, publications_since
from wfops_pipelines.project import Project
from wfops_pipelines.publishing import OutOfTurn, Paused
from wfops_pipelines.services import Services
from wfops_pipelines.staging.rereading import read_since
from wfops_pipelines.store import database, reviews, snapshots
from wfops_pipelines.store.reviews import Errand
from wfops_pipelines.sync import Day, Sync, day_named

MOST_ATTEMPTS = 6


@dataclass(slots=True)
class Tried:
    """What one try did. `error`: where it broke off, `review`: the request that this opened."""

    judged: tuple[flow.Judged, ...] = ()
    publications: list[Publication] = field(default_factory=list)
    error: Exception | None = None
    review: Review | None = None


def run(
    project: Project, sync: Sync, services: Services, by: flow.Run, day: Day | None = None,
    since: str = "",
) -> Tried:  # fmt: skip
    """Stage and judge what is new (and what the source has since a date), publish what may go."""
    tried, began = Tried(), services.clock()

    def stage() -> None:
        again = read_since(sync, since, services)
        tried.judged = flow.stage_and_judge(project, sync, services, by, day=day, since=again)

    steps = {"extraction": stage, **_out(sync, services, by, day)}
    _try(sync, services, by, day, tried, steps, since)
    tried.publications = _published(sync, services, began)
    if tried.error is None:
        flow.whole_run(sync, services, day, began)
    return tried


def go_on(sync: Sync, services: Services, by: flow.Run, day: Day | None = None) -> Tried:
    """Publish what may go, and do what was decided and could not be done."""
    tried, began = Tried(), services.clock()
    steps = _out(sync, services, by, day) | {"release": partial(_release_all, sync, services, by)}
    _try(sync, services, by, day, tried, steps)
    tried.publications = _published(sync, services, began)
    return tried


def behind(sync: Sync, seq: int, services: Services, by: flow.Run) -> Tried:
    """Publish what kept its turn behind a snapshot: no later run would do so for an old day."""
    tried, began = Tried(), services.clock()
    if sync.policy.while_held != "queue":
        return tried
    with services.engine.connect() as conn:
        partition = snapshots.get(conn, sync.name, seq).partition
    day = day_named(partition)
    before = _published(sync, services, began)
    _try(sync, services, by, day, tried, _out(sync, services, by, day))
    tried.publications = [p for p in _published(sync, services, began) if p not in before]
    return tried


def _published(sync: Sync, services: Services, began: datetime) -> list[Publication]:
    with services.engine.connect() as conn:
        return publications_since(conn, sync.name, began)


def retry(
    project: Project, sync: Sync, services: Services, by: flow.Run, day: Day | None = None,
    since: str = "",
) -> Tried:  # fmt: skip
    """A whole run, and then what was decided and could not be done.

    A failure is always reported: the request that was answered with this is closed.
    """
    tried = run(project, sync, services, by, day, since)
    if isinstance(tried.error, SettingsError) and tried.review is None:
        tried.review = report_failure(
            sync, "run", tried.error, services, by.run_id, day, since=since
        )
    if tried.error is None:
        more = go_on(sync, services, by, day)
        tried.publications = list(dict.fromkeys([*tried.publications, *more.publications]))
        tried.error, tried.review = more.error, more.review
    return tried


def note_failed(
    errand: Errand, sync: Sync, error: Exception, services: Services, run_id: str | None
) -> Review | None:
    """Count one more failed try of a release; the request that is opened when it is for good.

    A variable that is missing is for good: somebody sets it, and no further try brings it.
    """
    assert errand.seq is not None  # a snapshot's rows were to be released
    with database.transaction(services.engine) as conn:
        reviews.failed(conn, errand.decision, str(error))
        partition = snapshots.get(conn, errand.sync, errand.seq).partition
        asked = reviews.get(conn, errand.review)
    lasting = isinstance(error, SettingsError)
    lasting = lasting or (isinstance(error, SyncFailure) and not error.transient)
    if not lasting and errand.attempts + 1 < MOST_ATTEMPTS:
        return None
    who = Actor(asked.requested_by, verified=True) if asked and asked.requested_by else None
    day = day_named(partition)
    return report_failure(sync, "release", error, services, run_id, day, who)


def _out(
    sync: Sync, services: Services, by: flow.Run, day: Day | None
) -> dict[str, Callable[[], object]]:
    return {"publishing": partial(publishing.publish_cleared, sync, services, by.actor, day)}


def _try(
    sync: Sync, services: Services, by: flow.Run, day: Day | None, tried: Tried,
    steps: dict[str, Callable[[], object]], since: str = "",
) -> None:  # fmt: skip
    """The steps in order, until one fails, about which somebody then hears."""
    for step, work in steps.items():
        try:
            work()
        except _Told as told:
            tried.error, tried.review = told.error, told.review
            return
        except snapshots.HeadMoved as error:
            tried.error = error  # another run does it at this moment
            return
        except Exception as error:
            tried.error = error
            if _of_this_shell(error, by):
                return
            tried.review = report_failure(
                sync, step, error, services, by.run_id, day, by.actor, since
            )
            return


def _of_this_shell(error: Exception, by: flow.Run) -> bool:
    """A variable that only a shell lacks is told there; what a run of Dagster lacks, all do."""
    return isinstance(error, SettingsError) and by.run_id is None


class _Told(Exception):
    """A release failed, and its request is opened already, or comes with a later try."""

    def __init__(self, error: Exception, review: Review | None) -> None:
        super().__init__(str(error))
        self.error, self.review = error, review


def _release_all(sync: Sync, services: Services, by: flow.Run) -> None:
    """Each decision on this sync that nobody has acted on yet."""
    with services.engine.connect() as conn:
        found = reviews.waiting(conn, services.clock() + timedelta(seconds=1))
    for errand in found:
        if errand.sync != sync.name or errand.seq is None:
            continue
        try:
            publishing.release(sync, errand.decision, services, GATE)
        except (Paused, OutOfTurn):
            continue
        except (SyncFailure, SettingsError) as error:
            if _of_this_shell(error, by):
                raise
            review = note_failed(errand, sync, error, services, by.run_id)
            raise _Told(error, review) from error
