"""The real product on the real database, with crashes at transaction boundaries."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bench.reconcile_source import ENVIRON, Moody
from wfops_pipelines import Policy, flow, sync, table
from wfops_pipelines.checks.suite import Suite, read_suite
from wfops_pipelines.core.people import People, Role
from wfops_pipelines.core.snapshot import DELETED
from wfops_pipelines.examining import history, scoring
from wfops_pipelines.project import Project
from wfops_pipelines.services import Services, open_services
from wfops_pipelines.settings import Settings
from wfops_pipelines.store import remembered
from wfops_pipelines.store.database import psycopg2_url

PEOPLE = frozenset({"ana", "bob", "cyd"})
KEPT = ("audit", "audit_head")  # insert-only
HANDED = """
create schema if not exists sim;
create table sim.handed (
  n serial primary key, act text, rank bigint, seq bigint, key text, version bigint, amount bigint,
  gone boolean)
"""


class Crash(BaseException):
    """The process dies here: nothing in the product may catch it."""


@dataclass
class Boundaries:
    """Commits of an engine, counted. At the `at`-th one, `act` happens, before or after it."""

    at: int = 0
    before: bool = False
    act: Callable[[], None] | None = None
    count: int = 0
    struck: bool = False

    def arm(self, at: int, act: Callable[[], None], *, before: bool) -> None:
        self.at, self.act, self.before = at, act, before
        self.count, self.struck = 0, False

    def disarm(self) -> None:
        self.act = None

    def watch(self, engine: sa.Engine) -> None:
        commit = engine.dialect.do_commit

        def watched(connection: Any) -> None:
            self.count += 1
            act = self.act if self.count == self.at else None
            if act is None:
                return commit(connection)
            self.act, self.struck = None, True
            if self.before:
                act()
            commit(connection)
            if not self.before:
                act()
            return None

        engine.dialect.do_commit = watched  # type: ignore[method-assign]


def crash() -> None:
    raise Crash


class Recording:
    """A table that also writes down, in the same transaction, each row that it was handed."""

    def __init__(self, name: str) -> None:
        self.table = table(name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.table, name)

    def diff(self, conn: sa.Connection, parcel: Any, critical: Sequence[str]) -> Any:
        return self.table.diff(conn, _taken(parcel), critical)

    def foreseen(self, conn: sa.Connection, parcel: Any, critical: Sequence[str]) -> Any:
        return self.table.foreseen(conn, _taken(parcel), critical)

    def publish(self, conn: sa.Connection, side: sa.Engine, parcel: Any) -> Any:
        written = self.table.publish(conn, side, _taken(parcel))
        _note(conn, "publish", parcel)
        return written

    def revert(self, conn: sa.Connection, parcel: Any) -> Any:
        done = self.table.revert(conn, _taken(parcel))
        _note(conn, "revert", parcel)
        return done


def _taken(parcel: Any) -> Any:
    """Without the column of many types, for which a table has none."""
    kept = [c for c in parcel.content.column_names if c != "size"]
    return replace(parcel, rows=parcel.content.select(kept))


def _note(conn: sa.Connection, act: str, parcel: Any) -> None:
    rows = [
        {
            "act": act, "rank": parcel.seq, "seq": parcel.keep.seq, "key": r["id"],
            "version": ident(parcel.keep.seq, r), "amount": r.get("amount"),
            "gone": bool(r.get(DELETED)),
        }
        for r in parcel.each()
    ]  # fmt: skip
    if rows:
        conn.execute(
            sa.text(
                "insert into sim.handed (act, rank, seq, key, version, amount, gone) "
                "values (:act, :rank, :seq, :key, :version, :amount, :gone)"
            ),
            rows,
        )


def ident(seq: int, row: Mapping[str, Any]) -> int:
    """What names a staged row's content; below 0 for one that was found missing."""
    n = row.get("n")
    return -seq if n is None else int(n)


@contextmanager
def quick() -> Iterator[None]:
    """Leave out what takes the time and moves no row: the forest, the report file, old schemas.

    Few as their rows are, lives ask for what was staged before as a long history is asked.
    """
    kept = scoring.score, flow._leave_report, history.TRAINING_SNAPSHOTS, remembered.FEW
    scoring.score = lambda *_, **__: scoring.Scored((), "{}", {})
    flow._leave_report = lambda *_: None
    history.TRAINING_SNAPSHOTS, remembered.FEW = 1, 0
    try:
        yield
    finally:
        scoring.score, flow._leave_report, history.TRAINING_SNAPSHOTS, remembered.FEW = kept


@dataclass
class Ground:
    """One database and folder, used by one life after another."""

    url: str
    folder: Path
    engine: sa.Engine
    boundaries: Boundaries
    services: Services
    suite: Suite
    people: People

    def clear(self) -> None:
        """Forget every life before. Of a few rows, a delete is faster than a truncate."""
        with self.engine.begin() as conn:
            conn.exec_driver_sql("set local session_replication_role = replica")  # in any order
            found = conn.execute(
                sa.text(
                    "select format('%I.%I', schemaname, tablename) from pg_tables "
                    "where schemaname in ('wfops', 'sim') and not tablename = any(:kept)"
                ),
                {"kept": list(KEPT)},
            ).scalars()
            conn.exec_driver_sql("; ".join(f"delete from {name}" for name in found))

    def project(self, source: Moody, policy: Policy, **declared: Any) -> Project:
        def things(page: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
            return page

        made = sync(
            source=source, key="id", policy=policy, destination=Recording("sim.things"), **declared
        )(things)
        return Project(self.folder, {"things": made}, {"things": self.suite}, self.people)


@contextmanager
def ground(url: str) -> Iterator[Ground]:
    """Make an empty database ready. Files lie in memory where the machine has a place for it."""
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as name:
        folder = Path(name)
        (folder / "things.json").write_text(json.dumps({"name": "things", "expectations": []}))
        people = People({"team": PEOPLE}, dict.fromkeys(Role, PEOPLE))
        settings = Settings(folder, folder / "state", url, ENVIRON)
        services = open_services(settings, people)
        options = {"options": "-c synchronous_commit=off -c lock_timeout=5000"}
        engine = sa.create_engine(psycopg2_url(url), connect_args=options)
        boundaries = Boundaries()
        boundaries.watch(engine)
        with engine.begin() as conn:
            conn.exec_driver_sql(HANDED)
        yield Ground(
            url, folder, engine, boundaries, replace(services, engine=engine),
            read_suite(folder / "things.json"), people,
        )  # fmt: skip
        engine.dispose()
