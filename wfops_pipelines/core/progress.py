"""How far long work has come, said now and then to whoever listens to the logger `LOGGER`."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from wfops_pipelines.core.findings import counted_rows

LOGGER = logging.getLogger("wfops.progress")
EVERY = 5.0  # seconds


@contextmanager
def heard(handler: logging.Handler) -> Iterator[None]:
    """Let a handler have what is said meanwhile."""
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    try:
        yield
    finally:
        LOGGER.removeHandler(handler)


@dataclass(slots=True)
class Progress:
    """Counts rows. `words` say what is done to them, as "sent"; `of` is how many there are.

    Nothing is said of what is done within a few seconds. `clock` is in seconds.
    """

    sync: str
    words: str
    of: int | None = None
    clock: Callable[[], float] = time.monotonic
    done: int = 0
    told: float | None = None

    def step(self, rows: int = 1) -> None:
        """So many more rows are done."""
        now = self.clock()
        self.told = now if self.told is None else self.told
        self.done += rows
        if now - self.told >= EVERY:
            self.told = now
            done = counted_rows(self.done)
            if self.of is not None:
                done = f"{self.done:,} of {counted_rows(self.of)}"
            LOGGER.info("%s: %s %s", self.sync, done, self.words)
