"""What was staged before, as far as an extraction may be told of it again."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection

from wfops_pipelines.services import Services
from wfops_pipelines.staging import put_away, rereading
from wfops_pipelines.staging.gathering import Memory
from wfops_pipelines.store import remembered, snapshots
from wfops_pipelines.sync import Sync

REMEMBER = timedelta(hours=1)  # at least, before the cursor; else four times the overlap


def between(
    sync: Sync, services: Services, ahead: datetime, since: datetime, until: datetime | None = None
) -> Memory:
    """Of what is dated from `since` up to `until`, all of which is remembered."""
    with services.engine.connect() as conn:
        anew = is_declared_anew(conn, sync)
    if anew:
        put_away.learn(sync, services, anew=True)
    return Memory(remembered.Recall(services.engine, sync.name, ahead, since, until).of)


def of_all(sync: Sync, services: Services, ahead: datetime, cursor: datetime | None) -> Memory:
    """Of all that is remembered, and more where a source tells what it was not asked for.

    Of a sync without a cursor, what people settled otherwise is remembered, and no more; so it is
    where the project names another key or cursor by now, for under those nothing is.
    """
    with services.engine.connect() as conn:
        anew = is_declared_anew(conn, sync)
    if sync.cursor is None or anew:
        put_away.learn(sync, services, anew=anew)
    found = remembered.Recall(services.engine, sync.name, ahead)

    def remind(since: datetime) -> None:
        rereading.recall(sync, since, services)
        found.anew()

    return Memory(found.of, forgotten_before(sync, cursor), remind)


def is_declared_anew(conn: Connection, sync: Sync) -> bool:
    """Whether the sync has another key or cursor than when it was last extracted."""
    named, dated = snapshots.newest_declared(conn, sync.name)
    return named not in (None, sync.key) or is_dated_anew(dated, sync)


def is_dated_anew(dated: str | None, sync: Sync) -> bool:
    """Whether the cursor that the newest extraction reached is another column's."""
    return dated is not None and dated != (sync.cursor or "")


def forgotten_before(sync: Sync, cursor: datetime | None) -> datetime | None:
    """What is dated earlier may be forgotten once the cursor has come so far; None: nothing is."""
    if cursor is None or not sync.source.windowed:
        return None
    return cursor - max(REMEMBER, timedelta(minutes=4 * sync.policy.overlap_minutes))
