"""What the dashboards count, aggregated by the database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

# Canonical JSON has its keys in order: what the scorer said stands first.
_ANOMALY = r"""left(e.body, 3000) like '{"anomaly":{"basis"%"held"\:true%'"""


def _all(conn: Connection, query: str, sync: str | None, since: datetime) -> Sequence[Row[Any]]:
    return conn.execute(text(query), {"sync": sync, "since": since}).all()


def days(conn: Connection, sync: str | None, since: datetime) -> Sequence[Row[Any]]:
    """(day, snapshots, held, rows published): one row a day on which something was staged."""
    return _all(
        conn,
        """
        with judged as (
          select date_trunc('day', s.staged_at at time zone 'UTC')::date as day, count(*) as n,
            count(*) filter (where exists (select 1 from wfops.reviews r where r.sync = s.sync
              and r.seq = s.seq and r.kind in ('whole', 'rows'))) as held
          from wfops.snapshots s
          where (cast(:sync as text) is null or s.sync = :sync) and s.staged_at >= :since
            and s.origin is null group by 1),
        published as (
          select date_trunc('day', p.published_at at time zone 'UTC')::date as day,
            sum(p.rows) as rows from wfops.publications p
          where (cast(:sync as text) is null or p.sync = :sync) and p.published_at >= :since
          group by 1)
        select coalesce(j.day, p.day) as day, coalesce(n, 0) as snapshots,
          coalesce(held, 0) as held, coalesce(p.rows, 0) as rows
        from judged j full join published p on p.day = j.day order by 1
        """,
        sync,
        since,
    )


def scored(conn: Connection, sync: str | None, since: datetime) -> Row[Any]:
    """(judged, held, false_holds): by the anomaly scorer, and what people let go after all."""
    return _all(
        conn,
        f"""
        select count(*) as judged, count(*) filter (where {_ANOMALY}) as held,
          count(*) filter (where {_ANOMALY} and exists (select 1 from wfops.reviews r
            where r.sync = e.sync and r.seq = e.seq and r.kind in ('whole', 'rows')
              and r.state = 'approved' and r.decided_by not like 'machine:%')) as false_holds
        from wfops.evidence e join wfops.snapshots s on s.sync = e.sync and s.seq = e.seq
        where (cast(:sync as text) is null or e.sync = :sync) and s.staged_at >= :since
          and s.origin is null and left(e.body, 19) = '{{"anomaly":{{"basis"'
        """,
        sync,
        since,
    )[0]


def waits(conn: Connection, sync: str | None, since: datetime) -> Row[Any]:
    """(n, median, p90) in seconds from a request to a person's decision."""
    return _all(
        conn,
        """
        select count(*) as n,
          percentile_cont(0.5) within group (order by wait) as median,
          percentile_cont(0.9) within group (order by wait) as p90
        from (select extract(epoch from decided_at - opened_at) as wait from wfops.reviews
              where (cast(:sync as text) is null or sync = :sync) and decided_at >= :since
                and state in ('approved', 'rejected') and decided_by not like 'machine:%') as w
        """,
        sync,
        since,
    )[0]


def decisions(conn: Connection, sync: str | None, since: datetime) -> Sequence[Row[Any]]:
    """(actor, machine, verb, kind, n, overrides): who decided what, most first."""
    return _all(
        conn,
        """
        select d.actor, d.channel = 'policy' as machine, d.verb, r.kind, count(*) as n,
          count(d.override) as overrides
        from wfops.decisions d join wfops.reviews r on r.id = d.review
        where (cast(:sync as text) is null or r.sync = :sync) and d.at >= :since
        group by 1, 2, 3, 4 order by 5 desc, 1, 3 limit 50
        """,
        sync,
        since,
    )


def drafts(conn: Connection, sync: str | None, since: datetime) -> Sequence[Row[Any]]:
    """(sync, column, state, n, read, written, cost): what became of drafts; a provider's tokens."""
    return _all(
        conn,
        """
        select sync, "column", state, count(*) as n,
          coalesce(sum((body->'tokens'->>0)::bigint), 0)::bigint as read,
          coalesce(sum((body->'tokens'->>1)::bigint), 0)::bigint as written,
          coalesce(sum((body->>'cost')::float8), 0) as cost
        from wfops.drafts where (cast(:sync as text) is null or sync = :sync) and at >= :since
        group by 1, 2, 3 order by 1, 2, 3
        """,
        sync,
        since,
    )


def totals(conn: Connection) -> Sequence[Row[Any]]:
    """One row a sync: counts since the beginning, and what waits now."""
    return conn.execute(
        text(
            """
        select s.sync, count(*) as snapshots,
          count(*) filter (where exists (select 1 from wfops.reviews r where r.sync = s.sync
            and r.seq = s.seq and r.kind in ('whole', 'rows'))) as held,
          (select coalesce(sum(rows), 0) from wfops.publications p where p.sync = s.sync)
            as published,
          (select coalesce(sum(rows), 0) from wfops.quarantine q
            where q.sync = s.sync and q.part not like '%asked again #%')
            as quarantined,
          (select max(published_at) from wfops.publications p where p.sync = s.sync) as newest,
          (select min(opened_at) from wfops.reviews r where r.sync = s.sync
            and r.state = 'pending') as oldest
        from wfops.snapshots s where s.origin is null group by s.sync order by s.sync
        """
        )
    ).all()


def pending(conn: Connection) -> Sequence[Row[Any]]:
    """(sync, reviewer_group, n) of review requests that wait."""
    query = """select sync, reviewer_group, count(*) as n from wfops.reviews
        where state = 'pending' group by 1, 2 order by 1, 2"""
    return conn.execute(text(query)).all()


def verbs(conn: Connection) -> Sequence[Row[Any]]:
    """(sync, verb, n) of all decisions."""
    query = """select r.sync, d.verb, count(*) as n from wfops.decisions d
        join wfops.reviews r on r.id = d.review group by 1, 2 order by 1, 2"""
    return conn.execute(text(query)).all()
