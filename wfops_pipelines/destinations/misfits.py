"""Which staged rows a PostgreSQL table would refuse: by its types, its nulls and its checks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from wfops_pipelines.core.parts import Rows
from wfops_pipelines.core.snapshot import DELETED
from wfops_pipelines.destinations import foreseeing
from wfops_pipelines.destinations.foreseeing import Misfit
from wfops_pipelines.destinations.names import DELETED_AT, SEQ, STAGING, escaped
from wfops_pipelines.destinations.neighbours import Rule, doubles
from wfops_pipelines.destinations.staging import Pairing, names_in, run, stage_beside
from wfops_pipelines.postgres.copying import with_nul
from wfops_pipelines.postgres.names import quote

if TYPE_CHECKING:
    from sqlalchemy import Connection

_OWN = (SEQ, DELETED_AT, DELETED)

_COLUMNS = """
select a.attname, a.attnotnull or t.typnotnull,
  a.atthasdef or a.attidentity <> '' or t.typdefault is not null,
  a.attgenerated <> '' or a.attidentity = 'a',
  array(select enumlabel::text from pg_enum where enumtypid = t.oid order by enumsortorder)
from pg_attribute a join pg_type t on t.oid = a.atttypid
where a.attrelid = to_regclass(%(name)s) and a.attnum > 0 and not a.attisdropped
"""
_CHECKS = """
select c.conname, pg_get_expr(c.conbin, c.conrelid),
  array(select attname::text from pg_attribute where attrelid = c.conrelid
        and attnum = any(c.conkey) order by attnum)
from pg_constraint c where c.conrelid = to_regclass(%(name)s) and c.contype = 'c'
and coalesce((to_jsonb(c) ->> 'conenforced')::boolean, true) order by c.conname
"""
_WRITES = """
select exists (select from pg_trigger where tgrelid = to_regclass(%(name)s) and not tgisinternal
and tgenabled not in ('D', 'R') and tgtype & 3 = 3 and tgtype & 4 <> 0)
"""  # for each row, before it is inserted


@dataclass(frozen=True, slots=True)
class Column:
    """What the catalogue says of a column. generated: its values are the database's own."""

    type: str
    required: bool
    filled: bool
    generated: bool
    labels: tuple[str, ...] = ()


def catalogue(conn: Connection, target: str, held: Mapping[str, str]) -> dict[str, Column]:
    """What each column of `target` (quoted) takes; `held` are their types."""
    found = conn.exec_driver_sql(_COLUMNS, {"name": target}).all()
    return {str(r[0]): Column(held[r[0]], r[1], r[2], r[3], tuple(r[4])) for r in found}


def written_by_triggers(conn: Connection, target: str) -> bool:
    """Whether triggers may write other values than the rows', as of a column that they lack."""
    return bool(conn.exec_driver_sql(_WRITES, {"name": target}).scalar())


def misfits(
    conn: Connection, target: str, columns: Mapping[str, Column], rows: Rows, key: str,
    paired: Pairing,
) -> Iterator[Misfit]:  # fmt: skip
    """What the table would refuse of `rows`, which are staged as `paired` says.

    Triggers are not asked, nor is anything but the types where one may write another value first.
    """
    names = [n for n in rows.column_names if n not in _OWN]
    if made := [n for n in names if n in columns and columns[n].generated]:
        why = f"{made[0]} is made by the table itself and cannot be written"
        yield Misfit(f"{why}; leave it out of the rows", made[0])
        return
    if paired.refusal:
        found = [*_unfit(conn, target, columns, rows, key, paired)]
        yield from found
        bad = {k for misfit in found for k in misfit.keys}
        if not bad or not all(misfit.keys for misfit in found):
            return
        rows = _without(rows, key, bad)
        paired = stage_beside(conn, rows, {n: c.type for n, c in columns.items()}, key)
        if paired.refusal:
            return
    if written_by_triggers(conn, target):
        return
    rules = [*_required(columns, names, key), *_checks(conn, target, names)]
    rules += doubles(conn, target, names, key, paired.on)
    yield from _broken(conn, rules, paired)
    yield from _unfilled(conn, target, columns, names, key, paired)


def unburied(
    conn: Connection, target: str, columns: Mapping[str, Column], key: str, paired: Pairing
) -> Iterator[Misfit]:
    """Tombstones, staged as `paired` says, of which the table could not keep a row."""
    bare = [n for n, c in columns.items() if _must(c) and n not in (key, *_OWN)]
    if not bare or written_by_triggers(conn, target):
        return
    if keys := _new(conn, target, key, paired):
        yield foreseeing.unburied(bare[0], keys)


def _must(column: Column) -> bool:
    return column.required and not column.filled


def _unfit(
    conn: Connection, target: str, columns: Mapping[str, Column], rows: Rows, key: str,
    paired: Pairing,
) -> Iterator[Misfit]:  # fmt: skip
    """The rows whose values are none of their column's type; without keys where that is unknown."""
    found = [*_nul(rows, key)]
    for name, column in columns.items():
        if paired.types.get(name, column.type) == column.type:
            continue
        staged = f"s.{quote(name)}"
        invalid = f"{staged} is not null and not pg_input_is_valid({staged}::text, "
        sql = escaped(f"select {paired.name} from {STAGING} s where {invalid}") + "%(type)s)"
        keys = _keys(conn, sql, {"type": column.type})
        if keys:
            why = refused(name, column)
            if column.type in _WHOLE and paired.types[name] in _FRACTIONS:
                why += f" (`alter table {target} alter column {quote(name)} type numeric` "
                why += "makes room for fractions)"
            found.append(Misfit(why, name, keys))
    yield from found or [Misfit(f"the table says: {paired.refusal}")]


