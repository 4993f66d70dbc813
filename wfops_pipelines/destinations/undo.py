"""Keep what an upsert replaces, and put it back. All in the caller's transaction, all in SQL.

The staged rows are in the temporary table `STAGING`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from wfops_pipelines.destinations.names import SEQ, STAGING, escaped
from wfops_pipelines.destinations.parcel import Keep, Parcel, Reverted
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


def keep_replaced(
    conn: Connection, target: Target, held: Mapping[str, str], parcel: Parcel, keep: Keep
) -> None:
    """Copy the rows that the upsert is about to change; the table is locked until it has.

    `held` are the table's columns with their types.
    """
    key = _quoted(parcel.key)
    conn.exec_driver_sql("set local extra_float_digits = 1", {})  # every digit of a double
    _run(
        conn,
        f"insert into {keep.table} (sync, seq, key, before, at) "
        f"select %(sync)s, %(seq)s, t.{key}::text, {_image(held)}, %(at)s "
        f"from {escaped(target.quoted)} t join {STAGING} s on s.{key} = t.{key} "
        f"where t.{_quoted(SEQ)} < %(rank)s",
        parcel,
        keep,
    )


def _image(held: Mapping[str, str]) -> str:
    """SQL for a row of `t` as JSON; numbers and times as texts, which take half of the time."""
    plain = [c for c, kind in held.items() if kind.partition("(")[0] in _AS_TEXT]
    names = ", ".join(map(_literal, plain))
    texts = ", ".join(f"t.{_quoted(c)}::text" for c in plain)
    image = f"jsonb_object(array[{names}]::text[], array[{texts}]::text[])"
    for column in held:
        if column not in plain:
            image += f" || jsonb_build_object({_literal(column)}, t.{_quoted(column)})"
    return image


def put_back(
    conn: Connection, target: Target, columns: Iterable[str], parcel: Parcel, keep: Keep
) -> Reverted:
    """Rows that this parcel changed get their former values, rows that it added are deleted."""
    key, seq = _quoted(parcel.key), _quoted(SEQ)
    sets = ", ".join(f"{_quoted(c)} = p.{_quoted(c)}" for c in columns)
    mine = f"s.{key} = t.{key} and t.{seq} = %(rank)s"
    restored = _run(
        conn,
        f"update {escaped(target.quoted)} t set {sets} from {STAGING} s, {keep.table} r "
        f"cross join lateral jsonb_populate_record(null::{escaped(target.quoted)}, r.before) p "
        f"where {mine} and r.sync = %(sync)s and r.seq = %(seq)s and r.key = t.{key}::text",
        parcel,
        keep,
    )
    deleted = _run(
        conn, f"delete from {escaped(target.quoted)} t using {STAGING} s where {mine}", parcel, keep
    )
    return Reverted(restored, deleted, parcel.rows.num_rows - restored - deleted)


def forget_replaced(conn: Connection, target: Target, parcel: Parcel, keep: Keep) -> None:  # noqa: ARG001
    """What was reverted must not come back when a later publication is reverted, too."""
    key, seq = _quoted(parcel.key), f"(later.before ->> '{SEQ}')::bigint = %(rank)s"
    later = f"later.sync = %(sync)s and later.seq <> %(seq)s and {seq}"
    mine = "mine.sync = %(sync)s and mine.seq = %(seq)s and mine.key = later.key"
    _run(
        conn,
        f"update {keep.table} later set before = mine.before from {keep.table} mine, {STAGING} s "
        f"where {later} and {mine} and later.key = s.{key}::text",
        parcel,
        keep,
    )
    _run(
        conn,
        f"delete from {keep.table} later using {STAGING} s where {later} "
        f"and later.key = s.{key}::text "
        f"and not exists (select 1 from {keep.table} mine where {mine})",
        parcel,
        keep,
    )
    _run(
        conn,
        f"delete from {keep.table} mine using {STAGING} s "
        f"where mine.sync = %(sync)s and mine.seq = %(seq)s and mine.key = s.{key}::text",
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
