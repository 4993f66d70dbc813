"""Extract and stage: pages from the source become one immutable snapshot."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from wfops_pipelines.assisting import Assisted, assist
from wfops_pipelines.core.audit import Action, AuditEvent
from wfops_pipelines.core.canonical import canonical, digest
from wfops_pipelines.core.reviews import Actor
from wfops_pipelines.core.snapshot import Snapshot
from wfops_pipelines.errors import SchemaRefused
from wfops_pipelines.services import Services
from wfops_pipelines.sources import Window
from wfops_pipelines.store import audit, database, drafts, files, rows, snapshots
from wfops_pipelines.sync import Sync, instant

REMEMBER = timedelta(days=14)  # longer than any overlap window


@dataclass(frozen=True, slots=True)
class Found:
    """One extracted row with what tells it apart."""

    key: str
    version: str
    cursor: datetime | None
    row: Mapping[str, Any]


def stage(
    sync: Sync, services: Services, actor: Actor, run_id: str | None, until: datetime | None = None
) -> Snapshot | None:
    """Extract what changed since the sync's cursor and stage it; None when nothing is new.

    The snapshot row and the cursor move in one transaction, by compare-and-swap. Raises a
    SyncFailure, or HeadMoved when another run staged first (nothing is lost: extract again).
    """
    end = until or services.clock()
    with services.engine.connect() as conn:
        head = snapshots.head(conn, sync.name)
        since = _since(sync, head.cursor)
        seen = snapshots.seen(conn, sync.name, since) if sync.cursor else set()
    found, dropped = _extract(sync, services, Window(since, end), seen)
    if not found:
        return None
    assisted = assist(sync, [f.row for f in found], services)
    table = rows.to_table(assisted.rows, head.types)
    cursors = [f.cursor for f in found if f.cursor is not None]
    snapshot = Snapshot(
        sync=sync.name,
        seq=head.seq + 1,
        digest=files.write(services.folder(sync.name), table),
        rows=table.num_rows,
        staged_at=services.clock(),
        run_id=run_id,
        cursor_from=since,
        cursor_to=max([*cursors, *([head.cursor] if head.cursor else [])], default=None),
        duplicates=dropped,
    )
    types = {**rows.types_of(table), **(head.types or {})}
    new = snapshots.Head(snapshot.cursor_to, snapshot.seq, types)
    with database.transaction(services.engine) as conn:
        snapshots.move_head(conn, sync.name, head, new)
        snapshots.add(conn, snapshot)
        if sync.cursor:
            snapshots.remember(conn, sync.name, ((f.key, f.version, f.cursor) for f in found))
            if new.cursor:
                snapshots.forget(conn, sync.name, new.cursor - REMEMBER)
        drafts.add(conn, sync.name, snapshot.seq, assisted.drafts, snapshot.staged_at)
        audit.append(conn, _staged(snapshot, actor))
        if assisted.drafts:
            audit.append(conn, _drafted(snapshot, assisted))
    return snapshot


def _since(sync: Sync, cursor: datetime | None) -> datetime | None:
    if sync.cursor is None or cursor is None:
        return None
    return cursor - timedelta(minutes=sync.policy.overlap_minutes)


def _extract(
    sync: Sync, services: Services, window: Window, seen: set[tuple[str, str]]
) -> tuple[list[Found], int]:
    """Rows not staged before, the newest version of each key, and how many repeats were dropped."""
    api = sync.source.connect(services.environ)
    newest: dict[str, Found] = {}
    here: set[tuple[str, str]] = set()
    loose: list[Found] = []
    repeats = 0
    for found in _rows(sync, sync.source.pages(window, api)):
        identity = (found.key, found.version)
        if identity in seen:
            continue
        repeats += identity in here
        here.add(identity)
        if found.row.get(sync.key) is None:
            loose.append(found)  # a row without a key is evidence too: the examiners report it
        elif _newer(found, newest.get(found.key)):
            newest[found.key] = found
    return [*newest.values(), *loose], repeats


def _newer(found: Found, known: Found | None) -> bool:
    if known is None or found.cursor is None or known.cursor is None:
        return True
    return found.cursor >= known.cursor


def _rows(sync: Sync, pages: Iterable[list[dict[str, Any]]]) -> Iterable[Found]:
    for page in pages:
        try:
            flat = list(sync.rows(page))
        except Exception as error:
            said = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            raise SchemaRefused(
                f"{sync.name}: the function could not read a page of {len(page)} records ({said}). "
                "The API's answer changed, or the function must learn this case."
            ) from error
        for row in flat:
            yield _found(sync, row)


def _found(sync: Sync, row: Mapping[str, Any]) -> Found:
    cursor = _cursor(sync, row)
    settled = dict(row) if sync.cursor is None else {**row, sync.cursor: cursor}
    content = hashlib.sha256(canonical({k: _plain(v) for k, v in settled.items()})).hexdigest()
    moment = cursor.isoformat() if cursor else ""
    return Found(str(row.get(sync.key)), f"{moment}/{content[:16]}", cursor, settled)


def _cursor(sync: Sync, row: Mapping[str, Any]) -> datetime | None:
    if sync.cursor is None:
        return None
    if sync.cursor not in row:
        raise SchemaRefused(
            f"{sync.name}: row {row.get(sync.key)} has no column {sync.cursor!r}, the cursor. "
            f"The function must return it, or cursor= must name one of {', '.join(row)}."
        )
    try:
        return instant(row.get(sync.cursor))
    except (ValueError, TypeError) as error:
        raise SchemaRefused(
            f"{sync.name}: the cursor {sync.cursor} of row {row.get(sync.key)} is no time: "
            f"{row.get(sync.cursor)!r}. The API changed its format, or the function must parse it."
        ) from error


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | bool | None) else repr(value)


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