def _nul(rows: Rows, key: str) -> Iterator[Misfit]:
    """Texts with a character that PostgreSQL does not have."""
    keys: dict[str, list[str]] = {}
    for part in rows.parts():
        for name, mask in with_nul(part):
            keys.setdefault(name, []).extend(names_in(part.filter(mask), key).to_pylist())
    for name, found in keys.items():
        yield Misfit(
            f"{name} has the character NUL, which PostgreSQL does not keep", name, (*found,)
        )


def refused(name: str, column: Column) -> str:
    """Why a value is refused, by what its column takes."""
    if column.labels:
        labels = foreseeing.spelled_out(column.labels)
        return f"{name} is none of the labels of {column.type} ({labels})"
    if found := re.fullmatch(r"(?:character varying|character|bit)\((\d+)\)", column.type):
        return f"{name} is longer than the {int(found[1]):,} characters of {column.type}"
    if found := re.fullmatch(r"numeric\((\d+),(\d+)\)", column.type):
        whole, places = int(found[1]) - int(found[2]), int(found[2])
        most = Decimal(10) ** whole - Decimal(10) ** -places
        return f"{name} is no number up to {most:,f}, as {column.type} takes"
    if column.type in _WHOLE:
        return f"{name} is no whole number up to {_WHOLE[column.type]:,}, as {column.type} takes"
    return f"{name} is not of the type {column.type}"


_FRACTIONS = ("double precision", "numeric")
_WHOLE = {"smallint": 2**15 - 1, "integer": 2**31 - 1, "bigint": 2**63 - 1}


def _required(columns: Mapping[str, Column], names: Sequence[str], key: str) -> Iterator[Rule]:
    for name in names:
        if name != key and name in columns and columns[name].required:
            yield Rule(f"s.{quote(name)} is null", foreseeing.empty(name), name)


def _checks(conn: Connection, target: str, names: Sequence[str]) -> Iterator[Rule]:
    """The table's CHECK constraints about the rows' columns alone."""
    for row in conn.exec_driver_sql(_CHECKS, {"name": target}).all():
        name, sql, about = str(row[0]), str(row[1]), [*row[2]]
        if about and set(about) <= set(names):
            column = about[0] if len(about) == 1 else None
            yield Rule(f"({sql}) is false", f"the table's check {name} says no: {sql}", column)


def _broken(conn: Connection, rules: Sequence[Rule], paired: Pairing) -> Iterator[Misfit]:
    """All rules in one look at the rows; one after the other where one cannot be told."""
    if not rules:
        return
    counted = ", ".join(f"count(*) filter (where {r.sql})" for r in rules)
    counts = _tried(conn, f"select {counted} from {STAGING} s")
    if isinstance(counts, Exception):
        if len(rules) > 1:
            yield from (m for rule in rules for m in _broken(conn, [rule], paired))
        elif _of_data(counts):
            yield Misfit(rules[0].why, rules[0].column)
        return
    for rule, count in zip(rules, counts[0], strict=True):
        if count:
            sql = escaped(f"select {paired.name} from {STAGING} s where {rule.sql}")
            yield Misfit(rule.why, rule.column, _keys(conn, sql, {}))


def _unfilled(
    conn: Connection, target: str, columns: Mapping[str, Column], names: Sequence[str], key: str,
    paired: Pairing,
) -> Iterator[Misfit]:  # fmt: skip
    """New rows, where the table wants a column that the rows do not have."""
    missing = [n for n, c in columns.items() if _must(c) and n not in (key, *names, *_OWN)]
    keys = _new(conn, target, key, paired) if missing else ()
    if keys:
        yield foreseeing.lacking(missing[0], keys)


def _new(conn: Connection, target: str, key: str, paired: Pairing) -> tuple[str, ...]:
    joined = f"{STAGING} s left join {target} t on {paired.on}"
    return _keys(
        conn, escaped(f"select {paired.name} from {joined} where t.{quote(key)} is null"), {}
    )


def _keys(conn: Connection, sql: str, values: Mapping[str, str]) -> tuple[str, ...]:
    """The keys that a query finds; none where this PostgreSQL, or the type, cannot say."""
    found = _tried(conn, sql, values)
    return () if isinstance(found, Exception) else tuple(str(row[0]) for row in found)


def _tried(conn: Connection, sql: str, values: Mapping[str, str] | None = None) -> Any:
    """The rows of a query, or what went wrong, after which the transaction goes on."""
    from sqlalchemy.exc import DBAPIError

    try:
        with conn.begin_nested():
            if values is None:
                return run(conn, sql).all()
            return conn.exec_driver_sql(sql, dict(values)).all()
    except DBAPIError as error:
        return error


def _of_data(error: Any) -> bool:
    """Whether a value is to blame, as of a division by zero, and not how we ask."""
    return str(getattr(error.orig, "pgcode", "")).startswith("22")


def _without(rows: Rows, key: str, bad: Iterable[str]) -> Rows:
    import pyarrow as pa
    import pyarrow.compute as pc

    unwanted = pa.array([*bad], pa.string())
    named = (names_in(part, key) for part in rows.parts([key]))
    masks = [pc.invert(pc.is_in(names, value_set=unwanted)) for names in named]
    return rows.filter(pa.concat_arrays([pa.array([], pa.bool_()), *masks]))
