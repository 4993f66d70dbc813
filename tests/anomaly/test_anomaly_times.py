"""What the time between two columns tells that neither does by itself."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pyarrow as pa

from wfops_pipelines.anomaly import Profile, SnapshotScore, profile, score_snapshot

HISTORY = 20
HOUR = 3_600_000_000
DAY = 24 * HOUR


@cache
def cases(day: int) -> pa.Table:
    """Opened at any hour of the day, and closed some hours later."""
    rng = np.random.default_rng([day, 77])
    opened = day * DAY + rng.integers(0, DAY, 200)
    closed = opened + (rng.gamma(4, 0.5, 200) * HOUR).astype(np.int64)
    return pa.table(
        {
            "owner": rng.choice(["ann", "bo", "cy"], 200).tolist(),
            "opened": pa.array(opened, pa.timestamp("us", "UTC")),
            "closed": pa.array(closed, pa.timestamp("us", "UTC")),
        }
    )


@cache
def past() -> tuple[Profile, ...]:
    return tuple(profile(cases(day)) for day in range(HISTORY))


def judged(new: pa.Table) -> SnapshotScore:
    return score_snapshot(past(), profile(new))


def put(one: pa.Table, name: str, values: object) -> pa.Table:
    at = one.column_names.index(name)
    return one.set_column(at, name, pa.array(values, one.schema.field(name).type))


def test_a_normal_day_is_not_held() -> None:
    assert not judged(cases(HISTORY)).held


def test_a_time_zone_shows_in_the_time_between_two_columns() -> None:
    whole = cases(HISTORY)
    later = [at.value + 2 * HOUR for at in whole.column("closed")]
    found = judged(put(whole, "closed", later))
    assert found.held
    assert found.findings[0].column in ("opened", "closed")
    assert "of the time" in found.findings[0].statistic


def test_profiles_of_parts_add_up_what_two_columns_tell() -> None:
    one = cases(0)
    both = profile(one.slice(0, 120)).merge(profile(one.slice(120)))
    whole = profile(one)
    assert both.spans == whole.spans


def test_a_history_of_profiles_that_knew_nothing_of_two_columns_still_judges() -> None:
    old = []
    for one in past():
        body = json.loads(one.to_json())
        del body["spans"]
        old.append(Profile.from_json(json.dumps({**body, "version": 3})))
    found = score_snapshot(old, profile(cases(HISTORY)))
    assert not found.held
