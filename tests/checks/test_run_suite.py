"""A suite runs on a snapshot: every failing row is named, and nothing passes by accident."""

import datetime as dt
import json
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pyarrow as pa
import pytest

from wfops_pipelines.checks.examine import findings_of
from wfops_pipelines.checks.gx import run_suite
from wfops_pipelines.checks.suite import read_suite
from wfops_pipelines.core.findings import Outcome, Severity
from wfops_pipelines.core.parts import Rows

PASSED, FAILED, ERROR = Outcome.PASSED, Outcome.FAILED, Outcome.ERROR
BIG = 9_007_199_254_740_993


@pytest.fixture
def run(tmp_path):
    def run(table, *entries, key="id", **more):
        path = tmp_path / "contacts.json"
        path.write_text(json.dumps({"name": "contacts", "expectations": list(entries)}))
        return run_suite(read_suite(path), pa.table(table), key=key, **more)

    return run


def expect(kind, severity="critical", meta=None, **kwargs):
    return {
        "type": f"expect_{kind}",
        "kwargs": kwargs,
        "severity": severity,
        "meta": meta or {},
    }


def not_null(column, **more):
    return expect("column_values_to_not_be_null", column=column, **more)


def between(column, low=None, high=None, **more):
    bounds = {k: v for k, v in {"min_value": low, "max_value": high}.items() if v is not None}
    return expect("column_values_to_be_between", column=column, **bounds, **more)


def one_of(column, *values, **more):
    return expect("column_values_to_be_in_set", column=column, value_set=list(values), **more)


def row_count(low):
    return expect("table_row_count_to_be_between", min_value=low)


def outcomes(results):
    return [r.outcome for r in results]


@pytest.mark.slow
def test_every_failing_row_is_named_not_only_the_first_200(run):
    table = {"id": list(range(1000)), "email": [None if i % 2 else "a" for i in range(1000)]}
    (result,) = run(table, not_null("email"))
    assert result.outcome is FAILED
    assert (result.rows, result.failed_rows) == (1000, 500)
    assert result.failed_keys == tuple(str(i) for i in range(1000) if i % 2)


def test_results_keep_the_order_of_the_file_and_say_what_was_measured(run):
    table = {"id": [1, 2, 3], "n": [1, 5, 9]}
    results = run(
        table,
        row_count(9),
        between("n", 0, 5),
        expect("column_mean_to_be_between", column="n", max_value=4),
        not_null("n"),
    )
    assert outcomes(results) == [FAILED, FAILED, FAILED, PASSED]
    assert [r.measured for r in results] == [3, "1 of 3 rows fail", 5.0, "all rows pass"]
    assert [r.expected for r in results[:3]] == ["at least 9", "between 0 and 5", "at most 4"]


def test_mostly_lets_a_share_fail_and_still_names_the_rows(run):
    table = {"id": [1, 2, 3, 4], "s": ["a", "a", "a", "b"]}
    lenient, strict = run(table, one_of("s", "a", mostly=0.75), one_of("s", "a", mostly=0.8))
    assert (lenient.outcome, strict.outcome) == (PASSED, FAILED)
    assert lenient.failed_keys == strict.failed_keys == ("4",)


@pytest.mark.parametrize(
    "condition",
    [
        {"row_condition": 'col("s") == "paid"', "condition_parser": "great_expectations"},
        {"row_condition": 's == "paid"', "condition_parser": "pandas"},
        {
            "row_condition": {
                "type": "comparison",
                "column": {"name": "s"},
                "operator": "==",
                "parameter": "paid",
            }
        },
    ],
    ids=["text", "pandas", "object"],
)
def test_a_row_condition_limits_the_rows_that_are_judged(run, condition):
    table = {"id": [1, 2, 3], "s": ["paid", "open", "paid"], "at": ["x", None, None]}
    (result,) = run(table, not_null("at", **condition))
    assert (result.rows, result.failed_keys) == (2, ("3",))


