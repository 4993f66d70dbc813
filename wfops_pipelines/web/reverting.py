"""What taking a publication back would do to each row: what it is now, and what it was before."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from typing import Any, TypeAlias

from sqlalchemy import Connection

from wfops_pipelines.core.parts import Rows
from wfops_pipelines.core.reviews import Review, ReviewKind
from wfops_pipelines.core.same import same
from wfops_pipelines.core.snapshot import DELETED, Snapshot
from wfops_pipelines.destinations.names import DELETED_AT
from wfops_pipelines.destinations.rest import RestDestination
from wfops_pipelines.destinations.table import TableDestination
from wfops_pipelines.ledger import publications_of, published_rows, select_rows
from wfops_pipelines.masking import named
from wfops_pipelines.services import Services
from wfops_pipelines.store import replaced
from wfops_pipelines.sync import Sync
from wfops_pipelines.undoing import hindrance
from wfops_pipelines.web.held_rows import MASK, ROWS_SHOWN

ELSEWHERE = "What each row was before is kept at the destination, which this page does not ask."
SPELLED = "The destination spells the keys otherwise, so this page cannot say which row was what."
STAYS = "stays: a later snapshot has changed it since"
RESTORED, REVIVED, AWAY = "gets its former values", "lives again", "is deleted"
SAME = "stays as it is: its former values are the same"
LOOKED_AT = 1_000  # changed rows, among which those that a revert would change are shown first
PERHAPS = "is deleted, unless the destination held a newer one"

Row: TypeAlias = Mapping[str, Any]
Cells: TypeAlias = list[tuple[str, Any, Any]]  # (column or field, now, before), where they differ


def reverting(
    conn: Connection, sync: Sync | None, review: Review, snapshot: Snapshot, services: Services
) -> dict[str, Any] | None:
    """The rows as they are and as they would be, those with other former values first.

    None where nothing is to be taken back (any more).
    """
    if sync is None or review.kind is not ReviewKind.REVERT:
        return None
    parts = [p for p in publications_of(conn, sync.name, snapshot.seq) if p.reverted_at is None]
    if why := hindrance(conn, sync, parts):
        return {"rows": [], "more": 0, "note": why}
    names = {p.part for p in parts}
    rows = published_rows(conn, sync, snapshot.seq, snapshot.digest, names, services)
    if not parts or rows is None:
        return None
    before = _before(conn, sync, snapshot.seq)
    if before is None:
        return {"rows": [], "more": 0, "note": ELSEWHERE}
    shown = _first(rows, sync.key, before)
    if shown is None:
        return {"rows": [], "more": 0, "note": SPELLED}
    keys = [str(row[sync.key]) for row in shown]
    newer = replaced.replaced_since(conn, sync.name, snapshot.seq, snapshot.rank, keys)
    added = PERHAPS if any(p.stale for p in parts) else AWAY
    told = [
        {"key": named(sync, key), **_told(sync, row, before.get(key), added, key in newer)}
        for key, row in zip(keys, shown, strict=True)
    ]
    told = sorted(told, key=lambda row: row["does"] == SAME)[:ROWS_SHOWN]
    return {"rows": told, "more": rows.num_rows - len(told), "note": ""}


def _before(conn: Connection, sync: Sync, seq: int) -> Mapping[str, Row] | None:
    """The first rows that the snapshot changed, as they were; None where that is kept elsewhere."""
    match sync.destination:
        case TableDestination():
            return replaced.rows_of(conn, sync.name, seq, LOOKED_AT)
        case RestDestination():
            return replaced.records_of(conn, sync.name, seq, LOOKED_AT)
        case _:
            return None


def _first(rows: Rows, key: str, before: Collection[str]) -> list[Row] | None:
    """The rows that are shown; None where those that were changed are not found by their keys."""
    changed = select_rows(rows, key, frozenset(before), frozenset())
    if changed.num_rows != len(before):
        return None
    added = select_rows(rows, key, None, frozenset(before)) if len(before) < LOOKED_AT else None
    return [*_each(changed), *islice(_each(added) if added else (), ROWS_SHOWN)]


def _each(rows: Rows) -> Iterator[Row]:
    for part in rows.parts():
        for batch in part.to_batches(max_chunksize=ROWS_SHOWN):
            yield from batch.to_pylist()


def _told(sync: Sync, row: Row, image: Row | None, added: str, newer: bool) -> dict[str, Any]:
    """What becomes of one row, and the cells that change by it."""
    if newer:
        return {"does": STAYS, "cells": []}
    if image is None:
        return {"does": added, "cells": []}
    if isinstance(sync.destination, RestDestination):
        if "record" not in image:
            return {"does": AWAY, "cells": []}
        cells = _fields(sync.destination, row, image["record"], sync.policy.masked)
    else:
        if image.get(DELETED_AT):
            return {"does": AWAY, "cells": []}
        cells = _columns(row, image, sync.policy.masked)
    back = REVIVED if row.get(DELETED) else RESTORED if cells else SAME
    return {"does": back, "cells": cells}


def _columns(row: Row, image: Row, masked: Collection[str]) -> Cells:
    former = {c: _like(image[c], row[c]) for c in row if c in image}
    return [
        (c, *((MASK, MASK) if c in masked else (_shown(row[c]), _shown(was))))
        for c, was in former.items()
        if was != row[c]
    ]


def _shown(value: Any) -> Any:
    return value if isinstance(value, bool | int | float | str | None) else str(value)


def _fields(api: RestDestination, row: Row, record: Any, masked: Collection[str]) -> Cells:
    """Of an API's record the fields that are sent; those made from a masked column are masked."""
    now, was = dict(_leaves(api.filled(row))), dict(_leaves(record))
    veiled = dict(_leaves(api.filled({**row, **{c: MASK for c in masked if c in row}})))
    hidden = {path for path, value in veiled.items() if MASK in str(value)}
    return [
        (path, *((MASK, MASK) if path in hidden else (now.get(path), was.get(path))))
        for path in dict.fromkeys([*now, *was])
        if not same(now.get(path), was.get(path))
    ]


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Each value of a nested body, with where it stands: "properties.email"."""
    if not isinstance(value, Mapping):
        yield path, value
        return
    for name, inner in value.items():
        yield from _leaves(inner, f"{path}.{name}" if path else str(name))


def _like(text: str | None, now: Any) -> Any:
    """A value that is kept as PostgreSQL's text, as one that compares with what is there now."""
    if text is None or now is None or isinstance(now, str):
        return text
    try:
        return _read(text, now)
    except (ValueError, ArithmeticError):
        return text


def _read(text: str, now: Any) -> Any:
    match now:
        case bool():
            return {"true": True, "false": False}.get(text, text)
        case int() | float() | Decimal():
            return type(now)(text)
        case datetime():
            was = datetime.fromisoformat(text)
            return was if (was.tzinfo is None) == (now.tzinfo is None) else text
        case date():
            return date.fromisoformat(text)
        case _:
            return text
