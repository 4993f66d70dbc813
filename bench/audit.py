"""The audit trail: how fast it is written by eight clients at once, verified, and signed.

    nice python bench/audit.py           # 4,000 events written, 100,000 verified
    nice python bench/audit.py 20000     # fewer to verify

Everything is the product's own code on a real PostgreSQL that syncs each commit to the disk. Each
client appends one event a transaction, as an act does. The floor that is shown beside it is the
same number of commits of one row each without a chain: what the disk and the server allow.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from wfops_pipelines import auditing
from wfops_pipelines.core.audit import Action, AuditEvent
from wfops_pipelines.core.people import People
from wfops_pipelines.core.reviews import Actor
from wfops_pipelines.core.verifier import GENESIS, link
from wfops_pipelines.dev.cluster import remove
from wfops_pipelines.dev.postgres import EmbeddedPostgres
from wfops_pipelines.services import Services, open_services
from wfops_pipelines.settings import Settings
from wfops_pipelines.store import audit
from wfops_pipelines.store.tables import audit as table
from wfops_pipelines.store.tables import audit_head

CLIENTS, WRITTEN, VERIFIED = 8, 4_000, 100_000
WANTED_WRITES, WANTED_VERIFIED = 500, 50_000  # events a second


def event(n: int) -> AuditEvent:
    details = {"decision": f"dc-{n:026}", "verb": "approve", "evidence": f"{n:064x}"}
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return AuditEvent(at, Actor("gate", "machine"), Action.DECIDED, f"sync #{n}", "why", details)


def eight_clients(services: Services, act: Callable[[sa.Connection, int], object]) -> float:
    """Acts a second, each in a transaction of its own, on connections that are held."""

    def client(first: int) -> None:
        with services.engine.connect() as conn:
            for n in range(first, WRITTEN, CLIENTS):
                act(conn, n)
                conn.commit()

    started = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(client, range(CLIENTS)))
    return WRITTEN / (time.perf_counter() - started)


def without_chain(conn: sa.Connection, n: int) -> None:
    conn.execute(sa.text("insert into floor values (:n, :body)"), {"n": n, "body": event(n).text()})


def fill(services: Services, count: int) -> None:
    """A long and right trail at once, for the verification to read."""
    with services.engine.begin() as conn:
        start, previous = audit.head(conn)
        rows = []
        for n in range(start + 1, start + count + 1):
            body = event(n).text()
            previous = link(previous, body)
            rows.append((n, body, previous, Action.DECIDED.value, f"sync #{n}"))
        names = [c.name for c in table.columns]
        for at in range(0, count, 5_000):
            chunk = [dict(zip(names, r, strict=True)) for r in rows[at : at + 5_000]]
            conn.execute(sa.insert(table), chunk)
        conn.exec_driver_sql("alter table wfops.audit_head disable trigger audit_head_forward")
        conn.execute(sa.update(audit_head).values(n=start + count, hash=previous))
        conn.exec_driver_sql(
            "alter table wfops.audit_head enable always trigger audit_head_forward"
        )


def best(work: Callable[[], object], times: int = 3) -> float:
    """Seconds of the fastest of some runs."""
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def measured(services: Services, count: int) -> int:
    with services.engine.begin() as conn:
        conn.exec_driver_sql("create table floor (n bigint primary key, body text)")
        assert audit.head(conn) == (0, GENESIS)
    floor = eight_clients(services, without_chain)
    written = eight_clients(services, lambda conn, n: audit.append(conn, event(n)))
    fill(services, count)
    auditing.seal(services)
    with services.engine.connect() as conn:
        total = audit.head(conn)[0]
    assert auditing.verify(services).problems == []
    verified = total / best(lambda: auditing.verify(services))
    path = Path(tempfile.mkdtemp()) / "audit.zip"
    auditing.export(services, path)
    ticks = iter(range(1, 100))
    sealing = best(lambda: _append_and_seal(services, next(ticks)), 20)
    print(f"{CLIENTS} clients, {WRITTEN:,} events, one a transaction")
    print(f"  appended to the chain  {written:>10,.0f} events/s")
    print(f"  plain inserts          {floor:>10,.0f} commits/s ({written / floor:.2f} of them)")
    print(f"verification of {total:,} events: {verified:,.0f} events/s")
    print(f"one event and its signed head, with all connections: {sealing * 1000:.0f} ms")
    print(f"bundle of all of it: {path.stat().st_size / 1e6:.1f} MB")
    return int(written < WANTED_WRITES or verified < WANTED_VERIFIED)


def _append_and_seal(services: Services, n: int) -> None:
    with services.engine.begin() as conn:
        audit.append(conn, event(n))
    auditing.seal(services)


def main(count: int) -> int:
    """Print the figures; 1 when they are below what is promised."""
    state = Path(tempfile.mkdtemp(prefix="wfops-bench-"))
    with EmbeddedPostgres(state) as server:
        settings = Settings(state, state, server.url, {})
        services = open_services(settings, People({}, {}))
        failed = measured(services, count)
        services.engine.dispose()
    remove(state)
    return failed


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else VERIFIED))