def test_a_row_condition_that_no_row_meets_says_so(run):
    condition = {"row_condition": 'col("s") == "paid"', "condition_parser": "great_expectations"}
    table = {"id": [1], "s": ["open"], "n": [5]}
    mean = expect("column_mean_to_be_between", column="n", max_value=1, **condition)
    count = expect("table_row_count_to_be_between", min_value=1, **condition)
    results = run(table, not_null("n", **condition), mean, count)
    assert outcomes(results) == [PASSED, PASSED, FAILED]
    assert [r.measured for r in results] == ["0 rows", "0 rows", 0]


def test_parameters_fill_thresholds_and_a_missing_one_is_an_error(run):
    half = expect("table_row_count_to_be_between", min_value={"$PARAMETER": "previous_rows * 0.5"})
    limit = between("n", high={"$PARAMETER": "limit"})
    table = {"id": [1, 2], "n": [1, 9]}
    results = run(table, half, limit, previous_rows=10, parameters={"limit": 5})
    assert outcomes(results) == [FAILED, FAILED]
    assert [r.expected for r in results] == ["at least 5", "at most 5"]
    missing = run(table, half, limit)
    assert outcomes(missing) == [ERROR, ERROR]
    assert "'limit' has no value" in missing[1].error


def test_a_column_that_is_missing_is_an_error_and_spares_the_others(run):
    results = run({"id": [1]}, not_null("email"), not_null("id"))
    assert outcomes(results) == [ERROR, PASSED]
    assert results[0].error == "there is no column 'email' in the snapshot (it has id)"


def test_a_missing_key_column_is_an_error_everywhere(run):
    (result,) = run({"n": [1]}, not_null("n"))
    assert (result.outcome, result.error) == (ERROR, "the snapshot has no key column 'id'")


def test_duplicate_columns_are_an_error_everywhere(run):
    table = pa.Table.from_arrays([pa.array([1]), pa.array([1]), pa.array([2])], ["id", "n", "n"])
    results = run(table, not_null("n"), row_count(1))
    assert outcomes(results) == [ERROR, ERROR]
    assert "more than one column 'n'" in results[0].error


def test_an_empty_snapshot_is_judged_by_its_row_count_and_nothing_else(run):
    table = pa.schema([("id", pa.int64()), ("n", pa.int64())]).empty_table()
    mean = expect("column_mean_to_be_between", column="n", max_value=1)
    results = run(table, row_count(1), not_null("n"), mean, not_null("gone"))
    assert outcomes(results) == [FAILED, PASSED, PASSED, ERROR]
    assert [r.measured for r in results[:3]] == [0, "0 rows", "0 rows"]


@pytest.mark.parametrize(
    "entry",
    [
        between("n", 0),
        expect("column_values_to_be_unique", column="n"),
        expect("column_sum_to_be_between", column="n", min_value=0),
        expect("column_mean_to_be_between", column="n", min_value=0),
        expect("column_distinct_values_to_be_in_set", column="n", value_set=[1]),
    ],
    ids=lambda e: e["type"],
)
def test_a_column_without_any_value_does_not_pass(run, entry):
    table = {"id": list(range(200)), "n": pa.nulls(200, pa.float64())}
    (result,) = run(table, entry)
    assert (result.outcome, result.severity) == (FAILED, Severity.CRITICAL)
    assert result.measured == "no value in 200 rows: nothing to judge"


def test_a_few_rows_without_any_value_warn_and_the_author_may_allow_it(run):
    table = {"id": [1, 2], "n": pa.nulls(2, pa.float64())}
    warned, allowed = run(table, between("n", 0), between("n", 1, meta={"may_be_all_empty": True}))
    assert (warned.outcome, warned.severity) == (FAILED, Severity.WARNING)
    assert allowed.outcome is PASSED


def test_integers_with_nulls_are_compared_exactly(run):
    table = {"id": [1, 2, 3], "n": pa.array([BIG, None, BIG - 1])}
    above, unique = run(
        table,
        between("n", high=BIG - 1),
        expect("column_values_to_be_unique", column="n"),
    )
    assert above.failed_keys == ("1",)
    assert unique.outcome is PASSED


