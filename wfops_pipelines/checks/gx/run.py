"""Run a suite on a snapshot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from wfops_pipelines.checks.gx.answers import empty_result, error_result, result_of
from wfops_pipelines.checks.gx.engine import Judged, judge
from wfops_pipelines.checks.gx.frame import Reading, UnreadableColumn, to_series
from wfops_pipelines.checks.gx.running import (
    Running,
    again,
    can_be_hashed,
    hashes_of,
    mostly_of,
    row_by_row,
)
from wfops_pipelines.checks.keys import key_texts
from wfops_pipelines.checks.suite import ABOUT_THE_TABLE, Expectation, Suite
from wfops_pipelines.core.findings import CheckResult
from wfops_pipelines.core.parts import Rows

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

COMPARES = (
    "values_to_be_between",
    "_max_to_be",
    "_min_to_be",
    "_in_set",
    "_null",
    "to_be_unique",
    "unique_values",
    "unique_value_count",
    "distinct_values",
    "_pair_values_",
    "multicolumn_values",
    "within_record",
)
FILLED = ("_null", "_non_null_values_")
TYPES = ("_of_type", "_in_type_list", "_type_to_be")
AVERAGES = ("_mean_", "_median_", "_stdev_", "column_sum", "z_scores", "quantile", "outliers")
Group: TypeAlias = tuple[tuple[str, ...], Reading]


def run_suite(
    suite: Suite,
    table: pa.Table | Rows,
    *,
    key: str | None,
    parameters: Mapping[str, Any] | None = None,
    previous_rows: int | None = None,
    staged: Rows | None = None,
) -> tuple[CheckResult, ...]:
    """Judge `table` by every expectation of `suite`, one result each, in the suite's order.

    Of rows that are read in parts, what judges each row by itself goes by parts, too; for all else
    the columns that it judges are in memory at once.
    `key` names the column whose values name the failing rows; without it failures name no rows.
    `parameters` fill `$PARAMETER` thresholds over the suite's own; `previous_rows`, the row count
    of the last published snapshot, is one of them.
    `staged`: where `table` has numbers in place of the texts that spell them, the rows as they are:
    by them what judges types, or whether there is a value, is told.

    Nothing is raised for what the data or the suite holds: what cannot be told is an ERROR.
    """
    given = dict(suite.parameters) | dict(parameters or {})
    if previous_rows is not None:
        given["previous_rows"] = previous_rows
    try:
        rows = table if isinstance(table, Rows) else Rows.of(table)
        told = {e.name: _as_staged(e) for e in suite.expectations} if staged is not None else {}
        mine = tuple(e for e in suite.expectations if not told.get(e.name))
        found = _Run(replace(suite, expectations=mine), rows, key, given).results()
        if staged is not None:
            others = tuple(e for e in suite.expectations if told[e.name])
            found += _Run(replace(suite, expectations=others), staged, key, given).results()
        place = {e.name: at for at, e in enumerate(suite.expectations)}
        return tuple(sorted(found, key=lambda r: place[r.name]))
    except Exception as error:
        sentence = f"the examiner crashed: {type(error).__name__}: {error}"
        return tuple(error_result(e, sentence) for e in suite.expectations)


@dataclass(frozen=True, slots=True)
class _Run:
    suite: Suite
    rows: Rows
    key: str | None
    parameters: Mapping[str, Any]

    def results(self) -> tuple[CheckResult, ...]:
        from wfops_pipelines.checks.gx.custom import load_custom
        from wfops_pipelines.checks.gx.quiet import quiet

        if problem := _unfit(self.rows.column_names, self.key):
            return tuple(error_result(e, problem) for e in self.suite.expectations)
        with quiet():
            load_custom(self.suite.custom)
            found = dict(r for group in self._groups().items() for r in self._judged(*group))
        return tuple(found[e.name] for e in self.suite.expectations)

    def _groups(self) -> dict[Group, list[Expectation]]:
        groups: dict[Group, list[Expectation]] = {}
        for e in self.suite.expectations:
            groups.setdefault((self._columns_for(e), _reading(e)), []).append(e)
        return groups

    def _columns_for(self, e: Expectation) -> tuple[str, ...]:
        names = tuple(self.rows.column_names)
        if e.type == "expect_column_type_to_be":
            return e.columns
        # a condition in pandas' own language may name any column
        whole = e.custom or e.kwargs.get("condition_parser") == "pandas"
        if e.columns and not whole and not e.type.startswith(ABOUT_THE_TABLE):
            return e.columns
        row_count = e.type.startswith("expect_table_row_count") and not e.kwargs.get(
            "row_condition"
        )
        return names[:1] if row_count else names

    def _judged(
        self, group: Group, members: Sequence[Expectation]
    ) -> Iterator[tuple[str, CheckResult]]:
        columns, reading = group
        if problem := self._missing(columns):
            yield from ((e.name, error_result(e, problem)) for e in members)
            return
        if not self.rows.num_rows:
            empty = [e for e in members if e.about_values]
            yield from ((e.name, empty_result(e)) for e in empty)
            members = [e for e in members if not e.about_values]
        if self.rows.table is None:
            found = dict(self._in_parts(columns, reading, members))
            yield from found.items()
            members = [e for e in members if e.name not in found]
        if members:
            yield from self._at_once(columns, reading, members)

    def _missing(self, columns: Sequence[str]) -> str | None:
        gone = [c for c in columns if c not in self.rows.column_names]
        if not gone:
            return None
        there = ", ".join(self.rows.column_names)
        return f"there is no column {gone[0]!r} in the snapshot (it has {there})"

    def _at_once(
        self, columns: Sequence[str], reading: Reading, members: Sequence[Expectation]
    ) -> Iterator[tuple[str, CheckResult]]:
        table = self.rows.whole(self._with_key(columns))
        for e, kwargs, answer in self._answers(table, columns, reading, members):
            yield e.name, self._result(e, kwargs, answer, self._keys(table, answer))

    def _in_parts(
        self, columns: Sequence[str], reading: Reading, members: Sequence[Expectation]
    ) -> Iterator[tuple[str, CheckResult]]:
        """Results of those that judge each row by itself, as far as parts can tell."""
        alone = [e for e in members if row_by_row(e)]
        given: dict[str, dict[str, Any]] = {}
        running: dict[str, Running] = {}
        for part in self.rows.parts(self._with_key(columns)) if alone else ():
            for e, kwargs, answer in self._answers(part, columns, reading, alone):
                given[e.name] = kwargs
                one = running.setdefault(e.name, Running(mostly_of(kwargs)))
                one.add(answer, self._keys(part, answer))
            alone = [e for e in alone if running[e.name].told]
        for e in alone:
            one = running[e.name]
            yield e.name, self._result(e, given[e.name], one.judged(), tuple(one.keys))
        for e in (e for e in members if can_be_hashed(e, self._type_of(e))):
            if found := self._unique(e, columns, reading):
                yield e.name, found

    def _unique(
        self, e: Expectation, columns: Sequence[str], reading: Reading
    ) -> CheckResult | None:
        """Only values whose hashes are met again are looked at; the others are unique."""
        import numpy as np
        import pyarrow as pa

        assert e.column is not None
        named = self._with_key(columns)
        hashes = [hashes_of(part[e.column]) for part in self.rows.parts(named)]
        twice, there = again(np.concatenate(hashes)), sum(map(len, hashes))
        few = []
        for part, mine in zip(self.rows.parts(named), hashes, strict=True):
            part = part.filter(part[e.column].is_valid())
            few.append(part.filter(pa.array(np.isin(mine, twice))))
        table = pa.concat_tables(few)
        for _, kwargs, answer in self._answers(table, columns, reading, [e]):
            one = Running(mostly_of(kwargs))
            one.add(answer, self._keys(table, answer))
            one.domain, one.rows = self.rows.num_rows, there
            if one.told:
                return self._result(e, kwargs, one.judged(), tuple(one.keys))
        return None

    def _with_key(self, columns: Sequence[str]) -> list[str]:
        return list(dict.fromkeys([*columns, *([self.key] if self.key else [])]))

    def _answers(
        self,
        table: pa.Table,
        columns: Sequence[str],
        reading: Reading,
        members: Sequence[Expectation],
    ) -> Iterator[tuple[Expectation, dict[str, Any], Judged]]:
        """What Great Expectations says of the table, one answer for each of them."""
        try:
            frame = _frame(table, columns, reading)
        except UnreadableColumn as error:
            yield from ((e, {}, Judged(error=str(error))) for e in members)
            return
        made: list[tuple[Expectation, dict[str, Any], Any]] = []
        for e in members:
            try:
                made.append((e, *self._made(e, frame)))
            except ValueError as error:
                yield e, {}, Judged(error=str(error))
        answers = judge(frame, [expectation for _, _, expectation in made])
        for (e, kwargs, _), answer in zip(made, answers, strict=True):
            yield e, kwargs, answer

    def _result(
        self, e: Expectation, kwargs: Mapping[str, Any], answer: Judged, keys: tuple[str, ...]
    ) -> CheckResult:
        return result_of(e, kwargs, answer, self._type_of(e), keys)

    def _keys(self, table: pa.Table, answer: Judged) -> tuple[str, ...]:
        if self.key is None or answer.positions is None:
            return ()
        return key_texts(table, self.key, answer.positions)

    def _type_of(self, e: Expectation) -> pa.DataType | None:
        known = e.column in self.rows.column_names
        return self.rows.schema.field(e.column).type if known else None

    def _made(self, e: Expectation, frame: pd.DataFrame) -> tuple[dict[str, Any], Any]:
        from wfops_pipelines.checks.gx.adapt import adapted
        from wfops_pipelines.checks.gx.engine import built
        from wfops_pipelines.checks.gx.parameters import with_parameters

        kwargs = with_parameters(e.kwargs, self.parameters)
        types = {f.name: f.type for f in self.rows.schema}
        return kwargs, built(e.type, kwargs, {} if e.custom else adapted(kwargs, types, frame))


def _as_staged(e: Expectation) -> bool:
    return not e.custom and (e.type.endswith(TYPES) or any(part in e.type for part in FILLED))


def _frame(table: pa.Table, columns: Sequence[str], reading: Reading) -> pd.DataFrame:
    import pandas as pd

    made: dict[str, pd.Series[Any]] = {}
    for name in columns:
        try:
            made[name] = to_series(table.column(name), reading)
        except Exception as error:
            raise UnreadableColumn(f"column {name!r} cannot be read: {error}") from error
    return pd.DataFrame(made, copy=False)


def _unfit(names: Sequence[str], key: str | None) -> str | None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        return f"the snapshot has more than one column {twice[0]!r}"
    if key is not None and key not in names:
        return f"the snapshot has no key column {key!r}"
    return None if names else "the snapshot has no columns"


def _reading(e: Expectation) -> Reading:
    if e.custom:
        return Reading.AS_IS
    if e.type.endswith(TYPES):
        return Reading.TYPED
    if any(part in e.type for part in AVERAGES):
        return Reading.AVERAGED
    return Reading.COMPARED if any(part in e.type for part in COMPARES) else Reading.AS_IS
