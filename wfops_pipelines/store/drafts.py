"""Drafts in the database: what was proposed for which cell, and what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from wfops_pipelines.core.drafts import DRAFTS, Draft, Drafted, DraftKind, DraftState
from wfops_pipelines.store import tables as t


def add(conn: Connection, sync: str, seq: int, drafts: Sequence[Drafted], at: datetime) -> None:
    """Keep the drafts of a snapshot, with it."""
    if drafts:
        conn.execute(
            insert(t.drafts),
            [
                {
                    "sync": sync, "seq": seq, "key": d.key, "column": d.draft.column,
                    "kind": d.draft.kind.value, "body": d.draft.as_json(),
                    "state": d.state.value, "at": at,
                }
                for d in drafts
            ],
        )  # fmt: skip


def of_snapshot(conn: Connection, sync: str, seq: int) -> list[Drafted]:
    """By row and column, as they were proposed."""
    c = t.drafts.c
    query = select(t.drafts).where(c.sync == sync, c.seq == seq)
    return [_drafted(r) for r in conn.execute(query.order_by(c.key, c.column))]


def repairs(conn: Connection, sync: str) -> dict[str, dict[DraftState, int]]:
    """How many repairs of each column are in each state."""
    c = t.drafts.c
    query = select(c.column, c.state, func.count()).where(
        c.sync == sync, c.kind == DraftKind.REPAIR.value
    )
    found: dict[str, dict[DraftState, int]] = {}
    for row in conn.execute(query.group_by(c.column, c.state)):
        found.setdefault(str(row[0]), {})[DraftState(row[1])] = int(row[2])
    return found


def outcomes(conn: Connection, sync: str, seq: int) -> list[tuple[str, str, int]]:
    """(column, state, how many) of a snapshot's drafts."""
    c = t.drafts.c
    query = select(c.column, c.state, func.count()).where(c.sync == sync, c.seq == seq)
    rows = conn.execute(query.group_by(c.column, c.state).order_by(c.column, c.state))
    return [(str(r[0]), str(r[1]), int(r[2])) for r in rows]


def refused(conn: Connection, sync: str, column: str) -> set[tuple[str, str]]:
    """(row key, prompt) of proposals for a column that people refused."""
    c = t.drafts.c
    query = select(c.key, c.body["prompt"].astext).where(
        c.sync == sync, c.column == column, c.state == DraftState.REFUSED.value
    )
    return {(str(r[0]), str(r[1])) for r in conn.execute(query)}


def settle(
    conn: Connection,
    sync: str,
    seq: int,
    state: DraftState,
    kinds: Iterable[DraftKind],
    keys: Iterable[str] | None,
    columns: Iterable[str] | None = None,
) -> None:
    """Say what a decision made of drafts of these kinds: of all rows, or of those with `keys`.

    A repair or a duplicate is decided once; a draft may be accepted by one person and refused by
    the next, unless somebody has edited it.
    """
    c = t.drafts.c
    again = [k.value for k in DRAFTS]
    where = [
        c.sync == sync,
        c.seq == seq,
        c.kind.in_([k.value for k in kinds]),
        (c.kind.in_(again) & (c.state != DraftState.EDITED.value))
        | (c.kind.not_in(again) & (c.state == DraftState.PROPOSED.value)),
    ]
    if keys is not None:
        where.append(c.key.in_(list(keys)))
    if columns is not None:
        where.append(c.column.in_(list(columns)))
    conn.execute(update(t.drafts).where(*where).values(state=state.value))


def _drafted(row: Row[Any]) -> Drafted:
    return Drafted(row.key, Draft.from_json(row.body), DraftState(row.state))
