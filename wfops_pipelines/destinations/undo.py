"""Keep what an upsert replaces, and put it back. All in the caller's transaction, all in SQL.

The staged rows are in the temporary table `STAGING`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from wfops_pipelines.destinations.names import SEQ, STAGING, escaped
from wfops_pipelines.destinations.parcel import Keep, Parcel, Reverted
from wfops_pipelines.errors import DestinationRefused
from wfops_pipelines.postgres.names import quote

if TYPE_CHECKING:
    from sqlalchemy import Connection


_AS_TEXT = frozenset(
    {
        "bigint", "integer", "smallint", "numeric", "double precision", "text",
        "character varying", "boolean", "date", "timestamp with time zone",
        "timestamp without time zone",
    }
)  # fmt: skip


class Target(Protocol):
    """A table."""

    @property
    def quoted(self) -> str: ...


def keep_nothing(conn: Connection, held: Mapping[str, str], parcel: Parcel, keep: Keep) -> None:
    """Note that a publication replaces no rows (yet): only what was noted can be taken back.

    `held` are the table's columns with their types.
    """
    names = ", ".join(map(_literal, _plain(held)))
    _run(
        conn,
        f"insert into {keep.table}_parts (sync, seq, names, at) "
        f"values (%(sync)s, %(seq)s, array[{names}]::text[], %(at)s)",
        parcel,
        keep,
    )


def keep_replaced(
    conn: Connection, target: Target, held: Mapping[str, str], parcel: Parcel, keep: Keep
) -> None:
    """Copy the rows that the upsert is about to change; the table is locked until it has."""
    keep_nothing(conn, held, parcel, keep)
    key, seq = _quoted(parcel.key), _quoted(SEQ)
    conn.exec_driver_sql("set local extra_float_digits = 1", {})  # every digit of a double
    texts = ", ".join(f"t.{_quoted(c)}::text" for c in _plain(held))
    rest = ", ".join(f"{_literal(c)}, t.{_quoted(c)}" for c in held if c not in _plain(held))
    _run(
        conn,
        f"insert into {keep.table}_rows (part, key, was, before, rest) "
        f"select p.id, t.{key}::text, t.{seq}, array[{texts}]::text[], "
        f"{f'jsonb_build_object({rest})' if rest else 'null'} "
        f"from {escaped(target.quoted)} t join {STAGING} s on s.{key} = t.{key}, "
        f"(select max(p.id) as id from {keep.table}_parts p where {_MINE}) p "
        f"where t.{seq} < %(rank)s",
        parcel,
        keep,
    )


def _plain(held: Mapping[str, str]) -> list[str]:
    """The columns whose text says all; the others are kept as JSON, which takes twice the time."""
    return [c for c, kind in held.items() if kind.partition("(")[0] in _AS_TEXT]


_BEFORE = "(jsonb_object({part}.names, {row}.before) || coalesce({row}.rest, '{{}}'))"


def put_back(
    conn: Connection, target: Target, columns: Iterable[str], parcel: Parcel, keep: Keep
) -> Reverted:
    """Rows that this parcel changed get their former values, rows that it added are deleted.

    Raises DestinationRefused where nothing was kept: every row would seem to have been added.
    """
    if not _run(conn, f"select from {keep.table}_parts p where {_MINE}", parcel, keep):
        raise DestinationRefused(
            f"what {parcel.sync} #{keep.seq} replaced in the table was not kept (an earlier "
            "version of this product published it, or the policy had no undo_hours then), so that "
            "it cannot be taken back. Repair the rows at the source.",
            {"table": target.quoted},
        )
    key, seq = _quoted(parcel.key), _quoted(SEQ)
    sets = ", ".join(f"{_quoted(c)} = b.{_quoted(c)}" for c in columns)
    mine = f"s.{key} = t.{key} and t.{seq} = %(rank)s"
    before, record = _BEFORE.format(part="p", row="r"), f"null::{escaped(target.quoted)}"
    restored = _run(
        conn,
        f"update {escaped(target.quoted)} t set {sets} from {STAGING} s, {keep.table}_parts p, "
        f"{keep.table}_rows r cross join lateral jsonb_populate_record({record}, {before}) b "
        f"where {mine} and {_MINE} and r.part = p.id and r.key = t.{key}::text",
        parcel,
        keep,
    )
    deleted = _run(
        conn, f"delete from {escaped(target.quoted)} t using {STAGING} s where {mine}", parcel, keep
    )
    return Reverted(restored, deleted, parcel.rows.num_rows - restored - deleted)


_MINE = "p.sync = %(sync)s and p.seq = %(seq)s"


def forget_replaced(conn: Connection, target: Target, parcel: Parcel, keep: Keep) -> None:  # noqa: ARG001
    """What was reverted must not come back when a later publication is reverted, too."""
    key, parts, rows = _quoted(parcel.key), f"{keep.table}_parts", f"{keep.table}_rows"
    mine = (
        f"select m.key, {_BEFORE.format(part='p', row='m')} as image, m.was, m.rest "
        f"from {rows} m join {parts} p on m.part = p.id where {_MINE}"
    )
    later = (
        f"later.part = p.id and p.sync = %(sync)s and p.seq <> %(seq)s and later.was = %(rank)s "
        f"and later.key = s.{key}::text"
    )
    _run(
        conn,
        f"update {rows} later set was = mine.was, rest = mine.rest, before = array("
        "select mine.image ->> n from unnest(p.names) with ordinality as u (n, place) "
        f"order by place) from ({mine}) mine, {parts} p, {STAGING} s "
        f"where {later} and mine.key = later.key",
        parcel,
        keep,
    )
    _run(
        conn,
        f"delete from {rows} later using {parts} p, {STAGING} s where {later} "
        f"and not exists (select 1 from ({mine}) mine where mine.key = later.key)",
        parcel,
        keep,
    )
    _run(
        conn,
        f"delete from {rows} m using {parts} p, {STAGING} s "
        f"where m.part = p.id and {_MINE} and m.key = s.{key}::text",
        parcel,
        keep,
    )


def _literal(text: str) -> str:
    return "E'" + escaped(text.replace("\\", "\\\\").replace("'", "\\'")) + "'"


def _quoted(identifier: str) -> str:
    return escaped(quote(identifier))


def _run(conn: Connection, sql: str, parcel: Parcel, keep: Keep) -> int:
    values: dict[str, Any] = {
        "sync": parcel.sync, "seq": keep.seq, "rank": parcel.seq, "at": keep.at,
    }  # fmt: skip
    return int(conn.exec_driver_sql(sql, values).rowcount)
