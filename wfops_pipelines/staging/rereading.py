"""Reading from a date: what extractions no longer reach, as a snapshot of its own.

It ends where every run begins, so that the cursor stays where it is. What was staged before is
known again first, from the snapshots themselves: only what is new or was changed is staged.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

from wfops_pipelines.core.audit import Action, AuditEvent
from wfops_pipelines.core.reviews import Actor
from wfops_pipelines.errors import SettingsError, SnapshotDamaged
from wfops_pipelines.examining.identities import identities_of
from wfops_pipelines.services import Services
from wfops_pipelines.store import audit, database, remembered, snapshots
from wfops_pipelines.sync import Sync


def read_since(sync: Sync, text: str, services: Services) -> datetime | None:
    """The date (UTC) from which a person wants to read; None: they named none.

    Raises SettingsError for what is no date, and where reading from one means nothing.
    """
    if not text:
        return None
    if sync.cursor is None:
        raise _refused(f"{sync.name} has no cursor: each run reads everything. Leave it out.")
    if sync.days_from is not None:
        raise _refused(
            f"{sync.name} is partitioned by day. Run its days again: "
            f"`wfops run {sync.name} --day {text[:10]}`, or a backfill in the UI."
        )
    since = moment(text)
    if since > services.clock():
        raise _refused(f"{text} is in the future.")
    with services.engine.connect() as conn:
        head = snapshots.head(conn, sync.name)
    _check_reach(sync, since, begins(sync, head.cursor))
    return since


def way(sync: Sync) -> str:
    """How rows come that were held and rejected for their key, once that is mended."""
    if sync.days_from is not None:
        return f"`wfops run {sync.name} --day DAY` brings its rows then"
    if sync.cursor is None or not sync.source.windowed:
        return "the next run brings its rows then"
    return f"`wfops run {sync.name} --since DATE` brings its rows dated since then"


def begins(sync: Sync, cursor: datetime | None) -> datetime | None:
    """Where an extraction that finds this cursor starts to read; None: at the beginning."""
    if sync.cursor is None or cursor is None:
        return None
    return cursor - timedelta(minutes=sync.policy.overlap_minutes)


def note(sync: Sync, since: datetime, services: Services, actor: Actor, run: str | None) -> None:
    """Who has the source read from when; kept whatever comes of it."""
    details = {"since": since.isoformat(), "run": run}
    event = AuditEvent(services.clock(), actor, Action.READ_AGAIN, sync.name, details=details)
    with database.transaction(services.engine) as conn:
        audit.append(conn, event)


def recall(sync: Sync, since: datetime, services: Services) -> None:
    """Remember again all rows dated since then, out of the snapshots that hold them.

    A snapshot whose file is lost cannot say what it held: its rows are staged again, and the
    examiners hold those that people settled. So are those of one that was held because another
    key, before it was mended, named none of them, which are not held for that.
    """
    with services.engine.connect() as conn:
        found = snapshots.reaching(conn, sync.name, since)
        unnamed = snapshots.unnamed(conn, sync.name, sync.key)
    for snapshot in (s for s in found if s.seq not in unnamed):
        with suppress(SnapshotDamaged), database.transaction(services.engine) as conn:
            for part in identities_of(conn, sync, snapshot, services, since=since):
                remembered.recall(conn, sync.name, snapshot.seq, part)


def moment(text: str) -> datetime:
    """A date as a person writes it, in UTC. Raises SettingsError for what is none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise _refused(f"{text!r} is no date. Write it as 2026-05-01.") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def _check_reach(sync: Sync, since: datetime, start: datetime | None) -> None:
    if start is None:
        raise _refused(f"{sync.name} has staged nothing yet: its first run reads everything.")
    if not sync.source.windowed:
        raise _refused(
            f"{sync.name}'s source cannot be asked for a stretch of time: each run reads all of "
            "it, and what was mended is seen by itself. Leave it out."
        )
    if since >= start:
        raise _refused(f"every run reads from {start:%Y-%m-%d %H:%M} UTC. Leave it out.")


def _refused(why: str) -> SettingsError:
    return SettingsError(f"--since: {why}")
