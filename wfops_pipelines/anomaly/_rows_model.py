"""Fitting row models on published rows, and keeping them as plain arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wfops_pipelines.anomaly._distinct import distinct_rows
from wfops_pipelines.anomaly._rows_channels import cells
from wfops_pipelines.anomaly._rows_rules import Judge, Rules, calibrate, judge, learn
from wfops_pipelines.anomaly._rows_split import Split, split
from wfops_pipelines.anomaly._rows_tables import Curve, Span, Tally
from wfops_pipelines.anomaly._trees import Trees, path_scores
from wfops_pipelines.anomaly.row_nouns import ROWS_VERSION, Packed, RowModel

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_SEED = 19760401
_GRAIN = 32.0
_HIGH, _CARE, _TYPICAL = 0.97, 1.5, 0.35  # development streams


@dataclass(frozen=True, slots=True)
class Live:
    """A row model with its tables at hand."""

    columns: Mapping[str, Judge]
    trees: Trees
    nulls: Floats
    margin: float
    key: str | None


def fit(published: Sequence[Any], key: str | None) -> RowModel:
    rows = split([t for t in published if t.num_rows], key)
    judges = {name: _judge(rows, name) for name in rows.known.column_names}
    summary = summarise(cell_evidence(judges, rows.held_out)[0])
    trees = _grow(summary)
    score = combine(trees, summary)
    return _pack(Live(judges, trees, np.sort(score), margin(score, rows.snapshot), key))


def _judge(rows: Split, name: str) -> Judge:
    """Rules of the rows to learn from, with the curves that they earned on the others.

    The others are not learned from afterwards: rules that know more than the curves were drawn
    for hold more than the budget says.
    """
    known, held_out = cells(rows.known.column(name)), cells(rows.held_out.column(name))
    return calibrate(learn(known, held_out, rows.other_days), held_out)


def cell_evidence(
    judges: Mapping[str, Judge], table: Any
) -> tuple[Floats, npt.NDArray[np.int8], list[list[str]]]:
    """Decades of every cell (rows, columns), the channel of each, the channels' names."""
    judged = [judge(one, cells(table.column(name))) for name, one in judges.items()]
    if not judged:
        return np.zeros((table.num_rows, 1)), np.zeros((table.num_rows, 1), np.int8), [["null"]]
    return (
        np.stack([d for d, _, _ in judged], 1),
        np.stack([c for _, c, _ in judged], 1),
        [n for *_, n in judged],
    )


def strongest(judges: Mapping[str, Judge], table: Any) -> Floats:
    """Decades of the strongest cell of each row, with one column in memory at a time."""
    most = np.zeros(table.num_rows)
    for name, one in judges.items():
        np.maximum(most, judge(one, cells(table.column(name)))[0], out=most)
    return most


def summarise(evidence: Floats) -> Floats:
    """Shape (rows, 5): the three strongest cells, their sum, how many say more than a decade."""
    ordered = -np.sort(-evidence, axis=1)[:, :3]
    ordered = np.pad(ordered, ((0, 0), (0, 3 - ordered.shape[1])))
    more = (evidence > 1.0).sum(1, keepdims=True)
    whole = np.concatenate([ordered, evidence.sum(1, keepdims=True), more], axis=1)
    return _grained(whole)


def _grained(decades: Floats) -> Floats:
    return np.asarray(np.round(np.log1p(decades) * _GRAIN) / _GRAIN)


def _grow(summary: Floats) -> Trees:
    from sklearn.ensemble import IsolationForest

    high, centre = summary.max(0) + 0.3, np.median(summary, axis=0)
    anchors = [
        np.where(np.arange(5) == j, high[j] * far, centre) for j in range(5) for far in (1, 1.5, 2)
    ]
    train = np.concatenate([summary, np.array(anchors)])
    forest = IsolationForest(n_estimators=100, max_samples=min(256, len(train)), random_state=_SEED)
    return Trees.of(forest.fit(train))


def combine(trees: Trees, summary: Floats) -> Floats:
    """Forest plus tail: one screaming cell must not drown among quiet ones."""
    first, which = distinct_rows(summary)
    unique = summary[first]
    score = path_scores(trees, unique) + unique[:, 0]
    return np.asarray(score[which])


def combined_at_most(strongest: Floats) -> Floats:
    """What `combine` cannot exceed, whatever the forest says: a little more than 1 beyond it."""
    return _grained(strongest) + (1.0 + 1e-9)


