"""The files of one table, in a folder or an object store: written whole or not, read in parts."""

from __future__ import annotations

import os
import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from wfops_pipelines.core.disk import FORGOTTEN, claim, sweep
from wfops_pipelines.core.parts import AT_ONCE, Rows, batches, regrouped, widened
from wfops_pipelines.core.snapshot import DELETED
from wfops_pipelines.destinations.names import SEQ
from wfops_pipelines.errors import DestinationRefused

if TYPE_CHECKING:
    import pyarrow as pa

_NAME = re.compile(r"(\d{19})-[0-9a-f]{16}\.(parquet|csv)$")
_BUCKETS = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oss", "oci", "tos", "obs", "b2"}
_BLOCK = 2**20  # bytes
_CELL = 16 * 2**20  # bytes of the longest row of a CSV file


class NoBucket(Exception):
    """There is no bucket of this name."""


@dataclass(frozen=True, slots=True)
class File:
    """A file that is complete. schema: the columns that it has, of those that were asked for.

    rows: how many it holds; None where only reading it could tell.
    """

    name: str
    schema: pa.Schema
    rows: int | None


@dataclass(frozen=True, slots=True)
class Folder:
    """The files of one table. at_once: how many rows of them are in memory."""

    system: Any
    root: str
    format: str
    at_once: int = AT_ONCE

    def names(self) -> list[str]:
        """The files that are complete, the oldest snapshot first."""
        self.system.invalidate_cache()
        if not self.system.exists(self.root):
            self._refuse_typo()
            return []
        found = (str(p).rpartition("/")[2] for p in self.system.ls(self.root, detail=False))
        return sorted(n for n in found if _NAME.match(n))

    def add(self, name: str, write: Callable[[IO[bytes]], None], words: str) -> None:
        """Write a file under another name and move it; never over one with other rows."""
        path, part = f"{self.root}/{name}", f"{self.root}/.{uuid.uuid4().hex}.part"
        if not self._bucket:  # which would be made along with them
            self.system.makedirs(self.root, exist_ok=True)
        if self._local:
            sweep(Path(self.root), time.time() - FORGOTTEN)
        try:
            with self.system.open(part, "wb") as file:
                if self._local:
                    claim(file)
                write(file)
                file.flush()
                if self._local and hasattr(file, "fileno"):
                    os.fsync(file.fileno())
            if not self.system.exists(path):
                self.system.mv(part, path)
                self._settle()
            elif not self._same(path, part):
                raise DestinationRefused(
                    f"{words}: {name} is there with other rows; files are never overwritten. Look "
                    "at who wrote it, move it away, then retry."
                )
        finally:
            self._remove(part)

    def remove(self, name: str) -> None:
        self._remove(f"{self.root}/{name}")

    def file(self, name: str, columns: Sequence[str], types: Mapping[str, Any]) -> File:
        """What a file has of these columns; `types` are those that CSV is read with."""
        import pyarrow as pa

        with self.system.open(f"{self.root}/{name}", "rb") as opened:
            if self.format == "parquet":
                found = _parquet(opened)
                named = [f for f in found.schema_arrow if f.name in columns]
                return File(name, pa.schema(named), found.metadata.num_rows)
        return File(name, self._csv_schema(name, columns, types), None)

    def read(self, file: File, columns: Sequence[str]) -> Iterator[pa.Table]:
        """The rows of a file in parts, with those of the columns that it has, as they come."""
        import pyarrow as pa

        names = [c for c in columns if c in file.schema.names]
        with self.system.open(f"{self.root}/{file.name}", "rb") as opened:
            if self.format == "csv":
                for batch in _csv(opened, {n: file.schema.field(n).type for n in names}):
                    yield pa.Table.from_batches([batch]).select(names)
                return
            found = _parquet(opened)
            rows = widened(self.at_once, len(found.schema_arrow), len(names))
            for batch in batches(found, rows, names):
                yield pa.Table.from_batches([batch]).select(names)

    def _csv_schema(self, name: str, columns: Sequence[str], types: Mapping[str, Any]) -> pa.Schema:
        """CSV has no types: those that were asked for, or text where one does not fit."""
        import pyarrow as pa

        with self.system.open(f"{self.root}/{name}", "rb") as opened:
            there = [n for n in _header(opened) if n in columns]
        own = {SEQ: pa.int64(), DELETED: pa.bool_()}
        asked = {n: own.get(n) or types[n] for n in there}
        text = {n: own.get(n) or pa.string() for n in there}
        if asked == text:
            return pa.schema([*text.items()])
        try:
            with self.system.open(f"{self.root}/{name}", "rb") as opened:
                for _ in _csv(opened, asked):
                    pass
        except pa.ArrowInvalid:  # of another type by now: compared as text
            asked = text
        return pa.schema([*asked.items()])

    def _same(self, path: str, part: str) -> bool:
        """Whether two files hold the same rows, though another version of a library wrote one."""
        with self.system.open(path, "rb") as one, self.system.open(part, "rb") as two:
            if all(a == b for a, b in zip_longest(_blocks(one), _blocks(two))):
                return True
        if self.format == "csv":
            return False
        with self.system.open(path, "rb") as one, self.system.open(part, "rb") as two:
            a, b = _bits(_parquet(one), self.at_once), _bits(_parquet(two), self.at_once)
            if a.schema != b.schema or a.num_rows != b.num_rows:
                return False
            pairs = zip(regrouped(a, self.at_once), regrouped(b, self.at_once), strict=True)
            return all(x.equals(y) for x, y in pairs)

    def _refuse_typo(self) -> None:
        """A folder comes with its first file; a bucket that is not there is one misspelt."""
        if self._bucket and not self.system.exists(self._bucket):
            raise NoBucket(self._bucket)

    @property
    def _bucket(self) -> str:
        """The bucket of an object store; empty elsewhere."""
        return self.root.partition("/")[0] if self._protocols & _BUCKETS else ""

    @property
    def _local(self) -> bool:
        return "file" in self._protocols

    @property
    def _protocols(self) -> set[str]:
        found = self.system.protocol
        return {found} if isinstance(found, str) else {*found}

    def _settle(self) -> None:
        """Bring the new name to the disk."""
        if not self._local:
            return
        handle = os.open(self.root, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def _remove(self, path: str) -> None:
        if self.system.exists(path):
            self.system.rm_file(path)


def refuse_long(rows: pa.Table) -> None:
    """Raises DestinationRefused for a row that nobody could read out of a CSV file again."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if rows.nbytes <= _CELL // 4:  # no row is as long, whatever its quotes and numbers
        return
    size: Any = pa.repeat(pa.scalar(32 * rows.num_columns, pa.int64()), rows.num_rows)
    for column in rows.columns:
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            quotes = pc.add(pc.binary_length(column), pc.count_substring(column, '"'))
            size = pc.add(size, pc.fill_null(quotes, 0).cast(pa.int64()))
    if rows.num_rows and pc.max(size).as_py() > _CELL:
        raise DestinationRefused(
            f"a row of {pc.max(size).as_py():,} bytes is too long for CSV, whose rows are read in "
            f'blocks of {_CELL:,}. Write the table with format="parquet", or leave the column out.'
        )


def _blocks(opened: IO[bytes]) -> Iterator[bytes]:
    while block := opened.read(_BLOCK):
        yield block


def _parquet(opened: IO[bytes]) -> Any:
    from pyarrow import parquet

    return parquet.ParquetFile(opened, buffer_size=_BLOCK, pre_buffer=False)


def _bits(file: Any, at_once: int) -> Rows:
    """The rows of a Parquet file, with the bits of doubles for them: NaN is unlike itself."""
    import pyarrow as pa

    doubles = [i for i, f in enumerate(file.schema_arrow) if f.type == pa.float64()]

    def read(columns: Sequence[str] | None) -> Iterator[pa.Table]:
        for batch in batches(file, at_once, columns):
            table = pa.Table.from_batches([batch])
            for i in doubles:
                seen = [c.view(pa.int64()) for c in table[i].chunks]
                table = table.set_column(i, table.field(i).name, pa.chunked_array(seen, pa.int64()))
            yield table

    return Rows(file.schema_arrow.remove_metadata(), file.metadata.num_rows, read)


def _header(opened: IO[bytes]) -> list[str]:
    names: list[str] = _reader(opened, None).schema.names
    return names


def _csv(opened: IO[bytes], types: Mapping[str, Any]) -> Iterator[pa.RecordBatch]:
    yield from _reader(opened, types)


def _reader(opened: IO[bytes], types: Mapping[str, Any] | None) -> Any:
    """Reads CSV in batches; only columns with types, or all of them, to see which there are."""
    from pyarrow import csv

    convert = csv.ConvertOptions(
        column_types=types, include_columns=None if types is None else list(types),
        null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False,
    )  # fmt: skip
    parse = csv.ParseOptions(newlines_in_values=True)
    return csv.open_csv(opened, csv.ReadOptions(block_size=_CELL), parse, convert)
