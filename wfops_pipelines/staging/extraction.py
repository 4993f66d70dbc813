"""Extract and stage: pages from the source become one immutable snapshot."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from wfops_pipelines.core.audit import Action, AuditEvent
from wfops_pipelines.core.canonical import canonical, digest
from wfops_pipelines.core.parts import Rows
from wfops_pipelines.core.reviews import Actor
from wfops_pipelines.core.snapshot import Snapshot
from wfops_pipelines.errors import SettingsError
from wfops_pipelines.examining.history import settled_types
from wfops_pipelines.services import Services
from wfops_pipelines.sources import Window
from wfops_pipelines.staging import recalling, rereading
from wfops_pipelines.staging.assisting import Assisted, assist
from wfops_pipelines.staging.gathering import Between, Gathered, Memory, gather
from wfops_pipelines.staging.vanished import with_vanished
from wfops_pipelines.store import audit, database, drafts, files, remembered, rows, snapshots
from wfops_pipelines.store.mixed import noted
from wfops_pipelines.sync import Day, Sync


@dataclass(frozen=True, slots=True)
class _Stretch:
    """What one extraction is about: its window, and what was there before it.

    `before` is the number of the day's newest
    snapshot, where the sync is partitioned. `again`: it lies behind what extractions reach.
    """

    window: Window
    head: snapshots.Head
    memory: Memory
    day: Day | None
    before: int = 0
    again: bool = False

    @property
    def only(self) -> Between | None:
        """What rows of other stretches are left out by."""
        if self.day is not None:
            return Between(self.day.start, self.day.end)
        if self.again and self.window.start is not None:
            return Between(self.window.start, self.window.end)
        return None


def stage(
    sync: Sync,
    services: Services,
    actor: Actor,
    run_id: str | None,
    until: datetime | None = None,
    day: Day | None = None,
) -> Snapshot | None:
    """Extract what changed since the sync's cursor and stage it; None when nothing is new.

    Of a partitioned sync: what changed in that `day`. The snapshot row and the cursor move in one
    transaction, by compare-and-swap. Raises a SyncFailure, or HeadMoved when another run staged
    first (nothing is lost: extract again), or SettingsError where a partitioned sync has no day:
    such a run would forget what was staged of all others.
    """
    if sync.days_from is not None and day is None:
        raise SettingsError(
            f"{sync.name} is partitioned by day. Say which one to run: a partition in the UI, or "
            f"`wfops run {sync.name} --day {sync.days_from}`."
        )
    if sync.days_from is None:
        _refuse_without_days(sync, services)
    return _stage(sync, services, actor, run_id, _stretch(sync, services, until, day))


def _refuse_without_days(sync: Sync, services: Services) -> None:
    """What was published of a day counts for newer than all that is of none."""
    with services.engine.connect() as conn:
        newest = snapshots.latest(conn, sync.name, 1)
    if newest and newest[0].partition is not None:
        raise SettingsError(
            f"{sync.name} was partitioned by day, and what it published then would count for newer "
            "than all that comes without: declare days_from again, or give the sync another name."
        )


def stage_again(
    sync: Sync, services: Services, actor: Actor, run_id: str | None, since: datetime
) -> Snapshot | None:
    """Stage what the source has from `since` up to where every extraction begins, if it is new.

    The cursor stays where it is. Raises as `stage` does.
    """
    rereading.note(sync, since, services, actor, run_id)
    while True:
        stretch = _behind(sync, services, since)
        try:
            return None if stretch is None else _stage(sync, services, actor, run_id, stretch)
        except snapshots.HeadMoved:
            continue  # an ordinary run was first; a person asked for this only once


def _stage(
    sync: Sync, services: Services, actor: Actor, run_id: str | None, stretch: _Stretch
) -> Snapshot | None:
    api = sync.source.connect(services.environ)
    pages = sync.source.pages(stretch.window, api)
    places = services.folder(sync.name), services.at_once
    found = gather(sync, pages, stretch.head.types, stretch.memory, stretch.only, *places)
    found = with_vanished(sync, found, services, stretch.memory.came)
    if found is None or not found.rows.num_rows:
        return None
    assembled, assisted = _assisted(sync, found.rows, stretch.head, services)
    staged = _snapshot(sync, found, assembled, stretch, services, run_id)
    if stretch.again:
        staged = replace(staged, reread_by=actor.name)
    staged_rows = services.rows(staged)
    with database.transaction(services.engine) as conn:
        snapshot = _enter(conn, staged, staged_rows, stretch)
        _remember(conn, sync, found, snapshot, staged_rows)
        drafts.add(conn, sync.name, snapshot.seq, assisted.drafts, snapshot.staged_at)
        audit.append(conn, _staged(snapshot, actor))
        if assisted.drafts:
            audit.append(conn, _drafted(snapshot, assisted))
    return snapshot


def _behind(sync: Sync, services: Services, since: datetime) -> _Stretch | None:
    """What lies behind the head, and is known again: whoever forgets it moves the head first."""
    with services.engine.connect() as conn:
        head = _head(conn, sync, services)
    end = rereading.begins(sync, head.cursor)
    if end is None or end <= since:
        return None
    rereading.recall(sync, since, services)
    ahead = services.clock() + timedelta(minutes=sync.policy.overlap_minutes)
    memory = recalling.between(sync, services, ahead, since)
    return _Stretch(Window(since, end), head, memory, None, again=True)


def _stretch(sync: Sync, services: Services, until: datetime | None, day: Day | None) -> _Stretch:
    until = until or services.clock()
    ahead = until + timedelta(minutes=sync.policy.overlap_minutes)
    with services.engine.connect() as conn:
        head = _head(conn, sync, services)
        if day is not None:
            memory = recalling.between(sync, services, ahead, day.start, day.end)
            before = snapshots.newest_of(conn, sync.name, day.name)
            end = max(day.start, min(day.end, until))
            return _Stretch(Window(day.start, end), head, memory, day, before)
        since = rereading.begins(sync, head.cursor)
        memory = recalling.of_all(sync, services, ahead, head.cursor)
        return _Stretch(Window(since, until), head, memory, None)


def _head(conn: Connection, sync: Sync, services: Services) -> snapshots.Head:
    """The stream's head, with the types that were published: a person may have let others go.

    How far another column had come says nothing of this cursor: then all is read.
    """
    head = snapshots.head(conn, sync.name)
    _, dated = snapshots.newest_declared(conn, sync.name)
    cursor = None if recalling.is_dated_anew(dated, sync) else head.cursor
    types = settled_types(conn, sync, services, head.types)
    return replace(head, cursor=cursor, types=types)


def _assisted(
    sync: Sync, found: Rows, head: snapshots.Head, services: Services
) -> tuple[Rows, Assisted]:
    """With assistants, all rows are in memory: they are compared with each other."""
    if not sync.assist:
        return found, Assisted(())
    assisted = assist(sync, found.whole().to_pylist(), services)
    return Rows.of(rows.to_table(assisted.rows, head.types)), assisted


def _snapshot(
    sync: Sync,
    found: Gathered,
    gathered: Rows,
    stretch: _Stretch,
    services: Services,
    run_id: str | None,
) -> Snapshot:
    """The snapshot with its file written, ready to be entered."""
    folder = services.folder(sync.name)
    return Snapshot(
        sync=sync.name,
        seq=stretch.head.seq + 1,
        digest=files.write(folder, gathered, services.at_once, noted(found.mixed)),
        rows=gathered.num_rows,
        staged_at=services.clock(),
        run_id=run_id,
        cursor_from=stretch.window.start,
        cursor_to=_reached(found, stretch),
        duplicates=found.repeats,
        partition=stretch.day.name if stretch.day else None,
        doubted=found.doubted,
        asked=(_asked_after(sync, stretch), stretch.window.end),
        contradicted=found.contradicted,
        overtaken=found.overtaken,
        dated_by=sync.cursor or "",
        dated_upto=_ahead(found, stretch),
    )


def _asked_after(sync: Sync, stretch: _Stretch) -> datetime | None:
    """From when on rows are expected that were not asked for before: the overlap was.

    A day that is run again brings what is new of it, whenever that may be; so does a date.
    """
    if stretch.day is not None:
        return None if stretch.before else stretch.day.start
    return stretch.head.cursor if sync.cursor is not None and not stretch.again else None


def _reached(found: Gathered, stretch: _Stretch) -> datetime | None:
    """How far the cursor comes; a row from the future must not carry it anywhere."""
    import numpy as np

    before = None if stretch.day else stretch.head.cursor
    end = np.datetime64(stretch.window.end.astimezone(UTC).replace(tzinfo=None))
    dated = found.cursor[found.cursor <= end]  # NaT is not
    if not len(dated):
        return before
    newest: datetime = dated.max().item().replace(tzinfo=UTC)
    return newest if before is None else max(before, newest)


def _ahead(found: Gathered, stretch: _Stretch) -> datetime | None:
    """The latest time of rows that are dated ahead of the extraction; None where none is."""
    import numpy as np

    end = np.datetime64(stretch.window.end.astimezone(UTC).replace(tzinfo=None))
    late = found.cursor[found.cursor > end]
    newest: datetime | None = late.max().item().replace(tzinfo=UTC) if len(late) else None
    return newest


def _enter(conn: Connection, staged: Snapshot, found: Rows, stretch: _Stretch) -> Snapshot:
    """Compare and swap: the stream's head; or, for a day, the day's newest snapshot."""
    if stretch.day is None:
        head, cursor = stretch.head, staged.cursor_to
    else:
        head = snapshots.locked_head(conn, staged.sync)
        cursor = head.cursor
        if snapshots.newest_of(conn, staged.sync, stretch.day.name) != stretch.before:
            raise snapshots.HeadMoved(
                f"{staged.sync}: another run staged {stretch.day.name} first. Run it again."
            )
    snapshot = replace(staged, seq=head.seq + 1)
    types = {**rows.types_of(found), **(head.types or {})}
    snapshots.move_head(conn, staged.sync, head, snapshots.Head(cursor, snapshot.seq, types))
    snapshots.add(conn, snapshot)
    return snapshot


def _remember(
    conn: Connection, sync: Sync, found: Gathered, snapshot: Snapshot, staged: Rows
) -> None:
    """Only what a later extraction may read again.

    A source that cannot be asked for a window answers everything again, one that knows but the day
    all of it, and any day of a partitioned sync may be run again. A sync without a cursor tells
    everything each time: what people settled of a row counts until another version of it comes,
    and is asked about again where it comes after that, until something newer is published.
    """
    if sync.cursor is None:
        for identity in found.identity(sync.key, staged, None):
            remembered.pass_by(conn, sync.name, snapshot.seq, identity)
        return
    oldest, asked = None, snapshot.cursor_from
    if snapshot.partition is None:
        oldest = recalling.forgotten_before(sync, snapshot.cursor_to)
    if oldest is not None:
        if asked is not None and found.earliest is not None and found.earliest < asked:
            oldest = min(oldest, found.earliest)
        remembered.forget(conn, sync.name, oldest)
    for identity in found.identity(sync.key, staged, oldest):
        remembered.remember(conn, sync.name, identity)


def _drafted(snapshot: Snapshot, assisted: Assisted) -> AuditEvent:
    """Who proposed what for how many rows; the digests name what each was given."""
    models = Counter((d.draft.column, d.draft.model) for d in assisted.drafts)
    prompts = sorted(d.draft.prompt for d in assisted.drafts)
    return AuditEvent(
        at=snapshot.staged_at,
        actor=Actor("assistant", "machine"),
        action=Action.DRAFTED,
        subject=snapshot.name,
        details={
            "drafts": [[column, model, n] for (column, model), n in sorted(models.items())],
            "prompts": digest(canonical(prompts)),
        },
    )


def _staged(snapshot: Snapshot, actor: Actor) -> AuditEvent:
    return AuditEvent(
        at=snapshot.staged_at,
        actor=actor,
        action=Action.STAGED,
        subject=snapshot.name,
        details={
            "digest": snapshot.digest,
            "rows": snapshot.rows,
            "duplicates": snapshot.duplicates,
            "run": snapshot.run_id,
        },
    )
