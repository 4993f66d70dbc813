"""Runs one command, and ends its whole process tree when told to or when the parent is gone.

Run as a script of its own (`python -I -S warden.py <json>`), standard library only, so that it
starts in milliseconds. It adopts the orphans of its tree (a "child subreaper"), so nothing that
the command starts outlives it, whatever sessions or groups it puts itself into. SIGTERM asks it
to end the tree, SIGQUIT to kill it at once. It exits with the command's exit code, or 128 + the
signal that ended it, after the last process of the tree.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
STRAGGLERS_GRACE = 3.0
CANNOT_RUN = 127


def prctl(option: int, value: int) -> None:
    """Set an attribute of this process; raises OSError where the kernel refuses."""
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl refused")


def descendants(root: int) -> list[int]:
    """Every living process below `root`, read from /proc."""
    below: dict[int, list[int]] = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{entry}/stat", "rb") as stat:
            state, parent = stat.read().rpartition(b")")[2].split()[:2]
            if state != b"Z":
                below.setdefault(int(parent), []).append(int(entry))
    found = list(below.get(root, []))
    for pid in found:
        found.extend(below.get(pid, []))
    return found


@dataclass(frozen=True)
class Order:
    """What to run and how to end it."""

    argv: list[str]
    parent: int
    report_fd: int
    stop_signal: int
    grace: float
    uid: int | None
    gid: int | None


class Warden:
    """Watches the tree of one command."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._must_stop = False
        self._in_haste = False
        self._status: int | None = None
        self._wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._request)
        signal.signal(signal.SIGQUIT, self._request_haste)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._poll = select.poll()
        self._poll.register(self._wake_read, select.POLLIN)
        prctl(PR_SET_CHILD_SUBREAPER, 1)

    def _request(self, *_: object) -> None:
        self._must_stop = True

    def _request_haste(self, *_: object) -> None:
        self._must_stop = True
        self._in_haste = True

    def run(self) -> int:
        """Start the command, wait for its end or for the order to stop, leave nothing behind."""
        parent_fd = self._parent_fd()
        if parent_fd is None:
            return CANNOT_RUN
        self._poll.register(parent_fd, select.POLLIN)
        self._pid = self._start()
        while self._status is None and not self._must_stop:
            if any(fd == parent_fd for fd in self._wait(None)):
                self._must_stop = True
        self._poll.unregister(parent_fd)
        self._end()
        return self._exit_code()

    def _parent_fd(self) -> int | None:
        try:
            parent_fd = os.pidfd_open(self._order.parent)
        except ProcessLookupError:
            return None
        return parent_fd if os.getppid() == self._order.parent else None

    def _start(self) -> int:
        order, me = self._order, os.getpid()
        identity: dict[str, Any] = {}
        if order.uid is not None:
            identity = {"user": order.uid, "group": order.gid, "extra_groups": []}

        def die_with_the_warden() -> None:
            prctl(PR_SET_PDEATHSIG, order.stop_signal)
            if os.getppid() != me:
                os._exit(CANNOT_RUN)

        child = subprocess.Popen(order.argv, preexec_fn=die_with_the_warden, **identity)
        child.returncode = 0  # reaped below: subprocess must not wait for it as well
        os.write(order.report_fd, b"%d" % child.pid)
        os.close(order.report_fd)
        return child.pid

    def _wait(self, timeout: float | None) -> list[int]:
        wait_ms = None if timeout is None else max(0, int(timeout * 1000) + 1)
        ready = [fd for fd, _ in self._poll.poll(wait_ms)]
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_read, 4096)
        self._reap()
        return ready

    def _reap(self) -> bool:
        """Collect the dead; False when no child is left at all."""
        try:
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return True
                if pid == self._pid:
                    self._status = status
        except ChildProcessError:
            return False

    def _end(self) -> None:
        if self._status is None:
            self._kill([self._pid], self._order.stop_signal)
            self._wait_until(lambda: self._status is not None, self._order.grace)
        if self._status is None:
            self._kill([self._pid], signal.SIGKILL)
            self._wait_until(lambda: self._status is not None, STRAGGLERS_GRACE)
        if self._reap():
            self._kill(descendants(os.getpid()), signal.SIGTERM)
            self._wait_until(lambda: not self._reap(), STRAGGLERS_GRACE)
        while self._reap():
            self._kill(descendants(os.getpid()), signal.SIGKILL)
            self._wait(0.1)

    def _wait_until(self, done: Callable[[], bool], grace: float) -> None:
        """Wait for `done`, until the grace is over or haste is asked for."""
        deadline = time.monotonic() + grace
        while not done() and not self._in_haste:
            left = deadline - time.monotonic()
            if left <= 0:
                return
            self._wait(left)

    @staticmethod
    def _kill(pids: list[int], number: int) -> None:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _exit_code(self) -> int:
        code = os.waitstatus_to_exitcode(self._status or 0)
        return code if code >= 0 else 128 - code


def main() -> int:
    """Obey the order in the first argument."""
    order = Order(**json.loads(sys.argv[1]))
    try:
        return Warden(order).run()
    except OSError as problem:
        print(f"cannot run {order.argv[0]}: {problem}", file=sys.stderr)
        return CANNOT_RUN


if __name__ == "__main__":
    # A normal exit gives signals their default action back first: one could change the exit code.
    exit_code = main()
    sys.stderr.flush()
    os._exit(exit_code)
