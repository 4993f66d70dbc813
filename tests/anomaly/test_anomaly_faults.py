"""Five faults that must be held at twenty snapshots, each blamed on the right column."""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
import pyarrow as pa
import pytest
from anomaly_demo_streams import STREAMS

from wfops_pipelines.anomaly import Profile, SnapshotScore, profile, score_snapshot

HISTORY = 20
AMOUNT = {"crm_contacts": "owner_id", "invoices": "amount_due", "tickets": "requester_id"}
ENUM = {
    "crm_contacts": ("lifecycle_stage", "customer", "lead"),
    "invoices": ("status", "open", "paid"),
    "tickets": ("status", "pending", "open"),
}
TWINS = {
    "crm_contacts": ("first_name", "last_name"),
    "invoices": ("customer", "id"),
    "tickets": ("status", "priority"),
}


def table(sync: str, day: int) -> pa.Table:
    return STREAMS[sync][0](7, day)


def examined(sync: str, one: pa.Table) -> Profile:
    _, key, cursor = STREAMS[sync]
    return profile(one, key=key, cursor=cursor)


@cache
def history(sync: str, start: int) -> tuple[Profile, ...]:
    return tuple(examined(sync, table(sync, day)) for day in range(start, start + HISTORY))


def judged(sync: str, start: int, broken: pa.Table) -> SnapshotScore:
    return score_snapshot(history(sync, start), examined(sync, broken), false_holds=0.02)


def put(one: pa.Table, name: str, values: object) -> pa.Table:
    at = one.column_names.index(name)
    return one.set_column(at, name, pa.array(values, one.schema.field(name).type))


cases = pytest.mark.parametrize(("sync", "start"), [(sync, 33) for sync in STREAMS])


@cases
def test_a_change_of_unit_is_held_and_names_its_column(sync: str, start: int) -> None:
    one, name = table(sync, start + HISTORY), AMOUNT[sync]
    score = judged(sync, start, put(one, name, np.asarray(one.column(name)) * 100))
    assert score.held
    assert score.findings[0].column == name
    assert score.findings[0].sentence.startswith(f"{name}: ")


@cases
def test_half_of_the_rows_missing_is_held_as_a_drop_in_rows(sync: str, start: int) -> None:
    one = table(sync, start + HISTORY)
    score = judged(sync, start, one.slice(0, one.num_rows // 2))
    assert score.held
    assert any(f.statistic == "rows" for f in score.findings)


def test_most_halves_of_the_rows_are_held_when_rows_are_missing_at_random() -> None:
    """Nothing but the number of rows tells of it: no time, no value and no key lacks."""
    held = []
    for sync, start, seed in product(STREAMS, (7, 20, 26), (1, 2)):
        days = [STREAMS[sync][0](seed, day) for day in range(start, start + HISTORY + 1)]
        kept = np.random.default_rng([seed, start]).permutation(days[-1].num_rows)
        half = days[-1].take(pa.array(np.sort(kept[: len(kept) // 2])))
        past = [examined(sync, one) for one in days[:-1]]
        score = score_snapshot(past, examined(sync, half))
        held.append(score.held and "rows" in {f.statistic for f in score.findings[:2]})
    assert sum(held) >= 5 / 6 * len(held)


@cases
def test_a_page_read_twice_is_held_as_repeated_rows(sync: str, start: int) -> None:
    one = table(sync, start + HISTORY)
    score = judged(sync, start, pa.concat_tables([one, one.slice(0, 50)]))
    assert score.held
    assert {"repeated rows", "repeated keys"} & {f.statistic for f in score.findings}


@cases
def test_a_replayed_page_of_the_day_before_is_held(sync: str, start: int) -> None:
    one, old = table(sync, start + HISTORY), table(sync, start + HISTORY - 1)
    score = judged(sync, start, pa.concat_tables([old.slice(0, 50), one.slice(50)]))
    assert score.held
    assert "rows of earlier snapshots" in {f.statistic for f in score.findings}


@cases
def test_a_vanished_enum_value_is_held_and_named(sync: str, start: int) -> None:
    one, (name, gone, into) = table(sync, start + HISTORY), ENUM[sync]
    values = [into if v == gone else v for v in one.column(name).to_pylist()]
    score = judged(sync, start, put(one, name, values))
    assert score.held
    assert score.findings[0].column == name
    assert any(gone in f.sentence for f in score.findings)


@cases
def test_swapped_columns_are_held_and_both_named(sync: str, start: int) -> None:
    one, (a, b) = table(sync, start + HISTORY), TWINS[sync]
    values = one.column(a).to_pylist(), one.column(b).to_pylist()
    score = judged(sync, start, put(put(one, a, values[1]), b, values[0]))
    assert score.held
    assert {a, b} <= {f.column for f in score.findings}


@cases
def test_contributions_add_up_and_removing_the_blamed_columns_removes_the_reason(
    sync: str, start: int
) -> None:
    day, name = start + HISTORY, AMOUNT[sync]
    broken = put(table(sync, day), name, np.asarray(table(sync, day).column(name)) * 100)
    score = judged(sync, start, broken)
    assert 0.5 * score.score < sum(f.contribution for f in score.findings) <= score.score + 1e-9
    by_column: dict[str | None, float] = {}
    for f in score.findings:
        by_column[f.column] = by_column.get(f.column, 0.0) + f.contribution
    assert max(by_column, key=lambda c: by_column[c]) == name
    past = [table(sync, at).drop_columns([name]) for at in range(start, day)]
    left = score_snapshot(
        [examined(sync, t) for t in past], examined(sync, broken.drop_columns([name]))
    )
    assert not left.held
    assert left.score < score.score - 0.5 * by_column[name]
