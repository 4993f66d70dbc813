"""Long work says how far it has come, and short work nothing."""

import logging

import pytest

from wfops_pipelines.core.progress import EVERY, LOGGER, Progress


@pytest.fixture
def told(caplog):
    with caplog.at_level(logging.INFO, LOGGER.name):
        yield lambda: [r.getMessage() for r in caplog.records]


def test_it_is_said_every_few_seconds_and_not_for_each_row(told):
    now = iter(i / 10 for i in range(200))
    progress = Progress("things", "sent", 3400, lambda: next(now))
    for _ in range(200):
        progress.step()
    each = int(EVERY * 10)
    assert told() == [f"things: {n:,} of 3,400 rows sent" for n in range(each + 1, 201, each)]


def test_what_is_done_at_once_says_nothing(told):
    progress = Progress("things", "read", clock=lambda: 7.0)
    for _ in range(100):
        progress.step(500)
    assert told() == []
