"""Numbers that a column has, or spells: what is summed, and what is no number."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from wfops_pipelines.store.spelled import number_in, numbers, total


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([1, None, 2], (3, 0)),
        ([1.5, float("nan"), None], (1.5, 1)),
        ([Decimal("1.50"), Decimal("0.25")], (Decimal("1.75"), 0)),
        (["0.1", "0.2", None], (Decimal("0.3"), 0)),
        (["1007.50", "ten", "-7"], (Decimal("1000.50"), 1)),
        (["1e999", "007", " 3", "+3", "٣", "NaN", "-", ""], (None, 8)),
        (["1e300", "1e-999999"], (Decimal("1e300"), 0)),
        ([True, False], (None, 2)),
        ([b"9", None], (None, 1)),
        ([date(2026, 5, 1)], (None, 1)),
        ([datetime(2026, 5, 1, tzinfo=UTC)], (None, 1)),
        ([None, None], (None, 0)),
        ([], (None, 0)),
    ],
)
def test_what_is_a_number_is_summed_and_what_is_none_counted(values, told):
    column = pa.chunked_array([pa.array(values)])
    assert total(column) == told
    found = numbers(column)
    assert len(found) == len(values)
    assert found.null_count - values.count(None) == told[1]


def test_a_sum_of_texts_is_never_written_in_thousands_of_digits():
    much, _ = total(pa.chunked_array([["1e308", "1"]]))
    assert len(f"{much:,}") < 500


def test_a_number_is_what_json_writes_as_one():
    assert [number_in(t) for t in ("33", "33.0", "-0.5", "1E3")] == [33, 33, Decimal("-.5"), 1000]
    assert number_in("9" * 500) is None
