"""The fast way answers what Great Expectations' own way answers, row for row."""

import json

import pytest

from bench.expectations import SUITE, made_table
from wfops_pipelines.checks.gx import run_suite
from wfops_pipelines.checks.gx.quiet import quiet
from wfops_pipelines.checks.suite import read_suite
from wfops_pipelines.core.findings import Outcome

MORE = [
    {"type": f"expect_{kind}", "kwargs": kwargs}
    for kind, kwargs in [
        ("column_values_to_be_null", {"column": "note"}),
        ("column_values_to_not_be_in_set", {"column": "status", "value_set": ["void"]}),
        ("column_values_to_not_match_regex", {"column": "email", "regex": "^nobody$"}),
        ("column_value_lengths_to_equal", {"column": "country", "value": 2}),
        ("column_values_to_be_increasing", {"column": "amount_paid"}),
        ("column_median_to_be_between", {"column": "score", "min_value": 0, "max_value": 10}),
        ("column_min_to_be_between", {"column": "amount_due", "min_value": 1}),
        ("column_sum_to_be_between", {"column": "tax_rate", "max_value": 1}),
        ("column_unique_value_count_to_be_between", {"column": "status", "max_value": 3}),
        ("column_distinct_values_to_equal_set", {"column": "status", "value_set": ["open"]}),
        (
            "column_pair_values_a_to_be_greater_than_b",
            {"column_A": "amount_due", "column_B": "amount_paid"},
        ),
        ("column_pair_values_to_be_equal", {"column_A": "updated_at", "column_B": "created_at"}),
        ("compound_columns_to_be_unique", {"column_list": ["country", "status"]}),
        (
            "select_column_values_to_be_unique_within_record",
            {"column_list": ["amount_due", "amount_paid"]},
        ),
        (
            "column_value_z_scores_to_be_less_than",
            {"column": "score", "threshold": 2, "double_sided": True},
        ),
        ("multicolumn_values_to_be_equal", {"column_list": ["amount_due", "amount_paid"]}),
        (
            "column_pair_values_to_be_in_set",
            {
                "column_A": "country",
                "column_B": "status",
                "value_pairs_set": [["DE", "open"], ["FR", "paid"]],
            },
        ),
        ("column_proportion_of_non_null_values_to_be_between", {"column": "note", "min_value": 1}),
        ("column_proportion_of_unique_values_to_be_between", {"column": "name", "min_value": 1}),
        ("column_most_common_value_to_be_in_set", {"column": "country", "value_set": ["XX"]}),
        ("column_values_to_not_be_outliers", {"column": "score"}),
        ("table_column_count_to_equal", {"value": 15}),
    ]
]

ALL = [{**entry, "meta": {"number": n}} for n, entry in enumerate(SUITE + MORE)]


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    path = tmp_path_factory.mktemp("expectations") / "invoices.json"
    path.write_text(json.dumps({"name": "invoices", "expectations": ALL}))
    suite, table = read_suite(path), made_table(3000)
    ours = run_suite(suite, table, key="id")
    return list(zip(suite.expectations, ours, strict=True)), stock(table)


def stock(table):
    with quiet():
        import great_expectations as gx

        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False}
        asset = context.data_sources.add_pandas("source").add_dataframe_asset("asset")
        batch = asset.add_batch_definition_whole_dataframe("all").get_batch(
            {"dataframe": table.to_pandas()}
        )
        suite = gx.ExpectationSuite(name="invoices", expectations=ALL)
        result = batch.validate(suite, result_format="COMPLETE")
    return {r.expectation_config.meta["number"]: r for r in result.results}


def test_outcomes_are_those_of_the_stock_library(answers):
    ours, theirs = answers
    for expectation, result in ours:
        stock_result = theirs[expectation.meta["number"]]
        wanted = Outcome.PASSED if stock_result.success else Outcome.FAILED
        assert result.outcome is wanted, (result, stock_result.exception_info)


def test_failing_rows_are_those_of_the_stock_library(answers):
    ours, theirs = answers
    compared = 0
    for expectation, result in ours:
        found = theirs[expectation.meta["number"]].result
        if found.get("unexpected_index_list") is not None:
            # the key of the benchmark's table is the row's position
            assert result.failed_keys == tuple(map(str, found["unexpected_index_list"]))
            compared += bool(result.failed_keys)
    assert compared > 15