def margin(score: Floats, snapshot: Ints) -> float:
    """How much larger the share of rows above a high score may be than it was, relatively.

    Rows of a stormy day are unusual together, so few snapshots tell that share less well than
    their many rows seem to: `_CARE` standard errors of its mean over snapshots, beyond chance.
    A few quiet snapshots do not prove that none is stormy: shares differ by `_TYPICAL` at least.
    """
    rows = np.bincount(snapshot).astype(np.float64)
    rows, high = rows[rows > 0], score > np.quantile(score, _HIGH)
    if len(rows) < 2 or not high.any():
        return 0.0
    shares = np.bincount(snapshot, high)[np.bincount(snapshot) > 0] / rows
    mean = float(high.mean())
    beyond = float(np.var(shares, ddof=1)) - mean * (1 - mean) * float((1 / rows).mean())
    return _CARE * float(np.sqrt(max(beyond, (_TYPICAL * mean) ** 2) / len(rows))) / mean


def p_values(live: Live, score: Floats) -> Floats:
    """Share of held-out rows that score as high, shrinking on beyond the highest."""
    nulls, count = live.nulls, len(live.nulls)
    exceed = count - np.searchsorted(nulls, score, "left")
    beyond = np.maximum(score - nulls[-1], 0.0) if count else np.zeros(len(score))
    share = np.minimum((exceed + 1.0) / (count + 1.0) * (1.0 + live.margin), 1.0)
    return np.asarray(share * 10.0**-beyond)


def _pack(live: Live) -> RowModel:
    arrays: dict[str, Packed] = {"nulls": pack(live.nulls)}
    meta: dict[str, Any] = {"version": ROWS_VERSION, "key": live.key, "columns": []}
    meta["margin"] = live.margin
    for at, (name, one) in enumerate(live.columns.items()):
        rules = one.rules
        meta["columns"].append(
            {
                "name": name,
                "kind": rules.kind,
                "tallies": {n: t.other for n, t in rules.tallies.items()},
                "spans": {n: [s.step, s.slack] for n, s in rules.spans.items()},
                "curves": sorted(one.curves),
            }
        )
        arrays.update({f"{at}/{n}": pack(a) for n, a in _column_arrays(one).items()})
    trees = live.trees
    meta["trees"] = [trees.depth, trees.samples]
    for field in ("feature", "threshold", "left", "right", "length"):
        arrays[f"trees/{field}"] = pack(getattr(trees, field))
    return RowModel(meta, arrays)


def _column_arrays(one: Judge) -> dict[str, npt.NDArray[Any]]:
    out: dict[str, npt.NDArray[Any]] = {"null": one.rules.null, "letters": one.rules.letters}
    for name, tally in one.rules.tallies.items():
        out[f"tally/{name}/keys"], out[f"tally/{name}/decades"] = tally.keys, tally.decades
    for name, span in one.rules.spans.items():
        out[f"span/{name}"] = span.support
    for name, curve in [*one.curves.items(), ("*", one.whole)]:
        out[f"curve/{name}/raw"], out[f"curve/{name}/decades"] = curve.raw, curve.decades
    return out


def pack(array: npt.NDArray[Any]) -> Packed:
    return Packed(array.dtype.str, array.shape, np.ascontiguousarray(array).tobytes())


def unpack(model: RowModel) -> Live:
    def get(name: str) -> Any:
        packed = model.arrays[name]
        return np.frombuffer(packed.data, packed.dtype).reshape(packed.shape)

    def column(at: int, body: Mapping[str, Any]) -> Judge:
        def curve(name: str) -> Curve:
            return Curve(get(f"{at}/curve/{name}/raw"), get(f"{at}/curve/{name}/decades"))

        tallies = {
            n: Tally(get(f"{at}/tally/{n}/keys"), get(f"{at}/tally/{n}/decades"), other)
            for n, other in body["tallies"].items()
        }
        spans = {n: Span(get(f"{at}/span/{n}"), *sizes) for n, sizes in body["spans"].items()}
        rules = Rules(body["kind"], get(f"{at}/null"), tallies, spans, get(f"{at}/letters"))
        return Judge(rules, {n: curve(n) for n in body["curves"]}, curve("*"))

    depth, samples = model.meta["trees"]
    fields = ("feature", "threshold", "left", "right", "length")
    trees = Trees(**{f: get(f"trees/{f}") for f in fields}, depth=depth, samples=samples)
    columns = {body["name"]: column(at, body) for at, body in enumerate(model.meta["columns"])}
    return Live(columns, trees, get("nulls"), model.meta["margin"], model.meta["key"])