@pytest.mark.parametrize("digits", [18, 38])
def test_decimals_are_compared_exactly(run, digits):
    values = [Decimal("0.10"), Decimal("0.30"), None, Decimal("0.31")]
    if digits == 38:
        values.append(Decimal("1e20"))
    table = {"id": range(len(values)), "n": pa.array(values, pa.decimal128(digits, 2))}
    table["id"] = list(table["id"])
    closed, open_, members = run(
        table,
        between("n", 0.1, 0.3),
        between("n", 0.1, 0.3, strict_min=True, strict_max=True),
        one_of("n", 0.1, 0.3),
    )
    beyond = ("3", "4")[: len(values) - 3]
    assert closed.failed_keys == beyond
    assert open_.failed_keys == ("0", "1", *beyond)
    assert members.failed_keys == beyond


def test_sums_and_means_of_decimals_with_nulls_are_measured(run):
    table = {"id": [1, 2, 3], "n": pa.array([Decimal("0.1"), None, Decimal("0.2")])}
    total, mean = run(
        table,
        expect("column_sum_to_be_between", column="n", max_value=0.31),
        expect("column_mean_to_be_between", column="n", max_value=0.1),
    )
    assert outcomes([total, mean]) == [PASSED, FAILED]
    assert mean.measured == pytest.approx(0.15)


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", None])
def test_times_are_compared_with_bounds_as_they_are_written(run, zone):
    local = pa.array(["2024-01-01 00:00:00", "2023-12-31 23:00:00", None])
    times = local.cast(pa.timestamp("us")).cast(pa.timestamp("us", zone))
    table = {"id": [1, 2, 3], "at": times}
    (result,) = run(table, between("at", "2024-01-01"))
    assert result.failed_keys == ("2",)


def test_a_bound_that_is_no_date_is_an_error_that_says_how_to_write_it(run):
    at = pa.array([dt.datetime(2024, 1, 1, tzinfo=dt.UTC)])
    table = {"id": [1], "at": at}
    number, text, offset = run(
        table | {"day": pa.array([dt.date(2024, 1, 1)])},
        between("at", 5),
        between("at", "yesterday"),
        between("day", "2024-01-01T00:00:00+01:00"),
    )
    assert outcomes([number, text, offset]) == [ERROR, ERROR, ERROR]
    assert "write it as 2024-12-31" in number.error


def test_dates_and_booleans_with_nulls_are_judged(run):
    table = {
        "id": [1, 2, 3],
        "day": pa.array([dt.date(2024, 1, 1), None, dt.date(9999, 12, 31)]),
        "ok": pa.array([True, None, False]),
    }
    day, last, member, ok = run(
        table,
        between("day", "2024-01-02"),
        between("day", high="9999-12-30"),
        one_of("day", "2024-01-01"),
        one_of("ok", True),
    )
    assert day.failed_keys == ("1",)
    assert last.failed_keys == member.failed_keys == ok.failed_keys == ("3",)


@pytest.mark.parametrize("zone", ["UTC", None])
def test_times_are_members_of_a_set_as_they_are_written(run, zone):
    text = pa.array(["2024-01-01 00:00:00", "2024-01-01 00:00:01", None])
    times = text.cast(pa.timestamp("us")).cast(pa.timestamp("us", zone))
    (result,) = run({"id": [1, 2, 3], "at": times}, one_of("at", "2024-01-01"))
    assert (result.outcome, result.failed_keys) == (FAILED, ("2",))


