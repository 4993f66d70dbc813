"""What other rows say of staged ones: rows that they name, and values that only one may have."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wfops_pipelines.destinations.names import STAGING
from wfops_pipelines.postgres.names import quote

if TYPE_CHECKING:
    from sqlalchemy import Connection

_NAMES = "array(select attname::text from unnest({nums}) with ordinality u(n, o) join pg_attribute "
_NAMES += "on attrelid = {of} and attnum = u.n order by u.o)"
_REFERENCES = f"""
select c.conname, {_NAMES.format(nums="c.conkey", of="c.conrelid")},
  c.confrelid::regclass::text, {_NAMES.format(nums="c.confkey", of="c.confrelid")},
  c.confrelid = c.conrelid
from pg_constraint c where c.conrelid = to_regclass(%(name)s) and c.contype = 'f'
  and c.convalidated and c.confmatchtype = 's'
  and coalesce((to_jsonb(c) ->> 'conenforced')::boolean, true) order by c.conname
"""
_UNIQUE = f"""
select i.indexrelid::regclass::text,
  {_NAMES.format(nums="(i.indkey::int2[])[0:i.indnkeyatts - 1]", of="i.indrelid")}
from pg_index i where i.indrelid = to_regclass(%(name)s) and i.indisunique and i.indisvalid
  and i.indpred is null and i.indexprs is null order by 1
"""


@dataclass(frozen=True, slots=True)
class Rule:
    """SQL that is true of staged rows `s` which the table refuses, and why it does."""

    sql: str
    why: str
    column: str | None


def references(conn: Connection, target: str, names: Collection[str]) -> Iterator[Rule]:
    """Rows that name one of another table, or of this one, which is not there.

    What comes in the same snapshot counts where a table names itself. A key that was never
    validated is left to the publication, and so is one of MATCH FULL.
    """
    found: Any = conn.exec_driver_sql(_REFERENCES, {"name": target}).all()
    for name, own, other, theirs, itself in found:
        if not own or not set(own) <= set(names):
            continue
        pairs = [*zip(own, theirs, strict=True)]
        there = " and ".join(f"r.{quote(b)} = s.{quote(a)}" for a, b in pairs)
        said = " and ".join(f"s.{quote(a)} is not null" for a in own)
        lacks = f"not exists (select from {other} r where {there})"
        if itself and set(theirs) <= set(names):
            lacks += f" and not exists (select from {STAGING} r where {there})"
        which = ", ".join(own)
        why = f"{which} names no row of {other} ({', '.join(theirs)}), as {name} wants: bring that"
        yield Rule(
            f"s.ctid in (select s.ctid from {STAGING} s where {said} and {lacks})",
            f"{why} row there first",
            own[0] if len(own) == 1 else None,
        )


def doubles(
    conn: Connection, target: str, names: Collection[str], key: str, on: str
) -> Iterator[Rule]:
    """Rows with a value that only one may have, beside the key, and that another one has.

    on: SQL that pairs rows `t` of the table with staged rows `s`. Rows of the table that the
    snapshot changes as well are left to the publication.
    """
    found: Any = conn.exec_driver_sql(_UNIQUE, {"name": target}).all()
    for index, own in found:
        if not own or own == [key] or not set(own) <= set(names):
            continue
        same = " and ".join(f"t.{quote(c)} = s.{quote(c)}" for c in own)
        listed = ", ".join(quote(c) for c in own)
        ours = ", ".join(f"s.{quote(c)}" for c in own)
        yield Rule(
            f"s.ctid in (select s.ctid from {STAGING} s join {target} t on {same} "
            f"where not exists (select from {STAGING} s where {on})) "
            f"or ({ours}) in (select {listed} from {STAGING} group by {listed} "
            "having count(*) > 1)",
            f"another row has the same {', '.join(own)}, of which the table's {index} takes one",
            own[0] if len(own) == 1 else None,
        )
