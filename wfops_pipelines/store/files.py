"""Snapshot files: Parquet, immutable, named by their SHA-256."""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from io import BufferedReader
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from wfops_pipelines.core.disk import FORGOTTEN, sweep, writing
from wfops_pipelines.core.parts import Rows, batches, regrouped, widened
from wfops_pipelines.errors import SnapshotDamaged
from wfops_pipelines.store.sealing import Sealing, sealing

if TYPE_CHECKING:
    import pyarrow as pa

SAMPLE = 16_384  # rows that say how a column is best encoded


def write(
    folder: Path, rows: Rows, at_once: int, notes: Mapping[bytes, bytes] = MappingProxyType({})
) -> str:
    """Write the rows under `folder`, durably, `at_once` in a row group, and return the digest.

    `notes` are kept in the file as metadata of its schema.
    Written to a temporary name, fsynced, then renamed to the digest: a crash leaves either the
    whole file or none. Writing the same content again changes nothing.
    """
    with writing(folder):
        temporary = _unfinished(folder) / f".{uuid.uuid4().hex}.tmp"
    try:
        with writing(folder):
            digest = _write_sealed(temporary, folder, _with(rows, notes), at_once)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(folder)
    return digest


def _with(rows: Rows, notes: Mapping[bytes, bytes]) -> Rows:
    if not notes:
        return rows
    known = rows.schema.metadata or {}
    return replace(rows, schema=rows.schema.with_metadata({**known, **notes}))


def _unfinished(folder: Path) -> Path:
    """Where files are written, without what writers that died left there.

    A folder of its own: looking through all snapshots for leftovers would take longer with each.
    """
    place, before = folder / ".unfinished", time.time() - FORGOTTEN
    if not place.is_dir():
        sweep(folder, before)  # what versions without this folder left
        place.mkdir(parents=True, exist_ok=True)
    sweep(place, before)
    return place


def _write_sealed(temporary: Path, folder: Path, rows: Rows, at_once: int) -> str:
    """It has its name before it is closed: until then no other run sweeps it away."""
    with sealing(temporary) as file:
        _write_groups(file, rows, at_once)
        digest = file.seal()
        temporary.chmod(0o440)
        temporary.rename(folder / f"{digest}.parquet")
    return digest


def _write_groups(file: Sealing, rows: Rows, at_once: int) -> None:
    import pyarrow.parquet as pq

    groups = regrouped(rows, at_once)
    group = next(groups, None)
    repeating = _repeating(group) if group is not None else True
    with pq.ParquetWriter(
        file, rows.schema, compression="zstd", use_dictionary=repeating
    ) as writer:
        while group is not None:
            writer.write_table(group, row_group_size=at_once)
            group = next(groups, None)


def _repeating(group: pa.Table) -> list[str]:
    """The columns in which values come again, which a dictionary makes smaller.

    For the others, one in each row group takes half as much time again, and more room.
    """
    some = group.slice(0, SAMPLE)
    return [n for n in some.column_names if _distinct(some[n]) * 2 <= some.num_rows]


def _distinct(column: pa.ChunkedArray) -> int:
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        return int(pc.count_distinct(column).as_py())
    except pa.ArrowNotImplementedError:
        return len(column)


def write_text(folder: Path, name: str, text: str) -> None:
    """Write a text file under `folder`: the whole of it, or none. Replaces what was there."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{uuid.uuid4().hex}.tmp"
    try:
        temporary.write_text(text, "utf-8", errors="replace")
        temporary.chmod(0o640)
        temporary.rename(folder / name)
    finally:
        temporary.unlink(missing_ok=True)


def read(folder: Path, digest: str, at_once: int) -> Rows:
    """The rows named by `digest`, of which `at_once` are in memory at a time.

    Of a few columns, more: as many as take as much room (see `widened`).
    Raises SnapshotDamaged unless every byte is as it was staged; so does reading on when the file
    is changed meanwhile, or replaced by another.
    """
    import pyarrow.parquet as pq

    path, seen = folder / f"{digest}.parquet", check(folder, digest)
    with pq.ParquetFile(path) as file:
        schema, count = file.schema_arrow, file.metadata.num_rows

    def parts(columns: Sequence[str] | None) -> Iterator[pa.Table]:
        wanted = len(schema if columns is None else columns)
        yield from _parts(path, seen, columns, widened(at_once, len(schema), wanted))

    rows = Rows(schema, count, parts)
    return rows if count > at_once else Rows.of(rows.whole())


def check(folder: Path, digest: str) -> _Mark:
    """Look at every byte of the file. Raises SnapshotDamaged unless they are what was staged."""
    path = folder / f"{digest}.parquet"
    try:
        with path.open("rb") as file:
            seen, same = _mark(file), _is(file, digest)
    except OSError as error:
        raise SnapshotDamaged(
            f"{path}: the snapshot cannot be read ({error.strerror}). Restore it from a backup, "
            "or reject the review request and extract again."
        ) from error
    if not same:
        raise _damaged(path, "its SHA-256 differs")
    return seen


def _parts(
    path: Path, seen: _Mark, columns: Sequence[str] | None, at_once: int
) -> Iterator[pa.Table]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with path.open("rb") as handle:
            seen = _still(handle, path, seen)
            file = pq.ParquetFile(handle, buffer_size=2**20, pre_buffer=False)
            names = None if columns is None else list(columns)
            for batch in batches(file, at_once, names):
                if _mark(handle) != seen:
                    raise _damaged(path, "it changed while it was read")
                table = pa.Table.from_batches([batch])
                yield table if names is None else table.select(names)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(
            path, f"it cannot be read on: {' '.join(str(error).split())[:200]}"
        ) from error


def _still(file: BufferedReader, path: Path, seen: _Mark) -> _Mark:
    """The mark of what is open now. Another run that stages the same rows replaces the file."""
    found = _mark(file)
    if found != seen and not _is(file, path.stem):
        raise _damaged(path, "it was replaced while it was read")
    return found


def _is(file: BufferedReader, digest: str) -> bool:
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest() == digest


_Mark: TypeAlias = tuple[int, int, int]


def _mark(file: BufferedReader) -> _Mark:
    """What changes with a file's content or with the file itself."""
    found = os.fstat(file.fileno())
    return found.st_ino, found.st_size, found.st_mtime_ns


def _damaged(path: Path, how: str) -> SnapshotDamaged:
    return SnapshotDamaged(
        f"{path}: the file is not what was staged ({how}). Restore it from a backup, or reject "
        "the review request and extract again."
    )


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
