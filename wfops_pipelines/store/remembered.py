"""Rows that were staged before, so that what a source tells again is known again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, delete

from wfops_pipelines.core.parts import Rows
from wfops_pipelines.postgres.copying import copied
from wfops_pipelines.postgres.locking import one_at_a_time
from wfops_pipelines.store import tables as t
from wfops_pipelines.store.rows import keys_of, remembered_as
from wfops_pipelines.store.versions import spelled

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

NO_KEY = "None"  # what rows without a key are remembered by; they are no versions of each other
FEW = 1000  # remembered rows that are read rather than asked for
CHEAPER = 8  # times, about: to read a remembered row than to ask for one that was told
_ROWS = f"{t.SCHEMA}.staged_rows"
_SCOPE = """s.sync = %(sync)s
    and (s.cursor is null or s.cursor >= coalesce(%(since)s, '-infinity'::timestamptz))
    and (s.cursor is null or s.cursor <= coalesce(%(until)s, 'infinity'::timestamptz))"""
# by the index of keys, one after the other, however much more is remembered
_ASKED = """
select told.key, told.version, known.version as last, known.cursor, known.reached, known.came,
  known.passed
from {told} told cross join lateral (
  select s.version, s.cursor,
    greatest(s.cursor, max(s.cursor) filter (where s.cursor <= %(ahead)s) over ()) as reached,
    bool_or(s.version = told.version) over () as came,
    bool_or(s.version = told.version and s.passed_by is not null) over () as passed
  from {rows} s where s.key = told.key and {scope}
  order by s.seq desc nulls last, s.cursor desc nulls last limit 1
) known
where told.key <> %(none)s
union all
select told.key, told.version, null, null, null, true, false
from {told} told join {rows} s on s.key = told.key and s.version = told.version and {scope}
where told.key = %(none)s
"""


@dataclass(frozen=True, slots=True)
class Came:
    """What was staged before: by key (text), the version that came last, and its cursor.

    ahead: no clock can be later; what is dated later is misdated. reached: by key, the latest
    cursor of those that are not misdated and of the last one. earlier: (key, version) of what came
    before the last. loose: versions of rows without a key. passed: (key, version) of what people
    put away before another version came, of which nothing was published since.
    """

    ahead: datetime | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    cursors: Mapping[str, datetime] = field(default_factory=dict)
    reached: Mapping[str, datetime] = field(default_factory=dict)
    earlier: frozenset[tuple[str, str]] = frozenset()
    loose: frozenset[str] = frozenset()
    passed: frozenset[tuple[str, str]] = frozenset()


@dataclass(slots=True)
class Recall:
    """Tells of rows what was staged before, at a cost that goes with them and not with all that
    is remembered.

    Only what was staged with a cursor from `since` up to `until`, or with none, counts.
    """

    engine: Engine
    sync: str
    ahead: datetime
    since: datetime | None = None
    until: datetime | None = None
    _told: int = 0
    _more: int = -1  # more than so many rows are remembered
    _all: Came | None = None

    def of(self, rows: int, told: Callable[[], pa.Table]) -> Came:
        """What was staged before of so many rows: `told` gives key and version of each, as texts.

        All that is remembered, where that is not `CHEAPER` times as much as was told so far.
        """
        self._told += rows
        with self.engine.connect() as conn:
            if self._all is None and self._told > self._more:
                most = max(CHEAPER * self._told, FEW)
                if self._more_than(conn, most):
                    self._more = most
                else:
                    self._all = self._whole(conn)
            return self._asked(conn, told()) if self._all is None else self._all

    def anew(self) -> None:
        """Ask again, for more is remembered now."""
        self._more, self._all = -1, None

    def _more_than(self, conn: Connection, most: int) -> bool:
        query = f"select count(*) from (select from {_ROWS} s where {_SCOPE} limit %(some)s) x"
        found: int = conn.exec_driver_sql(query, self._values | {"some": most + 1}).scalar_one()
        return found > most

    def _whole(self, conn: Connection) -> Came:
        query = (
            f"select s.key, s.version, s.cursor, s.passed_by from {_ROWS} s where {_SCOPE} "
            "order by s.seq nulls first, s.cursor nulls first"
        )
        in_order = conn.exec_driver_sql(query, self._values).all()
        last = {r.key: r for r in in_order if r.key != NO_KEY}
        cursors = {key: r.cursor for key, r in last.items() if r.cursor is not None}
        reached = dict(cursors)
        for r in in_order:
            if r.cursor is not None and r.cursor <= self.ahead:
                reached[r.key] = max(r.cursor, reached.get(r.key, r.cursor))
        return Came(
            self.ahead,
            {key: r.version for key, r in last.items()},
            cursors,
            reached,
            frozenset((r.key, r.version) for r in in_order if last.get(r.key, r) is not r),
            frozenset(r.version for r in in_order if r.key == NO_KEY),
            frozenset((r.key, r.version) for r in in_order if r.passed_by is not None),
        )

    def _asked(self, conn: Connection, told: pa.Table) -> Came:
        """In one statement: what another run stages meanwhile is in all of it or in none."""
        with copied(conn, told) as asked:
            query = _ASKED.format(told=asked, rows=_ROWS, scope=_SCOPE)
            found = conn.exec_driver_sql(query, self._values).all()
        keyed = [r for r in found if r.last is not None]
        return Came(
            self.ahead,
            {r.key: r.last for r in keyed},
            {r.key: r.cursor for r in keyed if r.cursor is not None},
            {r.key: r.reached for r in keyed if r.reached is not None},
            frozenset((r.key, r.version) for r in keyed if r.came and r.version != r.last),
            frozenset(r.version for r in found if r.key == NO_KEY),
            frozenset((r.key, r.version) for r in keyed if r.passed),
        )

    @property
    def _values(self) -> dict[str, Any]:
        ends = {"since": self.since, "until": self.until}
        return {"sync": self.sync, "ahead": self.ahead, "none": NO_KEY, **ends}


def identities(
    keys: Sequence[str | None],
    versions: npt.NDArray[np.uint64],
    cursors: npt.NDArray[np.datetime64],
) -> pa.Table:
    """Key, version (texts) and cursor (a time, or NaT) of rows, as they are remembered."""
    import pyarrow as pa

    names = [NO_KEY if name is None else name for name in remembered_as(keys)]
    return pa.table(
        {
            "key": pa.array(names, pa.string()),
            "version": pa.array(spelled(versions), pa.string()),
            "cursor": pa.array(cursors, pa.timestamp("us", "UTC")),
        }
    )


def names_of(rows: Rows, key: str) -> Iterator[pa.Table]:
    """The keys of rows as they are remembered, in a column `key`."""
    import pyarrow as pa

    for part in rows.parts([key]):
        yield pa.table({"key": pa.array(remembered_as(keys_of(part[key])), pa.string())})


def recall(
    conn: Connection, sync: str, seq: int, rows: pa.Table, passed_by: int | None = None
) -> None:
    """Note rows of a snapshot that may have been forgotten; what is remembered stays as it is.

    What was passed by before that snapshot is put away anew. passed_by: the number of a later one
    that has other versions of them.
    """
    _alone(conn, sync)
    with copied(conn, rows) as staged:
        conn.exec_driver_sql(
            f"insert into {_ROWS} (sync, key, version, cursor, seq, passed_by) "
            "select distinct on (key, version) %(sync)s, key, version, x.cursor, %(seq)s, "
            f"%(by)s::bigint from {staged} x on conflict (sync, key, version) "
            "do update set seq = excluded.seq, passed_by = excluded.passed_by "
            "where staged_rows.passed_by < excluded.seq",
            {"sync": sync, "seq": seq, "by": passed_by},
        )


def remember(conn: Connection, sync: str, rows: pa.Table) -> None:
    """Note rows just staged, as the stream's newest snapshot: key, version (texts) and cursor."""
    with copied(conn, rows) as staged:
        conn.exec_driver_sql(
            f"insert into {_ROWS} (sync, key, version, cursor, seq) "
            "select distinct on (key, version) h.sync, key, version, x.cursor, h.seq "
            f"from {t.SCHEMA}.streams h, {staged} x where h.sync = %(sync)s "
            "on conflict (sync, key, version) do update "
            "set seq = excluded.seq, cursor = excluded.cursor, passed_by = null",
            {"sync": sync},
        )


