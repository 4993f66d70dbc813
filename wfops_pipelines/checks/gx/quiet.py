"""Import Great Expectations so that it says, sends and writes nothing."""

from __future__ import annotations

import logging
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from wfops_pipelines.checks.gx.patches import speed_up

_LOCK = threading.RLock()


def quiet_gx() -> Any:
    """The module `great_expectations`, with its analytics, warnings and log lines off."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read once, while importing
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations
        import great_expectations.expectations

        speed_up(great_expectations)
    logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
    return great_expectations


@contextmanager
def quiet() -> Iterator[None]:
    """Run Great Expectations with the warnings that it raises about itself and pandas off.

    One run at a time in a process: warning filters, its registry and its parsers are global.
    """
    with _LOCK, warnings.catch_warnings():
        quiet_gx()
        warnings.simplefilter("ignore")
        yield
