"""The snapshots that rows at a destination are of, by the number that each row has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from wfops_pipelines.destinations.names import NOTES, SEQ

if TYPE_CHECKING:
    from sqlalchemy import Connection, TableClause


@dataclass(frozen=True, slots=True)
class Numbers:
    """highest: of the newest snapshot, as its version. repair: what a person does so that another
    sync may write over the rows."""

    highest: int
    repair: str


@runtime_checkable
class Numbered(Protocol):
    """A destination whose rows have the versions of snapshots, which can be those of one sync."""

    def numbers(self, conn: Connection, environ: Mapping[str, str], new: str, /) -> Numbers | None:
        """None where no row is of a snapshot.

        new: the name of a sync that has published nothing, so that whatever is noted over there
        under its name is of another installation, and counts as well; empty where it has.
        """
        ...


def numbers_in(conn: Connection, name: str, schema: str | None, new: str = "") -> Numbers | None:
    """Of the rows of a table, which need not be there. All of them are read."""
    from sqlalchemy import table

    target = table(name, schema=schema)
    beside = [table(n, schema=schema) for n in NOTES]
    highest, noted = _highest(conn, target, SEQ), _highest(conn, beside[0], "seq", new)
    write = conn.dialect.identifier_preparer
    statements = [f"update {write.format_table(target)} set {write.quote(SEQ)} = 0"]
    if noted:
        statements += [f"delete from {write.format_table(t)} where sync = '{new}'" for t in beside]
    repair = f"give them up with `{'; '.join(statements if highest else statements[1:])}`"
    return Numbers(max(highest, noted), repair) if highest or noted else None


def _highest(conn: Connection, of: TableClause, number: str, sync: str | None = None) -> int:
    """The highest number in a column; 0 where there is none. sync: of its rows alone."""
    from sqlalchemy import BigInteger, column, func, inspect, select

    look = inspect(conn)
    if sync == "" or not look.has_table(of.name, of.schema):
        return 0
    if number not in {c["name"] for c in look.get_columns(of.name, of.schema)}:
        return 0
    query = select(func.max(column(number, BigInteger))).select_from(of)
    return (
        conn.execute(query if sync is None else query.where(column("sync") == sync)).scalar() or 0
    )
