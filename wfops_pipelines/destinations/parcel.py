"""What a destination is handed, and what it answers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard, runtime_checkable

from wfops_pipelines.core.parts import AT_ONCE, Rows
from wfops_pipelines.core.snapshot import DELETED

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlalchemy import Connection

_FEW = 2000  # rows that are Python objects at the same time
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Keep:
    """Where a destination keeps what a publication replaces: records of an API in `table` (sync,
    seq, key, before as JSON, at), rows of a PostgreSQL table in `<table>_rows` (part, key, was,
    before, rest) of `<table>_parts` (id, sync, seq, part, names, at). `seq` is the snapshot's own
    number, `part` says which of its publications it is. What was kept before `forget` is needed no
    longer."""

    table: str
    seq: int
    at: datetime
    forget: datetime | None = None
    part: str = ""


@dataclass(frozen=True, slots=True)
class Parcel:
    """Rows of one snapshot on their way to the destination.

    rows: an Arrow table, or rows that are read in parts; `key` is their key column, unique and
    never null. A row in whose column `DELETED` stands true is a tombstone: gone at the source, its
    other columns may all be null.
    seq: the snapshot's place in the order of the source, which guards newer rows against older
    ones. environ: for URLs and tokens. keep: where what is replaced is kept; nowhere if None.
    at: when the rows were read from the source, as the time of their deletion. at_once: how many
    rows a destination may have in memory.
    """

    sync: str
    seq: int
    key: str
    rows: pa.Table | Rows
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    keep: Keep | None = None
    at: datetime | None = None
    at_once: int = AT_ONCE

    @property
    def content(self) -> Rows:
        """Its rows, a part at a time."""
        return self.rows if isinstance(self.rows, Rows) else Rows.of(self.rows)

    @property
    def table(self) -> pa.Table:
        """Its rows at once: for destinations that compare them in memory."""
        return self.content.whole()

    def parts(self) -> Iterator[Parcel]:
        """The parcel in parcels of a few rows each, that are tables."""
        for part in self.content.parts():
            yield replace(self, rows=part)

    def each(self) -> Iterator[dict[str, Any]]:
        """Its rows, one after the other."""
        for part in self.content.parts():
            for batch in part.to_batches(max_chunksize=_FEW):
                yield from batch.to_pylist()

    def keys(self) -> list[str]:
        """The key of each row, as text."""
        return [str(k) for p in self.content.parts([self.key]) for k in p[self.key].to_pylist()]

    @property
    def columns(self) -> list[str]:
        """The columns of the source, without the one that marks tombstones."""
        return [c for c in self.rows.schema.names if c != DELETED]

    @property
    def marked(self) -> bool:
        """Whether its rows say which of them are tombstones."""
        return DELETED in self.rows.schema.names

    @property
    def moment(self) -> datetime:
        """When its tombstones were seen."""
        return self.at or (self.keep.at if self.keep else _NEVER)

    def living(self) -> Rows:
        """The rows that are there at the source, with the source's columns."""
        import pyarrow.compute as pc

        rows = self.content
        rows = rows.filter(pc.invert(self.tombstones())) if self.marked else rows
        return rows.select(self.columns)

    def gone(self) -> pa.Array:
        """The keys of its tombstones."""
        import pyarrow as pa
        import pyarrow.compute as pc

        chunks = [pa.array([], self.rows.schema.field(self.key).type)]
        for part in self.content.parts([self.key, DELETED]) if self.marked else ():
            chunks += part.filter(pc.fill_null(part[DELETED], False))[self.key].chunks
        return pa.concat_arrays(chunks)

    @property
    def digest(self) -> str:
        """Names this parcel: the same rows of the same snapshot have the same, always."""
        found = hashlib.sha256(f"{self.sync}\0{self.seq}".encode())
        for part in self.parts():
            found.update("".join(f"\0{key}" for key in part.keys()).encode())  # noqa: SIM118
        return found.hexdigest()[:16]

    def tombstones(self) -> pa.Array:
        """For each row, whether it is a tombstone."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if not self.marked:
            return pa.repeat(pa.scalar(False), self.rows.num_rows)
        parts = self.content.parts([DELETED])
        marks = [c for part in parts for c in pc.fill_null(part[DELETED], False).chunks]
        return pa.concat_arrays([pa.array([], pa.bool_()), *marks])


@dataclass(frozen=True, slots=True)
class Existing:
    """What the destination holds now: for each key (as text) the asked columns' values."""

    rows: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Reverted:
    """What reverting changed: rows with their former values, rows gone, rows that stay.

    stayed: why, for each row that stays, by its key as text: `NEWER`, `CHANGED` or `AWAY`.
    """

    restored: int = 0
    deleted: int = 0
    newer: int = 0
    stayed: Mapping[str, str] = field(default_factory=dict, compare=False)

    def __add__(self, other: Reverted) -> Reverted:
        return Reverted(
            self.restored + other.restored, self.deleted + other.deleted, self.newer + other.newer,
            {**self.stayed, **other.stayed},
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Written:
    """What publishing changed. `stale` rows were left out: the destination holds newer ones.

    `deleted` counts the rows that lived there and do no longer; a tombstone of a row that did not
    live there changes nothing and is in none of these numbers.
    """

    inserted: int = 0
    updated: int = 0
    stale: int = 0
    deleted: int = 0

    def __add__(self, other: Written) -> Written:
        return Written(
            self.inserted + other.inserted,
            self.updated + other.updated,
            self.stale + other.stale,
            self.deleted + other.deleted,
        )


@runtime_checkable
class Listing(Protocol):
    """A destination that can name all rows that live there, for a full-refresh comparison."""

    def living(
        self, conn: Connection, key: str, environ: Mapping[str, str], sync: str = ""
    ) -> pa.Array:
        """The keys of all rows that live at the destination, typed as it holds them.

        Where others write there as well: of those that `sync` wrote.
        """
        ...


@runtime_checkable
class Spelling(Protocol):
    """A destination whose types say which keys are equal, however they are spelled."""

    def spelled(
        self, conn: Connection, key: str, keys: pa.Array, environ: Mapping[str, str]
    ) -> list[Any]:
        """Those living rows' keys, as `living` names them, that it takes for one of `keys`."""
        ...


@runtime_checkable
class Piecewise(Protocol):
    """A destination that can look through all that it holds once, for any number of rows."""

    def existing_in_pieces(
        self, conn: Connection, parcel: Parcel, columns: Sequence[str]
    ) -> Iterator[tuple[Parcel, Existing]]:
        """As `existing`, of so many rows at a time as may be in memory."""
        ...


class _Holding(Protocol):
    def existing(self, conn: Connection, parcel: Parcel, columns: Sequence[str]) -> Existing: ...


def existing_in_parts(
    destination: _Holding, conn: Connection, parcel: Parcel, columns: Sequence[str]
) -> Iterator[tuple[Parcel, Existing]]:
    """A few rows of the parcel at a time, and what the destination holds of them."""
    if isinstance(destination, Piecewise):
        yield from destination.existing_in_pieces(conn, parcel, columns)
        return
    for part in parcel.parts():
        if part.rows.num_rows:
            yield part, destination.existing(conn, part, columns)


@runtime_checkable
class Choosy(Protocol):
    """A destination that can tell, without asking anybody, which rows it could not send."""

    def unsendable(self, rows: Rows, key: str) -> dict[str, str]:
        """Why, for each such row, by its key as text; `rows` live at the source."""
        ...


def no_undo(destination: object, key: str) -> str | None:
    """Why a destination that can revert cannot, as it is declared; None where it can.

    key: the sync's.
    """
    why: Callable[[str], str | None] | None = getattr(destination, "no_undo", None)
    return why(key) if why else None


def can_list(destination: object) -> TypeGuard[Listing]:
    """Whether this destination, as it is declared, can name the rows that live there."""
    return isinstance(destination, Listing) and getattr(destination, "lists", True) is not None
