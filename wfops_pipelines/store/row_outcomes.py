"""What people's decisions made of flagged rows, counted by the rows' findings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, insert, select

from wfops_pipelines.core.row_confidence import RowOutcome
from wfops_pipelines.store import tables as t


def add(
    conn: Connection, sync: str, review: str, outcomes: Sequence[RowOutcome], at: datetime
) -> None:
    if outcomes:
        conn.execute(
            insert(t.row_outcomes),
            [
                {
                    "sync": sync, "review": review, "cause": o.cause, "let_go": o.let_go,
                    "kept": o.kept, "at": at,
                }
                for o in outcomes
            ],
        )  # fmt: skip


def of_sync(conn: Connection, sync: str, limit: int = 1000) -> list[RowOutcome]:
    """The newest."""
    c = t.row_outcomes.c
    query = select(c.cause, c.let_go, c.kept).where(c.sync == sync)
    rows = conn.execute(query.order_by(c.at.desc()).limit(limit))
    return [RowOutcome(r.cause, int(r.let_go), int(r.kept)) for r in rows]
