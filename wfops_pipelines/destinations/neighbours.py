"""What other rows say of staged ones: values that only one of them may have.

A row that a foreign key names may come with the next run, which publishes then what was refused:
that is no matter for a person.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wfops_pipelines.destinations.names import STAGING
from wfops_pipelines.postgres.names import quote

if TYPE_CHECKING:
    from sqlalchemy import Connection

_UNIQUE = """
select i.indexrelid::regclass::text, array(
  select attname::text from unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) with ordinality u(n, o)
  join pg_attribute on attrelid = i.indrelid and attnum = u.n order by u.o)
from pg_index i where i.indrelid = to_regclass(%(name)s) and i.indisunique and i.indisvalid
  and i.indpred is null and i.indexprs is null order by 1
"""


@dataclass(frozen=True, slots=True)
class Rule:
    """SQL that is true of staged rows `s` which the table refuses, and why it does."""

    sql: str
    why: str
    column: str | None


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