def pass_by(conn: Connection, sync: str, seq: int, rows: pa.Table) -> None:
    """Note that a snapshot has other versions of rows that were put away.

    Not of rows without a key: these are no versions of each other.
    """
    if _nothing(conn, sync):
        return
    _alone(conn, sync)
    with copied(conn, rows) as staged:
        conn.exec_driver_sql(
            f"update {_ROWS} s set passed_by = %(seq)s from {staged} x where s.sync = %(sync)s "
            "and s.key = x.key and s.version <> x.version and x.key <> %(none)s "
            "and s.passed_by is null",
            {"sync": sync, "seq": seq, "none": NO_KEY},
        )


def forget_older(
    conn: Connection, sync: str, seq: int, keys: Callable[[], Iterable[pa.Table]]
) -> None:
    """Drop what is remembered of rows from before a snapshot that was published.

    `keys` gives theirs as a column `key`, and is asked only where something is remembered.
    """
    if _nothing(conn, sync):
        return
    _alone(conn, sync)
    for part in keys():
        with copied(conn, part) as staged:
            conn.exec_driver_sql(
                f"delete from {_ROWS} s using {staged} x where s.sync = %(sync)s "
                "and s.key = x.key and x.key <> %(none)s and coalesce(s.seq, 0) < %(seq)s",
                {"sync": sync, "seq": seq, "none": NO_KEY},
            )


def _alone(conn: Connection, sync: str) -> None:
    """An extraction and a publication change the same rows in any order: they would deadlock."""
    one_at_a_time(conn, f"wfops {sync} as it is remembered")


def _nothing(conn: Connection, sync: str) -> bool:
    """Whether nothing is remembered of a sync."""
    some = conn.exec_driver_sql(
        f"select 1 from {_ROWS} where sync = %(sync)s limit 1", {"sync": sync}
    )
    return some.first() is None


def forget(conn: Connection, sync: str, before: datetime) -> None:
    """Drop remembered rows that no overlap window reaches any more."""
    c = t.staged_rows.c
    conn.execute(delete(t.staged_rows).where(c.sync == sync, c.cursor < before))
