"""Writing and reading the audit trail."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, insert, select, update

from wfops_pipelines.core.audit import AuditEvent, chain, first_break
from wfops_pipelines.core.canonical import canonical
from wfops_pipelines.store.tables import audit, audit_head


def append(conn: Connection, event: AuditEvent) -> str:
    """Add one event to the chain, in the caller's transaction; returns its hash.

    Take every other lock first: the head of the chain is locked until the transaction ends.
    """
    head: Any = conn.execute(select(audit_head).with_for_update()).one()
    body = event.body()
    link = chain(head.hash, body)
    conn.execute(
        insert(audit).values(
            n=head.n + 1,
            body=canonical(body).decode("ascii"),
            hash=link,
            action=event.action.value,
            subject=event.subject,
        )
    )
    conn.execute(update(audit_head).values(n=head.n + 1, hash=link))
    return link


def trail(conn: Connection, subject: str) -> list[dict[str, Any]]:
    """The events about `subject`, oldest first, each with its number and hash."""
    rows = conn.execute(
        select(audit.c.n, audit.c.body, audit.c.hash)
        .where(audit.c.subject == subject)
        .order_by(audit.c.n)
    )
    return [{"n": r.n, "hash": r.hash, **json.loads(r.body)} for r in rows]


def verify(conn: Connection) -> tuple[int, int | None]:
    """(number of events, number of the first that does not follow, or None)."""
    head: Any = conn.execute(select(audit_head)).one()
    last = (0, "")

    def links() -> Iterator[tuple[int, dict[str, Any], str]]:
        nonlocal last
        query = select(audit.c.n, audit.c.body, audit.c.hash).order_by(audit.c.n)
        row: Any
        for row in conn.execution_options(yield_per=5000).execute(query):
            last = (row.n, row.hash)
            yield row.n, json.loads(row.body), row.hash

    broken = first_break(links())
    if broken is None and head.n and last != (head.n, head.hash):
        broken = last[0] + 1
    return head.n, broken
