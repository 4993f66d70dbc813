"""How far reading and sending have come, as lines in the log of a Dagster run."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager
from typing import Any

from wfops_pipelines.core.progress import heard


class _ToRun(logging.Handler):
    def __init__(self, log: Any) -> None:
        super().__init__(logging.INFO)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        self._log.info(record.getMessage())


def progress_logged(context: Any) -> AbstractContextManager[None]:
    """Send what is said of progress meanwhile to the run's log."""
    return heard(_ToRun(context.log))
