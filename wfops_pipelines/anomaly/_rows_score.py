"""Scoring rows against a model, and saying why."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from wfops_pipelines.anomaly._rows_model import (
    Live,
    cell_evidence,
    combine,
    combined_at_most,
    p_values,
    strongest,
    summarise,
    unpack,
)
from wfops_pipelines.anomaly.nouns import RowModel, RowReason, RowScores
from wfops_pipelines.errors import SchemaRefused

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_SAYINGS = {
    "null": "{value} where published rows are not",
    "type": "{value} is of another type than the published values",
    "value": "{value} is new or rare here",
    "pattern": "{value} is spelled like few published values",
    "letters": "{value} has a pair of letters that is rare here",
    "length": "{value} is unusually short or long",
    "size": "{value} is far from the published values ({low}\u2013{high})",
    "filler": "{value} looks like a stand-in for a missing number",
    "form": "{value} has another form (sign or decimals) than published values",
    "clock": "{value} lies at midnight as few published values do, or the reverse",
}
_SHOWN = 60
_MANY = 0.1  # of the rows: so many are scored with all others


def score(model: RowModel, table: Any) -> RowScores:
    return _scored(_fitting(model, table), table)


def _scored(live: Live, table: Any) -> RowScores:
    evidence, channel, names = cell_evidence(live.columns, table)
    total = combine(live.trees, summarise(evidence))

    def explain(i: int, top: int) -> tuple[RowReason, ...]:
        share = evidence[i] / max(float(evidence[i].sum()), 1e-300) * total[i]
        order = np.argsort(-evidence[i], kind="stable")[:top]
        return tuple(
            _reason(live, table, i, int(c), names[c][channel[i, c]], float(share[c]))
            for c in order
            if evidence[i, c] > 0.5
        )

    return RowScores(total, p_values(live, total), explain)


def odd(
    model: RowModel, table: Any, limit: float, top: int
) -> list[tuple[int, tuple[RowReason, ...]]]:
    live = _fitting(model, table)
    at = _able(live, table, limit)
    few = table if len(at) > table.num_rows * _MANY else table.take(at)
    at = np.arange(table.num_rows) if few is table else at
    scores = _scored(live, few)
    found: list[int] = np.flatnonzero(scores.p_value <= limit).tolist()
    return [(int(at[i]), scores.reasons(i, top)) for i in found]


def _able(live: Live, table: Any, limit: float) -> Ints:
    """The rows that would be odd enough if the forest found them as strange as can be.

    It adds at most 1 to the strongest cell, and a p-value only falls with the score.
    """
    most = combined_at_most(strongest(live.columns, table))
    return np.flatnonzero(~(p_values(live, most) > limit))


def _fitting(model: RowModel, table: Any) -> Live:
    """The model, ready for a table that has all of its columns."""
    live = unpack(model)
    gone = [name for name in live.columns if name not in table.column_names]
    if gone:
        raise SchemaRefused(f"columns {gone} of the row model are not in the table: fit it again")
    return live


def _reason(live: Live, table: Any, i: int, at: int, channel: str, share: float) -> RowReason:
    name = list(live.columns)[at]
    low, high = _range(live, name)
    value = table.column(name)[i].as_py()
    shown = "null" if value is None else repr(value) if isinstance(value, str) else str(value)
    shown = shown if len(shown) <= _SHOWN else shown[: _SHOWN - 1] + "…"
    said = _SAYINGS[channel].format(value=shown, low=low, high=high)
    return RowReason(name, share, f"{name}: {said}")


def _range(live: Live, name: str) -> tuple[str, str]:
    span = live.columns[name].rules.spans.get("size")
    if span is None or not len(span.support):
        return "", ""
    ends = [float(span.support[0]), float(span.support[-1])]
    if live.columns[name].rules.kind == "time":
        from wfops_pipelines.anomaly._words import spell

        return spell(ends[0], "time"), spell(ends[1], "time")
    return f"{ends[0]:,.6g}", f"{ends[1]:,.6g}"
