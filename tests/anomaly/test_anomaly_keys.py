"""Keys that are counted up get longer, overtake other columns, and mean nothing by it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from anomaly_demo_streams import stamps

from wfops_pipelines.anomaly import Profile, profile, score_snapshot

ROWS = 90


def day(at: int, first: int, spelled: str) -> pa.Table:
    rng = np.random.default_rng([at, 17])
    numbers = first + at * ROWS + np.arange(ROWS)
    keys = [spelled.format(n) for n in numbers] if spelled else numbers
    moment = 1_700_000_000 + at * 86_400 + np.sort(rng.integers(0, 80_000, ROWS))
    return pa.table(
        {
            "id": keys,
            "amount": rng.lognormal(4, 1, ROWS).round(2),
            "owner": rng.integers(9_000, 10_000, ROWS),
            "state": rng.choice(["open", "done"], ROWS).tolist(),
            "updated_at": stamps(moment * 1_000_000),
        }
    )


def seen(table: pa.Table) -> Profile:
    return profile(table, key="id", cursor="updated_at")


@pytest.mark.parametrize("spelled", ["", "{}", "T-{}", "inv/{}/x"])
@pytest.mark.parametrize("history", [8, 20])
def test_a_key_that_gets_a_digit_longer_holds_nothing_by_itself(spelled: str, history: int) -> None:
    first = 10_000 - history * ROWS - ROWS // 2  # five digits begin in the middle of the new day
    days = [seen(day(at, first, spelled)) for at in range(history + 2)]
    for at in (history, history + 1):
        score = score_snapshot(days[at - history : at], days[at], false_holds=0.05)
        assert not score.held, [f.sentence for f in score.findings]


def test_keys_of_another_make_are_held() -> None:
    days = [seen(day(at, 1_000, "T-{}")) for at in range(20)]
    score = score_snapshot(days, seen(day(20, 1_000, "ticket {} (copy)")))
    assert score.held
    assert score.findings[0].column == "id"
