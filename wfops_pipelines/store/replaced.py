"""What rows were before a publication, as it is kept until nobody may take it back."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import BigInteger, Connection, cast, select, union

from wfops_pipelines.store import tables as t


def rows_of(conn: Connection, sync: str, seq: int, limit: int) -> dict[str, dict[str, str | None]]:
    """Rows of a table before a snapshot changed them, by key: each column as text.

    The first in the order of their keys, which are spelled as the table spells them.
    """
    p, r = t.replaced_parts.c, t.replaced_rows.c
    query = select(r.key, p.names, r.before, r.rest)
    query = query.where(r.part == p.id, p.sync == sync, p.seq == seq)
    found = conn.execute(query.order_by(r.key).limit(limit))
    return {
        row.key: {**dict(zip(row.names, row.before, strict=True)), **(row.rest or {})}
        for row in found
    }


def records_of(conn: Connection, sync: str, seq: int, limit: int) -> dict[str, dict[str, Any]]:
    """Images of an API's records before a snapshot was sent (`destinations.images`), by key."""
    c = t.replaced.c
    query = select(c.key, c.before).where(c.sync == sync, c.seq == seq)
    return {row.key: dict(row.before) for row in conn.execute(query.order_by(c.key).limit(limit))}


def replaced_since(
    conn: Connection, sync: str, seq: int, rank: int, keys: Collection[str]
) -> frozenset[str]:
    """Which of these rows of a snapshot another publication has replaced since."""
    p, r, c = t.replaced_parts.c, t.replaced_rows.c, t.replaced.c
    in_tables = select(r.key).where(
        r.part == p.id, p.sync == sync, p.seq != seq, r.was == rank, r.key.in_(keys)
    )
    by = cast(c.before["seq"].astext, BigInteger)
    at_apis = select(c.key).where(c.sync == sync, c.seq != seq, by == rank, c.key.in_(keys))
    return frozenset(conn.execute(union(in_tables, at_apis)).scalars())
