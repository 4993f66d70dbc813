"""A row's version: the same for the same values, another for any other."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wfops_pipelines.core.parts import Rows
from wfops_pipelines.errors import SchemaRefused
from wfops_pipelines.store import files
from wfops_pipelines.store.mixed import noted, read_note, sliced
from wfops_pipelines.store.rows import settle, settled, to_table, told
from wfops_pipelines.store.versions import spelled, versions

NOW = datetime(2026, 5, 1, 9, tzinfo=UTC)
CELLS = {
    "text": ["", "a", "a" * 5000, "a" * 4999 + "b", "\0", "é"],
    "whole": [0, 1, -1, 2**53 + 1, 2**53 + 2, -(2**63)],
    "real": [0.5, -0.5, 1e300, float("inf")],
    "yes": [True, False],
    "day": [date(2026, 1, 1), date(1969, 12, 31)],
    "at": [NOW, datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)],
    "money": [Decimal("1.20"), Decimal("-1.2"), Decimal("120")],
    "raw": [b"", b"\x00\xff"],
}


def version(row):
    return spelled(versions(to_table([row])))[0]


@pytest.mark.parametrize("column", CELLS)
def test_every_other_value_is_another_version(column):
    found = {version({"id": "1", column: value}) for value in [*CELLS[column], None]}
    assert len(found) == len(CELLS[column]) + 1


def test_values_that_changed_places_are_another_version():
    assert version({"a": "x", "b": "y"}) != version({"a": "y", "b": "x"})
    assert version({"a": 1, "b": 2}) != version({"a": 2, "b": 1})


def test_the_order_of_columns_and_columns_that_are_null_make_no_version():
    assert version({"a": "x", "b": 1}) == version({"b": 1, "a": "x", "c": None})


def test_a_version_is_what_it_was_in_an_earlier_release():
    """Else every row of the overlap window is staged once more after an upgrade."""
    row = {"id": "1", "name": "a name", "amount": 10, "rate": 0.5, "paid": True, "at": NOW}
    assert version(row) == "d00b8aca26f6eb3f"


def test_decimals_of_one_value_are_one_version_whatever_their_scale():
    one = to_table([{"m": Decimal("1.2")}])
    two = to_table([{"m": Decimal("1.2")}, {"m": Decimal("1.234")}])
    assert versions(one)[0] == versions(two)[0]


def test_where_texts_repeat_their_versions_are_the_same_as_alone():
    many = pa.table({"s": ["a", "b", None, "c"] * 5000})
    few = pa.table({"s": ["a", "b", None, "c"]})
    assert versions(many)[:4].tolist() == versions(few).tolist()


@settings(deadline=None)
@given(st.lists(st.tuples(st.text(), st.integers(-(2**63), 2**63 - 1)), min_size=1, max_size=30))
def test_each_row_counts_alone(rows):
    table = to_table([{"t": t, "n": n} for t, n in rows])
    alone = [versions(to_table([{"t": t, "n": n}]))[0] for t, n in rows]
    assert versions(table).tolist() == [int(v) for v in alone]


def test_a_typed_table_keeps_its_values_in_the_types_of_snapshots():
    table = pa.table(
        {
            "small": pa.array([1, None], pa.int16()),
            "big": pa.array([2**64 - 1, 0], pa.uint64()),
            "coded": pa.array(["x", "y"]).dictionary_encode(),
            "naive": pa.array([NOW.replace(tzinfo=None), None], pa.timestamp("ms")),
            "nested": [{"a": 1}, None],
            "money": pa.array([Decimal("1.20"), None], pa.decimal128(10, 2)),
        }
    )
    settled = settle(table)
    assert settled.schema.field("small").type == pa.int64()
    assert settled["big"].to_pylist() == ["18446744073709551615", "0"]
    assert settled["naive"].to_pylist() == [NOW, None]
    assert settled["nested"].to_pylist() == ['{"a": 1}', None]
    assert settled["money"].to_pylist() == [Decimal("1.20"), None]
    assert settled["coded"].to_pylist() == ["x", "y"]


def test_half_a_character_becomes_the_sign_for_one():
    rows = [{"a": "x\ud800y", "b": {"c": "\udfff"}}, {"a": "\U0001f600", "b": None}]
    assert to_table(rows).to_pylist() == [
        {"a": "x\ufffdy", "b": '{"c": "\ufffd"}'},
        {"a": "\U0001f600", "b": None},
    ]


def test_a_whole_number_is_the_same_value_among_fractions():
    whole = versions(pa.table({"n": pa.array([33, -4, 0, 2**52], pa.int64())}))
    among = versions(pa.table({"n": pa.array([33.0, -4.0, -0.0, 2.0**52])}))
    assert whole.tolist() == among.tolist()
    rest = pa.table({"n": [33.5, float("inf"), float("nan"), 2.0**60]})
    assert len(set(versions(rest).tolist()) - set(whole.tolist())) == 4


NAIVE = NOW.replace(tzinfo=None)
EAST = timezone(timedelta(hours=2))
WEST = timezone(timedelta(hours=-5))
LAST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=WEST)  # "for ever"; in UTC there is no such year
HELD = st.sampled_from(
    ["int64", "string", "double", "decimal128(12, 2)", "timestamp[us, tz=UTC]", "binary", None]
)
EVERY = st.sampled_from(
    [*(v for values in CELLS.values() for v in values), None, "33", 33, 33.0, 2**70, "true",
     -(2**63), Decimal(-(2**63)), "2026-01-01", "NaN", float("nan"), 1e-7, 1e17,
     10**17, Decimal("NaN"), Decimal("1E+2"),
     Decimal("0." + "1" * 50), NAIVE, datetime(2026, 5, 1, 9, tzinfo=EAST),
     [1, "x"], {"a": 1.5}, "[1, \"x\"]", "x\ud800y",
     b"a", bytearray(b"a"), memoryview(b"a"), LAST, pd.NaT, pd.NA, Fraction(3, 2), UUID(int=5),
     Decimal("1" * 100), Decimal("1E-99"), {1: 2, "a": None}, {"b", "a"}, np.array([1, 2])]
)  # fmt: skip


@settings(deadline=None, max_examples=200)
@given(st.lists(EVERY, min_size=1, max_size=12), HELD)
def test_a_value_is_the_same_whatever_stands_beside_it(values, held):
    held = held and {"v": held}
    table, mixed = told([{"v": v, "w": "w"} for v in values], held)
    alone = [versions(*told([{"v": v, "w": "w"}], held))[0] for v in values]
    assert versions(table, mixed).tolist() == [int(v) for v in alone]


@pytest.mark.parametrize("held", ["int64", "string", "timestamp[us, tz=UTC]"])
@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (b"abc", b"abc"), (bytearray(b"abc"), b"abc"), (Fraction(3, 2), "3/2"),
        (UUID(int=5), "00000000-0000-0000-0000-000000000005"), (LAST, str(LAST)), (pd.NaT, None),
        (Decimal("1E+80"), "1E+80"),
        ({2: 1, "a": 2}, '{"2": 1, "a": 2}'), ({"b", "a"}, '["a", "b"]'),
        (np.arange(2000), str([*range(2000)])),
    ],
)  # fmt: skip
def test_nothing_is_cut_where_it_comes_into_a_column_of_another_type(value, kept, held):
    found = to_table([{"v": value, "n": "x"}], {"v": held, "n": "int64"})
    assert found["v"].to_pylist() == [kept]


@pytest.mark.parametrize(
    ("value", "said"), [(object(), "holds a object"), ([10**5000], "holds a value that cannot")]
)
def test_what_is_no_value_is_refused_with_its_column(value, said):
    with pytest.raises(SchemaRefused, match=f"the column v {said}"):
        to_table([{"v": value}])


def test_a_time_of_a_typed_table_that_no_calendar_has_is_refused_with_its_column():
    with pytest.raises(SchemaRefused, match="the column at holds a time that no calendar has"):
        settle(pa.table({"at": pa.array([2**62], pa.timestamp("s"))}))


def test_what_mixed_values_were_is_kept_with_the_file(tmp_path):
    values = [33, "33", 1.5, True, Decimal("1.20"), NOW, NOW.date(), b"\xff", None, "ten"]
    table, mixed = told([{"v": v, "w": 1} for v in values])
    digest = files.write(tmp_path, Rows.of(table), 4, noted(mixed))
    again = files.read(tmp_path, digest, 4)
    kinds, at, found = read_note(again.schema), 0, []
    for part in again.parts():
        found += versions(part, sliced(kinds, at, part.num_rows)).tolist()
        at += part.num_rows
    assert found == versions(table, mixed).tolist()
    assert len(set(found)) == len(values)


@pytest.mark.parametrize("coded", [pc.dictionary_encode, pc.run_end_encode, lambda column: column])
def test_a_number_of_a_typed_table_is_the_same_beside_one_that_is_too_large(coded):
    table, mixed = settled(pa.table({"n": coded(pa.array([2**64 - 1, 5], pa.uint64()))}))
    assert versions(table, mixed)[1] == versions(pa.table({"n": [5]}))[0]
    assert spelled(versions(table, mixed))[0] == version({"n": 2**64 - 1})


def test_numbers_that_numpy_made_are_numbers_and_nothing_is_cut():
    rows = [{"n": np.float32(1.5), "k": np.int64(7)}, {"n": np.int32(2), "k": np.uint8(1)}]
    found = to_table(rows, {"n": "int64", "k": "int64"})
    assert found.to_pylist() == [{"n": 1.5, "k": 7}, {"n": 2.0, "k": 1}]
