"""A schedule that was off is no fault of the data; data that is missing from its stretch is."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from anomaly_demo_streams import STREAMS

from wfops_pipelines.anomaly import Profile, SnapshotScore, profile, score_snapshot
from wfops_pipelines.anomaly._evidence import evidence
from wfops_pipelines.anomaly._features import Feature
from wfops_pipelines.anomaly._sides import sides
from wfops_pipelines.anomaly._window import Windows

Floats = npt.NDArray[np.float64]

HISTORY = 20
HOUR, MICROS = 3_600.0, 1_000_000
START = 1_735_689_600.0
FIRST = START + 48 * HOUR
LENGTH = 4 * HOUR


@cache
def log(seed: int) -> pa.Table:
    """Ten days of tickets, fewer at night."""
    rng = np.random.default_rng([seed, 5])
    hours = np.arange(10 * 24)
    rows = rng.poisson(np.where(hours % 24 < 6, 90, 270))
    at = START + np.sort(np.repeat(hours, rows) + rng.random(rows.sum())) * HOUR
    opened = at - rng.exponential(30 * HOUR, len(at))
    ids = rng.permutation(10 * len(at))[: len(at)]
    return pa.table(
        {
            "id": [f"t{i}" for i in ids],
            "status": rng.choice(["new", "open", "solved"], len(at), p=[0.2, 0.5, 0.3]).tolist(),
            "amount": np.round(rng.lognormal(4, 1, len(at)), 2),
            "opened": pa.array((opened * MICROS).astype(np.int64), pa.timestamp("us", "UTC")),
            "updated": pa.array((at * MICROS).astype(np.int64), pa.timestamp("us", "UTC")),
        }
    )


def rows_of(seed: int, after: float, upto: float) -> pa.Table:
    return within(log(seed), after, upto)


def within(rows: pa.Table, after: float, upto: float, cursor: str = "updated") -> pa.Table:
    at = pc.cast(rows[cursor], pa.int64())
    ends = int(after * MICROS), int(upto * MICROS)
    return rows.filter(pc.and_(pc.greater(at, ends[0]), pc.less_equal(at, ends[1])))


def moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def examined(rows: pa.Table, after: float, upto: float) -> Profile:
    return profile(rows, key="id", cursor="updated", window=(moment(after), moment(upto)))


def usual(seed: int, runs: list[float]) -> list[Profile]:
    return [examined(rows_of(seed, a, b), a, b) for a, b in pairwise(runs)]


@cache
def past(seed: int) -> tuple[tuple[Profile, ...], float]:
    """Twenty runs, one each four hours, and when the last one was."""
    runs = [FIRST + at * LENGTH for at in range(HISTORY + 1)]
    return tuple(usual(seed, runs)), runs[-1]


def next_run(seed: int, hours: float, damage: object = None) -> SnapshotScore:
    history, last = past(seed)
    upto = last + hours * HOUR
    rows = rows_of(seed, last, upto)
    rows = rows if damage is None else damage(rows)  # type: ignore[operator]
    return score_snapshot(history, examined(rows, last, upto))


seeds = pytest.mark.parametrize("seed", [1, 2, 3])


@seeds
@pytest.mark.parametrize("hours", [8.0, 5.2, 28.0, 0.3], ids=["skipped", "late", "a day", "early"])
def test_a_run_that_came_at_another_time_is_not_held(seed: int, hours: float) -> None:
    assert not next_run(seed, hours).held


@seeds
def test_runs_by_hand_and_then_a_pause_are_not_held(seed: int) -> None:
    """Eight runs in two minutes, then none for six."""
    by_hand = [FIRST + 9 * HOUR + 15 * at for at in range(9)]
    history = [p for p in usual(seed, by_hand) if p.rows]
    runs = [by_hand[0] + (at - 8) * LENGTH for at in range(9)]
    history = [*usual(seed, runs), *history]
    after, upto = by_hand[-1], by_hand[-1] + 360
    rows = rows_of(seed, after, upto)
    assert rows.num_rows
    assert not score_snapshot(history, examined(rows, after, upto)).held


def test_a_burst_of_runs_alone_and_then_a_pause_is_not_held() -> None:
    for seed in (1, 2, 3):
        runs = [FIRST + 9 * HOUR + 240 * at for at in range(9)]
        after, upto = runs[-1], runs[-1] + 2 * HOUR
        rows = rows_of(seed, after, upto)
        assert not score_snapshot(usual(seed, runs), examined(rows, after, upto)).held


@seeds
def test_a_first_page_that_is_missing_is_held(seed: int) -> None:
    found = next_run(seed, 4, lambda rows: rows.slice(int(rows.num_rows * 0.4)))
    assert found.held
    assert "updated" in {f.column for f in found.findings[:3]}


@seeds
def test_a_first_page_of_twice_the_time_is_missed_as_well(seed: int) -> None:
    found = next_run(seed, 8, lambda rows: rows.slice(int(rows.num_rows * 0.4)))
    assert found.held


@seeds
def test_half_of_the_rows_missing_from_the_usual_time_is_held(seed: int) -> None:
    found = next_run(seed, 4, lambda rows: rows.take(pa.array(np.arange(0, rows.num_rows, 2))))
    assert found.held
    assert "rows" in {f.statistic for f in found.findings}


@seeds
def test_an_end_that_came_early_is_held(seed: int) -> None:
    assert next_run(seed, 4, lambda rows: rows.slice(0, int(rows.num_rows * 0.6))).held


@seeds
@pytest.mark.parametrize("hours", [-2, 2])
def test_another_time_zone_is_held(seed: int, hours: int) -> None:
    def moved(rows: pa.Table) -> pa.Table:
        at = rows.column_names.index("updated")
        ticks = pc.add(rows["updated"].cast(pa.int64()), int(hours * HOUR) * MICROS)
        return rows.set_column(at, "updated", ticks.cast(rows.schema.field("updated").type))

    found = next_run(seed, 4, moved)
    assert found.held
    assert "updated" in {f.column for f in found.findings[:3]}


@cache
def daily(sync: str) -> tuple[pa.Table, tuple[Profile, ...], float]:
    """All rows of a demo sync, the profiles of a run each day at six, and when the last one was."""
    stream = STREAMS[sync][0]
    rows = pa.concat_tables([stream(1, day) for day in range(HISTORY + 7)])
    runs = [START + (day * 24 + 6) * HOUR for day in range(1, HISTORY + 2)]
    return rows, tuple(run(sync, rows, *ends) for ends in pairwise(runs)), runs[-1]


def run(sync: str, rows: pa.Table, after: float, upto: float) -> Profile:
    _, key, cursor = STREAMS[sync]
    found = within(rows, after, upto, cursor)
    _, first = np.unique(np.asarray(found[key].to_pylist()), return_index=True)
    found = found.take(pa.array(np.sort(first)))  # days of a made-up stream share some keys
    return profile(found, key=key, cursor=cursor, window=(moment(after), moment(upto)))


@pytest.mark.parametrize("sync", STREAMS)
@pytest.mark.parametrize(
    "hours", [24, 48, 72, 36, 30], ids=["punctual", "skipped", "two skipped", "12 h late", "6 h"]
)
def test_the_first_run_of_a_punctual_sync_that_is_late_is_not_held(sync: str, hours: int) -> None:
    """What grows with the rows, or goes by the hour at which a stretch ends, is no sign then."""
    rows, past, last = daily(sync)
    assert not score_snapshot(past, run(sync, rows, last, last + hours * HOUR)).held


@pytest.mark.parametrize("sync", STREAMS)
def test_the_short_run_after_a_late_one_is_not_held(sync: str) -> None:
    rows, past, last = daily(sync)
    late = run(sync, rows, last, last + 36 * HOUR)
    assert not score_snapshot(
        [*past, late], run(sync, rows, last + 36 * HOUR, last + 48 * HOUR)
    ).held


@pytest.mark.parametrize("sync", STREAMS)
def test_rows_that_are_missing_from_a_late_run_are_held(sync: str) -> None:
    rows, past, last = daily(sync)
    found = score_snapshot(
        past, replace(run(sync, rows, last, last + 24 * HOUR), window=(last, last + 48 * HOUR))
    )
    assert found.held
    assert STREAMS[sync][2] in {f.column for f in found.findings}


def test_a_column_of_times_pays_once_for_a_schedule_that_is_often_off() -> None:
    """On most days one of ten signs of it is odd, and each of them seldom."""
    values = np.random.default_rng(3).normal(0, 1, (10, HISTORY + 1))
    for day in range(HISTORY):
        values[day % 10, day] += 8.0
    values[0, -1] = 14.0

    def decades(kind: str) -> float:
        noise = np.full(HISTORY + 1, 1.0)
        found = [Feature("at", f"{i}", kind, "", x, x, noise) for i, x in enumerate(values)]
        days = [day % 7 for day in range(HISTORY + 1)]
        return float(evidence(found, sides(HISTORY), days, {}).decades[0, -1])

    assert decades("times") > 1.1 * decades("numbers") > 0.5


def test_a_window_is_kept_and_added_up() -> None:
    first, second = past(1)[0][:2]
    assert Profile.from_json(first.to_json()) == first
    merged = first.merge(second)
    assert merged.window == (FIRST, FIRST + 2 * LENGTH)
    assert first.merge(replace(second, window=None)).window is None


def test_a_window_without_a_zone_is_of_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    ends = datetime(2025, 1, 3), datetime(2025, 1, 4)  # noqa: DTZ001
    assert profile(pa.table({"a": [1]}), window=ends).window == (1735862400.0, 1735948800.0)
    monkeypatch.undo()
    time.tzset()


def test_a_history_of_profiles_that_knew_no_window_still_judges() -> None:
    history, last = past(1)
    old = []
    for one in history:
        body = json.loads(one.to_json())
        del body["window"]
        old.append(Profile.from_json(json.dumps({**body, "version": 4})))
    now = examined(rows_of(1, last, last + LENGTH), last, last + LENGTH)
    assert not score_snapshot(old, now).held
    assert not score_snapshot([*old[:8], *history[8:]], now).held


def paid(rng: np.random.Generator, at: Floats, ids: Iterable[int]) -> pa.Table:
    return pa.table(
        {
            "id": [f"t{i}" for i in ids],
            "amount": np.round(rng.lognormal(4, 1, len(at)), 2),
            "updated": pa.array((at * MICROS).astype(np.int64), pa.timestamp("us", "UTC")),
        }
    )


def cut(rows: pa.Table, after: float, upto: float) -> Profile:
    return examined(within(rows, after, upto), after, upto)


@pytest.mark.parametrize("hours", [0.25, 1, 4, 12, 24, 168])
def test_a_punctual_run_is_usual_at_every_pace_and_a_late_one_of_a_day_is_not(hours: float) -> None:
    ends = START + np.arange(22) * hours * HOUR
    usual = Windows(ends[:-1], ends[1:], np.ones((21, 168)))
    assert usual.usual
    late = replace(usual, end=np.append(ends[1:-1], ends[-1] + hours * HOUR))
    assert not late.usual


@seeds
def test_a_week_at_once_after_quiet_weekends_is_not_held(seed: int) -> None:
    """Twice the rows a day are not asked of it, though the weekdays' rates alone look like that."""
    rng = np.random.default_rng([seed, 6])
    days = np.arange(40)
    of = rng.poisson(np.where(np.mod(days + 2, 7) >= 5, 90, 260))
    at = START + np.sort(np.repeat(days, of) + rng.random(of.sum())) * 24 * HOUR
    rows = paid(rng, at, range(len(at)))
    runs = [START + (day * 24 + 6) * HOUR for day in range(1, HISTORY + 2)]
    past = [cut(rows, *ends) for ends in pairwise(runs)]
    for days_at_once in (1, 3, 7):
        end = runs[-1] + days_at_once * 24 * HOUR
        assert not score_snapshot(past, cut(rows, runs[-1], end)).held


@seeds
@pytest.mark.parametrize("clock_hour", [0, 6], ids=["at midnight", "at six"])
@pytest.mark.parametrize("hours", [24, 48, 72])
def test_a_late_run_of_a_cursor_that_knows_only_dates_is_not_held(
    seed: int, hours: int, clock_hour: int
) -> None:
    rng = np.random.default_rng([seed, 8])
    day = np.repeat(np.arange(40), rng.poisson(250, 40))
    at = START + day * 24 * HOUR
    rows = paid(rng, at, rng.permutation(len(at)))
    runs = [START + (day * 24 + clock_hour) * HOUR for day in range(1, HISTORY + 2)]
    past = [cut(rows, *ends) for ends in pairwise(runs)]
    assert not score_snapshot(past, cut(rows, runs[-1], runs[-1] + hours * HOUR)).held
