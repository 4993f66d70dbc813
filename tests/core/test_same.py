"""What is read back is compared by its value, not by how a system spells it."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest

from wfops_pipelines.core.same import same

NINE = datetime(2026, 5, 1, 9, tzinfo=UTC)
A = UUID("12345678-1234-5678-1234-567812345678")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1201, "1201"), (1201, 1201.0), (-3, "-3"), (10.5, "10.50"), (Decimal("10.50"), 10.5),
        (Decimal("10.1"), 10.1), (Decimal("1007.50"), "1007.5"), (1000.0, "1e3"), (0, "-0"),
        (1e22, "1e+22"), (True, "true"), (False, "FALSE"), (None, None), (float("nan"),) * 2,
        (NINE, "2026-05-01T09:00:00Z"), (NINE, "2026-05-01T11:00:00.000+02:00"),
        (NINE, "2026-05-01 09:00:00.0000000Z"), (NINE, "2026-05-01T04:00:00-05"),
        (NINE, NINE.astimezone(timezone(timedelta(hours=2)))),
        ("2026-05-01T09:00:00+00:00", "2026-05-01T09:00:00.000Z"),
        (date(2026, 5, 1), "2026-05-01"), (date(2026, 5, 1), "2026-05-01T00:00:00"),
        ([1, {"a": True}], ["1", {"a": "true"}]), (memoryview(b"x"), b"x"), (A, str(A)),
    ],
)  # fmt: skip
def test_another_spelling_is_the_same_value_either_way_round(one, other):
    assert same(one, other)
    assert same(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (7, "007"), (7, " 7"), (7, "7 "), (7, "+7"), (7, "7."), (0.5, ".5"), (7, "7\n"), (7, "٧"),
        ("a", " a"), ("a", "A"), ("1.10", "1.1"), ("1", "1.0"), ("true", "True"), (True, "1"),
        (0, ""), (None, ""), (None, "None"), (None, 0), ("", " "), (float("nan"), "NaN"),
        (10.1, 10.2), (2**53, float(2**53 + 2)), (1007.5, "1007,5"), (10**9, "1e99999999999"),
        (NINE, "2026-05-01T09:00:00"), (NINE, "2026-05-01T09:00:01Z"), (NINE, "2026-05-01"),
        (NINE, "2026-99-01T09:00:00Z"), (NINE, "2026-05-01T09:00:00.0000001Z"),
        ([1], ["2"]), ([1], ["1", "1"]), ({"a": 1}, {"b": 1}), ({"a": 1}, {"a": 1, "b": 2}),
        (b"x", "x"), ({}, ""), ([], ""), ([1], "[1]"), (A, str(A)[:-1]),
    ],
)  # fmt: skip
def test_another_value_is_none(one, other):
    assert not same(one, other)
    assert not same(other, one)
