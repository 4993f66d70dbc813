"""Starts a list of services in order, keeps them running, and stops them in reverse order.

Each service runs under a warden (see warden.py), so that nothing of the tree is left behind,
not even by a `kill -9` of this process.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from wfops_pipelines.dev.errors import ServiceFailed
from wfops_pipelines.dev.interrupts import Interrupts
from wfops_pipelines.dev.ports import free_port, require_port
from wfops_pipelines.dev.process import Guarded
from wfops_pipelines.dev.service import Service

__all__ = ["Service", "ServiceFailed", "free_port", "require_port", "supervise"]

Say = Callable[[str], None]

_READY_TICK = 0.1
_FIRST_BACKOFF = 0.25
_LONGEST_BACKOFF = 10.0
_HEALTHY_AFTER = 60.0


def supervise(
    services: Sequence[Service],
    logs: Path,
    *,
    say: Say = print,
    task: Callable[[], None] | None = None,
    keep_serving: bool = True,
    max_restarts: int = 5,
) -> None:
    """Run the services until SIGINT, SIGTERM or SIGHUP, then stop them all and return.

    Call it from the main thread. Each service is ready before the next one starts; its output
    goes to `<logs>/<name>.log` (the run before: `.log.1`). `task` runs in a thread once all are
    ready, and is abandoned on a stop; with keep_serving=False its end stops the tree. A service
    that dies is started again, at most max_restarts times in a row.

    Raises ServiceFailed, with the end of its log, when a service does not come up or keeps
    dying, and whatever `task` raises; the tree is stopped first.
    """
    logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    with Interrupts() as interrupts:
        tree = _Tree([_Unit(s, _fresh_log(logs, s.name)) for s in services], interrupts, say)
        tree.max_restarts = max_restarts
        try:
            tree.start()
            tree.watch(task, keep_serving)
        finally:
            tree.stop()


@dataclass
class _Unit:
    """One service and how it is doing."""

    service: Service
    log: Path
    process: Guarded | None = None
    is_ready: bool = False
    came_up: bool = False
    restarts: int = 0
    since: float = 0.0  # of the last start, or of being ready
    due: float | None = None  # when to start it again


class _Tree:
    """The units in their order; one loop sees all that happens to them."""

    max_restarts = 5

    def __init__(self, units: list[_Unit], interrupts: Interrupts, say: Say) -> None:
        self._units = units
        self._interrupts = interrupts
        self._say = say
        self._width = max((len(unit.service.name) for unit in units), default=0)

    def start(self) -> None:
        for unit in self._units:
            if self._interrupts.count:
                return
            self._launch(unit)
            while not (unit.is_ready or self._interrupts.count):
                self._step()

    def watch(self, task: Callable[[], None] | None, keep_serving: bool) -> None:
        if self._interrupts.count:
            return
        done = self._in_thread(task) if task else None
        while not self._interrupts.count:
            if done and done.done():
                done.result()
                if not keep_serving:
                    return
                done = None
            self._step()

    def stop(self) -> None:
        """End all, last one first; a second signal kills what is left at once."""
        heard = 0
        if self._interrupts.count:
            heard = 1
            self._announce("stopping; press Ctrl-C again to kill what is left")
        for unit in reversed(self._units):
            if unit.process is None:
                continue
            unit.process.ask_to_stop()
            while unit.process.poll() is None:
                self._interrupts.wait([unit.process], None)
                if self._interrupts.count > heard:
                    heard = self._interrupts.count
                    self._kill_all()
            unit.process.close()
            unit.process = None
            self._tell(unit, "stopped")

    def _kill_all(self) -> None:
        for unit in self._units:
            if unit.process is not None:
                unit.process.kill()

    def _step(self) -> None:
        living = [unit.process for unit in self._units if unit.process]
        self._interrupts.wait(living, self._next_look())
        for unit in self._units:
            if self._interrupts.count:
                return
            self._look_after(unit)

    def _next_look(self) -> float | None:
        now = time.monotonic()
        looks = [unit.due - now for unit in self._units if unit.due is not None]
        looks += [_READY_TICK for unit in self._units if unit.process and not unit.is_ready]
        return max(0.0, min(looks)) if looks else None

    def _look_after(self, unit: _Unit) -> None:
        now = time.monotonic()
        if unit.due is not None and now >= unit.due:
            self._launch(unit)
        if unit.process is None:
            return
        if unit.process.poll() is not None:
            self._bury(unit, unit.process)
        elif not unit.is_ready:
            self._ask_whether_ready(unit, unit.process)

    def _launch(self, unit: _Unit) -> None:
        unit.due, unit.is_ready = None, False
        unit.service.before()
        unit.since = time.monotonic()
        unit.process = Guarded(unit.service.command(), unit.log)
        if unit.service.ready is None:
            self._ask_whether_ready(unit, unit.process)

    def _ask_whether_ready(self, unit: _Unit, process: Guarded) -> None:
        waited = time.monotonic() - unit.since
        if unit.service.is_ready():
            unit.is_ready = True
            self._tell(unit, f"ready{' again' if unit.came_up else ''} ({waited:.1f} s)")
            unit.came_up, unit.since = True, time.monotonic()
        elif waited > unit.service.patience:
            if not unit.came_up:
                problem = f"is not ready after {unit.service.patience:g} s"
                raise ServiceFailed(unit.service.name, problem, unit.log)
            process.ask_to_stop()
            unit.since = time.monotonic()

    def _bury(self, unit: _Unit, process: Guarded) -> None:
        how = _ending(process.poll() or 0)
        process.close()
        unit.process = None
        if not unit.came_up:
            raise ServiceFailed(unit.service.name, f"{how} before it was ready", unit.log)
        if unit.is_ready and time.monotonic() - unit.since > _HEALTHY_AFTER:
            unit.restarts = 0
        if unit.restarts >= self.max_restarts:
            problem = f"{how}, after {unit.restarts} restarts"
            raise ServiceFailed(unit.service.name, problem, unit.log)
        backoff = min(_FIRST_BACKOFF * 2**unit.restarts, _LONGEST_BACKOFF)
        unit.restarts += 1
        unit.due = time.monotonic() + backoff
        self._tell(unit, f"{how}; restart {unit.restarts} of {self.max_restarts} ({unit.log})")

    def _in_thread(self, task: Callable[[], None]) -> Future[None]:
        done: Future[None] = Future()

        def work() -> None:
            try:
                task()
            except BaseException as problem:
                done.set_exception(problem)
            else:
                done.set_result(None)
            self._interrupts.wake()

        threading.Thread(target=work, name="task", daemon=True).start()
        return done

    def _tell(self, unit: _Unit, what: str) -> None:
        self._announce(f"  {unit.service.name:<{self._width}}  {what}")

    def _announce(self, line: str) -> None:
        with contextlib.suppress(OSError):  # the terminal may be gone already
            self._say(line)


def _fresh_log(logs: Path, name: str) -> Path:
    log = logs / f"{name}.log"
    with contextlib.suppress(FileNotFoundError):
        os.replace(log, logs / f"{name}.log.1")
    return log


def _ending(code: int) -> str:
    if code <= 128:
        return f"ended with exit code {code}"
    with contextlib.suppress(ValueError):
        return f"was ended by {signal.Signals(code - 128).name}"
    return f"ended with exit code {code}"
