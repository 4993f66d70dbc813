"""Columns that depend on each other, values that come to stay, and days that stand alone."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from wfops_pipelines.anomaly import Profile, SnapshotScore, profile, score_snapshot

HISTORY, ROWS = 24, 400
PRODUCTS = {
    f"P{i:02d}": (plan, price)
    for i, (plan, price) in enumerate(
        (plan, price)
        for plan in ("free", "team", "business", "enterprise")
        for price in (9, 19, 49, 99)
    )
}


def sold(day: int, wrong: int = 0) -> pa.Table:
    """Sales whose plan and price go by the product, but for `wrong` of the plans."""
    rng = np.random.default_rng([day, 71])
    names = rng.choice(list(PRODUCTS), ROWS)
    plans = [PRODUCTS[n][0] for n in names]
    hit = rng.choice(ROWS, wrong, replace=False)
    for at in hit:
        plans[at] = "team"
    return pa.table(
        {
            "sale": [f"{day}-{i}" for i in range(ROWS)],
            "product": names.tolist(),
            "plan": plans,
            "price": [PRODUCTS[n][1] for n in names],
            "units": rng.poisson(3, ROWS),
        }
    )


@pytest.fixture(scope="module")
def past() -> list[Profile]:
    return [profile(sold(day), key="sale") for day in range(HISTORY)]


def judged(past: list[Profile], table: pa.Table) -> SnapshotScore:
    return score_snapshot(past, profile(table, key="sale"))


def test_a_usual_value_beside_another_that_it_never_is_with_is_found(past: list[Profile]) -> None:
    found = judged(past, sold(HISTORY, wrong=12))
    assert found.held
    assert "plan" in {f.column for f in found.findings[:2]}
    said = [f.sentence for f in found.findings if f.statistic.startswith("unseen combinations")]
    assert any("not seen before" in one and "last 24 snapshots 0 %" in one for one in said), said


def refunds(day: int, lost: int = 0) -> pa.Table:
    """A refund has a reason and everything else has none, but for `lost` reasons."""
    rng = np.random.default_rng([day, 75])
    state = rng.choice(["paid", "refunded", "open"], ROWS, p=[0.6, 0.3, 0.1])
    number = rng.integers(0, 10**6, ROWS)
    reasons = [f"case {i}" if s == "refunded" else None for s, i in zip(state, number, strict=True)]
    there = [i for i, r in enumerate(reasons) if r is not None]
    for at in there[:lost]:
        reasons[at] = None
    return pa.table({"state": state.tolist(), "reason": pa.array(reasons, pa.string())})


def test_what_is_null_where_it_never_was_is_found_though_nulls_are_usual() -> None:
    past = [profile(refunds(day)) for day in range(HISTORY)]
    found = score_snapshot(past, profile(refunds(HISTORY, lost=8)))
    assert found.held
    first = found.findings[0]
    assert first.sentence.startswith("reason: combinations of null with state not seen before 2 %")
    assert not score_snapshot(past, profile(refunds(HISTORY))).held


def paid(day: int, wrong: int = 0, every: bool = False) -> pa.Table:
    """What is paid out is the amount less the fee, and a line costs its price times its units."""
    rng = np.random.default_rng([day, 76])
    amount = np.round(rng.lognormal(4, 1, ROWS), 2)
    fee = np.round(amount * rng.uniform(0.01, 0.05, ROWS), 2)
    net = np.round(amount - fee, 2)
    hit = rng.permutation(ROWS)[: ROWS if every else wrong]
    net[hit] = np.round(amount[hit] - 2 * fee[hit], 2)
    price, units = rng.choice([4.99, 9.5, 12.25, 30.0], ROWS), 1 + rng.poisson(2, ROWS)
    return pa.table(
        {
            "sale": [f"{day}-{i}" for i in range(ROWS)],
            "amount": pa.array(amount, mask=rng.random(ROWS) < 0.02),
            "fee": fee,
            "net": net,
            "price": price,
            "units": units,
            "line": np.round(price * units, 2),
        }
    )


@pytest.fixture(scope="module")
def payouts() -> list[Profile]:
    return [profile(paid(day), key="sale") for day in range(HISTORY)]


def test_sums_and_products_are_found_and_nothing_else(payouts: list[Profile]) -> None:
    assert {tuple(sorted(one.rules)) for one in payouts} == {("2 + 3 1", "4 * 5 6")}
    of, held = payouts[0].rules["2 + 3 1"]
    assert 0.95 * ROWS < of < ROWS  # of those with an amount
    assert held == of


@pytest.mark.parametrize(
    ("rate", "made", "said"),
    [
        ([0.07, 0.19], lambda net, rate: net * (1 + rate), "net × (1 + rate)"),
        ([0.0, 0.1, 0.25], lambda net, rate: net * (1 - rate), "net × (1 − rate)"),
        ([7, 19], lambda net, rate: net * (1 + rate / 100), "net plus rate %"),
        ([0, 10, 25], lambda net, rate: net * (1 - rate / 100), "net less rate %"),
    ],
)
def test_taxes_and_discounts_are_known(rate: list[float], made: Any, said: str) -> None:
    def day(at: int, wrong: int = 0) -> Profile:
        rng = np.random.default_rng([at, 77])
        net, of = np.round(rng.lognormal(4, 1, ROWS), 2), rng.choice(rate, ROWS)
        gross = np.round(made(net, of), 2)
        of[rng.permutation(ROWS)[:wrong]] = rate[0]
        return profile(pa.table({"net": net, "rate": of, "gross": gross}))

    past = [day(at) for at in range(HISTORY)]
    assert all(len(one.rules) == 1 for one in past)
    found = score_snapshot(past, day(HISTORY, wrong=16))
    assert found.held
    assert found.findings[0].statistic == f"other than {said}"


def test_few_rows_that_do_not_add_up_are_found(payouts: list[Profile]) -> None:
    found = judged(payouts, paid(HISTORY, wrong=8))
    assert found.held
    said = found.findings[0].sentence
    assert said.startswith("amount: other than fee + net"), said
    assert said.endswith("last 24 snapshots 0 %")
    assert not judged(payouts, paid(HISTORY)).held


def test_a_snapshot_in_which_half_of_the_rows_do_not_add_up_is_found(
    payouts: list[Profile],
) -> None:
    found = judged(payouts, paid(HISTORY, wrong=ROWS // 2))
    assert found.held
    assert any(f.statistic == "other than fee + net" for f in found.findings[:2])


def test_a_day_that_does_not_tell_whether_a_rule_holds_breaks_none(payouts: list[Profile]) -> None:
    """All lines of one price and one unit: each fits with the next row's result as well."""
    day = paid(HISTORY)
    for name, value in (("price", 4.99), ("units", 1), ("line", 4.99)):
        at = day.column_names.index(name)
        same = pa.array([value] * ROWS, day.schema.field(name).type)
        day = day.set_column(at, name, same)
    assert not any(f.statistic.startswith("other than") for f in judged(payouts, day).findings)


