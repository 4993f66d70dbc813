"""Rows: the budget is kept, the wrong cell is named, identifiers may be new."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from anomaly_demo_streams import STREAMS, crm_contacts

from wfops_pipelines.anomaly import RowModel, fit_rows, odd_rows, score_rows
from wfops_pipelines.anomaly._rows_model import margin
from wfops_pipelines.anomaly._rows_split import split
from wfops_pipelines.anomaly._trees import Trees, path_scores
from wfops_pipelines.errors import SchemaRefused

DAYS = [crm_contacts(6, day) for day in range(14)]
MODEL = fit_rows(DAYS[:12], key="id")


@pytest.mark.parametrize("sync", STREAMS)
def test_a_budget_of_two_percent_holds_about_two_percent_of_clean_rows(sync: str) -> None:
    make = STREAMS[sync][0]
    model = fit_rows([make(6, day) for day in range(12)], key="id")
    clean = np.concatenate([score_rows(model, make(6, day)).p_value for day in range(12, 18)])
    assert (clean <= 0.02).mean() < 0.035


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("email", "ann at acme"),
        ("lifecycle_stage", "LEAD"),
        ("country", "Germany"),
        ("owner_id", -1),
    ],
)
def test_a_wrong_cell_is_found_and_named(column: str, value: object) -> None:
    rows = DAYS[13].to_pylist()
    rows[5][column] = value
    scores = score_rows(MODEL, pa.Table.from_pylist(rows, schema=DAYS[13].schema))
    assert scores.p_value[5] <= 0.02
    assert scores.reasons(5)[0].column == column
    assert scores.reasons(5)[0].sentence.startswith(f"{column}: ")


@pytest.mark.parametrize("kind", [pa.float64(), pa.decimal128(19, 0), pa.int32()])
def test_a_whole_number_is_the_same_in_a_column_of_another_type(kind: pa.DataType) -> None:
    at = DAYS[13].schema.get_field_index("owner_id")

    def retyped(table: pa.Table) -> pa.Table:
        return table.set_column(at, "owner_id", table.column("owner_id").cast(kind))

    other = fit_rows([retyped(day) for day in DAYS[:12]], key="id")
    halves = retyped(DAYS[13]).column("owner_id").cast(pa.float64()).to_numpy() + 0.5
    for model in (MODEL, other):
        first, second = score_rows(model, DAYS[13]), score_rows(model, retyped(DAYS[13]))
        assert (first.score == second.score).all()
    odd = score_rows(MODEL, DAYS[13].set_column(at, "owner_id", pa.array(halves)))
    assert (odd.p_value < 0.05).all()


def test_a_new_identifier_alone_is_never_a_reason() -> None:
    rows = DAYS[13].to_pylist()
    before = score_rows(MODEL, DAYS[13]).score[5]
    rows[5]["id"] = 19_999_998
    after = score_rows(MODEL, pa.Table.from_pylist(rows, schema=DAYS[13].schema)).score[5]
    assert after <= before + 0.2


def test_a_stored_model_gives_the_same_bits() -> None:
    again = RowModel.from_json(MODEL.to_json())
    assert (score_rows(again, DAYS[13]).score == score_rows(MODEL, DAYS[13]).score).all()


def test_a_missing_column_is_refused_with_its_name() -> None:
    with pytest.raises(SchemaRefused, match="email"):
        score_rows(MODEL, DAYS[13].drop_columns(["email"]))
    with pytest.raises(SchemaRefused, match="email"):
        odd_rows(MODEL, DAYS[13].drop_columns(["email"]), 0.5)


def told(model: RowModel, table: pa.Table, limit: float) -> list[object]:
    scores = score_rows(model, table)
    return [(int(i), scores.reasons(int(i))) for i in np.flatnonzero(scores.p_value <= limit)]


def odd(model: RowModel, table: pa.Table, limit: float) -> list[object]:
    rows = odd_rows(model, table, limit)
    found = [(at, rows.reasons(i)) for i, at in enumerate(rows.numbers)]
    assert rows.columns == tuple(why[0].column if why else None for _, why in found)
    assert (rows.score == score_rows(model, table).score[[*rows.numbers]]).all()
    return found


@pytest.mark.parametrize("limit", [1.0, 0.5, 0.02, 1e-3, 1e-5, 1e-7, 0.0])
def test_odd_rows_are_those_of_a_small_p_value_to_the_bit(limit: float) -> None:
    rng = np.random.default_rng(5)
    days = pa.concat_tables([crm_contacts(6, day) for day in range(12, 20)])
    rows = days.to_pylist()
    for row in rng.choice(rows, 60, replace=False):
        name = rng.choice(["email", "lifecycle_stage", "country", "owner_id"])
        row[name] = -(10 ** rng.integers(9)) if name == "owner_id" else f"?{rng.integers(9)}"
    damaged = pa.Table.from_pylist(rows, schema=days.schema)
    for table in (days, damaged, damaged.slice(0, 0), damaged.slice(7, 1)):
        assert odd(MODEL, table, limit) == told(MODEL, table, limit)


def test_odd_rows_are_found_in_every_stream_as_by_scoring_all() -> None:
    for make, *_ in STREAMS.values():
        model = fit_rows([make(6, day) for day in range(8)])
        other = make(7, 30)
        for limit in (0.02, 0.02 / other.num_rows):
            assert odd(model, other, limit) == told(model, other, limit)


def test_the_complete_trees_score_as_scikit_learn_does() -> None:
    from sklearn.ensemble import IsolationForest

    x = np.random.default_rng(1).normal(size=(500, 6))
    forest = IsolationForest(n_estimators=30, random_state=0).fit(x)
    assert np.abs(path_scores(Trees.of(forest), x) + forest.score_samples(x)).max() < 1e-12


def full_refreshes(seed: int, days: int) -> list[pa.Table]:
    """The same articles day after day; one in seven gets a new price, two are new."""
    rng = np.random.default_rng(seed)
    article, price = np.arange(400), np.round(rng.gamma(2, 15, 400), 2)
    changed = rng.integers(0, 86_400, 400)
    out = []
    for day in range(days):
        touched = rng.random(len(article)) < 0.15
        price = np.where(touched, np.round(price * rng.normal(1.004, 0.02, len(price)), 2), price)
        changed = np.where(touched, day * 86_400 + rng.integers(0, 86_400, len(price)), changed)
        article = np.append(article, article[-1] + [1, 2])
        price = np.append(price, np.round(rng.gamma(2, 15, 2), 2))
        changed = np.append(changed, day * 86_400 + rng.integers(0, 86_400, 2))
        stamps = pa.array((1_700_000_000 + changed) * 1_000_000, pa.timestamp("us", "UTC"))
        codes = [f"A-{a:05d}" for a in article]
        out.append(pa.table({"article": codes, "price": price, "changed": stamps}))
    return out


@pytest.mark.parametrize("key", ["article", None])
def test_rows_that_come_again_and_again_are_counted_once(key: str | None) -> None:
    days = full_refreshes(3, 26)
    model = fit_rows(days[:20], key=key)
    clean = np.concatenate([score_rows(model, day).p_value for day in days[20:]])
    assert (clean <= 0.01).mean() <= 0.013
    assert (clean <= 0.05).mean() <= 0.065


@pytest.mark.parametrize("key", ["article", None])
def test_no_key_that_teaches_also_calibrates(key: str | None) -> None:
    rows = split(full_refreshes(3, 20), key)
    known, held_out = (set(t["article"].to_pylist()) for t in (rows.known, rows.held_out))
    assert not known & held_out
    assert len(known | held_out) == rows.known.num_rows + rows.held_out.num_rows == 440


def test_rows_without_a_key_are_not_taken_for_one() -> None:
    days = [day.append_column("n", pa.array(range(day.num_rows))) for day in DAYS[:6]]
    gone = [day.set_column(0, "id", pa.nulls(day.num_rows, pa.int64())) for day in days]
    rows = split(gone, "id")
    assert rows.known.num_rows + rows.held_out.num_rows == sum(day.num_rows for day in days)


def test_a_date_that_no_row_had_before_is_what_the_next_day_brings() -> None:
    rng = np.random.default_rng(8)

    def day(at: int) -> pa.Table:
        booked = pa.array(np.full(150, 19_000 + at), pa.int32()).cast(pa.date32())
        return pa.table({"amount": rng.lognormal(3, 1, 150), "booked": booked})

    model = fit_rows([day(at) for at in range(20)])
    assert (score_rows(model, day(20)).p_value <= 0.01).mean() <= 0.04


def test_a_full_refresh_in_another_order_gives_the_same_bits() -> None:
    days = full_refreshes(3, 21)
    rng = np.random.default_rng(0)
    mixed = [day.take(pa.array(rng.permutation(day.num_rows))) for day in days[:20]]
    there, again = (score_rows(fit_rows(d), days[20]).score for d in (days[:20], mixed))
    assert (there == again).all()


def test_rows_that_are_unusual_together_make_the_budget_more_careful() -> None:
    snapshot = np.repeat(np.arange(6), 100)
    calm = np.random.default_rng(2).normal(size=600)
    stormy = np.where(snapshot == 4, calm + 4.0, calm)
    assert 0.0 < margin(calm, snapshot) < margin(stormy, snapshot) / 2
    assert margin(calm, np.zeros(600, np.int64)) == 0.0


def test_a_reason_says_how_far_out_a_number_is_and_whether_a_value_is_new() -> None:
    rng = np.random.default_rng(4)
    lands = np.array(["DE"] * 1500 + ["FR"] * 480 + ["SE"] * 20)
    heat = np.append(np.round(rng.normal(21, 2, 1997), 1), [10.0, 32.0, 32.0])
    model = fit_rows(pa.table({"land": lands.tolist(), "heat": heat}))
    odd = pa.table({"land": ["SE", "XX", "DE", "DE"], "heat": [21.0, 21.0, 29.0, 90.0]})
    said = [score_rows(model, odd).reasons(i)[0].sentence for i in range(4)]
    assert said[0] == "land: 'SE' is less usual than other published values"
    assert said[1] == "land: 'XX' is new here, or was there once"
    assert said[2].startswith("heat: 29.0 is higher than 99.")
    assert said[2].endswith("–32)")
    assert said[3].startswith("heat: 90.0 is far from most published values (")
