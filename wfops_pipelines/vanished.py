"""Rows that a whole extraction no longer has, as tombstones in the snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfops_pipelines.core.snapshot import DELETED
from wfops_pipelines.destinations import Listing
from wfops_pipelines.gathering import Gathered, identify
from wfops_pipelines.services import Services
from wfops_pipelines.store import rows
from wfops_pipelines.sync import Sync

if TYPE_CHECKING:
    import pyarrow as pa


def with_vanished(sync: Sync, found: Gathered | None, services: Services) -> Gathered | None:
    """The rows found, and a tombstone for each row of the destination that is not among them.

    They are staged with the snapshot, so that what a person approves is what is deleted.
    """
    if sync.missing != "delete":
        return found
    living = _living(sync, services)
    here = frozenset(rows.texts(found.table[sync.key])) if found and _keyed(sync, found) else None
    if here is None and found is not None:
        return found  # without keys nobody can say what is missing; the examiners hold it
    gone = [key for key in living.to_pylist() if str(key) not in (here or ())]
    if not gone:
        return found
    marks = rows.to_table([{sync.key: key, DELETED: True} for key in gone])
    table = marks if found is None else rows.join([found.table, marks])
    return Gathered(table, identify(sync, table), 0 if found is None else found.repeats)


def _keyed(sync: Sync, found: Gathered) -> bool:
    return sync.key in found.table.column_names


def _living(sync: Sync, services: Services) -> pa.Array:
    destination = sync.destination
    assert isinstance(destination, Listing)  # wfops check asks for it
    with services.engine.connect() as conn:
        return destination.living(conn, sync.key, services.environ)
