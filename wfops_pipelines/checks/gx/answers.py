"""What Great Expectations said, as check results: never passed by accident."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from wfops_pipelines.checks.gx.engine import Judged
from wfops_pipelines.checks.show import shown, shown_range, shown_set
from wfops_pipelines.checks.suite import Expectation
from wfops_pipelines.core.findings import CheckResult, Json, Outcome, Severity

if TYPE_CHECKING:
    import pyarrow as pa

MOST_VALUES = 20
MANY_ROWS = 100
ABOUT_MISSING_VALUES = ("_null", "null_", "_to_exist", "type_to_be", "distinct_values_to_equal")
VALUES = ("value_set", "column_list", "column_set", "type_list", "regex_list")


def result_of(
    expectation: Expectation,
    kwargs: Mapping[str, Any],
    judged: Judged,
    kind: pa.DataType | None,
    keys: tuple[str, ...],
) -> CheckResult:
    """The check result of one answer, with the key of every failing row.

    `kind` is the type of the only column judged, where it is known.
    """
    if judged.error is not None:
        return error_result(expectation, judged.error, judged.rows)
    if nothing := _nothing_judged(expectation, judged):
        return nothing
    return _result(
        expectation,
        Outcome.PASSED if judged.success else Outcome.FAILED,
        measured=_measured(judged, kind),
        expected=_expected(kwargs),
        rows=judged.rows,
        failed_rows=judged.failed,
        failed_keys=keys,
    )


def error_result(expectation: Expectation, sentence: str, rows: int = 0) -> CheckResult:
    """The check result of an expectation that could not be told."""
    return _result(expectation, Outcome.ERROR, rows=rows, error=_readable(sentence))


def empty_result(expectation: Expectation) -> CheckResult:
    """Passed, because there was no row to judge, and it says so."""
    return _result(expectation, Outcome.PASSED, measured="0 rows")


def as_json(value: Any) -> Json:
    """A measured value as JSON: numpy, dates, decimals and NaN become plain values or text."""
    match value:
        case None | bool() | int() | str():
            return _readable(value) if isinstance(value, str) else value
        case float():
            return value if math.isfinite(value) else None
        case Decimal():
            return str(value)
        case datetime() | date() | time():
            return value.isoformat() if value == value else None  # NaT is not itself
        case dict():
            return {str(k): as_json(v) for k, v in value.items()}
        case list() | tuple() | set() | frozenset():
            return _listed([as_json(v) for v in value])
        case _ if hasattr(value, "tolist"):
            return as_json(value.tolist())
        case _:
            return _readable(str(value))


def _nothing_judged(expectation: Expectation, judged: Judged) -> CheckResult | None:
    about_rows = judged.positions is not None
    if judged.rows or not (expectation.about_values or about_rows):
        return None
    if not judged.domain:
        return empty_result(expectation)
    if any(part in expectation.type for part in ABOUT_MISSING_VALUES):
        return None
    if expectation.meta.get("may_be_all_empty"):
        return _result(expectation, Outcome.PASSED, measured="no value")
    severity = expectation.severity
    if judged.domain < MANY_ROWS and severity is Severity.CRITICAL:
        severity = Severity.WARNING  # a few rows without an optional value are ordinary
    return CheckResult(
        expectation.name,
        expectation.words,
        Outcome.FAILED,
        severity,
        expectation.column,
        measured=f"no value in {judged.domain:,} rows: nothing to judge",
        rows=judged.domain,
    )


def _measured(judged: Judged, kind: pa.DataType | None) -> Json:
    if judged.positions is None:
        observed = judged.observed
        if isinstance(observed, datetime) and observed == observed:
            observed = _as_in_the_column(observed, kind)
        return as_json(observed)
    return f"{judged.failed:,} of {judged.rows:,} rows fail" if judged.failed else "all rows pass"


def _as_in_the_column(moment: datetime, kind: pa.DataType | None) -> date:
    import pyarrow.types as t

    if kind is not None and t.is_date(kind):
        return moment.date()
    zoned = kind is None or not t.is_timestamp(kind) or kind.tz is not None
    return moment if zoned else moment.replace(tzinfo=None)


def _expected(kwargs: Mapping[str, Any]) -> Json:
    texts = [shown_range(kwargs)] if {"min_value", "max_value"} & kwargs.keys() else []
    texts += [shown_set(kwargs[k]) for k in VALUES if kwargs.get(k)]
    texts += [shown(kwargs[k]) for k in ("value", "regex", "type_", "threshold") if k in kwargs]
    if "mostly" in kwargs:
        texts.append(f"at least {shown(round(kwargs['mostly'] * 100, 6))} % of rows")
    return _readable(" · ".join(texts)) or None


def _listed(values: list[Json]) -> Json:
    if len(values) <= MOST_VALUES:
        return values
    shown_values = ", ".join(map(str, values[:MOST_VALUES]))
    return f"{len(values):,} values ({shown_values}, …)"


def _readable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _result(expectation: Expectation, outcome: Outcome, **more: Any) -> CheckResult:
    e = expectation
    return CheckResult(e.name, e.words, outcome, e.severity, e.column, **more)
