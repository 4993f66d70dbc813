"""Edited rows: a person's repair becomes a snapshot of its own, examined and reviewed again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Connection

from wfops_pipelines.core.audit import Action, AuditEvent
from wfops_pipelines.core.parts import Rows
from wfops_pipelines.core.reviews import Actor, Decision, Review, ReviewKind
from wfops_pipelines.core.snapshot import DELETED, Snapshot, SnapshotState
from wfops_pipelines.errors import BadDecision
from wfops_pipelines.examining.history import settled_types
from wfops_pipelines.ledger import key_then, rows_named
from wfops_pipelines.services import Services
from wfops_pipelines.store import audit, files, snapshots
from wfops_pipelines.store.inferring import Types, typed
from wfops_pipelines.store.retyping import as_settled, as_staged
from wfops_pipelines.store.rows import keys_of
from wfops_pipelines.sync import Sync, instant

if TYPE_CHECKING:
    import pyarrow as pa

Change = tuple[str, str, str | None, str | None]
_Told = TypeVar("_Told", bound=tuple[str, Any] | tuple[str, Any, Any, Any])


def held_rows(conn: Connection, sync: Sync, review: Review, services: Services) -> Iterator[str]:
    """The keys, as text, of the rows that a review request holds, one after the other."""
    if review.kind is ReviewKind.ROWS or review.seq is None:
        yield from review.keys
        return
    key = key_then(conn, sync, review.seq)
    for part in _rows(conn, sync, review, services).parts([key]):
        yield from keys_of(part[key])


def stage_edited(
    conn: Connection, sync: Sync, review: Review, decision: Decision, services: Services
) -> Snapshot:
    """Stage the held rows with the edits, in the caller's transaction.

    The new snapshot keeps the place of its origin in the source's order, its day, and what is not
    known of its rows. Raises BadDecision for an edit that cannot be, SnapshotDamaged when the
    staged file is not what it was.
    """
    assert review.seq is not None
    _refuse_renamed(conn, sync, review)
    parent = snapshots.get(conn, sync.name, review.seq)
    head = snapshots.head(conn, sync.name, lock=True)
    settled = settled_types(conn, sync, services, head.types)
    rows, changes = edited(_rows(conn, sync, review, services), sync, decision, settled)
    rows = as_settled(rows, settled, {change[1] for change in changes})
    said = {change[:2] for change in changes}  # of these cells somebody says what is true
    held = None if review.kind is ReviewKind.WHOLE else frozenset(review.keys)
    snapshot = made_of(parent, held, services)
    snapshot = replace(
        snapshot,
        seq=head.seq + 1,
        digest=files.write(services.folder(sync.name), rows, services.at_once),
        rows=rows.num_rows,
        edited_by=decision.actor.name,
        edits=changes,
        contradicted=tuple(c for c in snapshot.contradicted if c[:2] not in said),
    )
    enter_made(conn, snapshot, parent, head, decision.actor, decision.reason)
    if review.kind is ReviewKind.WHOLE:
        snapshots.set_state(conn, sync.name, parent.seq, SnapshotState.SETTLED)
    return snapshot


def _refuse_renamed(conn: Connection, sync: Sync, review: Review) -> None:
    """Rows are sought by the key that is declared now, and were named by that of then."""
    assert review.seq is not None
    before = snapshots.named_by(conn, sync.name, review.seq)
    if before not in (None, sync.key):
        raise BadDecision(
            f"edits: {review.subject} was examined with the key {before!r}, and the sync's key is "
            f"{sync.key!r} now. Decide about it as it is, or set the key back."
        )


def made_of(parent: Snapshot, keys: frozenset[str] | None, services: Services) -> Snapshot:
    """What a snapshot of a parent's rows (None: all) has from it: its place in the source's order,
    its day, what people changed in its rows, and what is not known of them."""
    return Snapshot(
        sync=parent.sync,
        seq=parent.seq,
        digest=parent.digest,
        rows=parent.rows,
        staged_at=services.clock(),
        cursor_from=parent.cursor_from,
        cursor_to=parent.cursor_to,
        origin=parent.rank,
        edited_by=parent.edited_by,
        edits=_of(parent.edits, keys),
        partition=parent.partition,
        overtaken=parent.overtaken if keys is None else 0,
        dated_by=parent.dated_by,
        doubted=_of(parent.doubted, keys),
        contradicted=_of(parent.contradicted, keys),
    )


def enter_made(
    conn: Connection,
    snapshot: Snapshot,
    parent: Snapshot,
    head: snapshots.Head,
    actor: Actor,
    reason: str,
) -> None:
    """Stage a snapshot of a parent's rows, the stream's next after `head`, which is locked."""
    new = snapshots.Head(head.cursor, snapshot.seq, head.types)
    snapshots.move_head(conn, snapshot.sync, head, new)
    snapshots.add(conn, snapshot)
    audit.append(conn, _staged(snapshot, parent, actor, reason))


def _of(cells: Sequence[_Told], keys: frozenset[str] | None) -> tuple[_Told, ...]:
    """What is told of these rows, by their key."""
    return tuple(cell for cell in cells if keys is None or cell[0] in keys)


def edited(
    rows: Rows, sync: Sync, decision: Decision, settled: Types = MappingProxyType({})
) -> tuple[Rows, tuple[Change, ...]]:
    """`rows` with the decision's edits, and each cell that changed: (key, column, old, new).

    settled: the types that were published, in which a cell may be given as well: of a text that
    spells the same number, that it is one is the edit.
    """
    found = _sought(rows, sync, decision)
    cells: dict[int, dict[str, Any]] = {}
    changes: list[Change] = []
    for edit in decision.edits:
        for column, value in edit.values.items():
            _check_column(column, rows, sync, edit.key)
            place, row = found[edit.key]
            kind = rows.schema.field(column).type
            given = as_staged(value, kind, settled.get(column))
            new = _value(given, kind, column, edit.key)
            if new != row[column] or settled.get(column, str(kind)) != str(kind):
                changes.append((edit.key, column, _text(row[column]), _text(new)))
                row[column] = cells.setdefault(place, {})[column] = new
    if not changes:
        raise BadDecision("edits: change nothing. Give a row's key and other values for it.")
    return _with_cells(rows, cells), tuple(changes)


def _sought(rows: Rows, sync: Sync, decision: Decision) -> dict[str, tuple[int, dict[str, Any]]]:
    """By key, where each row stands that is edited, and what it holds; of equal keys, the last."""
    import numpy as np
    import pyarrow as pa

    wanted = {edit.key for edit in decision.edits}
    places: dict[str, int] = {}
    place = 0
    for part in rows.parts([sync.key]):
        keys = keys_of(part[sync.key])
        places |= {key: place + at for at, key in enumerate(keys) if key in wanted}
        place += part.num_rows
    mask = np.zeros(place, bool)
    mask[[*places.values()]] = True
    # all columns: of fewer, more rows would be in memory, and those that are edited may be wide
    found = [row for part in rows.filter(pa.array(mask)).parts() for row in part.to_pylist()]
    in_order = sorted(places, key=places.__getitem__)
    return {key: (places[key], row) for key, row in zip(in_order, found, strict=True)}


def _with_cells(rows: Rows, cells: Mapping[int, Mapping[str, Any]]) -> Rows:
    """The rows with other values in some cells, by their places."""

    def read(columns: Sequence[str] | None) -> Iterator[pa.Table]:
        place = 0
        for part in rows.parts(columns):
            end = place + part.num_rows
            yield _changed(part, {at - place: c for at, c in cells.items() if place <= at < end})
            place = end

    table = None if rows.table is None else _changed(rows.table, cells)
    return Rows(rows.schema, rows.num_rows, read, table)


def _changed(part: pa.Table, cells: Mapping[int, Mapping[str, Any]]) -> pa.Table:
    import pyarrow as pa

    for column in dict.fromkeys(c for row in cells.values() for c in row):
        if column in part.column_names:
            values, field = part[column].to_pylist(), part.schema.field(column)
            for at, row in cells.items():
                values[at] = row.get(column, values[at])
            place = part.column_names.index(column)
            part = part.set_column(place, field, pa.array(values, field.type))
    return part


def _rows(conn: Connection, sync: Sync, review: Review, services: Services) -> Rows:
    assert review.seq is not None
    snapshot = snapshots.get(conn, sync.name, review.seq)
    only = frozenset(review.keys) if review.kind is ReviewKind.ROWS else None
    return rows_named(conn, sync, snapshot, services.rows(snapshot), only)


def _check_column(column: str, rows: Rows, sync: Sync, key: str) -> None:
    if column not in rows.column_names:
        known = ", ".join(rows.column_names)
        raise BadDecision(f"edits: row {key}: there is no column {column!r}. There are: {known}.")
    if column == DELETED:
        raise BadDecision(
            f"edits: row {key}: whether it is gone is the source's to say. To keep the row, "
            f"leave the deletion out: `exclude: [{key}]`."
        )
    if column in (sync.key, sync.cursor):
        raise BadDecision(
            f"edits: row {key}: {column} says which row this is and of when; it cannot be edited."
        )


def _value(value: Any, type_: pa.DataType, column: str, key: str) -> Any:
    """`value` as the column holds it. Raises BadDecision naming the type."""
    import pyarrow as pa
    import pyarrow.types as pt

    try:
        if value is not None and pt.is_timestamp(type_):
            value = instant(value)
        elif value is not None and pt.is_decimal(type_):
            value = Decimal(str(value))
        if isinstance(value, bool) and not pt.is_boolean(type_):
            raise ValueError("a truth value")
        if (found := typed([value], type_)) is None:
            raise ValueError("another value, as that type would have it")
        return found[0].as_py()
    except (pa.ArrowInvalid, pa.ArrowTypeError, ValueError, TypeError, InvalidOperation) as error:
        raise BadDecision(
            f"edits: row {key}: {value!r} does not fit the column {column}, which holds {type_}."
        ) from error


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _staged(snapshot: Snapshot, parent: Snapshot, actor: Actor, reason: str) -> AuditEvent:
    how = "asked again from" if snapshot.reopened_by else "edited from"
    return AuditEvent(
        at=snapshot.staged_at,
        actor=actor,
        action=Action.STAGED,
        subject=snapshot.name,
        reason=reason.strip(),
        details={
            "digest": snapshot.digest,
            "rows": snapshot.rows,
            how: parent.name,
            "parent digest": parent.digest,
        },
    )
