"""Run a suite by SQL, where the rows are: for tables that do not fit into memory.

Only failing rows leave the database. The expectations are Great Expectations' own, in its own SQL;
what it cannot say there (a custom expectation for pandas only) is an ERROR, as ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wfops_pipelines.checks.gx.answers import error_result, result_of
from wfops_pipelines.checks.gx.engine import Judged, built, crash_in
from wfops_pipelines.checks.gx.parameters import with_parameters
from wfops_pipelines.checks.keys import NO_KEY
from wfops_pipelines.checks.suite import Expectation, Suite
from wfops_pipelines.core.findings import CheckResult


def run_suite_by_sql(
    suite: Suite,
    url: str,
    table: str,
    *,
    key: str,
    parameters: Mapping[str, Any] | None = None,
) -> tuple[CheckResult, ...]:
    """Judge `table` ("name" or "schema.name") at an SQLAlchemy `url`; results as of `run_suite`.

    The failing rows come in the database's order. Nothing is raised for what the table or the suite
    holds, nor for a database that cannot be asked: what cannot be told is an ERROR.
    """
    from wfops_pipelines.checks.gx.custom import load_custom
    from wfops_pipelines.checks.gx.quiet import quiet

    given = dict(suite.parameters) | dict(parameters or {})
    with quiet():
        try:
            load_custom(suite.custom)
            batch = _batch(url, table)
        except Exception as error:
            return tuple(error_result(e, _short(error)) for e in suite.expectations)
        return tuple(_judged(e, batch, key, given) for e in suite.expectations)


def _batch(url: str, table: str) -> Any:
    """A context and a data source for this run alone: shared ones mix their answers up."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    schema, _, name = table.rpartition(".")
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    source = context.data_sources.add_sql(name="database", connection_string=url)
    asset = source.add_table_asset(name="table", table_name=name, schema_name=schema or None)
    return asset.add_batch_definition_whole_table("whole").get_batch()


def _judged(e: Expectation, batch: Any, key: str, given: Mapping[str, Any]) -> CheckResult:
    # COMPLETE alone would name 20 rows of a table
    wanted = {
        "result_format": "COMPLETE",
        "unexpected_index_column_names": [key],
        "partial_unexpected_count": 2**31 - 1,
    }
    try:
        kwargs = with_parameters(e.kwargs, given)
        answer = batch.validate(built(e.type, kwargs, {}), result_format=wanted)
        if crash := crash_in(answer.exception_info):
            return error_result(e, crash)
        found = answer.result or {}
        if {"element_count", "unexpected_count"} <= found.keys():
            return _about_rows(e, kwargs, bool(answer.success), found, key)
        domain, rows = _counted(e, kwargs, batch)
        judged = Judged(bool(answer.success), domain, rows, observed=found.get("observed_value"))
        return result_of(e, kwargs, judged, None, ())
    except Exception as error:
        return error_result(e, _short(error))


def _counted(e: Expectation, kwargs: Mapping[str, Any], batch: Any) -> tuple[int, int]:
    """Rows that an aggregate is about, and those of them with a value."""
    if e.column is None or not e.about_values:
        found = batch.validate(built("expect_table_row_count_to_be_between", {}, {})).result
        return int(found["observed_value"]), int(found["observed_value"])
    where = {k: v for k, v in kwargs.items() if k in ("row_condition", "condition_parser")}
    filled = built("expect_column_values_to_not_be_null", {"column": e.column, **where}, {})
    found = batch.validate(filled).result
    return int(found["element_count"]), int(found["element_count"] - found["unexpected_count"])


def _about_rows(
    e: Expectation, kwargs: Mapping[str, Any], success: bool, found: Mapping[str, Any], key: str
) -> CheckResult:
    domain, failed = int(found["element_count"]), int(found["unexpected_count"])
    rows = domain - int(found.get("missing_count") or 0)
    named = [row.get(key) for row in found.get("unexpected_index_list") or ()]
    keys = tuple(NO_KEY if value is None else str(value) for value in named)
    if len(keys) != failed:  # rows that cannot all be named cannot be held one by one
        keys = (NO_KEY,) if failed else ()
    return result_of(e, kwargs, Judged(success, domain, rows, failed, positions=()), None, keys)


def _short(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:300] if lines else ''}"
