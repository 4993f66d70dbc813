"""A parcel's rows beside what the files of a folder hold of them, so many at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from wfops_pipelines.core.parts import Rows, regrouped
from wfops_pipelines.core.snapshot import DELETED, Diff
from wfops_pipelines.destinations.beside import Beside
from wfops_pipelines.destinations.comparing import Met, meet
from wfops_pipelines.destinations.folder import Folder
from wfops_pipelines.destinations.held import Held, Newest, in_text
from wfops_pipelines.destinations.parcel import Existing, Parcel

if TYPE_CHECKING:
    import pyarrow as pa


def shown(parcel: Parcel, format_: str) -> Rows:
    """The rows as a file has them: CSV has no binary, so that is hexadecimal text there."""
    from wfops_pipelines.postgres.copying import for_copy, settled

    change, rows = settled if format_ == "parquet" else for_copy, parcel.content

    def read(columns: Sequence[str] | None) -> Iterator[pa.Table]:
        yield from (change(part) for part in rows.parts(columns))

    return Rows(change(rows.schema.empty_table()).schema, rows.num_rows, read)


@dataclass(frozen=True, slots=True)
class Meeting:
    """A parcel, the files beside it, and where they hold the newest row of each of its keys."""

    parcel: Parcel
    format: str
    held: Held
    newest: Newest

    @classmethod
    def of(cls, parcel: Parcel, folder: Folder, but: str | None = None) -> Meeting:
        import pyarrow as pa

        rows, key = shown(parcel, folder.format), parcel.key
        held = Held.of(folder, rows.select(parcel.columns).schema, key, but)
        mine = [pa.array([], rows.schema.field(key).type)]
        mine += [c for part in rows.parts([key]) for c in part[key].chunks]
        return cls(parcel, folder.format, held, Newest.of(held, key, pa.concat_arrays(mine)))

    def all(self) -> Met:
        """All rows at once, but none of their values: for what only counts rows."""
        import numpy as np
        import pyarrow as pa

        new, there = self.newest, self.newest.places >= 0
        late, gone = there & (new.seqs >= self.parcel.seq), np.asarray(self.parcel.tombstones())
        none = pa.table({})
        return Met(none, self.parcel.key, none, there, there & ~new.gone, late, gone)

    def diff(self, critical: Sequence[str]) -> Diff:
        """What publishing the parcel would change."""
        total, beside = Diff(), self._beside(self.parcel.columns)
        for piece, met in self._pieces(beside):
            total += _as_it_is(met.diff(critical), piece, beside.as_text)
        return total

    def existing(self, columns: Sequence[str]) -> Iterator[tuple[Parcel, Existing]]:
        """The parcel in pieces, and what lives there of each: by key, the columns asked for."""
        for piece, met in self._pieces(self._beside([c for c in columns if c != DELETED])):
            picked = [c for c in met.old.column_names if c in columns or c == self.parcel.key]
            rows = zip(piece.keys(), met.old.select(picked).to_pylist(), met.lives, strict=True)
            yield piece, Existing({key: row for key, row, lives in rows if lives})

    def _pieces(self, beside: Beside) -> Iterator[tuple[Parcel, Met]]:
        for n, rows in enumerate(regrouped(self.parcel.content, self.parcel.at_once)):
            piece = replace(self.parcel, rows=rows)
            mine = shown(piece, self.format).whole()
            for i, name in enumerate(mine.column_names):
                if name in beside.as_text:
                    mine = mine.set_column(i, name, in_text(mine[name]))
            yield piece, meet(replace(piece, rows=mine), beside.piece(n))

    def _beside(self, columns: Sequence[str]) -> Beside:
        types = {f.name: f.type for f in shown(self.parcel, self.format).schema}
        wanted = {n: types[n] for n in [self.parcel.key, *columns] if n in types}
        size, state = self.parcel.at_once, self.parcel.environ.get("WFOPS_STATE")
        return Beside.of(self.held, self.newest.places, wanted, size, state)


def _as_it_is(diff: Diff, piece: Parcel, as_text_: frozenset[str]) -> Diff:
    """The changes with the parcel's own values, where those were compared as text."""
    if not as_text_ or not any(column in as_text_ for _, column, _, _ in diff.changes):
        return diff
    at = {k: i for i, k in enumerate(piece.keys())}
    rows = piece.table

    def own(change: tuple[str, str, str | None, str | None]) -> Any:
        name, column, old, new = change
        value = rows[column][at[name]].as_py() if column in as_text_ else new
        return name, column, old, None if value is None else str(value)

    return replace(diff, changes=tuple(own(c) for c in diff.changes))
