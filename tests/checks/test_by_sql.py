"""The same suite in memory and by SQL: the same answers, with the same failing rows."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
import sqlalchemy as sa

from wfops_pipelines.checks.gx import run_suite, run_suite_by_sql
from wfops_pipelines.checks.suite import read_suite
from wfops_pipelines.core.findings import Outcome
from wfops_pipelines.destinations import Parcel
from wfops_pipelines.destinations.table import TableDestination

pytestmark = pytest.mark.components

START = datetime(2026, 5, 1, tzinfo=UTC)
N = 120
TABLE = pa.table(
    {
        "id": [f"c{i}" for i in range(N)],
        "email": [None if i % 40 == 0 else f"p{i % 100}@example.com" for i in range(N)],
        "stage": ["lead" if i % 3 else "customer" for i in range(N - 1)] + ["evil'; drop table x"],
        "amount": pa.array([i * 25 - 50 for i in range(N)], pa.int64()),
        "price": pa.array([Decimal(i) / 10 for i in range(N)], pa.decimal128(10, 2)),
        'odd "col': [f"v{i % 7}" for i in range(N)],
        "created_at": [START + timedelta(hours=i) for i in range(N)],
        "updated_at": [START + timedelta(hours=i, minutes=30 if i % 11 else -30) for i in range(N)],
        "nothing": pa.array([None] * N, pa.string()),
    }
)


def about(type_, severity="critical", **kwargs):
    return {"type": f"expect_{type_}", "kwargs": kwargs, "severity": severity}


SUITE = [
    about("column_values_to_not_be_null", column="email"),
    about("column_values_to_not_be_null", column="email", mostly=0.9),
    about("column_values_to_be_unique", column="email"),
    about("column_values_to_match_regex", column="email", regex="^p[0-4]"),
    about("column_values_to_be_in_set", column="stage", value_set=["lead", "customer"]),
    about("column_values_to_be_in_set", column='odd "col', value_set=["v1", "v2"]),
    about("column_values_to_be_between", column="amount", min_value=0, max_value=2000),
    about("column_values_to_be_between", column="price", min_value=0.1, strict_min=True),
    about("column_value_lengths_to_be_between", column="id", max_value=3),
    about(
        "column_pair_values_a_to_be_greater_than_b",
        column_A="updated_at", column_B="created_at", or_equal=True,
    ),
    about("column_values_to_be_between", column="amount", min_value=500,
          row_condition='col("stage") == "customer"', condition_parser="great_expectations"),
    about("table_row_count_to_be_between", min_value={"$PARAMETER": "least"}),
    about("column_mean_to_be_between", column="amount", min_value=0, max_value=10),
    about("column_distinct_values_to_be_in_set", column="stage", value_set=["lead"]),
    about("column_values_to_be_in_set", column="nothing", value_set=["x"]),
    about("column_values_to_be_in_set", column="gone", value_set=["x"]),
]  # fmt: skip


@pytest.fixture
def suite(tmp_path):
    body = {"name": "big", "expectations": SUITE, "suite_parameters": {"least": 1000}}
    (tmp_path / "big.json").write_text(json.dumps(body))
    return read_suite(tmp_path / "big.json")


@pytest.fixture
def url(database_url):
    url = database_url.replace("postgresql://", "postgresql+psycopg2://")
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as conn:
        parcel = Parcel("big", 1, "id", TABLE, {})
        TableDestination("shop", "big").publish(conn, engine, parcel)
    return url


def test_sql_and_memory_agree_on_outcome_counts_and_every_failing_row(suite, url):
    there = run_suite_by_sql(suite, url, "shop.big", key="id")
    here = run_suite(suite, TABLE, key="id")
    assert len(there) == len(here) == len(SUITE)
    for sql, memory in zip(there, here, strict=True):
        assert (sql.name, sql.outcome) == (memory.name, memory.outcome), (sql, memory)
        assert (sql.severity, sql.expected) == (memory.severity, memory.expected)
        if memory.outcome is not Outcome.ERROR:
            assert sql.failed_rows == memory.failed_rows, (sql, memory)
            assert sorted(sql.failed_keys) == sorted(memory.failed_keys)
    assert {r.outcome for r in here} == set(Outcome)


def test_a_database_that_cannot_be_asked_is_an_error_for_each_expectation(suite):
    found = run_suite_by_sql(suite, "postgresql+psycopg2://x:y@127.0.0.1:9/z", "shop.big", key="id")
    assert {r.outcome for r in found} == {Outcome.ERROR}
    assert len(found) == len(SUITE)


def test_a_table_without_the_key_passes_nothing_by_accident(suite, url):
    found = run_suite_by_sql(suite, url, "shop.big", key="nokey")
    by_rows = [r for r in found if r.name == "stage_is_one_of_a_set"]
    assert {r.outcome for r in by_rows} == {Outcome.ERROR}


def test_a_wrong_table_name_is_no_sql(suite, url):
    found = run_suite_by_sql(suite, url, 'shop.big; drop table "shop"."big"', key="id")
    assert {r.outcome for r in found} == {Outcome.ERROR}
    again = run_suite_by_sql(suite, url, "shop.big", key="id")
    assert Outcome.PASSED in {r.outcome for r in again}
