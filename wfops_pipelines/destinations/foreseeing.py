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
