"""What a sandbox remembers: its beginning, its clock, its faults, the comments it was sent.

Every write is committed and synced before it is answered, so that a killed sandbox starts again
as if nothing had happened.
"""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from wfops_pipelines.sandbox.faults import Fault

_TABLES = """
create table if not exists facts (name text primary key, value text not null);
create table if not exists faults (
    id integer primary key autoincrement, system text not null, kind text not null,
    times integer, params text not null
);
create table if not exists comments (
    id integer primary key autoincrement, ticket integer not null, key text unique,
    body text not null, public integer not null, at text not null
);
"""


@dataclass(frozen=True, slots=True)
class Clock:
    """The sandbox's time: stands still at `now`, or runs `rate` seconds a real second."""

    now: datetime
    rate: float = 0.0
    set_at: float = 0.0

    def read(self) -> int:
        """Return the sandbox's time in unix milliseconds."""
        passed = (time.time() - self.set_at) * self.rate if self.rate else 0.0
        return round((self.now.timestamp() + passed) * 1000)


@dataclass(frozen=True, slots=True)
class Comment:
    """A reply that the sandbox was sent."""

    id: int
    ticket: int
    key: str | None
    body: str
    public: bool
    at: str


class StateFile:
    """The sandbox's memory in `folder/sandbox.sqlite`. Use it from one thread at a time."""

    def __init__(self, folder: Path, seed: int, now: datetime) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(
            folder / "sandbox.sqlite", check_same_thread=False, isolation_level=None
        )
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = full")
        self._db.executescript(_TABLES)
        self._begin(seed, now)

    def _begin(self, seed: int, now: datetime) -> None:
        # A second start keeps the first one's seed, beginning and clock.
        first = {"seed": seed, "begun": now.isoformat(), "clock": [now.isoformat(), 0.0, 0.0]}
        rows = [(name, json.dumps(value)) for name, value in first.items()]
        self._db.executemany("insert or ignore into facts values (?, ?)", rows)

    def close(self) -> None:
        self._db.close()

    @property
    def seed(self) -> int:
        return int(self._fact("seed"))

    @property
    def begun(self) -> datetime:
        return datetime.fromisoformat(self._fact("begun"))

    @property
    def clock(self) -> Clock:
        now, rate, set_at = self._fact("clock")
        return Clock(datetime.fromisoformat(now), rate, set_at)

    def set_clock(self, now: datetime, rate: float) -> None:
        value = json.dumps([now.astimezone(UTC).isoformat(), rate, time.time()])
        self._db.execute("update facts set value = ? where name = 'clock'", (value,))

    def faults(self, system: str | None = None) -> list[Fault]:
        rows = self._rows("select system, kind, times, params, id from faults order by id")
        found = [Fault(s, k, t, json.loads(p), i) for s, k, t, p, i in rows]
        return [fault for fault in found if system in (None, fault.system)]

    def add_fault(self, fault: Fault) -> Fault:
        values = (fault.system, fault.kind, fault.times, json.dumps(dict(fault.params)))
        with closing(
            self._db.execute(
                "insert into faults (system, kind, times, params) values (?, ?, ?, ?)", values
            )
        ) as cursor:
            return replace(fault, id=int(cursor.lastrowid or 0))

    def spend(self, fault: Fault) -> None:
        """Count one use of a fault; the last one removes it."""
        self._db.execute(
            "delete from faults where id = ? and times is not null and times <= 1", (fault.id,)
        )
        self._db.execute(
            "update faults set times = times - 1 where id = ? and times is not null", (fault.id,)
        )

    def clear_faults(self, system: str | None = None) -> None:
        self._db.execute("delete from faults where ? is null or system = ?", (system, system))

    def comments(self, ticket: int) -> list[Comment]:
        rows = self._rows(
            "select id, ticket, key, body, public, at from comments where ticket = ? order by id",
            ticket,
        )
        return [_comment(row) for row in rows]

    def comment_by_key(self, key: str) -> Comment | None:
        query = "select id, ticket, key, body, public, at from comments where key = ?"
        return next((_comment(row) for row in self._rows(query, key)), None)

    def add_comment(
        self, ticket: int, key: str | None, body: str, public: bool, at: str
    ) -> Comment:
        with closing(
            self._db.execute(
                "insert into comments (ticket, key, body, public, at) values (?, ?, ?, ?, ?)",
                (ticket, key, body, public, at),
            )
        ) as cursor:
            return Comment(int(cursor.lastrowid or 0), ticket, key, body, public, at)

    def count_comments(self) -> int:
        return int(self._rows("select count(*) from comments")[0][0])

    def _fact(self, name: str) -> Any:
        return json.loads(self._rows("select value from facts where name = ?", name)[0][0])

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with closing(self._db.execute(query, values)) as cursor:
            return cursor.fetchall()


def _comment(row: tuple[Any, ...]) -> Comment:
    number, ticket, key, body, public, at = row
    return Comment(number, ticket, key, body, bool(public), at)
