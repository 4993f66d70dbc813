"""A suite says the same of rows that are read in parts as of the same rows at once."""

import json
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wfops_pipelines.checks.gx import run_suite
from wfops_pipelines.checks.gx.running import ROW_BY_ROW
from wfops_pipelines.checks.suite import read_suite
from wfops_pipelines.core.findings import Outcome
from wfops_pipelines.core.parts import Rows

OPEN = {"type": "comparison", "column": {"name": "state"}, "operator": "==", "parameter": "open"}
EXPECTED = [
    ("column_values_to_not_be_null", {"column": "name"}),
    ("column_values_to_not_be_null", {"column": "name", "mostly": 0.7}),
    ("column_values_to_be_null", {"column": "name", "mostly": 0.3}),
    ("column_values_to_be_in_set", {"column": "state", "value_set": ["open", "paid"]}),
    ("column_values_to_not_be_in_set", {"column": "state", "value_set": ["void"]}),
    ("column_values_to_be_in_set", {"column": "amount", "value_set": [0, 1, 2, 3]}),
    ("column_values_to_be_between", {"column": "amount", "min_value": 0, "max_value": 90}),
    (
        "column_values_to_be_between",
        {"column": "amount", "min_value": 0, "row_condition": OPEN, "mostly": 0.5},
    ),
    (
        "column_values_to_be_between",
        {"column": "amount", "max_value": 50, "row_condition": "amount < amount.max()",
         "condition_parser": "pandas"},
    ),
    ("column_values_to_be_between", {"column": "rate", "min_value": 0.1, "max_value": 0.9}),
    ("column_values_to_be_between", {"column": "day", "min_value": "2026-01-02"}),
    ("column_values_to_be_between", {"column": "day", "max_value": 5}),  # cannot be told
    ("column_values_to_be_between", {"column": "at", "max_value": "2026-01-01T05:00:00Z"}),
    ("column_values_to_match_regex", {"column": "name", "regex": "^[a-m]"}),
    ("column_values_to_not_match_regex", {"column": "name", "regex": "z"}),
    ("column_values_to_match_regex_list", {"column": "name", "regex_list": ["^a", "b"]}),
    ("column_values_to_not_match_regex_list", {"column": "name", "regex_list": ["^a", "b"]}),
    ("column_value_lengths_to_be_between", {"column": "name", "min_value": 1, "max_value": 3}),
    ("column_value_lengths_to_equal", {"column": "name", "value": 2}),
    ("column_values_to_be_dateutil_parseable", {"column": "text_day"}),
    (
        "column_values_to_match_strftime_format",
        {"column": "text_day", "strftime_format": "%Y-%m-%d"},
    ),
    ("column_values_to_be_json_parseable", {"column": "text_day"}),
    (
        "column_values_to_match_json_schema",
        {"column": "text_day", "json_schema": {"type": "number"}},
    ),
    ("column_pair_values_a_to_be_greater_than_b", {"column_A": "amount", "column_B": "other"}),
    ("column_pair_values_to_be_equal", {"column_A": "amount", "column_B": "other"}),
    (
        "column_pair_values_to_be_in_set",
        {"column_A": "amount", "column_B": "other", "value_pairs_set": [[1, 1], [2, 2]]},
    ),
    ("multicolumn_sum_to_equal", {"column_list": ["amount", "other"], "sum_total": 4}),
    ("multicolumn_values_to_be_equal", {"column_list": ["amount", "other"]}),
    ("select_column_values_to_be_unique_within_record", {"column_list": ["amount", "other"]}),
    # of these, no part alone can tell
    ("column_values_to_be_unique", {"column": "name"}),
    ("column_values_to_be_unique", {"column": "amount", "mostly": 0.5}),
    ("column_values_to_be_unique", {"column": "rate"}),
    ("column_values_to_be_unique", {"column": "at"}),
    ("column_values_to_be_unique", {"column": "name", "row_condition": OPEN}),
    ("compound_columns_to_be_unique", {"column_list": ["name", "state"]}),
    ("column_values_to_be_increasing", {"column": "amount"}),
    (
        "column_value_z_scores_to_be_less_than",
        {"column": "rate", "threshold": 1, "double_sided": True},
    ),
    ("column_mean_to_be_between", {"column": "rate", "min_value": 0.2, "max_value": 0.4}),
    ("column_median_to_be_between", {"column": "amount", "min_value": 2, "max_value": 4}),
    ("column_unique_value_count_to_be_between", {"column": "state", "max_value": 2}),
    ("column_distinct_values_to_equal_set", {"column": "state", "value_set": ["open", "paid"]}),
    ("column_values_to_be_of_type", {"column": "amount", "type_": "int64"}),
    ("table_row_count_to_be_between", {"min_value": 20}),
    ("table_columns_to_match_set", {"column_set": ["id", "name"], "exact_match": False}),
    ("column_to_exist", {"column": "nowhere"}),
    ("column_max_to_be_between", {"column": "amount", "max_value": 50}),
]  # fmt: skip
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
amounts = st.none() | st.integers(-3, 4) | st.just(2**53 + 1)
row = st.fixed_dictionaries(
    {
        "name": st.none() | st.text("abz", max_size=3),
        "state": st.none() | st.sampled_from(["open", "paid", "void"]),
        "amount": amounts,
        "other": amounts,
        "rate": st.none() | st.sampled_from([0.0, 0.1, 0.5, 0.95, float("nan")]),
        "day": st.none() | st.integers(0, 3).map(lambda d: date(2026, 1, 1) + timedelta(days=d)),
        "at": st.none() | st.integers(0, 9).map(lambda h: BEGIN + timedelta(hours=h)),
        "text_day": st.none() | st.sampled_from(["2026-01-01", "7", "{}", "no day"]),
    }
)
SCHEMA = pa.schema(
    {
        "id": pa.int64(), "name": pa.string(), "state": pa.string(), "amount": pa.int64(),
        "other": pa.int64(), "rate": pa.float64(), "day": pa.date32(),
        "at": pa.timestamp("us", "UTC"), "text_day": pa.string(),
    }
)  # fmt: skip


