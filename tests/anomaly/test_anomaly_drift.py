"""After a reviewer lets a shift go, the scorer learns it as the new normal."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from anomaly_demo_streams import invoices

from wfops_pipelines.anomaly import Profile, profile, score_snapshot

SHIFT_AT, HISTORY = 20, 20


def day(at: int) -> Profile:
    one = invoices(4, at)
    if at >= SHIFT_AT:
        for name in ("amount_due", "amount_paid"):
            values = np.asarray(one.column(name)) * 3
            one = one.set_column(one.column_names.index(name), name, pa.array(values))
    return profile(one, key="id", cursor="updated")


def test_an_approved_shift_is_held_once_and_no_more_within_two_snapshots() -> None:
    days = [day(at) for at in range(SHIFT_AT + 4)]
    held = [
        score_snapshot(days[at - HISTORY : at], days[at]).held
        for at in range(SHIFT_AT, SHIFT_AT + 4)
    ]
    assert held[0]
    assert not any(held[2:])
