"""What extraction remembers of the rows that it staged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby
from typing import TypeAlias

from sqlalchemy import Connection, exists, select

from wfops_pipelines.store import tables as t
from wfops_pipelines.store.rows import remembered_key

Cursors: TypeAlias = Iterable[tuple[str, datetime | None]]


def remembered_keys(conn: Connection, sync: str) -> Iterator[tuple[int, Cursors]]:
    """(snapshot, each key and cursor) that extraction remembers, the newest snapshot first.

    Rows that an older version of the product staged are not tied to a snapshot, and left out.
    """
    r, s = t.staged_rows.c, t.snapshots.c
    query = (
        select(r.seq, r.key, r.cursor)
        .join(t.snapshots, (s.sync == r.sync) & (s.seq == r.seq))
        .where(r.sync == sync)
        .order_by(r.seq.desc(), r.key)
    )
    rows = conn.execute(query.execution_options(stream_results=True))
    for seq, group in groupby(rows, key=lambda row: int(row.seq)):
        yield seq, ((remembered_key(str(row.key)), row.cursor) for row in group)


def orphans(conn: Connection, sync: str) -> Iterator[tuple[str, int]]:
    """Remembered keys whose snapshot is not there."""
    r, s = t.staged_rows.c, t.snapshots.c
    there = exists().where(s.sync == r.sync, s.seq == r.seq)
    query = select(r.key, r.seq).where(r.sync == sync, r.seq.is_not(None), ~there)
    yield from ((remembered_key(str(row.key)), int(row.seq)) for row in conn.execute(query))
