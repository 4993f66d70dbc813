"""A parcel compared with the records that a SaaS API has now, a part at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from wfops_pipelines.core.snapshot import DELETED, Diff
from wfops_pipelines.destinations.calling import Caller
from wfops_pipelines.destinations.deliveries import Delivery
from wfops_pipelines.destinations.looking import batches
from wfops_pipelines.destinations.parcel import Existing, Parcel
from wfops_pipelines.destinations.readback import columns_of

if TYPE_CHECKING:
    from wfops_pipelines.destinations.rest import RestDestination

Row = Mapping[str, Any]
AT_ONCE = 1000  # rows whose records are in memory at the same time


def existing(
    to: RestDestination, caller: Caller, parcel: Parcel, known: Mapping[str, Delivery],
    columns: Sequence[str],
) -> Existing:  # fmt: skip
    """What the API has of the parcel's living rows, in the columns that a body sends alone."""
    places = {c: p for c, p in columns_of(dict(to.body)) if c in columns}
    alive = (row for row in parcel.each() if not row.get(DELETED))
    found = _met(to, caller, parcel, alive, known)
    return Existing(
        {k: {c: to.held(r, row, c, p) for c, p in places.items()} for k, row, r in found if r}
    )


def diff(
    to: RestDestination, caller: Caller, parcel: Parcel, known: Mapping[str, Delivery],
    critical: Sequence[str],
) -> Diff:  # fmt: skip
    """What publishing the parcel would change."""
    places = {c: p for c, p in columns_of(dict(to.body)) if c in critical}
    inserted = updated = unchanged = deleted = 0
    changes: list[tuple[str, str, str | None, str | None]] = []
    for key, row, record in _met(to, caller, parcel, parcel.each(), known):
        late = key in known and known[key].seq > parcel.seq
        if row.get(DELETED):
            deleted += record is not None and not late
        elif to.messages:  # sent whatever is there, once
            inserted, unchanged = inserted + (key not in known), unchanged + (key in known)
        elif record is None and not late:
            inserted += 1
        elif late or not to.would_change(record, row, parcel.key):
            unchanged += 1
        else:
            updated += 1
            for column, place in places.items():
                old, new = to.held(record, row, column, place), row[column]
                if old != new:
                    changes.append((key, column, _shown(old), _shown(to.said(row, column))))
    return Diff(inserted, updated, unchanged, deleted, tuple(changes))


def _met(
    to: RestDestination, caller: Caller, parcel: Parcel, rows: Iterator[Row],
    known: Mapping[str, Delivery],
) -> Iterator[tuple[str, Row, Any]]:  # fmt: skip
    """Key, row and record (None where there is none) of each row."""
    for part in batches(((str(row[parcel.key]), row) for row in rows), AT_ONCE):
        records = to.look_all(caller, part, known)
        yield from ((key, row, records[key]) for key, row in part)


def _shown(value: Any) -> str | None:
    return None if value is None else str(value)
