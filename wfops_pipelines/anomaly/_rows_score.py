"""Scoring rows against a model, and saying why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wfops_pipelines.anomaly._hashing import UNREADABLE
from wfops_pipelines.anomaly._rows_channels import cells
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
from wfops_pipelines.anomaly._rows_rules import Rules
from wfops_pipelines.anomaly.row_nouns import OddRows, RowModel, RowReason, RowScores
from wfops_pipelines.errors import SchemaRefused

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_SAYINGS = {
    "null": "{value} where published rows are not",
    "type": "{value} is of another type than the published values",
    "value": "{value} is less usual than other published values",
    "unseen": "{value} is new here, or was there once",
    "pattern": "{value} is spelled like few published values",
    "letters": "{value} has a pair of letters that is rare here",
    "length": "{value} is shorter or longer than most published values",
    "size": "{value} is far from most published values ({low}\u2013{high})",
    "inside": "{value} is {beyond} of the published values ({low}\u2013{high})",
    "filler": "{value} may be a stand-in for a missing number",
    "form": "{value} has another form (sign or decimals) than published values",
    "clock": "{value} lies at midnight as few published values do, or the reverse",
}
_SHOWN = 60
_TELLING = 0.5  # evidence below it is no reason
_MANY = 0.1  # of the rows: so many are scored with all others


def score(model: RowModel, table: Any) -> RowScores:
    live = _fitting(model, table)
    seen = _see(live, table)
    return RowScores(seen.total, p_values(live, seen.total), seen.explain)


@dataclass(frozen=True)
class _Seen:
    """A table's cells as a model sees them. total: the score of each row."""

    live: Live
    table: Any
    evidence: Floats  # rows x columns
    channel: npt.NDArray[np.int8]  # which test of the cell spoke loudest
    names: Sequence[Sequence[str]]  # of those tests, by column
    total: Floats

    def explain(self, i: int, top: int) -> tuple[RowReason, ...]:
        cells = self.evidence[i]
        share = cells / max(float(cells.sum()), 1e-300) * self.total[i]
        order = np.argsort(-cells, kind="stable")[:top]
        return tuple(
            _reason(self.live, self.table, i, int(c), self._channel(i, int(c)), float(share[c]))
            for c in order
            if cells[c] > _TELLING
        )

    def _channel(self, i: int, column: int) -> str:
        return self.names[column][int(self.channel[i, column])]

    def oddest(self, rows: Ints) -> tuple[str | None, ...]:
        """Of each of these rows the column that `explain` names first."""
        if not len(rows):
            return ()
        at = self.evidence[rows].argmax(axis=1)
        clear = self.evidence[rows, at] > _TELLING
        known = list(self.live.columns)
        return tuple(known[c] if yes else None for c, yes in zip(at, clear, strict=True))


def _see(live: Live, table: Any) -> _Seen:
    evidence, channel, names = cell_evidence(live.columns, table)
    total = combine(live.trees, summarise(evidence))
    return _Seen(live, table, evidence, channel, names, total)


def odd(model: RowModel, table: Any, limit: float) -> OddRows:
    live = _fitting(model, table)
    at = _able(live, table, limit)
    few = table if len(at) > table.num_rows * _MANY else table.take(at)
    at = np.arange(table.num_rows) if few is table else at
    seen = _see(live, few)
    found = np.flatnonzero(p_values(live, seen.total) <= limit)
    return OddRows(
        tuple(at[found].tolist()),
        seen.oddest(found),
        seen.total[found],
        lambda i, top: seen.explain(int(found[i]), top),
    )


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
    twice = [name for name in live.columns if table.column_names.count(name) > 1]
    if twice:
        raise SchemaRefused(f"columns {twice} are in the table twice: rename one at the source")
    return live


def _reason(live: Live, table: Any, i: int, at: int, channel: str, share: float) -> RowReason:
    name = list(live.columns)[at]
    low, high = _range(live, name)
    shown = _shown(table.column(name)[i])
    shown = shown if len(shown) <= _SHOWN else shown[: _SHOWN - 1] + "…"
    which, beyond = _which(live.columns[name].rules, table.column(name).slice(i, 1), channel)
    said = _SAYINGS[which].format(value=shown, low=low, high=high, beyond=beyond)
    return RowReason(name, share, f"{name}: {said}")


def _which(rules: Rules, one: Any, channel: str) -> tuple[str, str]:
    """The saying that is true of this cell, and of a number within the range how far out it is."""
    if channel == "value":
        hashes = cells(one).hashes
        return ("value" if np.isin(hashes, rules.tallies["value"].keys).all() else "unseen"), ""
    if channel != "size":
        return channel, ""
    span, value = rules.spans["size"], float(cells(one).numbers[0])
    if span.slack or not span.support[0] <= value <= span.support[-1]:
        return channel, ""
    below = float(np.searchsorted(span.support, value, "left")) / len(span.support)
    above = 1.0 - float(np.searchsorted(span.support, value, "right")) / len(span.support)
    return "inside", f"higher than {below:.1%}" if below > above else f"lower than {above:.1%}"


def _shown(scalar: Any) -> str:
    try:
        value = scalar.as_py()
    except UNREADABLE:
        return "what cannot be read"
    return "null" if value is None else repr(value) if isinstance(value, str) else str(value)


def _range(live: Live, name: str) -> tuple[str, str]:
    span = live.columns[name].rules.spans.get("size")
    if span is None or not len(span.support):
        return "", ""
    ends = [float(span.support[0]), float(span.support[-1])]
    if live.columns[name].rules.kind == "time":
        from wfops_pipelines.anomaly._words import spell

        return spell(ends[0], "time"), spell(ends[1], "time")
    return f"{ends[0]:,.6g}", f"{ends[1]:,.6g}"