def test_the_earliest_and_latest_moments_are_measured(run):
    at = pa.array([dt.datetime(2024, 1, 1, tzinfo=dt.UTC), dt.datetime(2025, 1, 1, tzinfo=dt.UTC)])
    low, high = run(
        {"id": [1, 2], "at": at},
        expect("column_min_to_be_between", column="at", min_value="2024-06-01"),
        expect("column_max_to_be_between", column="at", max_value="2025-06-01"),
    )
    assert outcomes([low, high]) == [FAILED, PASSED]
    assert low.measured == "2024-01-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("column", "name"),
    [
        (pa.array([1, None]), "int64"),
        (pa.array(["a", None]), "string"),
        (pa.array([True, None]), "bool"),
        (pa.array([1.5, None]), "double"),
        (pa.array([dt.date(2024, 1, 1), None]), "date32[day]"),
        (pa.array([dt.datetime(2024, 1, 1, tzinfo=dt.UTC), None]), "timestamp[us, tz=UTC]"),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_a_column_has_the_type_that_the_snapshot_says(run, column, name):
    right, wrong = run(
        {"id": [1, 2], "n": column},
        expect("column_type_to_be", column="n", type_=name),
        expect("column_type_to_be", column="n", type_="int8"),
    )
    assert outcomes([right, wrong]) == [PASSED, FAILED]
    assert wrong.measured


def test_values_have_the_type_that_is_expected(run):
    results = run(
        {"id": [1, 2], "n": [1, None]},
        expect("column_values_to_be_of_type", column="n", type_="int64"),
        expect("column_values_to_be_of_type", column="n", type_="str"),
        expect("column_values_to_be_in_type_list", column="n", type_list=["str", "int64"]),
    )
    assert outcomes(results) == [PASSED, FAILED, PASSED]
    assert results[1].measured == "int64"


def test_nested_cells_are_judged_as_json_text(run):
    table = {"id": [1, 2, 3], "tags": [["a"], ["b"], ["a"]], "who": [{"n": 1}, {"n": 2}, None]}
    unique, filled, is_json = run(
        table,
        expect("column_values_to_be_unique", column="tags"),
        not_null("who"),
        expect("column_values_to_be_json_parseable", column="who"),
    )
    assert unique.failed_keys == ("1", "3")
    assert filled.failed_keys == ("3",)
    assert is_json.outcome is PASSED


def test_values_of_another_type_than_the_bound_are_an_error(run):
    table = {"id": [1, 2], "n": ["1", "two"]}
    results = run(table, between("n", 0), not_null("n"))
    assert outcomes(results) == [ERROR, PASSED]
    assert "same type" in results[0].error


def test_text_that_is_not_utf8_is_an_error_of_its_column_only(run):
    broken = pa.array([b"ok", b"\xed\xa0\x80"]).view(pa.string())
    results = run({"id": [1, 2], "name": broken}, not_null("name"), not_null("id"))
    assert outcomes(results) == [ERROR, PASSED]
    assert results[0].error == "column 'name' cannot be read: it holds text that is not valid UTF-8"


def test_a_lone_surrogate_in_a_parameter_does_not_pass_or_crash(run):
    members = expect("column_values_to_be_in_set", column="s", value_set={"$PARAMETER": "half"})
    results = run({"id": [1], "s": ["a"]}, members, not_null("s"), parameters={"half": ["\ud800"]})
    assert results[0].outcome is not PASSED
    assert results[1].outcome is PASSED
    json.dumps([f.as_json() for f in findings_of(results)], ensure_ascii=False).encode()


def test_nan_and_infinity_are_judged_and_measured_as_json(run):
    table = {"id": [1, 2, 3], "n": [1.0, float("nan"), float("inf")]}
    filled, largest, mean = run(
        table,
        not_null("n"),
        expect("column_max_to_be_between", column="n", max_value=5),
        expect("column_mean_to_be_between", column="n", max_value=5),
    )
    assert filled.failed_keys == ("2",)
    assert outcomes([largest, mean]) == [FAILED, FAILED]
    json.dumps([r.measured for r in (filled, largest, mean)], allow_nan=False)


@pytest.mark.parametrize(
    ("kind", "measured"),
    [(pa.date32(), "2024-05-01"), (pa.timestamp("us"), "2024-05-01T00:00:00")],
    ids=str,
)
def test_dates_are_measured_as_the_column_has_them(run, kind, measured):
    at = pa.array(["2024-05-01", "2024-01-01"]).cast(pa.date32()).cast(kind)
    latest = expect("column_max_to_be_between", column="at", max_value="2024-04-01")
    (result,) = run({"id": [1, 2], "at": at}, latest)
    assert (result.outcome, result.measured) == (FAILED, measured)


def test_distinct_values_are_measured_by_what_is_wrong_with_them(run):
    wanted = expect("column_distinct_values_to_equal_set", column="s", value_set=["a", "z"])
    (result,) = run({"id": [1, 2], "s": ["a", "b"]}, wanted)
    assert result.outcome is FAILED
    assert result.measured == {"unexpected": ["b"], "missing": ["z"]}


def test_many_distinct_values_are_summed_up_in_the_measure(run):
    table = {"id": list(range(50)), "s": [f"v{i:02}" for i in range(50)]}
    (result,) = run(
        table, expect("column_distinct_values_to_be_in_set", column="s", value_set=["a"])
    )
    assert result.outcome is FAILED
    assert len(str(result.measured)) < 300


def test_without_a_key_failures_are_counted_and_not_named(run):
    (result,) = run({"n": [1, None]}, not_null("n"), key=None)
    assert (result.failed_rows, result.failed_keys) == (1, ())


def test_rows_without_a_key_make_the_finding_one_about_the_snapshot(run):
    results = run({"id": ["a", None, "c"], "n": [1, None, None]}, not_null("n"))
    (finding,) = findings_of(results)
    assert results[0].failed_keys == ("", "c")
    assert not finding.about_rows


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        (pa.array([1, BIG]), str(BIG)),
        (pa.array(["a", "ü"]), "ü"),
        (pa.array([Decimal("1.10"), Decimal("2.20")]), "2.20"),
        (pa.array([dt.date(2024, 1, 1), dt.date(2024, 1, 2)]), "2024-01-02"),
        (pa.array([["a"], ["b"]]), "['b']"),
        (pa.array([1.0, 2.0]), "2.0"),
        (pa.array([b"a", b"\xed\xa0\x80"]).view(pa.string()), "\\xed\\xa0\\x80"),
    ],
    ids=["int", "text", "decimal", "date", "list", "float", "broken text"],
)
def test_keys_of_any_type_become_text(run, keys, text):
    (result,) = run({"id": keys, "n": [1, None]}, not_null("n"))
    assert result.failed_keys == (text,)


