"""One small graph of metrics for each group of expectations, on a frame of its own.

Great Expectations' usual way (context, data source, batch, `validate`) hashes the whole frame,
copies every column for each expectation, shares state between threads and reports a crash in two
shapes. Its expectations and metrics are used here without that way: an engine that nobody else
knows holds a frame of only the judged columns, a metric that raises is an error of those
expectations that need it, and failing rows are read from the condition's own mask.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

BATCH = "snapshot"


@dataclass(frozen=True, slots=True)
class Judged:
    """What Great Expectations said about one expectation.

    `domain` rows are left by the row condition, `rows` of them have a value to judge. `positions`
    are the failing rows (None where no row can be named), `observed` is the measured value.
    `error` is set when it could not be told; then nothing else counts.
    """

    success: bool = False
    domain: int = 0
    rows: int = 0
    failed: int = 0
    positions: Sequence[int] | np.ndarray[Any, Any] | None = None
    observed: Any = None
    error: str | None = None


def judge(frame: pd.DataFrame, expectations: Sequence[Any]) -> tuple[Judged, ...]:
    """Judge `frame` by Great Expectations' own expectation objects, one answer for each.

    `frame` has a plain range index. Nothing is raised for what the data holds.
    """
    group = _Group(frame)
    planned = [group.plan(expectation) for expectation in expectations]
    group.resolve()
    return tuple(group.answer(plan) for plan in planned)


def built(type_: str, kwargs: Mapping[str, Any], changed: Mapping[str, Any]) -> Any:
    """Great Expectations' object for one expectation; `changed` fields are set unvalidated.

    Raises ValueError with one sentence when the kwargs are not accepted.
    """
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    try:
        made = ExpectationConfiguration(type=type_, kwargs=dict(kwargs)).to_domain_obj()
    except Exception as error:
        raise ValueError(_one_line(error)) from error
    # its fields would turn a decimal into a float and a time into a date
    return made.copy(update=dict(changed)) if changed else made


@dataclass(frozen=True, slots=True)
class _Plan:
    expectation: Any
    metrics: Mapping[str, Any]  # name to metric configuration
    edges: tuple[Any, ...]
    error: str | None = None


class _Group:
    """The metrics that expectations about the same columns share."""

    def __init__(self, frame: pd.DataFrame) -> None:
        from great_expectations.execution_engine.pandas_execution_engine import (
            PandasExecutionEngine,
        )
        from great_expectations.validator.metrics_calculator import MetricsCalculator
        from great_expectations.validator.validation_graph import ValidationGraph

        self.frame = frame
        self.engine = PandasExecutionEngine(batch_data_dict={BATCH: frame})
        self.calculator = MetricsCalculator(self.engine, show_progress_bars=False)
        self.graph = ValidationGraph(execution_engine=self.engine)
        self.resolved: dict[Any, Any] = {}
        self.aborted: dict[Any, Any] = {}
        self.crash: str | None = None

    def plan(self, expectation: Any) -> _Plan:
        runtime = _runtime(expectation)
        try:
            needed = expectation.get_validation_dependencies(
                execution_engine=self.engine, runtime_configuration=runtime
            )
            graph = self.calculator.build_metric_dependency_graph(
                needed.get_metric_configurations(), runtime
            )
        except Exception as error:
            return _Plan(expectation, {}, (), _one_line(error))
        for edge in graph.edges:
            self.graph.add(edge)
        return _Plan(expectation, dict(needed.metric_configurations), tuple(graph.edges))

    def resolve(self) -> None:
        try:
            found = self.calculator.resolve_validation_graph(self.graph, {"catch_exceptions": True})
        except Exception as error:
            self.crash = _one_line(error)
        else:
            self.resolved, self.aborted = found

    def answer(self, plan: _Plan) -> Judged:
        if error := plan.error or self.crash or self._aborted(plan):
            return Judged(error=error)
        try:
            return self._read(plan)
        except Exception as error:
            return Judged(error=_one_line(error))

    def _aborted(self, plan: _Plan) -> str | None:
        for edge in plan.edges:
            for metric in (edge.left, edge.right):
                if metric is not None and metric.id in self.aborted:
                    return _one_line(self.aborted[metric.id]["exception_info"].exception_message)
        return None

    def _read(self, plan: _Plan) -> Judged:
        result = plan.expectation.metrics_validate(
            metrics=self.resolved,
            execution_engine=self.engine,
            runtime_configuration=_runtime(plan.expectation),
        )
        if crash := crash_in(result.exception_info):
            return Judged(error=crash)
        if result.success is None:
            return Judged(error="it came to no answer")
        domain = self._domain(plan.expectation)
        masks = self._masks(plan)
        if len(masks) == 1:
            rows, failed, positions = _failing(masks[0], len(self.frame))
        else:
            rows, failed, positions = _filled(domain, plan.expectation), 0, None
        observed = _observed(result.result or {})
        return Judged(bool(result.success), len(domain), rows, failed, positions, observed)

    def _domain(self, expectation: Any) -> pd.DataFrame:
        names = ("row_condition", "condition_parser")
        found = {name: getattr(expectation, name, None) for name in names}
        domain: pd.DataFrame = self.engine.get_domain_records(
            {"batch_id": BATCH, **{k: v for k, v in found.items() if v}}
        )
        return domain

    def _masks(self, plan: _Plan) -> list[Any]:
        map_metric = getattr(plan.expectation, "map_metric", None)
        counted = plan.metrics.get(f"{map_metric}.unexpected_count")
        if counted is None:
            return []
        ids = [m.id for m in counted.metric_dependencies.values() if _is_condition(m)]
        return [self.resolved[i][0] for i in ids if i in self.resolved]


def crash_in(info: Any) -> str | None:
    """The message of a crash in either shape of `exception_info`: flat, or keyed by metric."""
    if not isinstance(info, Mapping):
        return None
    if info.get("raised_exception"):
        return _one_line(info.get("exception_message") or "it crashed")
    nested = (crash_in(value) for value in info.values())
    return next((message for message in nested if message), None)


def _observed(result: Mapping[str, Any]) -> Any:
    if result.get("observed_value") is not None:
        return result["observed_value"]
    # sets of distinct values are told by what is wrong with them
    wrong = {word: result.get(f"partial_{word}_list") for word in ("unexpected", "missing")}
    return {word: values for word, values in wrong.items() if values} or None


def _runtime(expectation: Any) -> dict[str, Any]:
    about_rows = isinstance(getattr(expectation, "map_metric", None), str)
    about_rows &= not hasattr(expectation, "type_") and not hasattr(expectation, "type_list")
    # values of failing rows are not needed: their positions come from the mask
    wanted = "BOOLEAN_ONLY" if about_rows else "SUMMARY"
    return {"result_format": {"result_format": wanted}, "catch_exceptions": True}


def _is_condition(metric: Any) -> bool:
    return str(metric.metric_name).endswith(".condition")


def _failing(mask: Any, rows: int) -> tuple[int, int, Any]:
    import numpy as np
    import pandas as pd

    if not isinstance(mask, pd.Series):
        mask = np.asarray(mask, dtype=bool)
        found = np.flatnonzero(mask)
        return len(mask), len(found), found if len(mask) == rows else None
    found = np.flatnonzero(mask.to_numpy(dtype=bool, na_value=True))
    return len(mask), len(found), mask.index.to_numpy()[found]


def _filled(domain: pd.DataFrame, expectation: Any) -> int:
    column = getattr(expectation, "column", None)
    return int(domain[column].count()) if column in domain.columns else len(domain)


def _one_line(error: Any) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    return text if len(text) <= 300 else text[:299] + "…"
