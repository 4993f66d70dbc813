"""Faults that only one kind of sign shows: few rows, or a stream that swings by nature."""

from __future__ import annotations

from functools import cache

import numpy as np
import pyarrow as pa

from wfops_pipelines.anomaly import Profile, SnapshotScore, fit_rows, profile, score_rows
from wfops_pipelines.anomaly import score_snapshot as score
from wfops_pipelines.anomaly._compared import Entries
from wfops_pipelines.anomaly._measured import variety

HISTORY = 20
SECONDS = 86_400_000_000


def rows_of(rng: np.random.Generator, n: int, first: int) -> dict[str, object]:
    return {
        "number": np.arange(first, first + n),
        "amount": np.round(rng.normal(100, 15, n), 2),
        "delay": np.round(rng.laplace(0, 25, n)).astype(int),
    }


@cache
def bookings() -> tuple[pa.Table, ...]:
    """Running numbers without gaps; how many a day swings between a third and three times."""
    out, first = [], 5000
    for day in range(HISTORY + 1):
        rng = np.random.default_rng([day, 1])
        n = int(250 * np.exp(rng.uniform(-1.1, 1.1)))
        out.append(pa.table(rows_of(rng, n, first)))
        first += n
    return tuple(out)


def steady(day: int) -> pa.Table:
    rng = np.random.default_rng([day, 2])
    return pa.table(rows_of(rng, 400, 0)).drop_columns(["number"])


def judged(past: list[pa.Table], new: pa.Table) -> SnapshotScore:
    return score([profile(t) for t in past], profile(new))


def after(new: pa.Table) -> SnapshotScore:
    return judged([steady(day) for day in range(HISTORY)], new)


def put(one: pa.Table, name: str, values: object) -> pa.Table:
    at = one.column_names.index(name)
    return one.set_column(at, name, pa.array(values, one.schema.field(name).type))


def named(found: SnapshotScore, column: str | None, statistic: str) -> bool:
    return any(f.column == column and f.statistic.startswith(statistic) for f in found.findings)


def test_a_normal_day_after_them_is_not_held() -> None:
    assert not after(steady(HISTORY)).held
    assert not judged(list(bookings()[:-1]), bookings()[-1]).held


def test_lost_rows_show_as_gaps_in_running_numbers_where_volume_swings_anyway() -> None:
    whole = bookings()[-1]
    half = whole.take(pa.array(np.arange(0, whole.num_rows, 2)))
    found = judged(list(bookings()[:-1]), half)
    assert found.held
    assert named(found, "number", "share of its range")


def test_one_value_in_a_few_rows_of_a_column_with_many_is_a_flood_and_named() -> None:
    values = steady(HISTORY)["delay"].to_numpy().copy()
    values[:28] = 17
    found = after(put(steady(HISTORY), "delay", values))
    assert found.held
    assert named(found, "delay", "flood of '17'")


def test_one_value_far_out_is_enough() -> None:
    values = steady(HISTORY)["amount"].to_numpy().copy()
    values[3] = 350.0
    found = after(put(steady(HISTORY), "amount", values))
    assert found.held
    assert named(found, "amount", "largest")


def test_more_decimals_than_ever_are_noticed_though_the_values_are_usual() -> None:
    values = steady(HISTORY)["amount"].to_numpy().copy()
    values[:8] = values[:8] * 0.999
    found = after(put(steady(HISTORY), "amount", values))
    assert found.held
    assert named(found, "amount", "cents")
    assert any("two decimals" in f.sentence for f in found.findings)


def refreshed() -> list[pa.Table]:
    """The whole table each day; a tenth of its rows has changed."""
    rng = np.random.default_rng(8)
    value, out = rng.integers(0, 10**9, 400), []
    for _ in range(HISTORY + 1):
        moved = rng.random(400) < 0.1
        value = np.where(moved, rng.integers(0, 10**9, 400), value)
        out.append(pa.table({"id": np.arange(400), "value": value}))
    return out


def test_old_versions_in_a_whole_refresh_are_rows_that_had_gone() -> None:
    days = refreshed()
    stale = pa.concat_tables([days[-6].slice(0, 120), days[-1].slice(120)])
    assert not judged(days[:-1], days[-1]).held
    found = judged(days[:-1], stale)
    assert found.held
    assert named(found, None, "rows that had gone")


def weekly(day: int, share: float = 1.0) -> Profile:
    """A stream that grows by a twentieth a week and rests at the weekend."""
    rng = np.random.default_rng([day, 4])
    n = int(300 * 1.007**day * (0.35 if day % 7 >= 5 else 1.0) * rng.lognormal(0, 0.04) * share)
    at = 1_735_689_600_000_000 + day * SECONDS + rng.integers(0, SECONDS, n)
    return profile(pa.table({"at": pa.array(at, pa.timestamp("us", "UTC"))}), cursor="at")


