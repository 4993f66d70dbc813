"""What a destination can tell of a publication before anybody approves it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from wfops_pipelines.core.snapshot import Diff
from wfops_pipelines.destinations.parcel import Parcel

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class Misfit:
    """What a destination would not take.

    why: words about the column and what it takes, without any row's value. keys: of the rows, as
    the source spells them; none where it is about all of them, or nobody can tell which.
    """

    why: str
    column: str | None = None
    keys: tuple[str, ...] = ()


LABELS = 12  # of an enumeration, that a sentence spells out


def empty(column: str) -> str:
    """Why a null is refused."""
    return f"{column} is empty, and takes no null"


def spelled_out(labels: Sequence[str]) -> str:
    """The labels of an enumeration, the first of many."""
    return ", ".join([*labels[:LABELS], *(["…"] if labels[LABELS:] else [])])


def lacking(column: str, keys: tuple[str, ...]) -> Misfit:
    """New rows, where the table wants a column that the rows do not have."""
    why = f"the rows have no {column}, which the table wants of each new row"
    return Misfit(f"{why}; return it, or give the column a default", column, keys)


def unburied(column: str, keys: tuple[str, ...]) -> Misfit:
    """Tombstones of rows that the table never had, and for which no row can stand in it."""
    return Misfit(
        f"they are gone at the source and were never in the table, whose {column} takes no "
        "null, so that nothing can stand for them; reject them",
        column, keys,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What publishing a parcel would change, and what of it would be refused."""

    diff: Diff
    misfits: tuple[Misfit, ...] = ()


@runtime_checkable
class Exacting(Protocol):
    """A destination whose columns say what they take, so that nobody approves anything else."""

    def foreseen(self, conn: Connection, parcel: Parcel, critical: Sequence[str]) -> Foreseen:
        """As `diff`, with what would be refused."""
        ...


def keyless(held: Collection[str], key: str) -> tuple[Misfit, ...]:
    """What is wrong with a table that is there (its columns are `held`) and lacks the key."""
    if not held:
        return ()
    some = ", ".join(sorted(held)[:12])
    return (Misfit(f"it has no column {key}, by which rows are found again (it has {some})", key),)


def respelled(key: str, rows: int) -> tuple[Misfit, ...]:
    """What is wrong where the destination takes keys for those of rows that it spells otherwise."""
    if not rows:
        return ()
    said = f"it takes {rows:,} of their keys for those of rows that it spells otherwise"
    return (Misfit(f"{said}; let the sync's function return {key} as the table has it", key),)
