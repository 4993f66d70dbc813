"""Carry out what people decided about rows: once, whoever asks for it, in a shell or a run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection

from wfops_pipelines import failing, publishing
from wfops_pipelines.core.reviews import Actor, Review, Verb
from wfops_pipelines.errors import SettingsError, SyncFailure
from wfops_pipelines.failing import GATE, report_failure
from wfops_pipelines.flow import Run
from wfops_pipelines.ledger import Publication
from wfops_pipelines.publishing import OutOfTurn, Paused
from wfops_pipelines.services import Services
from wfops_pipelines.store import database, reviews, snapshots
from wfops_pipelines.store.reviews import Errand
from wfops_pipelines.sync import Day, Sync, day_named

MOST_ATTEMPTS = 6


@dataclass(frozen=True, slots=True)
class Carried:
    """What came of a decision on rows. `waits`: why it could not be carried out yet."""

    errand: Errand
    publication: Publication | None = None
    waits: str = ""


class ReleaseFailed(Exception):
    """Carrying out failed by `error`; `review` is the request about it, if it is opened already."""

    def __init__(self, error: Exception, review: Review | None = None) -> None:
        super().__init__(str(error))
        self.error, self.review = error, review


def open_decisions(sync: Sync, services: Services) -> list[Errand]:
    """Those about rows of this sync that nobody has carried out yet, oldest first."""
    with services.engine.connect() as conn:
        return [e for e in _waiting(conn, sync, services) if e.seq is not None]


def _waiting(conn: Connection, sync: Sync, services: Services) -> list[Errand]:
    """What was decided about this sync up to now, and not carried out."""
    found = reviews.waiting(conn, services.clock() + timedelta(seconds=1))
    return [e for e in found if e.sync == sync.name]


def carry_out(sync: Sync, errand: Errand, services: Services, by: Run) -> Carried:
    """Do what was decided, unless something is in its way. Raises ReleaseFailed."""
    if _asks_a_person(sync, errand, services):
        return Carried(errand, waits="it failed, and `wfops reviews` asks how to go on.")
    try:
        return Carried(errand, publishing.release(sync, errand.decision, services, GATE))
    except (Paused, OutOfTurn) as wait:
        return Carried(errand, waits=str(wait))
    except Exception as error:
        if of_this_shell(error, by):
            raise ReleaseFailed(error) from error
        review = note_failed(errand, sync, error, services, by.run_id)
        raise ReleaseFailed(error, review) from error


def carry_out_all(
    sync: Sync, services: Services, by: Run, verb: Verb | None = None
) -> Iterator[Carried]:
    """Every open decision of the sync, or all with this answer. Raises ReleaseFailed."""
    for errand in open_decisions(sync, services):
        if verb in (None, errand.verb):
            yield carry_out(sync, errand, services, by)


def take_up(sync: Sync, services: Services, day: Day | None, since: str) -> bool:
    """Whether this run is what a decision `retry` waits for; the gate need not start another."""
    name, taken = day.name if day else None, False
    with database.transaction(services.engine) as conn:
        for errand in _waiting(conn, sync, services):
            if errand.seq is not None:
                continue
            failed = reviews.failure_of(conn, errand.review) or {}
            same = (failed.get("day"), failed.get("since", "")) == (name, since)
            if same and reviews.claim(conn, errand.decision) is not None:
                reviews.finish(conn, errand.decision, services.clock())
                taken = True
    return taken


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


def of_this_shell(error: Exception, by: Run) -> bool:
    """A variable that only a shell lacks is told there; what a run of Dagster lacks, all do."""
    return isinstance(error, SettingsError) and by.run_id is None


def _asks_a_person(sync: Sync, errand: Errand, services: Services) -> bool:
    """What failed for good is tried again once somebody has answered the request about it."""
    assert errand.seq is not None
    if not errand.attempts:
        return False
    with services.engine.connect() as conn:
        partition = snapshots.get(conn, sync.name, errand.seq).partition
        return bool(failing.waiting(conn, sync.name, "release", partition))
