"""Writing and reading the audit trail."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

from sqlalchemy import Connection, func, or_, select, text

from wfops_pipelines.core.audit import Action, AuditEvent
from wfops_pipelines.core.verifier import GENESIS, Event, Problem
from wfops_pipelines.store.tables import SCHEMA, audit, audit_head

# One statement, as the head of the chain is locked from here to the end of the transaction.
_APPEND = text(f"""
with head as (
  update {SCHEMA}.audit_head
  set n = n + 1, hash = encode(sha256(convert_to(hash || :body, 'UTF8')), 'hex')
  returning n, hash
)
insert into {SCHEMA}.audit (n, body, hash, action, subject)
select n, :body, hash, :action, :subject from head returning hash
""")


def append(conn: Connection, event: AuditEvent) -> str:
    """Add one event to the chain, in the caller's transaction; returns its hash.

    Take every other lock first: the head of the chain is locked until the transaction ends.
    """
    values = {"body": event.text(), "action": event.action.value, "subject": event.subject}
    return str(conn.execute(_APPEND, values).scalar_one())


def trail(conn: Connection, subject: str) -> list[dict[str, Any]]:
    """The events about `subject`, oldest first, each with its number and hash."""
    rows = conn.execute(
        select(audit.c.n, audit.c.body, audit.c.hash)
        .where(audit.c.subject == subject)
        .order_by(audit.c.n)
    )
    return [{"n": r.n, "hash": r.hash, **json.loads(r.body)} for r in rows]


def of_actions(
    conn: Connection, subjects: Collection[str], actions: Collection[Action]
) -> list[dict[str, Any]]:
    """The events of these kinds about any of `subjects`, oldest first."""
    kinds = [a.value for a in actions]
    query = select(audit.c.body).where(audit.c.subject.in_(subjects), audit.c.action.in_(kinds))
    return [json.loads(r.body) for r in conn.execute(query.order_by(audit.c.n))]


def count(conn: Connection, subject: str) -> int:
    """How many events are about `subject`."""
    query = select(func.count()).where(audit.c.subject == subject)
    return int(conn.execute(query).scalar_one())


def newest(conn: Connection, subject: str | None, limit: int) -> list[dict[str, Any]]:
    """The newest events, oldest first; about `subject` (a sync: its snapshots too), or all."""
    query = select(audit.c.n, audit.c.body, audit.c.hash).order_by(audit.c.n.desc()).limit(limit)
    if subject is not None:
        about = audit.c.subject == subject
        query = query.where(or_(about, audit.c.subject.startswith(f"{subject} #", autoescape=True)))
    rows = conn.execute(query).all()[::-1]
    return [{"n": r.n, "hash": r.hash, **json.loads(r.body)} for r in rows]


def head(conn: Connection) -> tuple[int, str]:
    """(number, hash) of the last event; (0, GENESIS) before the first."""
    row: Any = conn.execute(select(audit_head.c.n, audit_head.c.hash)).one_or_none()
    return (0, GENESIS) if row is None else (row.n, row.hash)


def hash_of(conn: Connection, n: int) -> str | None:
    """The stored hash of event `n`, or None when it is not there."""
    found: str | None = conn.execute(select(audit.c.hash).where(audit.c.n == n)).scalar()
    return found


def events(conn: Connection, problems: list[Problem]) -> Iterator[Event]:
    """Every event in order; what does not agree inside the database is added to `problems`.

    The connection must see one state of the database throughout (see `database.still`).
    """
    n, last = 0, GENESIS
    query = select(audit.c.n, audit.c.body, audit.c.hash, audit.c.action, audit.c.subject)
    ordered = query.order_by(audit.c.n)
    row: Any
    for row in conn.execution_options(yield_per=5000).execute(ordered):
        n, body, last, action, subject = row
        if not _agrees(body, action, subject):
            words = "the columns action and subject are not what the event says: edited"
            problems.append(Problem(n, subject, words))
        yield Event(n, body, last)
    end = head(conn)
    if end != (n, last):
        words = f"the stored head says event {end[0]:,}, the last one there is {n:,}: cut off"
        problems.append(Problem(n + 1, "cut tail", words))


def _agrees(body: str, action: str, subject: str) -> bool:
    """Canonical JSON has its keys in order: `action` comes first, `subject` second to last."""
    tail = f',"subject":{quoted(subject)},"verified":'
    return body.startswith(f'{{"action":{quoted(action)},') and body.endswith(
        (f"{tail}true}}", f"{tail}false}}")
    )
