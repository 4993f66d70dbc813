"""How fast profiles, snapshot scores and row scores are: `python bench/anomaly.py [rows]`.

Compared with a plain DuckDB-like Arrow aggregate of simpler statistics, and with scikit-learn's
own forest scoring; after `pip install onnxruntime skl2onnx treelite tl2cgen` with those as well.
CPU time and wall time of the best of three; the machine's load matters.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from anomaly_demo_streams import stamps

from wfops_pipelines.anomaly import fit_rows, profile, score_rows, score_snapshot
from wfops_pipelines.anomaly._trees import Trees, path_scores

if TYPE_CHECKING:
    from sklearn.ensemble import IsolationForest

FloatArray = npt.NDArray[np.float32]


def table(rows: int, seed: int) -> pa.Table:
    """Fifteen columns as a sync has them: six numbers, five texts, two times, two flags."""
    rng = np.random.default_rng(seed)
    at = (1.7e15 + seed * 8.64e10 + rng.random(rows) * 8.64e10).astype(np.int64)
    mails = np.array([f"person{i}@company{i % 97}.example" for i in range(50_000)])
    notes = np.array([f"order {i} of lot {i % 31} checked" for i in range(20_000)])
    columns: dict[str, object] = {
        "id": rng.permutation(rows) + seed * rows,
        "email": pa.array(mails).take(pa.array(rng.integers(0, 50_000, rows))),
        "note": pa.array(notes).take(pa.array(rng.integers(0, 20_000, rows))),
        "created": stamps(at),
        "updated": stamps(at + 1_000_000 * rng.integers(1, 9999, rows)),
    }
    for name, values in (
        ("status", "paid open draft void"),
        ("currency", "usd eur gbp"),
        ("plan", "a b c d e"),
    ):
        words = pa.array(values.split())
        columns[name] = words.take(pa.array(rng.integers(0, len(words), rows)))
    for i in range(3):
        columns[f"amount{i}"] = rng.lognormal(4 + i, 1, rows)
    for i in range(2):
        columns[f"count{i}"] = rng.poisson(20, rows)
        columns[f"flag{i}"] = rng.random(rows) < 0.2 + i / 2
    return pa.table(columns)


def plain_aggregate(one: pa.Table) -> None:
    """Nulls, distinct values, extremes, mean, deviation: what a plain query computes."""
    for column in one.columns:
        pc.count_distinct(column)
        _ = column.null_count
        if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
            pc.min_max(column), pc.mean(column), pc.stddev(column)
            pc.quantile(column, [0.05, 0.25, 0.5, 0.75, 0.95])


def timed(what: str, rows: int, call: Callable[[], object]) -> None:
    best, cpu = np.inf, np.inf
    for _ in range(3):
        wall, used = time.perf_counter(), time.process_time()
        call()
        best, cpu = min(best, time.perf_counter() - wall), min(cpu, time.process_time() - used)
    print(f"{what:44}{best:9.3f} s{cpu:9.3f} s CPU{rows / best:14,.0f} rows/s", flush=True)


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 300_000
    large, small = table(rows, 1), [table(5_000, i) for i in range(2, 23)]
    timed("profile, 15 columns", rows, lambda: profile(large, key="id", cursor="updated"))
    timed("plain Arrow aggregate", rows, lambda: plain_aggregate(large))
    profiles = [profile(t, key="id", cursor="updated") for t in small]
    timed("score_snapshot, 20 of history", 1, lambda: score_snapshot(profiles[:20], profiles[20]))
    hundred = table(100_000, 3)
    timed(
        "decision on 100,000 x 15 (profile + score)",
        100_000,
        lambda: score_snapshot(profiles[:20], profile(hundred, key="id", cursor="updated")),
    )
    model = fit_rows(small[:6], key="id")
    timed("score_rows, 15 columns", 100_000, lambda: score_rows(model, hundred))
    forests(100_000)


def forests(rows: int) -> None:
    from joblib import parallel_config
    from sklearn.ensemble import IsolationForest

    x = np.random.default_rng(1).normal(size=(rows, 20)).astype(np.float32)
    forest = IsolationForest(n_estimators=100, random_state=0).fit(x[:5000])
    trees = Trees.of(forest)
    timed("scikit-learn score_samples, 100 trees", rows, lambda: forest.score_samples(x))
    with parallel_config("threading", n_jobs=2):
        timed("the same with two threads", rows, lambda: forest.score_samples(x))
    timed("complete trees in numpy, 100 trees", rows, lambda: path_scores(trees, x))
    gap = np.abs(path_scores(trees, x[:5000]) + forest.score_samples(x[:5000])).max()
    print(f"largest difference of the two: {gap:.1e}")
    compiled(forest, x)


def compiled(forest: IsolationForest, x: FloatArray) -> None:
    """The same forest by libraries for serving models, where they are installed; one thread."""
    try:
        import onnxruntime
        import tl2cgen
        import treelite
        from skl2onnx import to_onnx
    except ImportError as missing:
        print(f"ONNX Runtime and treelite: not compared ({missing})")
        return
    rows, want = len(x), -forest.score_samples(x)
    model, options = treelite.sklearn.import_model(forest), onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    onnx = to_onnx(forest, x[:1], target_opset={"": 18, "ai.onnx.ml": 3}).SerializeToString()
    session = onnxruntime.InferenceSession(onnx, options)
    with tempfile.TemporaryDirectory() as folder:
        library = f"{folder}/forest.so"
        tl2cgen.export_lib(model, toolchain="gcc", libpath=library)
        built = tl2cgen.Predictor(library, nthread=1)
        matrix = tl2cgen.DMatrix(x, dtype="float32")
        by = {
            "treelite, interpreted": lambda: treelite.gtil.predict(model, x, nthread=1),
            "treelite, compiled by gcc": lambda: built.predict(matrix),
            "ONNX Runtime": lambda: -session.run(["scores"], {"X": x})[0] - forest.offset_,
        }
        for name, call in by.items():
            timed(f"{name}, 100 trees", rows, call)
            print(f"largest difference: {np.abs(np.ravel(call()) - want).max():.1e}")


if __name__ == "__main__":
    main()
