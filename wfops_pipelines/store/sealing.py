"""A file that is hashed, and brought to the disk, while it is still being written."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from wfops_pipelines.core.disk import claim

PIECE = 2**20  # bytes that go to the other thread at once
AHEAD = 8  # pieces that may wait there
SYNC = 2**23  # bytes after which the disk is asked for, so that little is left for the end


class Sealing:
    """Where a writer of Parquet writes to; another thread hashes and writes the same bytes.

    An error of the disk is raised by a later `write`, or by `seal`.
    """

    closed = False

    def __init__(self, file: IO[bytes], behind: ThreadPoolExecutor) -> None:
        self._file, self._behind = file, behind
        self._digest = hashlib.sha256()
        self._some = bytearray()
        self._unsynced = 0
        self._waiting: deque[Future[None]] = deque()

    def write(self, data: bytes) -> int:
        self._some += data
        if len(self._some) >= PIECE:
            self._hand_over()
        return len(data)

    def seal(self) -> str:
        """Wait until all of it is on the disk; the SHA-256 of what was written."""
        self._hand_over()
        self._await(0)
        os.fsync(self._file.fileno())
        return self._digest.hexdigest()

    def _hand_over(self) -> None:
        self._await(AHEAD - 1)
        self._waiting.append(self._behind.submit(self._take, self._some))
        self._some = bytearray()

    def _await(self, most: int) -> None:
        """Until at most so many pieces wait; one that failed stays, and fails whatever follows."""
        while len(self._waiting) > most or (self._waiting and self._waiting[0].done()):
            self._waiting[0].result()
            self._waiting.popleft()

    def _take(self, piece: bytearray) -> None:
        self._digest.update(piece)
        self._file.write(piece)
        self._file.flush()
        self._unsynced += len(piece)
        if self._unsynced >= SYNC:
            os.fdatasync(self._file.fileno())
            self._unsynced = 0


@contextmanager
def sealing(path: Path) -> Iterator[Sealing]:
    """A new file to write to, and to `seal` at the end; it is closed with the block."""
    with path.open("xb") as file, ThreadPoolExecutor(1, "snapshot") as behind:
        claim(file)
        yield Sealing(file, behind)
