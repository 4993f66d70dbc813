"""Locks of PostgreSQL that say what must not happen twice at one moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Connection


def one_at_a_time(conn: Connection, what: str) -> None:
    """Until this transaction's end, no other one does the same; who comes later waits."""
    conn.exec_driver_sql("select pg_advisory_xact_lock(hashtext(%(what)s))", {"what": what})