def test_threads_do_not_mix_up_their_tables(run, tmp_path):
    path = tmp_path / "contacts.json"
    entries = [not_null("n"), row_count(1), one_of("n", 1)]
    path.write_text(json.dumps({"name": "contacts", "expectations": entries}))
    suite = read_suite(path)

    def one(number):
        column = [None if i == number else 1 for i in range(number + 1)]
        table = pa.table({"id": list(range(number + 1)), "n": pa.array(column, pa.int64())})
        return [(r.failed_keys, r.measured) for r in run_suite(suite, table, key="id")[:2]]

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(one, range(1, 17)))
    assert answers == [[((str(n),), f"1 of {n + 1} rows fail"), ((), n + 1)] for n in range(1, 17)]


CUSTOM = """
from great_expectations.expectations.expectation import BatchExpectation, ColumnMapExpectation
from great_expectations.execution_engine import PandasExecutionEngine
from great_expectations.expectations.metrics import (
    ColumnMapMetricProvider, column_condition_partial
)

class ColumnValuesAreOdd(ColumnMapMetricProvider):
    condition_metric_name = "column_values.wfops_test_odd"

    @column_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column, **kwargs):
        return column % 2 == 1

class ExpectColumnValuesToBeOdd(ColumnMapExpectation):
    map_metric = "column_values.wfops_test_odd"

class ExpectTableToCrash(BatchExpectation):
    metric_dependencies = ("table.row_count",)

    def _validate(self, metrics, runtime_configuration=None, execution_engine=None):
        raise RuntimeError("no idea")
"""


def test_custom_expectations_of_the_project_run_and_their_crash_is_an_error(run, tmp_path):
    (tmp_path / "odd.py").write_text(CUSTOM)
    odd, crash = run(
        {"id": [1, 2, 3], "n": [1, 2, 3]},
        expect("column_values_to_be_odd", column="n"),
        expect("table_to_crash"),
    )
    assert (odd.outcome, odd.failed_keys) == (FAILED, ("2",))
    assert (crash.outcome, crash.error) == (ERROR, "no idea")


