"""A lock file that is held by a living process, and by nobody once that process is gone."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType

from wfops_pipelines.dev.errors import AlreadyRunning


class StateLock:
    """At most one `wfops dev` or embedded database for a state folder: `with StateLock(file):`.

    The kernel lets go of the lock when its holder dies, however it dies.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._fd: int | None = None

    def take(self) -> None:
        """Take the lock; raises AlreadyRunning, naming the holder, when another has it."""
        fd = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(fd, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(fd)
            raise AlreadyRunning(
                f"{self._file.parent} is already served by process {holder}. "
                "Stop that one first (Ctrl-C in its terminal), or use another state folder "
                "(WFOPS_STATE)."
            ) from None
        os.ftruncate(fd, 0)
        os.pwrite(fd, b"%d\n" % os.getpid(), 0)
        self._fd = fd

    def release(self) -> None:
        """Let go of the lock; harmless when it is not held."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> StateLock:
        self.take()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()
