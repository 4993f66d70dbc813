"""The held rows that belong to each piece of a parcel, brought there in one pass over the files."""

from __future__ import annotations

import tempfile
import weakref
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import IO, TYPE_CHECKING, Any

from wfops_pipelines.core.disk import shut, writing
from wfops_pipelines.core.snapshot import DELETED
from wfops_pipelines.destinations.held import Held, fits, in_text
from wfops_pipelines.destinations.names import DELETED_AT, SEQ

if TYPE_CHECKING:
    import pyarrow as pa

IN_MEMORY = 8 * 2**20  # bytes of Arrow data


@dataclass(frozen=True, slots=True)
class Beside:
    """What is held of each piece. as_text: columns in which some value does not fit the parcel's
    type, so that they are compared as text, in every piece."""

    slots: _Slots
    schema: pa.Schema
    as_text: frozenset[str]

    @classmethod
    def of(
        cls, held: Held, places: Any, types: Mapping[str, pa.DataType], size: int, state: str | None
    ) -> Beside:
        """Bring the rows at `places` (of each row of the parcel; -1: none) to pieces of `size`.

        types: of the parcel's columns, those that are asked for. state: the folder for a file of
        what does not fit into memory, which is gone with the process.
        """
        kinds = {n: held.schema.field(n).type for n in types if n in held.schema.names}
        slots = _Slots(state)
        as_text: set[str] = set()
        for rows, pieces in _wanted(held, places, [*kinds], size):
            as_text |= {
                n for n in set(kinds) - as_text
                if kinds[n] != types[n] and not fits(rows[n], types[n])
            }  # fmt: skip
            slots.sort(_marked(rows), pieces)
        return cls(slots, _schema(kinds or types), frozenset(as_text))

    def piece(self, number: int) -> pa.Table:
        """The rows that are held of one piece, as `comparing.meet` wants them."""
        import pyarrow as pa

        found = pa.concat_tables([self.schema.empty_table(), *self.slots.read(number)])
        for i, name in enumerate(found.column_names):
            if name in self.as_text and pa.types.is_large_binary(found[name].type):
                found = found.set_column(i, name, in_text(found[name]))
        return found


def _schema(kinds: Mapping[str, pa.DataType]) -> pa.Schema:
    import pyarrow as pa

    return pa.schema([*kinds.items(), (SEQ, pa.int64()), (DELETED_AT, pa.timestamp("us", "UTC"))])


def _wanted(held: Held, places: Any, columns: list[str], size: int) -> Any:
    """(rows, the piece of each) in the files' own order; what has no such row is not read."""
    import numpy as np

    order = np.argsort(places, kind="stable")
    order = order[np.searchsorted(places[order], 0) :]
    places, at = places[order], 0

    def within(rows: int) -> slice:
        return slice(*np.searchsorted(places, [at, at + rows]).tolist())

    for file in held.files:
        if file.rows is not None and not places[within(file.rows)].size:
            at += file.rows
            continue
        for part in held.parts(file, [*columns, SEQ, DELETED]):
            mine = within(part.num_rows)
            if places[mine].size:
                yield part.take(places[mine] - at), order[mine] // size
            at += part.num_rows


def _marked(rows: pa.Table) -> pa.Table:
    """With DELETED_AT in the place of DELETED; null where the row lives."""
    import pyarrow as pa
    import pyarrow.compute as pc

    gone = pc.if_else(pc.fill_null(rows[DELETED], False), pa.scalar(0, pa.int64()), None)
    gone = gone.cast(pa.timestamp("us", "UTC"))
    return rows.drop_columns([DELETED]).append_column(DELETED_AT, gone)


class _Slots:
    """Tables that are put aside by number: in memory while small, else in a file without a name."""

    def __init__(self, folder: str | None) -> None:
        self._folder, self._bytes = folder, 0
        self._tables: dict[int, list[pa.Table]] = defaultdict(list)
        self._places: dict[int, list[int]] = defaultdict(list)
        self._file: IO[bytes] | None = None

    def sort(self, rows: pa.Table, slots: Any) -> None:
        """Put each row into its slot."""
        import numpy as np

        order = np.argsort(slots, kind="stable")
        rows, slots = rows.take(order), slots[order]
        cuts = [0, *(np.flatnonzero(np.diff(slots)) + 1).tolist(), len(slots)]
        for start, end in pairwise(cuts):
            self._add(int(slots[start]), rows.slice(start, end - start))

    def read(self, slot: int) -> list[pa.Table]:
        return [*self._tables[slot], *(self._at(place) for place in self._places[slot])]

    def _add(self, slot: int, rows: pa.Table) -> None:
        self._bytes += rows.nbytes
        if self._bytes <= IN_MEMORY:
            self._tables[slot].append(rows)
        else:
            with writing(self._folder):
                self._write(slot, rows)

    def _write(self, slot: int, rows: pa.Table) -> None:
        import pyarrow as pa

        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - read again later
            weakref.finalize(self, shut, self._file)
        self._places[slot].append(self._file.seek(0, 2))
        with pa.ipc.new_stream(self._file, rows.schema) as writer:
            writer.write_table(rows)
        self._file.flush()

    def _at(self, place: int) -> pa.Table:
        import pyarrow as pa

        assert self._file is not None
        self._file.seek(place)
        with pa.ipc.open_stream(self._file) as reader:
            return reader.read_all()
