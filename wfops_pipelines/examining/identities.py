"""What the source had told of a snapshot's rows: the key, version and cursor of each."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import Connection

from wfops_pipelines.assist.declared import Classify, Drafting, Tidy
from wfops_pipelines.core.drafts import DraftKind
from wfops_pipelines.core.snapshot import Snapshot
from wfops_pipelines.services import Services
from wfops_pipelines.store import drafts, remembered
from wfops_pipelines.store.mixed import Mixed, masked, read_note, sliced
from wfops_pipelines.store.remembered import NO_KEY
from wfops_pipelines.store.rows import keys_of, texts
from wfops_pipelines.store.versions import versions
from wfops_pipelines.sync import Sync

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    import pyarrow as pa

_Cells: TypeAlias = "dict[tuple[str, str | None], str]"


def identify(sync: Sync, table: pa.Table, version: npt.NDArray[np.uint64]) -> pd.DataFrame:
    """Key, version and cursor of each row; the index says where it stands."""
    import pandas as pd

    keyed = sync.key in table.column_names
    keys = texts(table[sync.key]) if keyed else [None] * table.num_rows
    timed = sync.cursor is not None and sync.cursor in table.column_names
    cursor: Any = table[sync.cursor].to_numpy() if timed else [None] * table.num_rows
    moments = pd.Series(cursor, dtype="datetime64[us]").dt.tz_localize("UTC")
    found = {"key": pd.Series(keys, dtype=object), "version": version, "cursor": moments}
    return pd.DataFrame(found)


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
    import pyarrow as pa

    drafted = {a.column for a in sync.assist if isinstance(a, Classify | Drafting)}
    told = part.drop_columns([c for c in part.column_names if c in drafted])
    if keys is not None:
        named = keys_of(told[sync.key]) if sync.key in told.column_names else [NO_KEY] * len(told)
        stays = pa.array([key in keys for key in named], pa.bool_())
        told, mixed = told.filter(stays), masked(mixed, stays)
    marks = identify(sync, told, versions(told, mixed))
    if since is not None:
        marks = marks[~(marks["cursor"] < since)]
    cursor = marks["cursor"].dt.tz_localize(None).to_numpy()
    return remembered.identities([*marks["key"]], marks["version"].to_numpy(), cursor)
