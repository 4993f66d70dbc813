"""Rows of published tables, found by the values of some columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, MetaData, Table, select
from sqlalchemy.exc import NoSuchTableError


def matching(
    conn: Connection,
    table: str,
    match: Mapping[str, Any],
    columns: Sequence[str],
    limit: int,
    known: dict[str, Table | None],
) -> list[dict[str, Any]] | None:
    """Rows of "schema.table" in which each column of `match` has its value; None without a table.

    `known` keeps what tables look like between calls. Raises KeyError for a column that is not
    there.
    """
    if table not in known:
        known[table] = _reflect(conn, table)
    found = known[table]
    if found is None:
        return None
    where = [found.c[name] == value for name, value in match.items()]
    if "_deleted_at" in found.c:  # a row that was deleted softly is not there
        where.append(found.c["_deleted_at"].is_(None))
    picked = [found.c[name] for name in columns]
    rows = conn.execute(select(*picked).where(*where).order_by(*picked).limit(limit))
    return [dict(row._mapping) for row in rows]


def _reflect(conn: Connection, table: str) -> Table | None:
    schema, _, name = table.rpartition(".")
    try:
        return Table(name, MetaData(), schema=schema or None, autoload_with=conn)
    except NoSuchTableError:
        return None
