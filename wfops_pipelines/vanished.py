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
    import pyarrow as pa

    if sync.missing != "delete":
        return found
    if found is not None and not _keyed(sync, found):
        return found  # without keys nobody can say what is missing; the examiners hold it
    here = found.table[sync.key].to_pylist() if found else []
    # as values too: 1 is 1.0, and 1.5 is 1.50, however each side spells them
    known = frozenset(here) | frozenset(map(str, here))
    living = _living(sync, services).to_pylist()
    gone = [key for key in living if key not in known and str(key) not in known]
    if not gone:
        return found
    marks = rows.to_table([{sync.key: key, DELETED: True} for key in gone])
    if found is None:
        return Gathered(marks, identify(sync, marks), 0)
    identity = pa.concat_tables([found.identity, identify(sync, marks)])
    return Gathered(rows.join([found.table, marks]), identity, found.repeats, found.doubted)


def _keyed(sync: Sync, found: Gathered) -> bool:
    """Whether every row has a key: one without may be any of those that seem to be missing."""
    return sync.key in found.table.column_names and not found.table[sync.key].null_count


def _living(sync: Sync, services: Services) -> pa.Array:
    destination = sync.destination
    assert isinstance(destination, Listing)  # wfops check asks for it
    with services.engine.connect() as conn:
        return destination.living(conn, sync.key, services.environ)
