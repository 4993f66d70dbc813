"""Rows that a whole extraction no longer has, as tombstones in the snapshot."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from wfops_pipelines.core.parts import Rows
from wfops_pipelines.core.snapshot import DELETED
from wfops_pipelines.destinations import Spelling, can_list
from wfops_pipelines.examining.identities import identify
from wfops_pipelines.services import Services
from wfops_pipelines.staging.gathering import Gathered, Recall
from wfops_pipelines.store import rows
from wfops_pipelines.store.fitting import followed_by
from wfops_pipelines.store.rows import remembered_as, remembered_key
from wfops_pipelines.store.versions import spelled, versions
from wfops_pipelines.sync import Sync

if TYPE_CHECKING:
    import pyarrow as pa


def with_vanished(
    sync: Sync, found: Gathered | None, services: Services, came: Recall
) -> Gathered | None:
    """The rows found, and a tombstone for each row of the destination that was not told.

    Not for one whose deletion a person put away: it stays until the source tells the row again.

    They are staged with the snapshot, so that what a person approves is what is deleted.
    """
    if sync.missing != "delete":
        return found
    living = _living(sync, services).to_pylist()
    # as values too: 1 is 1.0, and 1.5 is 1.50, however each side spells them
    known = {spelled for key in living for spelled in (key, str(key))}
    missing, fresh = set(known), []
    if found is not None:
        if sync.key not in found.rows.column_names:
            return found  # without keys nobody can say what is missing; the examiners hold it
        told = (r for r in (found.rows, found.others) if r is not None)
        for part in (part for some in told for part in some.parts([sync.key])):
            here = part[sync.key].to_pylist()
            if None in here:  # it may be any of those that seem to be missing
                return found
            missing.difference_update(here, map(str, here))
            fresh += [k for k in here if k not in known and str(k) not in known]
    gone = [key for key in living if key in missing and str(key) in missing]
    if gone and fresh:
        assert found is not None
        same = _spelled(sync, fresh, found.rows.schema.field(sync.key).type, services)
        gone = [key for key in gone if key not in same]
    return _and_tombstones(sync, found, gone, came) if gone else found


def _and_tombstones(
    sync: Sync, found: Gathered | None, gone: list[Any], came: Recall
) -> Gathered | None:
    import numpy as np

    if found is not None:
        gone = _typed_as(gone, found.rows.schema.field(sync.key).type)
    marks = rows.to_table([{sync.key: key, DELETED: True} for key in gone])
    marks, doubts = _not_put_away(sync, marks, came)
    if not marks.num_rows:
        return found
    version, cursor = versions(marks), np.full(marks.num_rows, "NaT", "datetime64[us]")
    if found is None or not found.rows.num_rows:
        return Gathered(Rows.of(marks), version, cursor, 0, doubted=doubts)
    both = followed_by(found.rows, marks)
    mixed = {n: np.append(k, np.zeros(marks.num_rows, k.dtype)) for n, k in found.mixed.items()}
    known, cursors = [found.version, version], [found.cursor, cursor]
    marked = np.concatenate(known), np.concatenate(cursors)
    doubted = (*found.doubted, *doubts)
    return replace(
        found, rows=both, version=marked[0], cursor=marked[1], mixed=mixed, doubted=doubted
    )


def _not_put_away(
    sync: Sync, marks: pa.Table, came: Recall
) -> tuple[pa.Table, tuple[tuple[str, str], ...]]:
    """Those that nobody put away, or that come again after the row was told; and which of them
    are these, as Snapshot.doubted says it."""
    import pyarrow as pa

    known = identify(sync, marks, versions(marks))
    names, version = remembered_as(known["key"]), spelled(known["version"].to_numpy())
    there = came(len(known), lambda: pa.table({"key": [*names], "version": [*version]}))
    pairs = list(zip(names, version, strict=True))
    fresh = [n is None or there.versions.get(n) != v or (n, v) in there.passed for n, v in pairs]
    doubts = tuple((remembered_key(n), "") for n, v in pairs if n and (n, v) in there.passed)
    return marks.filter(pa.array(fresh, pa.bool_())), doubts


def _typed_as(keys: list[Any], kind: pa.DataType) -> list[Any]:
    """The keys in the column's type: a ledger holds them as text."""
    import pyarrow as pa

    try:
        typed: list[Any] = pa.array(keys).cast(kind).to_pylist()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
        return keys
    return typed


def _spelled(sync: Sync, fresh: list[Any], kind: pa.DataType, services: Services) -> set[Any]:
    """The rows that the destination takes for these, whose keys it spells otherwise."""
    import pyarrow as pa

    if not isinstance(sync.destination, Spelling):
        return set()
    with services.engine.connect() as conn:
        keys = pa.array(fresh, kind)
        return {*sync.destination.spelled(conn, sync.key, keys, services.environ)}


def _living(sync: Sync, services: Services) -> pa.Array:
    destination = sync.destination
    assert can_list(destination)  # wfops check asks for it
    with services.engine.connect() as conn:
        return destination.living(conn, sync.key, services.environ, sync.name)
