"""The connection to PostgreSQL, and the product's tables made ready in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Column, Connection, Engine, create_engine, inspect, text
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateColumn

from wfops_pipelines.core.verifier import GENESIS
from wfops_pipelines.store.tables import SCHEMA, metadata

_SETUP_LOCK = 7_364_011  # any number; all processes that set the tables up agree on it

# The owner of the tables can undo all of this; the signed heads are what then tells.
_INSERT_ONLY = f"""
create or replace function {SCHEMA}.refuse_change() returns trigger language plpgsql as $$
begin raise exception 'the audit trail is insert-only'; end $$;
create or replace function {SCHEMA}.only_forward() returns trigger language plpgsql as $$
begin
  if new.n <> old.n + 1 then
    raise exception 'the head of the audit trail only goes forward';
  end if;
  return new;
end $$;
drop trigger if exists audit_insert_only on {SCHEMA}.audit;
create trigger audit_insert_only before update or delete or truncate on {SCHEMA}.audit
  for each statement execute function {SCHEMA}.refuse_change();
create trigger audit_head_stays before delete or truncate on {SCHEMA}.audit_head
  for each statement execute function {SCHEMA}.refuse_change();
create trigger audit_head_forward before update on {SCHEMA}.audit_head
  for each row execute function {SCHEMA}.only_forward();
alter table {SCHEMA}.audit enable always trigger audit_insert_only;
alter table {SCHEMA}.audit_head enable always trigger audit_head_stays;
alter table {SCHEMA}.audit_head enable always trigger audit_head_forward;
revoke all on {SCHEMA}.audit, {SCHEMA}.audit_head from public;
revoke update, delete, truncate on {SCHEMA}.audit from current_user;
revoke delete, truncate on {SCHEMA}.audit_head from current_user;
insert into {SCHEMA}.audit_head values (1, 0, '{GENESIS}') on conflict do nothing;
"""
TRIGGERS = ("audit_insert_only", "audit_head_stays", "audit_head_forward")
_IN_FORCE = f"""
select t.tgname from pg_trigger t join pg_class c on c.oid = t.tgrelid
join pg_namespace s on s.oid = c.relnamespace
where s.nspname = '{SCHEMA}' and t.tgenabled <> 'D'
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
        _protect(conn)


def has_table(conn: Connection, name: str) -> bool:
    """Whether the database has this table, as `schema.table`."""
    return conn.execute(text("select to_regclass(:name)"), {"name": name}).scalar() is not None


def _protect(conn: Connection) -> None:
    """Make the trail insert-only, once: what is taken away later, `unprotected` tells."""
    there = conn.execute(text("select 1 from pg_trigger where tgname = :t"), {"t": TRIGGERS[-1]})
    if there.first() is None:
        conn.exec_driver_sql(_INSERT_ONLY)


def unprotected(conn: Connection) -> list[str]:
    """The triggers of the audit trail that are gone or switched off."""
    in_force: set[str] = set(conn.execute(text(_IN_FORCE)).scalars())
    return [t for t in TRIGGERS if t not in in_force]


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


@contextmanager
def still(engine: Engine) -> Iterator[Connection]:
    """A connection that sees the database as it is now, whatever others write meanwhile."""
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as conn:
        yield conn
