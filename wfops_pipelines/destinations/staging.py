"""A temporary table beside the destination: what is to be written or compared, in SQL's reach."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wfops_pipelines.core.findings import counted_rows
from wfops_pipelines.core.parts import Rows
from wfops_pipelines.core.snapshot import DELETED, Diff
from wfops_pipelines.destinations.names import DELETED_AT, SEQ, STAGING, escaped
from wfops_pipelines.destinations.parcel import Parcel, Written
from wfops_pipelines.errors import DestinationRefused
from wfops_pipelines.postgres.copying import copy_in, postgres_type, without_nul
from wfops_pipelines.postgres.names import quote

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlalchemy import Connection

_NUMBERS = ("bigint", "integer", "smallint", "numeric", "double precision")
_TEXTS = ("text", "character varying")
_EQUAL = (*_NUMBERS, *_TEXTS, "boolean", "bytea", "date", "time without time zone")
_TIMES = ("timestamp with time zone", "timestamp without time zone")
_BY_TEXT = "::text"
_SPELT = "wfops_key"
_ROOM = (  # to pair a hundred thousand rows in memory; whoever gave more knows why
    "select set_config('work_mem', '64MB', true) "
    "where pg_size_bytes(current_setting('work_mem')) < pg_size_bytes('64MB')"
)


def run(conn: Connection, sql: str) -> Any:
    """Execute SQL in which a percent sign is nothing but one."""
    return conn.exec_driver_sql(escaped(sql), {})


def stage(
    conn: Connection, rows: Rows, types: Mapping[str, str] | None = None, key: str | None = None
) -> None:
    """Copy `rows` into `STAGING`, made anew, each column with its own type or that in `types`.

    `key` is refused by the database where it is null or comes twice.
    """
    found = {f.name: (types or {}).get(f.name) or postgres_type(f.type) for f in rows.schema}
    body = ", ".join(f"{quote(n)} {t}" for n, t in found.items())
    run(conn, f"drop table if exists {STAGING}")
    run(conn, f"create temporary table wfops_staging ({body}) on commit drop")
    run(conn, _ROOM)
    copy_in(conn, STAGING, rows)
    if key is not None:
        run(conn, f"alter table {STAGING} add primary key ({quote(key)})")


@dataclass(frozen=True, slots=True)
class Pairing:
    """Staged rows `s` beside the target's rows `t`.

    types: of the staged columns. on: SQL that pairs them, deleted or not. name: SQL for the key as
    the source spells it. refusal: what the target's types said, empty where every value fits.
    """

    types: Mapping[str, str]
    on: str
    name: str
    refusal: str = ""


def stage_beside(conn: Connection, rows: Rows, held: Mapping[str, str], key: str) -> Pairing:
    """Stage rows as they would be in the target, so that its types say what is equal.

    Where a value does not fit, only the keys are so; where a key does not, all is compared as text.
    """
    from psycopg2 import Error

    refusal = ""
    own = {f.name: postgres_type(f.type) for f in rows.schema}
    for fitting in (own, [key]):
        types = {n: held.get(n, t) if n in fitting else t for n, t in own.items()}
        spelt = own[key] != types[key]
        try:
            with conn.begin_nested():
                stage(conn, _with_spelling(rows, key) if spelt else rows, types)
        except Error as error:
            refusal = refusal or without_values(error)
            continue
        name = quote(_SPELT if spelt else key)
        return Pairing(types, f"t.{quote(key)} = s.{quote(key)}", f"s.{name}", refusal)
    stage(conn, rows.changed(without_nul))
    cast = _cast(held[key], own[key])
    on = f"t.{quote(key)}{cast} = s.{quote(key)}{cast}"
    return Pairing(own, on, f"s.{quote(key)}", refusal)


def without_values(error: Exception) -> str:
    """The first line of what PostgreSQL says, without the value that it may end with."""
    said = str(error).strip() or type(error).__name__
    return said.splitlines()[0].partition(': "')[0]


def names_in(part: pa.Table, key: str) -> pa.Array:
    """The keys of some rows as text, null where there is none."""
    import pyarrow as pa

    return pa.array([None if k is None else str(k) for k in part[key].to_pylist()], pa.string())


def _with_spelling(rows: Rows, key: str) -> Rows:
    return rows.changed(lambda part: part.append_column(_SPELT, names_in(part, key)))


def alive(key: str, held: Mapping[str, str]) -> str:
    """SQL that says whether there is a row `t` that was not deleted."""
    soft = f" and t.{quote(DELETED_AT)} is null" if DELETED_AT in held else ""
    return f"(t.{quote(key)} is not null{soft})"


def newer(seq: int, held: Mapping[str, str]) -> str:
    """SQL that says whether the row `t` is not older than the snapshot `seq`."""
    return f"coalesce(t.{quote(SEQ)} >= {seq:d}, false)" if SEQ in held else "false"


def compared(
    conn: Connection,
    target: str,
    held: Mapping[str, str],
    parcel: Parcel,
    critical: Iterable[str],
    paired: Pairing,
) -> Diff:
    """What the staged, living rows of `parcel` would change in the table `target`."""
    differs = {c: _differs(c, held, paired.types) for c in parcel.columns if c != parcel.key}
    differing = " or ".join(differs.values()) or "false"
    lives, late = alive(parcel.key, held), newer(parcel.seq, held)
    joined = f"{target} t on {paired.on}"
    watched = {c: differs[c] for c in critical if c in differs}
    touched = " or ".join(watched.values()) or "false"
    inserted, updated, changed, total = run(
        conn,
        f"select count(*) filter (where not {lives} and not {late}), "
        f"count(*) filter (where {lives} and not {late} and ({differing})), "
        f"count(*) filter (where {lives} and not {late} and ({touched})), "
        f"count(*) from {STAGING} s left join {joined}",
    ).one()
    here = f"{STAGING} s join {joined} where {lives} and not {late}"
    changes = _changes(conn, paired.name, here, watched, held) if changed else ()
    return Diff(inserted, updated, total - inserted - updated, 0, tuple(changes))


def _changes(
    conn: Connection, name: str, here: str, watched: Mapping[str, str], held: Mapping[str, str]
) -> Iterable[tuple[str, str, str | None, str | None]]:
    if not watched:
        return
    old = [f"t.{quote(c)}" if c in held else "null" for c in watched]
    cells = ", ".join(f"{o}, s.{quote(c)}, {watched[c]}" for o, c in zip(old, watched, strict=True))
    query = (
        f"select {name}, {cells} from {here} and ({' or '.join(watched.values())}) order by s.ctid"
    )
    for row in run(conn, query):
        for i, column in enumerate(watched):
            before, after, changed = row[1 + 3 * i : 4 + 3 * i]
            if changed:
                yield str(row[0]), column, shown(before), shown(after)


def upsert(
    conn: Connection, target: str, held: Mapping[str, str], parcel: Parcel, *, sure: bool = True
) -> Written:
    """Make the staged rows of `parcel` current in the table `target`, unless it holds newer ones.

    A tombstone keeps the values that the row had; one of an unknown row is kept as well, so that
    an older row that is released later cannot bring it back. Not `sure`: the table may have turned
    rows into others.
    """
    soft, key, seq = DELETED_AT in held, quote(parcel.key), parcel.seq
    gone = f"coalesce(s.{quote(DELETED)}, false)" if parcel.marked else "false"
    older = f"t.{quote(SEQ)} < {seq:d}"
    here = f"from {STAGING} s where s.{key} = t.{key} and {older}"
    back = 0
    if soft:
        rose = f"t.{quote(DELETED_AT)} is not null and not {gone}"
        back = run(
            conn, f"select count(*) from {target} t, {STAGING} s where s.{key} = t.{key} "
            f"and {older} and {rose}"
        ).scalar_one()  # fmt: skip
    columns = [quote(c) for c in parcel.columns]
    names = ", ".join(columns)
    sets = [*(f"{c} = s.{c}" for c in columns if c != key), f"{quote(SEQ)} = {seq:d}"]
    sets += [f"{quote(DELETED_AT)} = null"] if soft else []
    # the table is locked: an update and an insert, each of known rows, take two thirds of the time
    # of an insert that looks for conflicts
    updated = run(conn, f"update {target} t set {', '.join(sets)} {here} and not {gone}").rowcount
    fresh = 0
    if updated < parcel.rows.num_rows:
        fresh = run(
            conn,
            f"insert into {target} ({names}, {quote(SEQ)}) select {names}, {seq:d} "
            f"from {STAGING} s where not {gone} "
            f"and not exists (select from {target} t where t.{key} = s.{key})",
        ).rowcount
    deleted = moot = 0
    if parcel.marked:
        sets_at, now = f"{quote(SEQ)} = {seq:d}", f"timestamptz '{parcel.moment.isoformat()}'"
        dead = f"t.{quote(DELETED_AT)} is not null"
        moot = run(conn, f"update {target} t set {sets_at} {here} and {gone} and {dead}").rowcount
        deleted = run(
            conn,
            f"update {target} t set {sets_at}, {quote(DELETED_AT)} = {now} "
            f"{here} and {gone} and not ({dead})",
        ).rowcount
        moot += run(
            conn,
            f"insert into {target} ({key}, {quote(SEQ)}, {quote(DELETED_AT)}) "
            f"select {key}, {seq:d}, {now} from {STAGING} s where {gone} "
            f"on conflict ({key}) do nothing",
        ).rowcount
    stale = parcel.rows.num_rows - fresh - updated - deleted - moot
    if stale or not sure:
        there = f"select from {target} t where t.{key} = s.{key} and t.{quote(SEQ)} >= {seq:d}"
        query = f"select count(*) from {STAGING} s where not exists ({there})"
        left_out(target, run(conn, query).scalar_one())
    return Written(fresh + back, updated - back, stale, deleted)


def left_out(target: str, rows: int) -> None:
    """Raises DestinationRefused where the table left rows out without a word."""
    if rows:
        raise DestinationRefused(
            f"{counted_rows(rows)} did not become current in {target}, and nothing was said: a "
            "trigger, a rule or a row security policy of the table leaves them out. Nothing was "
            "written. Let it take them or raise an error, or drop such rows in the sync's "
            "function; then retry.",
            {"table": target},
        )


def _differs(column: str, held: Mapping[str, str], types: Mapping[str, str]) -> str:
    staged = f"s.{quote(column)}"
    if column not in held:
        return f"{staged} is not null"
    cast = _cast(held[column], types[column])
    return f"t.{quote(column)}{cast} is distinct from {staged}{cast}"


def _cast(held: str, staged: str) -> str:
    """Nothing where PostgreSQL compares the two types; else both are compared as text."""
    plain = held.partition("(")[0]
    for kind in (_NUMBERS, _TEXTS):
        if plain in kind and staged in kind:
            return ""
    return "" if held == staged and plain in (*_EQUAL, *_TIMES) else _BY_TEXT


def shown(value: Any) -> str | None:
    return None if value is None else str(value)
