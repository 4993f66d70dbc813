"""A table that can hold each key once, and shows it: only such a one can be guarded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfops_pipelines.errors import DestinationRefused
from wfops_pipelines.postgres.names import quote

if TYPE_CHECKING:
    from sqlalchemy import Connection

_SINGLE = """
select exists (
  select from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
  where i.indrelid = c.oid and i.indisunique and i.indisvalid and i.indimmediate
  and i.indpred is null and i.indexprs is null and i.indnkeyatts = 1 and a.attname = %(key)s
), c.relkind <> 'p' and exists (select from pg_inherits where inhparent = c.oid),
c.relkind in ('r', 'p')
from pg_class c where c.oid = to_regclass(%(name)s)
"""


def refuse_doubles(conn: Connection, words: str, quoted: str, key: str) -> None:
    """Raises DestinationRefused where the table could hold a key twice, or hide a row of it."""
    unique, parent, real = conn.exec_driver_sql(_SINGLE, {"name": quoted, "key": key}).one()
    if not real:
        said = "is a view or lies elsewhere, so that no row of it can be guarded"
        raise DestinationRefused(f"{words} {said}. Name the table behind it; then retry.")
    if not unique:
        raise DestinationRefused(
            f"{words} has no unique index of its column {key} alone, so that it could "
            f"hold a row twice. Add one (`alter table {quoted} add primary key "
            f"({quote(key)})`), then retry.",
            {"table": quoted},
        )
    if parent:
        raise DestinationRefused(
            f"{words} has tables that inherit from it, and a row could be in two of them. "
            "Take them out (`alter table ... no inherit`), or partition it; then retry.",
            {"table": quoted},
        )