def test_a_third_of_the_rows_missing_is_seen_through_growth_and_weekends() -> None:
    past = [weekly(day) for day in range(60)]
    assert not score(past, weekly(60)).held
    assert score(past, weekly(60, 0.65)).held


def paid(day: int, wild: bool) -> pa.Table:
    rng = np.random.default_rng([day, 5])
    delay = rng.gamma(3.0, 8.0, 200) * (4.0 if wild else 1.0)
    at = 1_735_689_600_000_000 + day * SECONDS + (delay * 3.6e9).astype(np.int64)
    return pa.table({"settled": pa.array(at, pa.timestamp("us", "UTC"))})


def test_rows_of_the_next_days_are_not_odd_because_an_old_straggler_was_later() -> None:
    model = fit_rows([paid(day, wild=day == 1) for day in range(20)])
    held = [(score_rows(model, paid(day, wild=False)).p_value <= 0.01).mean() for day in (20, 22)]
    assert max(held) < 0.05


def test_one_thing_fewer_in_a_list_that_is_sent_whole_is_no_lack() -> None:
    stock = np.random.default_rng(6).integers(0, 50, (HISTORY + 1, 110))
    days = [pa.table({"article": np.arange(110), "stock": one}) for one in stock]
    found = judged(days[:-1], days[-1].slice(1))
    assert not found.held
    assert not named(found, "article", "lack of")


def worked(day: int, rows: int, mix: list[float]) -> Profile:
    """Shifts on a day, Monday first, whose times are of that day."""
    rng = np.random.default_rng([day, 5])
    at = (1_704_067_200 + day * 86_400 + np.sort(rng.uniform(0, 80_000, rows))) * 1e6
    hours = rng.choice([4.0, 6.0, 8.0, 10.0], rows, p=mix)
    table = pa.table({
        "at": pa.array(at.astype(np.int64), pa.timestamp("us", "UTC")),
        "hours": hours,
        "rate": np.round(rng.normal(17, 2.5, rows), 2),
    })  # fmt: skip
    return profile(table, cursor="at")


def test_half_the_rows_are_missed_after_eight_days_one_weekend_among_them() -> None:
    def day(n: int, share: float = 1.0) -> Profile:
        return worked(n, int((60 if n % 7 >= 5 else 240) * share), [0.1, 0.2, 0.6, 0.1])

    past = [day(n) for n in range(8)]
    found = score(past, day(8, 0.5))
    assert score(past, day(8)).p_value > 0.2
    assert found.p_value < 0.05
    assert found.findings[0].statistic == "rows"
    assert score([day(n) for n in range(4, 12)], day(12)).p_value > 0.1  # the next Saturday


def test_a_smallest_value_that_many_rows_had_is_no_sign_on_the_weekday_that_never_had_it() -> None:
    past = [
        worked(n, 12, [0, 0.3, 0.6, 0.1]) if n % 7 == 6 else worked(n, 150, [0.1, 0.2, 0.6, 0.1])
        for n in range(20)
    ]
    found = score(past, worked(20, 12, [0.4, 0.3, 0.2, 0.1]))
    assert not found.held
    assert not named(found, "hours", "smallest")


def test_a_column_whose_values_come_and_go_does_not_stand_before_one_that_is_odd() -> None:
    def sent(day: int, lost: float = 0.0) -> Profile:
        """Each fifth day begins a new campaign, whose share rises and falls."""
        rng, (campaign, at) = np.random.default_rng([day, 6]), divmod(day, 5)
        share = (0.02, 0.55, 0.3, 0.1, 0.03)[at]
        names = np.where(rng.random(200) < share, f"c{campaign}", "archive")
        names[:2] = f"c{campaign}"
        size = rng.normal(0, 1, 200)
        missing = rng.random(200) < 0.05 + lost
        return profile(pa.table({"campaign": names.tolist(), "n": pa.array(size, mask=missing)}))

    found = score([sent(day) for day in range(22, 82)], sent(82, lost=0.1))
    assert (found.findings[0].column, found.findings[0].statistic) == ("n", "null")


def test_a_value_that_few_rows_have_may_be_missing_from_few_rows() -> None:
    def spoken(rare: int, rows: int) -> Profile:
        words = ["en", "de"] * (rows // 2 - rare) + ["ja"] * rare * 2
        return profile(pa.table({"language": words}))

    def most(rare: int, missing_from: int) -> float:
        """Decades that its absence from so many rows can be worth."""
        days = [spoken(rare, 200) for _ in range(HISTORY)] + [spoken(0, missing_from)]
        columns = [day.columns[0] for day in days]
        entries = Entries.of([column.sketches["values"] for column in columns])
        (found,) = variety("language", columns, entries)
        assert found.most is not None
        return float(found.most[-1])

    assert most(4, 70) < 2  # 4 % of the values: one day in 17 of so few rows lacks it
    assert most(4, 300) > 4
    assert most(40, 70) > 10
