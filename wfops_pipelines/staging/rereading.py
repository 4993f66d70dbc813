"""Reading from a date: what extractions no longer reach, as a snapshot of its own.

It ends where every run begins, so that the cursor stays where it is. What was staged before is
known again first, from the snapshots themselves: only what is new or was changed is staged.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias

from sqlalchemy import Connection

from wfops_pipelines.assist.declared import Classify, Drafting, Tidy
from wfops_pipelines.core.audit import Action, AuditEvent
from wfops_pipelines.core.drafts import DraftKind
from wfops_pipelines.core.reviews import Actor
from wfops_pipelines.core.snapshot import Snapshot
from wfops_pipelines.errors import SettingsError, SnapshotDamaged
from wfops_pipelines.services import Services
from wfops_pipelines.staging.gathering import identify
from wfops_pipelines.store import audit, database, drafts, remembered, snapshots
from wfops_pipelines.store.mixed import Mixed, read_note, sliced
from wfops_pipelines.store.rows import keys_of
from wfops_pipelines.store.versions import versions
from wfops_pipelines.sync import Sync

if TYPE_CHECKING:
    import pyarrow as pa

_Cells: TypeAlias = "dict[tuple[str, str | None], str]"


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


def identities_of(
    conn: Connection,
    sync: Sync,
    snapshot: Snapshot,
    services: Services,
    keys: Collection[str] | None = None,
    since: datetime | None = None,
) -> Iterator[pa.Table]:
    """Key, version and cursor of a snapshot's rows as the source told them, as remembered.

    Only those of `keys`, and not dated before `since`. Raises SnapshotDamaged.
    """
    staged = services.rows(snapshot)
    tidied, mixed, at = _tidied(conn, sync, snapshot.seq), read_note(staged.schema), 0
    for part in staged.parts():
        told, kinds = _as_told(part, sync.key, tidied), sliced(mixed, at, part.num_rows)
        yield _identities(sync, told, kinds, keys, since)
        at += part.num_rows


def _tidied(conn: Connection, sync: Sync, seq: int) -> dict[str, _Cells]:
    """By column, what standing rules wrote into a row's cell and what had been there."""
    columns = {a.column for a in sync.assist if isinstance(a, Tidy) and a.standing}
    found: dict[str, _Cells] = {}
    for one in drafts.of_snapshot(conn, sync.name, seq) if columns else ():
        if one.draft.kind is DraftKind.REPAIR and one.draft.column in columns and one.draft.sources:
            cells = found.setdefault(one.draft.column, {})
            cells[one.key, one.draft.value] = one.draft.sources[0][1]
    return found


def _as_told(part: pa.Table, key: str, tidied: Mapping[str, _Cells]) -> pa.Table:
    """Rows as the source told them."""
    import pyarrow as pa

    for column, cells in tidied.items():
        if key in part.column_names and column in part.column_names:
            place, field = part.column_names.index(column), part.schema.field(column)
            here = zip(keys_of(part[key]), part[column].to_pylist(), strict=True)
            values = [cells.get(cell, cell[1]) for cell in here]
            part = part.set_column(place, field, pa.array(values, field.type))
    return part


def _identities(
    sync: Sync,
    part: pa.Table,
    mixed: Mixed,
    keys: Collection[str] | None,
    since: datetime | None,
) -> pa.Table:
    """As extraction saw the rows: without what assistants wrote into columns of their own."""
    drafted = {a.column for a in sync.assist if isinstance(a, Classify | Drafting)}
    told = part.drop_columns([c for c in part.column_names if c in drafted])
    marks = identify(sync, told, versions(told, mixed))
    if since is not None:
        marks = marks[~(marks["cursor"] < since)]
    if keys is not None:
        marks = marks[marks["key"].map(str).isin(keys)]
    cursor = marks["cursor"].dt.tz_localize(None).to_numpy()
    return remembered.identities([*marks["key"]], marks["version"].to_numpy(), cursor)


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
