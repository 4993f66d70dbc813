"""Expectations that judge each row by itself, judged part by part, and added up.

Great Expectations judges each part; what it says of all rows follows from the counts, by the one
rule that its row expectations share. Where a part's own answer does not follow that rule, or a part
cannot be told, the columns are judged at once instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wfops_pipelines.checks.gx.engine import Judged
from wfops_pipelines.checks.suite import Expectation

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

ROW_BY_ROW = frozenset(
    f"expect_{name}"
    for name in (
        "column_pair_values_a_to_be_greater_than_b",
        "column_pair_values_to_be_equal",
        "column_pair_values_to_be_in_set",
        "column_value_lengths_to_be_between",
        "column_value_lengths_to_equal",
        "column_values_to_be_between",
        "column_values_to_be_dateutil_parseable",
        "column_values_to_be_in_set",
        "column_values_to_be_json_parseable",
        "column_values_to_be_null",
        "column_values_to_match_json_schema",
        "column_values_to_match_regex",
        "column_values_to_match_regex_list",
        "column_values_to_match_strftime_format",
        "column_values_to_not_be_in_set",
        "column_values_to_not_be_null",
        "column_values_to_not_match_regex",
        "column_values_to_not_match_regex_list",
        "multicolumn_sum_to_equal",
        "multicolumn_values_to_be_equal",
        "select_column_values_to_be_unique_within_record",
    )
)
UNIQUE = "expect_column_values_to_be_unique"


@dataclass(slots=True)
class Running:
    """One expectation's answers about the parts so far; `keys` are those of failing rows."""

    mostly: float = 1.0
    domain: int = 0
    rows: int = 0
    failed: int = 0
    keys: list[str] = field(default_factory=list)
    told: bool = True

    def add(self, part: Judged, keys: tuple[str, ...]) -> None:
        self.domain += part.domain
        self.rows += part.rows
        self.failed += part.failed
        self.keys += keys
        follows = _succeeds(part.rows, part.failed, self.mostly) == part.success
        if part.error is not None or part.positions is None or not follows:
            self.told = False

    def judged(self) -> Judged:
        """The answer about all rows; its positions say only that rows can be named."""
        success = _succeeds(self.rows, self.failed, self.mostly)
        return Judged(success, self.domain, self.rows, self.failed, positions=())


def _succeeds(rows: int, failed: int, mostly: float) -> bool:
    return not rows or (float(rows) - float(failed)) / float(rows) >= mostly


def row_by_row(e: Expectation) -> bool:
    """Whether what it says of a row depends on that row alone."""
    # a condition in pandas' own language may compare a row with all others
    return e.type in ROW_BY_ROW and e.kwargs.get("condition_parser") != "pandas"


def mostly_of(kwargs: Mapping[str, Any]) -> float:
    given = kwargs.get("mostly")
    return 1.0 if given is None else float(given)


def can_be_hashed(e: Expectation, kind: pa.DataType | None) -> bool:
    """Whether it asks that nothing repeats in a column whose values hashes tell apart."""
    import pyarrow.types as t

    if e.type != UNIQUE or e.kwargs.get("row_condition") or kind is None:
        return False
    kinds = (t.is_string, t.is_large_string, t.is_integer, t.is_date, t.is_timestamp)
    return any(is_kind(kind) for is_kind in kinds)


def hashes_of(column: pa.ChunkedArray) -> npt.NDArray[np.uint64]:
    """A hash of each value that is there, in order."""
    import pyarrow.types as t
    from pandas.util import hash_array

    there = column.drop_null()
    if t.is_string(there.type) or t.is_large_string(there.type):
        values: Any = there.to_numpy().astype(object)
    else:
        wide = "int32" if t.is_date32(there.type) else "int64"
        values = there.to_numpy() if t.is_integer(there.type) else there.cast(wide).to_numpy()
    hashes: npt.NDArray[np.uint64] = hash_array(values, categorize=False)
    return hashes


def again(hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The hashes that occur more than once."""
    import numpy as np

    ordered = np.sort(hashes)
    return np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