def test_rules_survive_json_and_add_up_over_parts(payouts: list[Profile]) -> None:
    table = paid(1)
    whole = profile(table, key="sale")
    assert Profile.from_json(whole.to_json()).rules == whole.rules
    both = profile(table.slice(0, 150), key="sale").merge(profile(table.slice(150), key="sale"))
    assert both.rules == whole.rules


def test_what_goes_together_as_ever_is_not_held(past: list[Profile]) -> None:
    assert not judged(past, sold(HISTORY)).held


def test_profiles_from_before_cells_were_kept_are_judged_without(past: list[Profile]) -> None:
    old = []
    for one in past:
        body = json.loads(one.to_json())
        del body["cell_rows"], body["rules"]
        for column in body["columns"]:
            del column["cells"]
        old.append(Profile.from_json(json.dumps({**body, "version": 5})))
    found = judged(old, sold(HISTORY, wrong=12))
    assert not any(f.statistic.startswith("unseen combinations") for f in found.findings)
    assert not judged(old, sold(HISTORY)).held


def test_cells_survive_json_and_add_up_over_parts() -> None:
    table = sold(1)
    whole = profile(table)
    assert len(whole.cell_rows) == 8 * ROWS
    assert Profile.from_json(whole.to_json()) == whole
    both = profile(table.slice(0, 150)).merge(profile(table.slice(150)))
    assert both.cell_rows == whole.cell_rows
    assert [c.cells for c in both.columns] == [c.cells for c in whole.columns]


def test_cells_of_more_rows_than_are_kept_are_of_the_same_rows_in_each_column() -> None:
    rng = np.random.default_rng(72)
    number = rng.permutation(5_000)
    whole = profile(pa.table({"a": number, "b": number, "c": number % 7}))
    a, b, c = (np.frombuffer(one.cells, np.uint32) for one in whole.columns)
    assert len(a) == len(whole.cell_rows) // 8 < 5_000
    assert (a == b).all()
    assert len(np.unique(c)) == 7


def campaigns(day: int, since: int) -> pa.Table:
    """From day `since` on, most rows are of a campaign that was not there before."""
    rng = np.random.default_rng([day, 73])
    usual = ["spring", "brand", "partner", "other"]
    names, shares = usual, [0.4, 0.3, 0.2, 0.1]
    if day >= since:
        names, shares = [*usual, "summer"], [0.12, 0.09, 0.06, 0.03, 0.7]
    return pa.table(
        {
            "campaign": rng.choice(names, 300, p=shares).tolist(),
            "clicks": rng.poisson(20, 300),
            "cost": np.round(rng.gamma(2, 3, 300), 2),
        }
    )


def test_a_new_value_that_two_snapshots_were_let_go_with_is_usual() -> None:
    past = [profile(campaigns(day, HISTORY - 2)) for day in range(HISTORY)]
    found = score_snapshot(past, profile(campaigns(HISTORY, HISTORY - 2)))
    assert not found.held
    assert not [f.sentence for f in found.findings if "summer" in f.statistic]


def test_a_new_value_that_goes_again_is_missed() -> None:
    past = [profile(campaigns(day, HISTORY - 6)) for day in range(HISTORY)]
    found = score_snapshot(past, profile(campaigns(HISTORY, 999)), false_holds=0.1)
    assert found.held
    assert found.findings[0].statistic == "share of 'summer'"
    assert len(found.findings[0].past) == 7  # it had no share before it came, and has none now


def routes(day: int, without: str = "") -> pa.Table:
    rng = np.random.default_rng([day, 74])
    names = [f"R{i}" for i in range(8)]
    drawn = rng.choice(names, 300)
    if day == HISTORY - 6:  # one loud day: a route by the hundred that never came again
        drawn[:200] = "R-detour"
    drawn[drawn == without] = "R0"
    return pa.table({"route": drawn.tolist(), "kilos": np.round(rng.gamma(2, 4, 300), 1)})


def test_one_loud_day_does_not_hide_the_next() -> None:
    past = [profile(routes(day)) for day in range(HISTORY)]
    found = score_snapshot(past, profile(routes(HISTORY, without="R3")), false_holds=0.15)
    assert found.held
    assert found.findings[0].column == "route"
