"""How well single rows are told apart: `python bench/anomaly_rows.py [--streams development]`.

For each stream, a model learns from 20 published snapshots and scores the rows of later ones: as
they are (what share of clean rows is within a budget?), and with one in twenty rows damaged in one
column (ROC AUC of the damaged rows against the others, and whether the first reason names the
column). A plain isolation forest on the same rows, numbers as they are and texts as the rank of
their frequency, is the baseline.
"""

from __future__ import annotations

import argparse
import importlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from detection import auc
from detection_faults import FAULTS

from wfops_pipelines.anomaly import fit_rows, score_rows

LEARNED, SHARE = 20, 0.05
BUDGETS = (0.001, 0.01, 0.05)
CELLS = (
    "explicit_missing", "implicit_missing", "numeric_anomaly", "swapped", "typos", "mojibake",
)  # fmt: skip


def plain_matrix(tables: list[pa.Table], known: pa.Table) -> list[np.ndarray]:
    """Numbers as they are, texts as how often they occur in what is known."""
    out: list[list[np.ndarray]] = [[] for _ in tables]
    for name in known.column_names:
        type_ = known.schema.field(name).type
        number = pa.types.is_integer(type_) or pa.types.is_floating(type_)
        counts = {} if number else dict(_counts(known.column(name)))
        for at, table in enumerate(tables):
            column = table.column(name)
            if number:
                values = np.asarray(pc.fill_null(column.cast(pa.float64()), -1.0))
            else:
                values = np.array([counts.get(v, 0) for v in column.to_pylist()], float)
            out[at].append(values)
    return [np.stack(columns, 1) for columns in out]


def _counts(column: pa.ChunkedArray) -> list[tuple[object, int]]:
    found = column.value_counts()
    pairs = zip(found.field("values").to_pylist(), found.field("counts").to_pylist(), strict=True)
    return [(value, int(count)) for value, count in pairs]


def plain_scores(known: pa.Table, tables: list[pa.Table]) -> list[np.ndarray]:
    from sklearn.ensemble import IsolationForest

    train, *asked = plain_matrix([known, *tables], known)
    forest = IsolationForest(n_estimators=100, random_state=0).fit(train)
    return [-forest.score_samples(x) for x in asked]


def changed(before: pa.Table, after: pa.Table) -> tuple[np.ndarray, set[str]]:
    """Which rows of a damaged copy differ, and in which columns."""
    rows, names = np.zeros(before.num_rows, bool), set()
    for name in before.column_names:
        pairs = zip(before.column(name).to_pylist(), after.column(name).to_pylist(), strict=True)
        differs = np.array([a != b and not (a != a and b != b) for a, b in pairs])
        rows |= differs
        names |= {name} if differs.any() else set()
    return rows, names


def measured(key: str | None, tables: list[pa.Table], judged: int) -> tuple[list[float], ...]:
    """Clean p-values, AUC of each damaged copy, the baseline's, and whether the column is named."""
    known = tables[:LEARNED]
    model, whole = fit_rows(known, key=key), pa.concat_tables(known)
    clean, found, plain, named = [], [], [], []
    for at in range(LEARNED, LEARNED + judged):
        clean += score_rows(model, tables[at]).p_value.tolist()
        rng = np.random.default_rng([at, len(tables)])
        for fault in CELLS:
            broken = FAULTS[fault](rng, tables[at], tables[:at], SHARE)
            if broken is None or broken.num_rows != tables[at].num_rows:
                continue
            bad, columns = changed(tables[at], broken)
            if not bad.any() or bad.all():
                continue
            scores = score_rows(model, broken)
            (base,) = plain_scores(whole, [broken])
            found.append(auc(scores.score[~bad], scores.score[bad]))
            plain.append(auc(base[~bad], base[bad]))
            first = [scores.reasons(int(i), top=1) for i in np.flatnonzero(bad)]
            named += [bool(r) and r[0].column in columns for r in first]
    return clean, found, plain, [float(n) for n in named]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", default="evaluation", choices=("evaluation", "development"))
    parser.add_argument("--judged", type=int, default=6, help="snapshots a stream")
    parser.add_argument("--only", nargs="*", default=[])
    asked = parser.parse_args()
    made = importlib.import_module(f"detection_{asked.streams}").streams(LEARNED + asked.judged + 2)
    head = "".join(f"  at {b:.1%}" for b in BUDGETS)
    print(f"{'stream':16}{'clean rows':>11}{head}     AUC   plain  column named")
    lines = []
    for stream, (key, _, tables) in made.items():
        if asked.only and stream not in asked.only:
            continue
        clean, found, plain, named = measured(key, tables, asked.judged)
        held = [float((np.array(clean) <= b).mean()) for b in BUDGETS]
        lines.append([len(clean), *held, np.mean(found), np.mean(plain), np.mean(named)])
        show(stream, lines[-1])
    show("mean", list(np.mean(lines, 0)))


def show(stream: str, line: list[float]) -> None:
    rows, *held, found, plain, named = line
    cells = "".join(f"{h:>9.2%}" for h in held)
    print(f"{stream:16}{rows:>11,.0f}{cells}{found:>8.3f}{plain:>8.3f}{named:>12.0%}", flush=True)


if __name__ == "__main__":
    main()
