"""Where every extracted row is: proof by count that none was lost."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Table, case, func, select

from wfops_pipelines.core.reviews import HOLDS, ReviewState
from wfops_pipelines.services import Services
from wfops_pipelines.store import tables as t
from wfops_pipelines.sync import Sync


@dataclass(frozen=True, slots=True)
class Account:
    """Rows of one sync, by where they are. `missing` must be 0."""

    staged: int
    published: int
    quarantined: int
    held: int
    waiting: int
    superseded: int = 0

    @property
    def missing(self) -> int:
        return self.staged - sum(
            (self.published, self.quarantined, self.held, self.waiting, self.superseded)
        )

    def lines(self) -> list[tuple[str, int]]:
        return [
            ("staged", self.staged),
            ("published", self.published),
            ("quarantined", self.quarantined),
            ("held for a person", self.held),
            ("waiting for the machine", self.waiting),
            ("superseded by a newer whole extraction", self.superseded),
            ("missing", self.missing),
        ]


def reconcile(sync: Sync, services: Services) -> Account:
    """Count this sync's rows in one consistent view of the database."""
    with services.engine.connect() as conn:
        conn = conn.execution_options(isolation_level="REPEATABLE READ")
        return Account(
            staged=_extracted(conn, sync),
            published=_sum(conn, t.publications, sync, t.publications.c.reverted_at.is_(None)),
            quarantined=_sum(conn, t.quarantine, sync),
            held=_undone(conn, sync, pending=True),
            waiting=_undone(conn, sync, pending=False) + _unpublished(conn, sync),
            superseded=_superseded(conn, sync),
        )


def _extracted(conn: Connection, sync: Sync) -> int:
    """An edited snapshot holds rows that its origin counts already."""
    s = t.snapshots.c
    query = select(func.coalesce(func.sum(s.rows), 0))
    return int(conn.execute(query.where(s.sync == sync.name, s.origin.is_(None))).scalar_one())


def _sum(conn: Connection, table: Table, sync: Sync, *where: ColumnElement[bool]) -> int:
    query = select(func.coalesce(func.sum(table.c.rows), 0)).where(
        table.c.sync == sync.name, *where
    )
    total: int = conn.execute(query).scalar_one()
    return int(total)


def _superseded(conn: Connection, sync: Sync) -> int:
    """Rows whose request the machine closed; what a person edited goes on as the edited rows."""
    r, d = t.reviews.c, t.decisions.c
    decided = select(d.id).where(d.review == r.id).exists()
    return _held(conn, sync, r.state == ReviewState.SUPERSEDED.value, ~decided)


def _undone(conn: Connection, sync: Sync, *, pending: bool) -> int:
    """Rows of review requests that are open, or decided and not acted on yet."""
    r, o = t.reviews.c, t.outbox.c
    undone = (r.state != "pending") & o.decision.is_not(None) & o.done_at.is_(None)
    return _held(conn, sync, r.state == "pending" if pending else undone)


def _held(conn: Connection, sync: Sync, *where: ColumnElement[bool]) -> int:
    """How many rows the review requests that meet `where` hold."""
    r, o = t.reviews.c, t.outbox.c
    held = case((r.kind == "rows", func.jsonb_array_length(r["keys"])), else_=t.snapshots.c.rows)
    query = select(func.coalesce(func.sum(held), 0)).select_from(
        t.reviews.join(
            t.snapshots, (t.snapshots.c.sync == r.sync) & (t.snapshots.c.seq == r.seq)
        ).outerjoin(t.outbox, o.review == r.id)
    )
    holds = r.kind.in_([k.value for k in HOLDS])
    total: int = conn.execute(query.where(r.sync == sync.name, holds, *where)).scalar_one()
    return int(total)


def _unpublished(conn: Connection, sync: Sync) -> int:
    """Rows that no examiner saw yet, and rows that the verdict let go and nobody published yet."""
    s, e = t.snapshots.c, t.evidence.c
    held = func.coalesce(func.jsonb_array_length(e.held_keys), 0)
    query = (
        select(func.coalesce(func.sum(s.rows - held), 0))
        .select_from(t.snapshots.outerjoin(t.evidence, (e.sync == s.sync) & (e.seq == s.seq)))
        .where(s.sync == sync.name, s.state.in_(["staged", "cleared"]))
    )
    return int(conn.execute(query).scalar_one())
