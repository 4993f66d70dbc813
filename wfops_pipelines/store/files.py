"""Snapshot files: Parquet, immutable, named by their SHA-256."""

from __future__ import annotations

import hashlib
import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from wfops_pipelines.errors import SnapshotDamaged

if TYPE_CHECKING:
    import pyarrow as pa


def write(folder: Path, table: pa.Table) -> str:
    """Write `table` under `folder`, durably, and return its digest.

    Written to a temporary name, fsynced, then renamed to the digest: a crash leaves either the
    whole file or none. Writing the same content again changes nothing.
    """
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{uuid.uuid4().hex}.tmp"
    try:
        pq.write_table(table, temporary, compression="zstd")
        with temporary.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
        temporary.chmod(0o440)
        temporary.rename(folder / f"{digest}.parquet")
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(folder)
    return digest


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


def read(folder: Path, digest: str) -> pa.Table:
    """The table named by `digest`. Raises SnapshotDamaged unless every byte is as it was staged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / f"{digest}.parquet"
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SnapshotDamaged(
            f"{path}: the snapshot cannot be read ({error.strerror}). Restore it from a backup, "
            "or reject the review request and extract again."
        ) from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise SnapshotDamaged(
            f"{path}: the file is not what was staged (its SHA-256 differs). Restore it from a "
            "backup, or reject the review request and extract again."
        )
    return pq.read_table(pa.BufferReader(data))


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