def in_parts(table, size):
    def read(columns):
        for at in range(0, max(table.num_rows, 1), size):
            part = table.slice(at, size)
            yield part if columns is None else part.select(columns)

    return Rows(table.schema, table.num_rows, read)


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    entries = [{"type": f"expect_{name}", "kwargs": kwargs} for name, kwargs in EXPECTED]
    path = tmp_path_factory.mktemp("expectations") / "things.json"
    path.write_text(json.dumps({"name": "things", "expectations": entries}))
    return read_suite(path)


def test_every_row_expectation_that_goes_by_parts_is_tried_here():
    assert {f"expect_{name}" for name, _ in EXPECTED} >= ROW_BY_ROW


@pytest.mark.slow
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=st.lists(row, max_size=40), size=st.sampled_from([1, 7]))
def test_in_parts_or_at_once_every_outcome_count_and_key_is_the_same(suite, rows, size):
    table = pa.Table.from_pylist([{"id": i, **r} for i, r in enumerate(rows)], SCHEMA)
    at_once = run_suite(suite, table, key="id", previous_rows=10)
    assert run_suite(suite, in_parts(table, size), key="id", previous_rows=10) == at_once


@pytest.mark.slow
def test_what_cannot_be_told_of_a_part_is_told_of_all(suite):
    rows = [{"id": i, "name": "ab" if i % 20 else None, "amount": i % 21} for i in range(60)]
    table = pa.Table.from_pylist(rows, SCHEMA)
    at_once = run_suite(suite, table, key="id")
    assert run_suite(suite, in_parts(table, 7), key="id") == at_once
    assert {r.outcome for r in at_once} == set(Outcome)
