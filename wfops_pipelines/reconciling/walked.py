"""The keys of a walk over all snapshots, in temporary tables: memory may not hold them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from wfops_pipelines.core.parts import AT_ONCE, Rows
from wfops_pipelines.postgres.copying import copy_in

if TYPE_CHECKING:
    import pyarrow as pa

_MADE = """
create temporary table wfops_file (
    place bigint, key text, cursor timestamptz, published boolean, waiting boolean);
create index on pg_temp.wfops_file (key);
create temporary table wfops_walked (
    key text primary key, current bigint, moving boolean not null,
    reverted boolean not null default false)
"""
_WALKED = """
insert into pg_temp.wfops_walked as w (key, current, moving)
select key, case when bool_or(published) then %(seq)s::bigint end, bool_or(waiting)
from pg_temp.wfops_file group by key
on conflict (key) do update
set current = excluded.current, moving = w.moving or excluded.moving
where w.current is null and (excluded.current is not null or excluded.moving)
"""
_FRESH = """
select f.place from pg_temp.wfops_file f join pg_temp.wfops_walked w using (key)
where f.published and w.current = %(seq)s order by f.place
"""
_ASTRAY = """
select r.key, not exists (select from pg_temp.wfops_file f where f.key = r.key) as lost
from unnest(%(keys)s::text[], %(cursors)s::timestamptz[]) with ordinality r (key, cursor, at)
where not exists (
    select from pg_temp.wfops_file f
    where f.key = r.key and (not %(timed)s or f.cursor is not distinct from r.cursor))
order by r.at
"""


@dataclass(frozen=True, slots=True)
class Walked:
    """The rows of the snapshot that is looked at, and the keys of all that were looked at.

    In the caller's transaction, with whose end the tables are gone.
    """

    conn: Connection

    @classmethod
    def begin(cls, conn: Connection) -> Walked:
        conn.exec_driver_sql(_MADE)
        return cls(conn)

    def begin_snapshot(self) -> None:
        self.conn.exec_driver_sql("truncate pg_temp.wfops_file")

    def add(
        self, place: int, keys: Sequence[str], cursors: pa.Array, out: Sequence[bool],
        waiting: Sequence[bool],
    ) -> None:  # fmt: skip
        """Some rows of the snapshot, the first at `place`: which were published, which wait."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        rows = pa.table({
            "place": np.arange(place, place + len(keys)),
            "key": pc.replace_substring(pa.array(keys, pa.string()), "\0", "\ufffd"),
            "cursor": cursors,
            "published": pa.array(out, pa.bool_()),
            "waiting": pa.array(waiting, pa.bool_()),
        })  # fmt: skip
        copy_in(self.conn, "pg_temp.wfops_file", Rows.of(rows))

    def finish(self, seq: int, rows: int) -> pa.Array:
        """Note the keys; for each row, whether it is the newest published one of its key."""
        import numpy as np
        import pyarrow as pa

        self.conn.exec_driver_sql(_WALKED, {"seq": seq})
        fresh = np.zeros(rows, bool)
        found = self.conn.exec_driver_sql(
            _FRESH, {"seq": seq}, execution_options={"stream_results": True}
        )
        places: Sequence[int]
        for places in found.scalars().partitions(AT_ONCE):
            fresh[[*places]] = True
        return pa.array(fresh)

    def astray(
        self, remembered: Iterable[tuple[str, datetime | None]], *, timed: bool
    ) -> Iterator[tuple[str, bool]]:
        """Of remembered (key, cursor), in order of keys, those that the snapshot does not have.

        (key, whether no row of it is there at all); `timed`: the cursor must be the same, too.
        """
        rest, last = iter(remembered), None
        while some := list(islice(rest, AT_ONCE)):
            keys, cursors = map(list, zip(*some, strict=True))
            asked: dict[str, Any] = {"keys": keys, "cursors": cursors, "timed": timed}
            for key, lost in self.conn.exec_driver_sql(_ASTRAY, asked).all():
                if key != last:
                    yield str(key), bool(lost)
                last = key

    def revert(self, keys: Iterable[str] | None) -> None:
        """Note that these rows of the snapshot (None: all) were taken back."""
        if keys is None:
            query = "select key from pg_temp.wfops_file"
            self.conn.exec_driver_sql(
                f"update pg_temp.wfops_walked set reverted = true where key in ({query})"
            )
            return
        query = "update pg_temp.wfops_walked set reverted = true where key = any(%(keys)s)"
        self.conn.exec_driver_sql(query, {"keys": [k.replace("\0", "\ufffd") for k in keys]})

    def __len__(self) -> int:
        """How many keys there are."""
        query = "select count(*) from pg_temp.wfops_walked"
        return int(self.conn.exec_driver_sql(query).scalar_one())

    def reverted(self, key: str) -> bool:
        """Whether a newer row of this key was taken back."""
        return self._is("reverted", key)

    def moving(self, key: str) -> bool:
        """Whether a row of this key that may be newer is on its way to the destination."""
        return self._is("moving", key)

    def _is(self, what: str, key: str) -> bool:
        query = f"select {what} from pg_temp.wfops_walked where key = %(key)s"
        return bool(self.conn.exec_driver_sql(query, {"key": key.replace("\0", "\ufffd")}).scalar())
