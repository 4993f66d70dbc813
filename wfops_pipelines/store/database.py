"""The connection to PostgreSQL, and the product's tables made ready in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Column, Connection, Engine, create_engine, inspect, text
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateColumn

from wfops_pipelines.core.audit import GENESIS
from wfops_pipelines.store.tables import SCHEMA, metadata

_SETUP_LOCK = 7_364_011  # any number; all processes that set the tables up agree on it

_INSERT_ONLY = f"""
create or replace function {SCHEMA}.refuse_change() returns trigger language plpgsql as $$
begin raise exception 'the audit trail is insert-only'; end $$;
drop trigger if exists audit_insert_only on {SCHEMA}.audit;
create trigger audit_insert_only before update or delete or truncate on {SCHEMA}.audit
  for each statement execute function {SCHEMA}.refuse_change();
insert into {SCHEMA}.audit_head values (1, 0, '{GENESIS}') on conflict do nothing;
"""


def connect(url: str) -> Engine:
    """An engine on `url`. Connections are not pooled: runs are short, sessions must not linger."""
    return create_engine(psycopg2_url(url), poolclass=NullPool)


def psycopg2_url(url: str) -> str:
    """Names the driver that Dagster's storage needs, whatever way the server was written."""
    for prefix in ("postgresql://", "postgres://", "postgresql+psycopg://"):
        if url.startswith(prefix):
            return "postgresql+psycopg2://" + url.removeprefix(prefix)
    return url


def set_up(engine: Engine) -> None:
    """Create what is missing, once, however many processes ask at the same time."""
    with engine.begin() as conn:
        conn.execute(text("select pg_advisory_xact_lock(:n)"), {"n": _SETUP_LOCK})
        conn.execute(text(f"create schema if not exists {SCHEMA}"))
        metadata.create_all(conn)
        _add_missing_columns(conn)
        conn.exec_driver_sql(_INSERT_ONLY)


def _add_missing_columns(conn: Connection) -> None:
    """A database of an earlier version gets the columns that were added since.

    Tables only ever grow: a new column is nullable or has a server default, so that processes of
    the version before go on beside this one.
    """
    there = inspect(conn).get_multi_columns(schema=SCHEMA)
    for table in metadata.tables.values():
        known = {c["name"] for c in there[SCHEMA, table.name]}
        for column in table.columns:
            if column.name not in known:
                conn.execute(text(f"alter table {table.fullname} add column {_ddl(column, conn)}"))


def _ddl(column: Column[Any], conn: Connection) -> str:
    return str(CreateColumn(column).compile(dialect=conn.dialect))


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """One transaction: everything in it happens, or nothing does."""
    with engine.begin() as conn:
        yield conn
