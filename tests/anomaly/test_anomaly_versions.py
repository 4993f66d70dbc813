"""Profiles that older versions wrote: what they do not tell is not known, and not nothing."""

from __future__ import annotations

import json

import pytest
from anomaly_demo_streams import crm_contacts, invoices

from wfops_pipelines.anomaly import Profile, SnapshotScore, profile, score_snapshot
from wfops_pipelines.core.findings import Json

HISTORY = 20
DAYS = [
    [profile(make(3, day), key="id", cursor=cursor) for day in range(HISTORY + 1)]
    for make, cursor in ((crm_contacts, "updated_at"), (invoices, "updated"))
]


def as_of(version: int, one: Profile) -> Profile:
    """A profile with only what that version knew."""
    body = json.loads(one.to_json())
    since = {
        2: ("null_patterns", "ranks"),
        4: ("spans",),
        5: ("window",),
        6: ("cell_rows", "rules"),
    }
    for name in (n for at, names in since.items() if at > version for n in names):
        del body[name]
    for column in body["columns"]:
        del column["cells"]
        if version < 3:
            column["counts"] = {
                n: count for n, count in column["counts"].items() if n not in ("cents", "micros")
            }
    return Profile.from_json(json.dumps({**body, "version": version}))


def first_times(score: SnapshotScore) -> dict[str, Json]:
    return {
        f.statistic: f.measured
        for f in score.findings
        if f.kind == "novelty" or f.statistic == "unseen combinations of nulls"
    }


@pytest.mark.parametrize("known", [0, 1, HISTORY // 2])
@pytest.mark.parametrize("version", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("days", DAYS, ids=["contacts", "invoices"])
def test_what_older_profiles_do_not_tell_is_not_new(
    days: list[Profile], version: int, known: int
) -> None:
    old = [as_of(version, one) for one in days[: HISTORY - known]]
    score = score_snapshot([*old, *days[HISTORY - known : HISTORY]], days[HISTORY])
    assert not score.held
    assert first_times(score).items() <= first_times(score_snapshot(days[:-1], days[-1])).items()
