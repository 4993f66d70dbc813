"""Where every extracted row is: proof by count, and by key, that none was lost."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Table, case, exists, func, select

from wfops_pipelines.core.reviews import HOLDS
from wfops_pipelines.ledger import AGAIN, CLEAN, HELD, LEFT_OUT
from wfops_pipelines.services import Services
from wfops_pipelines.store import database
from wfops_pipelines.store import tables as t
from wfops_pipelines.sync import Sync


@dataclass(frozen=True, slots=True)
class Account:
    """Rows of one sync, by where they are. `missing` must be 0.

    published: handed to the destination, where they became current or, `stale` of them, were left
    out because it held newer ones, which of `beaten` rows were reverted since, so that it holds
    older ones. arrived: published at an API before others of their snapshot. left_out: quarantined
    because the destination had refused them. superseded: held when a newer full extraction came.
    refused: held after they were sent to an API.
    """

    staged: int
    published: int
    stale: int
    quarantined: int
    superseded: int
    held: int
    waiting: int
    left_out: int = 0
    beaten: int = 0
    arrived: int = 0
    refused: int = 0

    @property
    def missing(self) -> int:
        placed = self.published + self.quarantined + self.superseded + self.held + self.waiting
        return self.staged - placed

    def lines(self) -> list[tuple[str, int]]:
        arrived = [("  of these before others", self.arrived)] if self.arrived else []
        beaten = [("    by what is reverted", self.beaten)] if self.beaten else []
        refused = [("  of these sent", self.refused)] if self.refused else []
        return [
            ("staged", self.staged),
            ("published", self.published),
            *arrived,
            ("  of these overtaken", self.stale),
            *beaten,
            ("quarantined", self.quarantined),
            ("  of these left out", self.left_out),
            ("superseded", self.superseded),
            ("held for a person", self.held),
            *refused,
            ("waiting for the machine", self.waiting),
            ("missing", self.missing),
        ]


def reconcile(sync: Sync, services: Services) -> Account:
    """Count this sync's rows in one consistent view of the database."""
    with database.still(services.engine) as conn:
        return count(conn, sync)


def count(conn: Connection, sync: Sync) -> Account:
    """Where the rows are by what was written down, without looking at them."""
    r, p, q = t.reviews.c, t.publications.c, t.quarantine.c
    out = p.reverted_at.is_(None)
    undone = _undone()
    d = t.decisions.c  # an edit is a final one; a vote that more must join is not
    moot = (r.state == "superseded") & ~exists().where(d.review == r.id, d.final)
    return Account(
        staged=_extracted(conn, sync),
        published=_sum(conn, p.rows, t.publications, sync, out),
        stale=_sum(conn, p.stale, t.publications, sync, out),
        quarantined=_sum(conn, q.rows, t.quarantine, sync, ~q.part.contains(AGAIN)),
        superseded=_asked(conn, sync, moot),
        held=_asked(conn, sync, r.state == "pending"),
        waiting=_asked(conn, sync, undone) + _unpublished(conn, sync) - _counted_twice(conn, sync),
        left_out=_sum(conn, q.rows, t.quarantine, sync, q.part.contains(LEFT_OUT)),
    )


def _extracted(conn: Connection, sync: Sync) -> int:
    """An edited snapshot holds rows that its origin counts already."""
    s = t.snapshots.c
    query = select(func.coalesce(func.sum(s.rows), 0))
    return int(conn.execute(query.where(s.sync == sync.name, s.origin.is_(None))).scalar_one())


def _sum(
    conn: Connection,
    column: ColumnElement[int],
    table: Table,
    sync: Sync,
    *where: ColumnElement[bool],
) -> int:
    query = select(func.coalesce(func.sum(column), 0)).where(table.c.sync == sync.name, *where)
    return int(conn.execute(query).scalar_one())


def _asked(conn: Connection, sync: Sync, where: ColumnElement[bool]) -> int:
    """Rows of the review requests about holds that are so."""
    r, s = t.reviews.c, t.snapshots.c
    rows = case((r.kind == "rows", func.jsonb_array_length(r["keys"])), else_=s.rows)
    about = t.reviews.join(t.snapshots, (s.sync == r.sync) & (s.seq == r.seq))
    query = select(func.coalesce(func.sum(rows), 0)).select_from(about)
    holds = r.kind.in_([k.value for k in HOLDS])
    return int(conn.execute(query.where(r.sync == sync.name, holds, where)).scalar_one())


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


def _undone() -> ColumnElement[bool]:
    """Of review requests: decided, and nobody has acted on it yet."""
    r, o = t.reviews.c, t.outbox.c
    return (r.state != "pending") & exists().where(o.review == r.id, o.done_at.is_(None))


def _counted_twice(conn: Connection, sync: Sync) -> int:
    """Rows that were left out while the others of their part still wait to be published."""
    q, s, r = t.quarantine.c, t.snapshots.c, t.reviews.c
    moving = exists().where(s.sync == q.sync, s.seq == q.seq, s.state.in_(["staged", "cleared"]))
    asked = exists().where(
        r.sync == q.sync, r.seq == q.seq, r.kind.in_([k.value for k in HOLDS]), _undone()
    )
    clean, held = (q.part.startswith(f"{part}{LEFT_OUT}") for part in (CLEAN, HELD))
    return _sum(conn, q.rows, t.quarantine, sync, (clean & moving) | (held & asked))
