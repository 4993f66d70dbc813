"""The signals that ask this process to stop, as something that can be waited for."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Iterable
from types import FrameType, TracebackType
from typing import Any, Protocol

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Waitable(Protocol):
    """What has a descriptor that becomes readable at its end."""

    def fileno(self) -> int: ...


class Interrupts:
    """While entered, SIGINT, SIGTERM and SIGHUP are counted instead of breaking in anywhere.

    Only the main thread may enter it. `wake()` may be called from any thread.
    """

    def __init__(self) -> None:
        self.count = 0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interrupts:
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._wakeup_before = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for number in STOPPING:
            self._before[number] = signal.signal(number, self._count)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup_before)
        read, write, self._read, self._write = self._read, self._write, -1, -1
        os.close(read)
        os.close(write)

    def wake(self) -> None:
        """End the present wait(), or the next one."""
        with contextlib.suppress(OSError):
            os.write(self._write, b"\0")

    def wait(self, things: Iterable[Waitable], timeout: float | None) -> None:
        """Wait for the end of any of them, for a signal, for wake(), or for the time-out."""
        poll = select.poll()
        for fd in (self._read, *(thing.fileno() for thing in things)):
            poll.register(fd, select.POLLIN)
        poll.poll(None if timeout is None else max(0, int(timeout * 1000) + 1))
        with contextlib.suppress(BlockingIOError):
            os.read(self._read, 4096)

    def _count(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1
