"""Whatever a source sends gives a score or a clear error, never a crash or a NaN."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wfops_pipelines.anomaly import (
    Profile,
    SnapshotScore,
    fit_rows,
    odd_rows,
    profile,
    score_rows,
    score_snapshot,
)
from wfops_pipelines.errors import SchemaRefused

RNG = np.random.default_rng(11)
DAMAGED = "\ufffd\x00\u200b𝔘"
HOSTILE = {
    "empty": pa.table({"a": pa.array([], pa.int64()), "b": pa.array([], pa.string())}),
    "no columns": pa.table({}),
    "one row": pa.table({"a": [1], "b": ["x"]}),
    "all null": pa.table({"a": pa.nulls(30), "b": pa.nulls(30, pa.string())}),
    "constant": pa.table({"a": [7] * 30, "b": ["x"] * 30}),
    "infinite": pa.table({"a": [math.inf, -math.inf, math.nan, 1e308, -1e308, 0.0] * 5}),
    "many categories": pa.table({"a": [f"c{i}" for i in range(10_000)]}),
    "wide": pa.table({f"c{i}": RNG.normal(size=20) for i in range(300)}),
    "nested": pa.table({"a": [[{"x": 1}], None, []] * 10, "b": [{"y": [1, 2]}] * 30}),
    "odd text": pa.table({"a": ["", " ", "\n", DAMAGED, "é" * 900, None] * 5}),
    "bytes": pa.table({"a": pa.array([b"\xff\x00", b"", None], pa.binary())}),
    "days": pa.table({"a": pa.array([0, 1, None], pa.date32())}),
    "hours": pa.table({"a": pa.array([5, 6, 7], pa.time64("us"))}),
    "decimals": pa.table({"a": pa.array([1, 2, None], pa.decimal128(12, 2))}),
    "coded": pa.table({"a": pa.array(["x", "y", None]).dictionary_encode()}),
    "far times": pa.table({"a": [datetime(y, 1, 1, tzinfo=UTC) for y in (1, 9999)]}),
    "repeated names": pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"]),
    "bad dates": pa.table({"a": ["2024-02-31", "2024-13-01", "2024-01-01T10:00:00Z"] * 9}),
}  # fmt: skip
SLOW = {"wide"}
cases = pytest.mark.parametrize(
    "table",
    [
        pytest.param(table, id=name, marks=[pytest.mark.slow] if name in SLOW else [])
        for name, table in HOSTILE.items()
    ],
)


def check(score: SnapshotScore) -> None:
    assert 0.0 <= score.p_value <= 1.0
    assert math.isfinite(score.score)
    assert all(math.isfinite(f.contribution) and f.sentence for f in score.findings)


@cases
def test_a_hostile_table_is_profiled_and_scored_against_itself(table: pa.Table) -> None:
    one = profile(table)
    assert Profile.from_json(one.to_json()) == one
    check(score_snapshot([one] * 8, one))


@cases
def test_a_hostile_table_after_a_normal_history_is_scored(table: pa.Table) -> None:
    rng = np.random.default_rng(3)
    usual = [profile(pa.table({"a": rng.integers(0, 9, 40)})) for _ in range(6)]
    check(score_snapshot(usual, profile(table)))


@cases
def test_rows_of_a_hostile_table_get_finite_scores_or_a_clear_error(table: pa.Table) -> None:
    if not table.num_rows or len(set(table.column_names)) < table.num_columns:
        with pytest.raises(SchemaRefused, match=r"publish|rename"):
            fit_rows(table)
        return
    model = fit_rows(table)
    rows = score_rows(model, table)
    assert len(rows.score) == table.num_rows
    assert np.isfinite(rows.score).all()
    assert ((rows.p_value > 0) & (rows.p_value <= 1)).all()
    assert all(reason.sentence for reason in rows.reasons(0))
    for limit in (0.0, 1e-3, 0.3, 1.0):
        found = np.flatnonzero(rows.p_value <= limit)
        told = [(int(i), rows.reasons(int(i))) for i in found]
        odd = odd_rows(model, table, limit)
        assert [(at, odd.reasons(i)) for i, at in enumerate(odd.numbers)] == told


cell = st.one_of(st.none(), st.text(max_size=12), st.just("N/A"))
number = st.one_of(st.none(), st.floats(), st.just(0.0))


@pytest.mark.slow
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.tuples(cell, number), max_size=12), st.lists(st.tuples(cell, number), max_size=12)
)
def test_any_text_and_number_can_follow_any_other(
    first: list[object], second: list[object]
) -> None:
    schema = pa.schema({"t": pa.string(), "x": pa.float64()})
    tables = [
        pa.Table.from_pylist([{"t": t, "x": x} for t, x in rows], schema=schema)  # type: ignore[misc]
        for rows in (first, second)
    ]
    old, new = map(profile, tables)
    check(score_snapshot([old, new, old, old, new, old], new))


NINES = 10**20


@pytest.mark.parametrize(
    "keys",
    [
        pa.array([Decimal(NINES + i) for i in range(99)], pa.decimal128(38, 0)),
        pa.array([10**18 + i * 100 for i in range(99)], pa.timestamp("ns")),
        pa.array([bytes([200 + i]) for i in range(40)]),
        pa.array(["x" * 512 + f"{i:03d}" for i in range(99)]),
        pa.array([2**63 + i for i in range(99)], pa.uint64()),
        pa.array(["a", "b", "c"]).dictionary_encode(),
        pa.array([0.5, 0.25, -0.5]),
        pa.array([1, 2, 3], pa.date32()),
        pa.array([True, False]),
    ],
)
def test_keys_are_told_apart_to_the_last_digit_and_byte(keys: pa.Array) -> None:
    assert profile(pa.table({"id": keys}), key="id").key_duplicates == 0
    twice = pa.concat_arrays([keys, keys.slice(0, 1)])
    assert profile(pa.table({"id": twice}), key="id").key_duplicates == 1


FAR = pa.array([2**62, 2**61] * 20, pa.timestamp("s"))
BROKEN = pa.array([b"\xff\xfe", b"ok"] * 20).view(pa.string())


@pytest.mark.parametrize("column", [FAR, BROKEN, pa.array([[2**62]], pa.list_(FAR.type))])
def test_what_cannot_be_read_is_measured_all_the_same(column: pa.Array) -> None:
    table = pa.table({"a": column})
    known = profile(table)
    assert known.rows == len(table)
    assert 0.0 < score_snapshot([known] * 9, known).p_value <= 1.0


@pytest.mark.parametrize("column", [FAR, BROKEN])
def test_a_row_that_cannot_be_read_has_a_reason(column: pa.Array) -> None:
    usual = pa.array([10**9 + i for i in range(99)], FAR.type)
    usual = usual if column is FAR else pa.array([f"ok {i}" for i in range(99)])
    found = score_rows(fit_rows(pa.table({"a": usual})), pa.table({"a": column}))
    assert found.reasons(0)[0].sentence.startswith("a: what cannot be read ")


def test_published_types_that_do_not_go_together_are_refused_by_name() -> None:
    text, number = pa.table({"a": ["x", "y"] * 9}), pa.table({"a": [1, 2] * 9})
    with pytest.raises(SchemaRefused, match=r"columns \['a'\] of published tables"):
        fit_rows([number, text])


@pytest.mark.parametrize("kind", [pa.dictionary(pa.int32(), pa.string()), pa.string_view()])
def test_another_storage_of_the_same_texts_is_learned_from(kind: pa.DataType) -> None:
    text = pa.table({"a": ["x", "y"] * 9})
    model = fit_rows([text, text.cast(pa.schema({"a": kind}))])
    assert list(score_rows(model, text).p_value) == list(
        score_rows(fit_rows([text] * 2), text).p_value
    )


def test_a_column_that_is_twice_in_the_table_is_refused() -> None:
    table = pa.table({"a": [1, 2] * 9})
    with pytest.raises(SchemaRefused, match=r"\['a'\] are in the table twice"):
        score_rows(fit_rows(table), table.append_column("a", table["a"]))


def test_the_basis_of_an_empty_snapshot_says_that_nothing_is_measured() -> None:
    known = profile(pa.table({"a": list(range(9))}))
    empty = profile(pa.table({"a": pa.array([], pa.int64())}))
    assert "without rows" in score_snapshot([known] * 9, empty).basis


def test_a_value_within_the_range_is_told_with_what_was_expected() -> None:
    """Half of a workday has no fewer rows than a weekend: the range alone says nothing."""
    made = [np.random.default_rng([3, day]) for day in range(36)]
    sizes = [int(r.poisson(120 if day % 7 > 4 else 400)) for day, r in enumerate(made)]
    start = 1_735_516_800  # a Monday
    days = [
        pa.table(
            {
                "at": pa.array(
                    np.sort(start + day * 86_400 + r.integers(0, 86_400, n)), pa.timestamp("s")
                ),
                "v": r.normal(size=n),
            }
        )
        for day, (r, n) in enumerate(zip(made, sizes, strict=True))
    ]
    past = [profile(t, cursor="at") for t in days[:-1]]
    half = days[-1].take(pa.array(np.arange(0, days[-1].num_rows, 2)))
    rows = next(
        f
        for f in score_snapshot(past, profile(half, cursor="at")).findings
        if f.statistic == "rows"
    )
    expected = re.search(r", for this one about (\d+)$", rows.sentence)
    assert expected is not None, rows.sentence
    assert 340 < int(expected[1]) < 460
    assert rows.expected.endswith(expected[0].lstrip(", "))
