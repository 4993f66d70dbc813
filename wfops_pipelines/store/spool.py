"""Tables that are put aside until they are read again: in memory while few, else in a file.

The file has no name and is gone with the process. It lies beside the snapshots, because /tmp is
memory on many machines.
"""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

from wfops_pipelines.core.disk import shut, writing

if TYPE_CHECKING:
    import pyarrow as pa

IN_MEMORY = 8 * 2**20  # bytes of Arrow data


class Spool:
    """Tables in the order in which they came, whatever columns each has."""

    def __init__(self, folder: Path, in_memory: int = IN_MEMORY) -> None:
        self._folder, self._limit = folder, in_memory
        self._tables: list[pa.Table] = []
        self._bytes = 0
        self._file: IO[bytes] | None = None
        self._places: list[int] = []

    def add(self, table: pa.Table) -> None:
        if self._file is None and self._bytes + table.nbytes <= self._limit:
            self._tables.append(table)
            self._bytes += table.nbytes
            return
        with writing(self._folder):
            while self._tables:
                self._write(self._tables.pop(0))
            self._write(table)

    def __iter__(self) -> Iterator[pa.Table]:
        yield from self.read(None)

    def read(self, columns: Sequence[str] | None) -> Iterator[pa.Table]:
        """The tables again, each with those of the columns that it has (None: all)."""
        for table in self._tables:
            yield table if columns is None else _narrow(table, columns)
        for place in self._places:
            yield self._at(place, columns)

    def _write(self, table: pa.Table) -> None:
        import pyarrow as pa

        if self._file is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - read again later
            weakref.finalize(self, shut, self._file)
        self._places.append(self._file.seek(0, 2))
        with pa.ipc.new_stream(self._file, table.schema) as writer:
            writer.write_table(table)
        self._file.flush()

    def _at(self, place: int, columns: Sequence[str] | None) -> pa.Table:
        import pyarrow as pa

        assert self._file is not None
        self._file.seek(place)
        with pa.ipc.open_stream(self._file) as reader:
            table = reader.read_all()
        return table if columns is None else _narrow(table, columns)


def _narrow(table: pa.Table, columns: Sequence[str]) -> pa.Table:
    return table.select([c for c in columns if c in table.column_names])
