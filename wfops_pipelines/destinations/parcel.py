"""What a destination is handed, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class Keep:
    """Where a destination keeps what a publication replaces: `table` has the columns sync, seq,
    key, before (the whole row as JSON) and at. `seq` is the snapshot's own number."""

    table: str
    seq: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Parcel:
    """Rows of one snapshot on their way to the destination.

    rows: an Arrow table; `key` is its key column, unique and never null. seq: the snapshot's
    place in the order of the source, which guards newer rows against older ones. environ: for URLs
    and tokens. keep: where what is replaced is kept; nowhere if None. at: when the rows were
    staged. A row whose column DELETED is true is a tombstone: it is gone at the source, and its
    other columns may be null.
    """

    sync: str
    seq: int
    key: str
    rows: pa.Table
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    keep: Keep | None = None
    at: datetime | None = None

    def keys(self) -> list[str]:
        """The key of each row, as text."""
        return [str(k) for k in self.rows[self.key].to_pylist()]


@dataclass(frozen=True, slots=True)
class Existing:
    """What the destination holds now: for each key (as text) the asked columns' values."""

    rows: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Reverted:
    """What reverting changed: rows with their former values, rows gone, rows that are newer now."""

    restored: int = 0
    deleted: int = 0
    newer: int = 0


@dataclass(frozen=True, slots=True)
class Written:
    """What publishing changed. `stale` rows were left out: the destination holds newer ones."""

    inserted: int = 0
    updated: int = 0
    stale: int = 0
    deleted: int = 0


@runtime_checkable
class Listing(Protocol):
    """A destination that can say which rows live there."""

    def living(self, conn: Connection, key: str, environ: Mapping[str, str]) -> pa.Array:
        """The key of every row that is there and not deleted, typed as it is held."""
        ...
