"""Keep what an upsert replaces, and put it back. All in the caller's transaction, all in SQL.

The staged rows are in the temporary table `STAGING`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from wfops_pipelines.core.snapshot import AWAY, CHANGED, DELETED, NEWER
from wfops_pipelines.destinations.names import DELETED_AT, SEQ, STAGING, escaped
from wfops_pipelines.destinations.parcel import Keep, Parcel, Reverted
from wfops_pipelines.errors import DestinationRefused
from wfops_pipelines.postgres.names import quote

if TYPE_CHECKING:
    from sqlalchemy import Connection


_SPELLING = (  # a text is read as it was written, whatever the role or the database is set to
    "set local extra_float_digits = 1; set local datestyle = 'ISO, YMD'; "
    "set local intervalstyle = 'postgres'; set local timezone = 'UTC'"
)
_JSON = ("json", "jsonb")
_PLACE = '"wfops: at"'  # beside columns of any name


class Target(Protocol):
    """A table."""

    @property
    def quoted(self) -> str: ...


def keep_nothing(conn: Connection, held: Mapping[str, str], parcel: Parcel, keep: Keep) -> None:
    """Note that a publication replaces no rows (yet): only what was noted can be taken back.

    `held` are the table's columns with their types; those that the parcel does not write are no
    business of a revert.
    """
    names = ", ".join(map(_literal, _written(held, parcel)))
    _run(
        conn,
        f"insert into {keep.table}_parts (sync, seq, part, names, at) "
        f"values (%(sync)s, %(seq)s, %(part)s, array[{names}]::text[], %(at)s)",
        parcel,
        keep,
    )


def keep_replaced(
    conn: Connection, target: Target, held: Mapping[str, str], parcel: Parcel, keep: Keep
) -> None:
    """Copy the rows that the upsert is about to change; the table is locked until it has."""
    keep_nothing(conn, held, parcel, keep)
    conn.exec_driver_sql(_SPELLING, {})
    key, seq = _quoted(parcel.key), _quoted(SEQ)
    texts = ", ".join(f"t.{_quoted(c)}::text" for c in _written(held, parcel))
    _run(
        conn,
        f"insert into {keep.table}_rows (part, key, was, before) "
        f"select p.id, t.{key}::text, t.{seq}, array[{texts}]::text[] "
        f"from {escaped(target.quoted)} t join {STAGING} s on s.{key} = t.{key}, "
        f"(select max(p.id) as id from {keep.table}_parts p where {_MINE}) p "
        f"where t.{seq} < %(rank)s",
        parcel,
        keep,
    )


def _written(held: Mapping[str, str], parcel: Parcel) -> list[str]:
    return [c for c in held if c in (*parcel.columns, SEQ, DELETED_AT)]


_ONCE = "offset 0"  # else PostgreSQL makes the image anew for each column that is taken out of it
_BEFORE = "(jsonb_object({part}.names, {row}.before) || coalesce({row}.rest, '{{}}'))"


def changed_since(
    conn: Connection, target: Target, held: Mapping[str, str], parcel: Parcel
) -> dict[str, str]:
    """The rows of this parcel that are no more as it wrote them, as `CHANGED`; unstaged.

    All of the parcel is in `STAGING`.
    """
    key, seq, table = _quoted(parcel.key), _quoted(SEQ), escaped(target.quoted)
    gone = f"coalesce(s.{_quoted(DELETED)}, false)" if parcel.marked else "false"
    values = [c for c in parcel.columns if c in held and c != parcel.key]
    unlike = [f"t.{_quoted(c)}::text is distinct from s.{_quoted(c)}::text" for c in values]
    other = f"not {gone} and ({' or '.join(unlike or ['false'])})"
    if DELETED_AT in held:
        other = f"{other} or {gone} is distinct from (t.{_quoted(DELETED_AT)} is not null)"
    found = conn.exec_driver_sql(
        f"select s.{_PLACE} from "
        f"(select *, row_number() over (order by ctid) as {_PLACE} from {STAGING}) s "
        f"join {table} t on t.{key} = s.{key} where t.{seq} = %(rank)s and ({other})",
        {"rank": parcel.seq},
    )
    places = [row[0] for row in found]
    if not places:
        return {}
    keys = parcel.keys()
    conn.exec_driver_sql(
        f"delete from {STAGING} where ctid in (select c from (select ctid as c, row_number() "
        f"over (order by ctid) as at from {STAGING}) s where s.at = any(%(places)s))",
        {"places": places},
    )
    return {keys[at - 1]: CHANGED for at in places}


def put_back(
    conn: Connection,
    target: Target,
    held: Mapping[str, str],
    parcel: Parcel,
    keep: Keep,
    changed: Mapping[str, str],
) -> Reverted:
    """Rows that this parcel changed get their former values, rows that it added are deleted.

    Not those that somebody `changed` since, which are not staged.
    Raises DestinationRefused where nothing was kept, as every row would seem to have been added,
    and where the table's triggers do not let rows go back.
    """
    kept_it = f"select from {keep.table}_parts p where {_MINE} and p.part = %(part)s"
    if not _run(conn, kept_it, parcel, keep):
        raise DestinationRefused(not_kept(parcel, keep), {"table": target.quoted})
    conn.exec_driver_sql(_SPELLING, {})
    key, seq = _quoted(parcel.key), _quoted(SEQ)
    sets = ", ".join(_former(column, kind) for column, kind in held.items())
    table, record = escaped(target.quoted), f"null::{escaped(target.quoted)}"
    mine = f"s.{key} = t.{key} and t.{seq} = %(rank)s"
    kept = f"{_MINE} and r.part = p.id and r.key::{escaped(held[parcel.key])} = s.{key}"
    stayed = {**_stayed(conn, table, key, seq, parcel, changed), **changed}
    deleted = _run(  # first: a restored row may hold what is unique and an added one has now
        conn,
        f"delete from {table} t using {STAGING} s where {mine} and not exists "
        f"(select from {keep.table}_parts p, {keep.table}_rows r where {kept})",
        parcel,
        keep,
    )
    restored = _run(
        conn,
        f"update {table} t set {sets} from {STAGING} s, {keep.table}_parts p, {keep.table}_rows r "
        f"cross join lateral (select {_BEFORE.format(part='p', row='r')} as image {_ONCE}) v "
        f"cross join lateral jsonb_populate_record({record}, v.image) b where {mine} and {kept}",
        parcel,
        keep,
    )
    if _run(conn, f"select from {table} t, {STAGING} s where {mine} limit 1", parcel, keep):
        raise DestinationRefused(
            f"some rows of {target.quoted} stayed as {parcel.sync} #{keep.seq} made them (a "
            "trigger or a rule of the table keeps them so); nothing was taken back. Repair it, "
            "then retry.",
            {"table": target.quoted},
        )
    return Reverted(restored, deleted, parcel.rows.num_rows - restored - deleted, stayed)


def _stayed(
    conn: Connection, table: str, key: str, seq: str, parcel: Parcel, unstaged: Mapping[str, str]
) -> Mapping[str, str]:
    """Why each row stays that is no more this parcel's; `STAGING` keeps the parcel's order."""
    found: Sequence[Any] = conn.exec_driver_sql(
        f"select s.at, t.{key} is null from (select {key}, row_number() over (order by ctid) as at "
        f"from {STAGING}) s left join {table} t on t.{key} = s.{key} "
        f"where t.{seq} is distinct from %(rank)s",
        {"rank": parcel.seq},
    ).all()
    all_ = parcel.keys() if found else []
    keys = [key for key in all_ if key not in unstaged]
    return {keys[at - 1]: AWAY if away else NEWER for at, away in found}


def not_kept(parcel: Parcel, keep: Keep) -> str:
    """Why rows cannot go back."""
    return (
        f"what {parcel.sync} #{keep.seq} replaced in the table was not kept, or is kept no longer "
        "(the policy's undo_hours are long over, or it had none then, or an earlier version of "
        "this product published it), so that it cannot be taken back. Repair the rows at the "
        "source."
    )


def _former(column: str, kind: str) -> str:
    """A column that was not kept stays as it is; JSON text is none inside of JSON."""
    name, known = _quoted(column), _literal(column)
    value = f"(v.image ->> {known})::{kind}" if kind in _JSON else f"b.{name}"
    return f"{name} = case when v.image ? {known} then {value} else t.{name} end"


_MINE = "p.sync = %(sync)s and p.seq = %(seq)s"


def forget_replaced(conn: Connection, held: Mapping[str, str], parcel: Parcel, keep: Keep) -> None:
    """What was reverted must not come back when a later publication is reverted, too.

    A later one that did not write all columns of this one puts back the rest of them as well.
    """
    key, parts, rows = _quoted(parcel.key), f"{keep.table}_parts", f"{keep.table}_rows"
    typed = f"key::{escaped(held[parcel.key])}"
    mine = (
        f"select m.{typed} as key, {_BEFORE.format(part='p', row='m')} as image, m.was "
        f"from {rows} m join {parts} p on m.part = p.id where {_MINE} {_ONCE}"
    )
    later = (
        f"later.part = p.id and p.sync = %(sync)s and p.seq <> %(seq)s and later.was = %(rank)s "
        f"and later.{typed} = s.{key}"
    )
    _run(
        conn,
        f"update {rows} later set was = mine.was, "
        "rest = nullif(coalesce(later.rest, '{}') || (mine.image - p.names), '{}'), "
        "before = array(select case when mine.image ? n then mine.image ->> n else was end "
        "from unnest(p.names, later.before) with ordinality as u (n, was, place) order by place) "
        f"from ({mine}) mine, {parts} p, {STAGING} s where {later} and mine.key = s.{key}",
        parcel,
        keep,
    )
    _run(
        conn,
        f"delete from {rows} later using {parts} p, {STAGING} s where {later} "
        f"and not exists (select 1 from ({mine}) mine where mine.key = s.{key})",
        parcel,
        keep,
    )
    _run(
        conn,
        f"delete from {rows} m using {parts} p, {STAGING} s "
        f"where m.part = p.id and {_MINE} and m.{typed} = s.{key}",
        parcel,
        keep,
    )


def _literal(text: str) -> str:
    return "E'" + escaped(text.replace("\\", "\\\\").replace("'", "\\'")) + "'"


def _quoted(identifier: str) -> str:
    return escaped(quote(identifier))


def _run(conn: Connection, sql: str, parcel: Parcel, keep: Keep) -> int:
    values: dict[str, Any] = {
        "sync": parcel.sync, "seq": keep.seq, "part": keep.part, "rank": parcel.seq, "at": keep.at,
    }  # fmt: skip
    return int(conn.exec_driver_sql(sql, values).rowcount)
