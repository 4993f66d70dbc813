"""Since when: a finding names the day of the oldest snapshot that it compares with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
import pyarrow as pa
import pytest

from wfops_pipelines.anomaly import Profile, profile, score_snapshot

HISTORY = 12
DAY = timedelta(days=1)
BEGAN = datetime(2026, 10, 28, tzinfo=UTC)


@cache
def sales(day: int, times: float = 1.0) -> pa.Table:
    rng = np.random.default_rng([day, 12])
    at = [BEGAN + day * DAY + timedelta(seconds=int(s)) for s in rng.integers(0, 86_400, 200)]
    return pa.table(
        {
            "at": pa.array(at, pa.timestamp("us", "UTC")),
            "paid": pa.array(at, pa.timestamp("us", "UTC")),
            "amount": rng.lognormal(4, 0.3, 200) * times,
        }
    )


def by_cursor(day: int, times: float = 1.0) -> Profile:
    return profile(sales(day, times), cursor="at")


def by_stretch(day: int, times: float = 1.0) -> Profile:
    start = BEGAN + day * DAY
    return profile(sales(day, times).drop_columns(["at"]), window=(start, start + DAY))


def undated(day: int, times: float = 1.0) -> Profile:
    return profile(sales(day, times))


@pytest.mark.parametrize("of", [by_cursor, by_stretch])
@pytest.mark.parametrize("history", [1, 3, HISTORY])
def test_it_is_the_day_of_the_cursor_or_of_what_was_asked_for(of, history):
    past = [of(day) for day in range(history)]
    found = score_snapshot(past, of(history, 100.0)).findings
    named = {
        "last snapshot (2026-10-28)" if history == 1 else f"{history} snapshots (since 2026-10-28)"
    }
    said = [f.sentence for f in found if f.column == "amount"]
    assert said
    assert all(any(one in sentence for one in named) for sentence in said), said


def test_of_other_times_nobody_knows_whether_they_tell_when():
    past = [undated(day) for day in range(HISTORY)]
    found = score_snapshot(past, undated(HISTORY, 100.0)).findings
    assert found
    assert not any("since" in f.sentence for f in found)


def test_a_changed_column_says_until_when():
    past = [by_cursor(day) for day in range(3)]
    table = sales(3).drop_columns(["amount"])
    table = table.set_column(1, "paid", pa.array(["soon"] * len(table)))
    assert [f.sentence for f in score_snapshot(past, profile(table, cursor="at")).findings] == [
        "amount: the column is gone (number until the last snapshot, 2026-10-30)",
        "paid: type string, timestamp with time zone until the last snapshot, 2026-10-30",
    ]


def test_a_changed_column_of_snapshots_without_times_says_no_day():
    past = [undated(day) for day in range(3)]
    table = sales(3).drop_columns(["amount"])
    (found,) = score_snapshot(past, profile(table)).findings
    assert found.sentence == "amount: the column is gone (number until the last snapshot)"
