"""Close the request about a failure when a later run has done all that it was about.

Nobody need answer what is over. What is not known to be over stays open.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, exists, select

from wfops_pipelines import failing
from wfops_pipelines.core.audit import Action, AuditEvent
from wfops_pipelines.core.findings import Json
from wfops_pipelines.core.reviews import Review, ReviewState
from wfops_pipelines.core.snapshot import SnapshotState
from wfops_pipelines.errors import SettingsError
from wfops_pipelines.services import Services
from wfops_pipelines.staging.rereading import moment
from wfops_pipelines.store import audit, database, reviews, snapshots
from wfops_pipelines.store import tables as t
from wfops_pipelines.sync import Sync

WORDS = {
    "extraction": "a later run has read the source and examined what came",
    "publishing": "everything that was to be published then has arrived since",
    "release": "everything that was decided by then has been done since",
    "run": "a later run went through, and everything that was to be published has arrived",
}
_MOVING = (SnapshotState.STAGED, SnapshotState.CLEARED)


def close(
    sync: Sync,
    step: str,
    services: Services,
    day: str | None,
    since: datetime | None = None,
    reread: datetime | None = None,
) -> None:
    """Call it after this step (of this day) went well; `since`: when it began.

    A failure that was reported after that is not over by it. reread: from when on the run read
    again; a failure of one that was to read again is over by one that reached as far back.
    """
    with services.engine.connect() as conn:
        found = failing.waiting(conn, sync.name, step, day)
        if reread is not None and step in failing.READING:
            dated = failing.waiting_dated(conn, sync.name, step)
            found += [id for id, text in dated.items() if _reaches(reread, text)]
    for id in found:
        with database.transaction(services.engine) as conn:
            review = reviews.get(conn, id, lock=True)
            if review is None or review.state is not ReviewState.PENDING:
                continue
            late = since is not None and review.opened_at > since
            if not late and _is_over(conn, sync, step, day, review):
                _close(conn, review, step, services)


def _reaches(reread: datetime, text: str) -> bool:
    try:
        return reread <= moment(text)
    except SettingsError:
        return False  # it was no date, which a person looks at


def _is_over(conn: Connection, sync: Sync, step: str, day: str | None, review: Review) -> bool:
    """Whether nothing is left of what waited when the request was opened."""
    at = review.opened_at
    if step == "release":
        return not _undone(conn, sync, day, at)
    moving = (SnapshotState.STAGED,) if step == "extraction" else _MOVING
    found = snapshots.in_state(conn, sync.name, *moving, partition=day)
    return not any(s.staged_at <= at for s in found)


def _undone(conn: Connection, sync: Sync, day: str | None, at: datetime) -> bool:
    """Whether something that was decided by then is still to be done, of this day."""
    o, s = t.outbox.c, t.snapshots.c
    of_day = exists().where(s.sync == o.sync, s.seq == o.seq, s.partition.is_not_distinct_from(day))
    left = select(o.decision).where(
        o.sync == sync.name, o.done_at.is_(None), o.created_at <= at, of_day
    )
    return conn.execute(left.limit(1)).first() is not None


def _close(conn: Connection, review: Review, step: str, services: Services) -> None:
    at = services.clock()
    reviews.close(conn, review.id, ReviewState.SUPERSEDED, str(failing.GATE), at)
    details: dict[str, Json] = {"review": review.id, "step": step}
    event = AuditEvent(at, failing.GATE, Action.MENDED, review.subject, WORDS[step], details)
    audit.append(conn, event)
