"""The kill switch: what is paused, by whom and why."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects.postgresql import insert as upsert

from wfops_pipelines.core.audit import Action, AuditEvent
from wfops_pipelines.store import audit
from wfops_pipelines.store import tables as t

EVERYTHING = "*"


def paused(conn: Connection, sync: str) -> str | None:
    """Who paused this sync, or everything, and why; None when it may publish."""
    query = select(t.controls).where(t.controls.c.sync.in_([sync, EVERYTHING])).limit(1)
    row: Any = conn.execute(query).one_or_none()
    return None if row is None else f"by {row.paused_by}: {row.reason}"


def listed(conn: Connection) -> list[tuple[str, str, str]]:
    """(sync or "all", by whom, why) of everything that is paused."""
    found = conn.execute(select(t.controls).order_by(t.controls.c.sync))
    return [("all" if r.sync == EVERYTHING else r.sync, r.paused_by, r.reason) for r in found]


def pause(conn: Connection, event: AuditEvent) -> None:
    """Pause `event.subject`; the event says who and why."""
    values = {"paused_by": str(event.actor), "reason": event.reason, "paused_at": event.at}
    conn.execute(
        upsert(t.controls)
        .values(sync=event.subject, **values)
        .on_conflict_do_update(index_elements=["sync"], set_=values)
    )
    audit.append(conn, event)


def resume(conn: Connection, event: AuditEvent) -> bool:
    """Resume `event.subject`; False when it was not paused."""
    assert event.action is Action.RESUMED
    done = conn.execute(delete(t.controls).where(t.controls.c.sync == event.subject))
    if done.rowcount:
        audit.append(conn, event)
    return bool(done.rowcount)
