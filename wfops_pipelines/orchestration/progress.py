"""How far reading and sending have come, as lines in the log of a Dagster run."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from wfops_pipelines.core.progress import LOGGER


class _ToRun(logging.Handler):
    def __init__(self, log: Any) -> None:
        super().__init__(logging.INFO)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        self._log.info(record.getMessage())


@contextmanager
def progress_logged(context: Any) -> Iterator[None]:
    """Send what is said of progress meanwhile to the run's log."""
    handler = _ToRun(context.log)
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    try:
        yield
    finally:
        LOGGER.removeHandler(handler)