def test_a_custom_file_that_cannot_be_loaded_is_an_error_everywhere(run, tmp_path):
    (tmp_path / "odd.py").write_text(CUSTOM + "\nraise RuntimeError('half written')")
    results = run({"id": [1]}, expect("table_to_crash"), not_null("id"))
    assert outcomes(results) == [ERROR, ERROR]
    assert "half written" in results[0].error


def test_a_crash_of_the_library_is_an_error_everywhere(run, monkeypatch):
    from great_expectations.validator.metrics_calculator import MetricsCalculator

    def crash(*args, **kwargs):
        raise MemoryError("no memory left")

    monkeypatch.setattr(MetricsCalculator, "resolve_validation_graph", crash)
    results = run({"id": [1]}, not_null("id"), row_count(1))
    assert outcomes(results) == [ERROR, ERROR]
    assert "no memory left" in results[0].error


def test_kwargs_that_the_library_refuses_are_an_error_of_their_own(run):
    results = run(
        {"id": [1], "s": ["x"]},
        expect("column_value_lengths_to_be_between", column="s", min_value=[1]),
        not_null("s"),
    )
    assert outcomes(results) == [ERROR, PASSED]


@pytest.mark.parametrize(
    "info",
    [
        {"raised_exception": True, "exception_message": "no", "exception_traceback": ""},
        {"('m', 'd', ())": {"raised_exception": True, "exception_message": "no"}},
    ],
    ids=["flat", "by metric"],
)
def test_a_crash_is_seen_in_both_shapes_of_exception_info(info):
    from wfops_pipelines.checks.gx.engine import crash_in

    assert crash_in(info) == "no"
    assert crash_in({"raised_exception": False, "exception_message": None}) is None


def test_nothing_is_printed_written_or_left_behind(run, tmp_path, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run({"id": [1, 2], "n": [1, None]}, not_null("n"), between("n", "x"))
    assert [p.name for p in tmp_path.iterdir()] == ["contacts.json"]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("swapped", [False, True])
def test_decimals_beyond_a_floats_digits_are_compared_in_pairs_with_missing_ones(run, swapped):
    big = Decimal("12345678901234567890.01")
    table = {
        "id": ["more", "only big", "only small", "neither"],
        "big": [big, big, None, None],
        "small": [Decimal("1.50"), None, Decimal("2.50"), None],  # floats hold these
    }
    pair = (
        {"column_A": "small", "column_B": "big"}
        if swapped
        else {"column_A": "big", "column_B": "small"}
    )
    more, equal, inside = run(
        table,
        expect("column_pair_values_a_to_be_greater_than_b", **pair, or_equal=True),
        expect("column_pair_values_to_be_equal", **pair),
        expect("column_values_to_be_between", column="big", min_value=0),
    )
    assert [r.error for r in (more, equal, inside)] == [None] * 3
    wrong = ("more",) if swapped else ()
    assert more.failed_keys == (*wrong, "only big", "only small")
    assert equal.failed_keys == ("more", "only big", "only small")
    assert inside.outcome is Outcome.PASSED
    json.dumps([r.as_json() for r in (more, equal, inside)], allow_nan=False)


def test_numbers_are_judged_as_numbers_and_presence_and_type_as_they_were_staged(run):
    staged = Rows.of(pa.table({"id": ["a", "b", "c"], "n": ["1", "ten", "-7"]}))
    results = run(
        {"id": ["a", "b", "c"], "n": [1, None, -7]},
        not_null("n"),
        between("n", 0),
        expect("column_values_to_be_of_type", column="n", type_="int64"),
        expect("column_min_to_be_between", column="n", min_value=-7),
        row_count(3),
        staged=staged,
    )
    assert outcomes(results) == [PASSED, FAILED, FAILED, PASSED, PASSED]
    assert results[1].failed_keys == ("c",)
