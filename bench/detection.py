"""How much is found within a budget of false holds: `python bench/detection.py --help`.

Rolling over time: each scorer learns from the 8, 20 or 60 snapshots before one, and judges that
one as it is and with faults. AUC and detection at an oracle threshold (the one that would have
held 5 % of the clean snapshots of a stream) compare scorers; `held` columns are the product's own
promise: the shares of faulty and of clean snapshots with a p-value within the budget.

With `--asked` the profiles of streams that a cursor cuts know which stretch of it was asked, as the
product's own do: from the newest row of the snapshot before up to when the run took place.
"""

from __future__ import annotations

import argparse
import importlib
import os
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from detection_baselines import BASELINES, raw
from detection_faults import CONTRACTS, FAULTS, SHARES

from wfops_pipelines.anomaly import Profile, profile, score_snapshot

HISTORIES = (8, 20, 60)
BUDGETS = (0.01, 0.02, 0.05)
WHOLE = ("volume_drop", "volume_spike", "times_hundred", "zone_shift", *CONTRACTS)


@dataclass(frozen=True)
class Case:
    stream: str
    history: int
    fault: str
    scores: dict[str, float]
    p_value: float


def damaged(
    rng: np.random.Generator, past: list[pa.Table], clean: pa.Table, wanted: int
) -> list[tuple[str, pa.Table]]:
    found: list[tuple[str, pa.Table]] = []
    for name in rng.permutation(list(FAULTS)):
        share = float(rng.choice(SHARES))
        share = 0.5 if name in WHOLE else max(share, 0.2) if name == "truncated_page" else share
        broken = FAULTS[str(name)](rng, clean, past, share)
        if broken is not None and len(found) < wanted and not broken.equals(clean):
            found.append((str(name), broken))
    return found


def judge(stream: str, fault: str, past: list[Profile], new: Profile, bare: bool) -> Case:
    answer = score_snapshot(past, new)
    scores = {"this scorer": -float(np.log10(answer.p_value)) + 1e-6 * answer.score}
    if not bare:
        table = raw([*past, new])
        scores.update({name: score(table[:-1], table[-1]) for name, score in BASELINES.items()})
    return Case(stream, len(past), fault, scores, answer.p_value)


Window = tuple[datetime | None, datetime | None] | None


def windows(
    cursor: str | None, tables: list[pa.Table], taken: list[datetime] | None
) -> list[Window]:
    """The stretch that was asked for each snapshot; None where nothing is known of it."""
    if cursor is None or taken is None:
        return [None] * len(tables)
    newest = [pc.max(t[cursor]).as_py() for t in tables]
    return list(zip([None, *newest[:-1]], taken, strict=True))


def run(asked: argparse.Namespace) -> list[Case]:
    days = max(HISTORIES) + 50
    made: Any = importlib.import_module(f"detection_{asked.streams}")
    taken = made.taken(days) if asked.asked else {}
    chosen = {n: s for n, s in made.streams(days).items() if not asked.only or n in asked.only}
    cases: list[Case] = []
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        each = [
            pool.submit(run_one, name, stream, taken.get(name), asked)
            for name, stream in chosen.items()
        ]
        for name, one in zip(chosen, each, strict=True):
            cases += one.result()
            print(f"{name}: {len(chosen[name][2])} snapshots", flush=True)
    return cases


def run_one(
    stream: str,
    made: tuple[str | None, str | None, list[pa.Table]],
    taken: list[datetime] | None,
    asked: argparse.Namespace,
) -> list[Case]:
    key, cursor, tables = made
    cases = []
    known = windows(cursor, tables, taken)
    profiles = [
        profile(t, key=key, cursor=cursor, window=w) for t, w in zip(tables, known, strict=True)
    ]
    for history in HISTORIES:
        for at in np.unique(np.linspace(history, len(tables) - 1, asked.positions).astype(int)):
            past = profiles[at - history : at]
            rng = np.random.default_rng([at, history, len(stream)])
            cases.append(judge(stream, "clean", past, profiles[at], asked.bare))
            for fault, broken in damaged(rng, tables[:at], tables[at], asked.faults):
                new = profile(broken, key=key, cursor=cursor, window=known[at])
                cases.append(judge(stream, fault, past, new, asked.bare))
    return cases


def auc(clean: np.ndarray, bad: np.ndarray) -> float:
    wins = (bad[:, None] > clean[None, :]).mean() + 0.5 * (bad[:, None] == clean[None, :]).mean()
    return float(wins)


def compared(cases: list[Case]) -> None:
    streams = sorted({c.stream for c in cases})
    print(
        f"\n{'history':>7}  {'scorer':24}{'AUC':>7}{'at 5 %':>8}{'at 1 %':>8}   AUC of each stream"
    )
    for history in HISTORIES:
        for scorer in cases[0].scores:
            rows = []
            for stream in streams:
                of = [c for c in cases if c.stream == stream and c.history == history]
                clean = np.array([c.scores[scorer] for c in of if c.fault == "clean"])
                bad = np.array([c.scores[scorer] for c in of if c.fault != "clean"])
                cut = [(bad > np.quantile(clean, 1 - b)).mean() for b in (0.05, 0.01)]
                rows.append([auc(clean, bad), *cut])
            means = "".join(f"{v:>7.3f} " for v in np.mean(rows, 0))
            each = ", ".join(f"{s} {r[0]:.3f}" for s, r in zip(streams, rows, strict=True))
            print(f"{history:>7}  {scorer:24}{means}  {each}")


def promised(cases: list[Case]) -> None:
    print(
        f"\n{'history':>7}  {'stream':16}"
        + "".join(f"  budget {b:.0%}: false, found" for b in BUDGETS)
    )
    for history in HISTORIES:
        for stream in [*sorted({c.stream for c in cases}), ""]:
            of = [c for c in cases if c.history == history and stream in ("", c.stream)]
            clean = np.array([c.p_value for c in of if c.fault == "clean"])
            bad = np.array([c.p_value for c in of if c.fault != "clean"])
            cells = "".join(
                f"{(clean <= b).mean():>16.1%}, "
                + (f"{(bad <= b).mean():>6.1%} " if len(bad) else f"{'-':>6} ")
                for b in BUDGETS
            )
            print(
                f"{history:>7}  {stream or 'all':16}{cells} ({len(clean)} clean, {len(bad)} faulty)"
            )


def by_fault(cases: list[Case]) -> None:
    print(f"\n{'fault, held at 5 %':20}" + "".join(f"{h:>14}" for h in HISTORIES))
    found: dict[tuple[str, int], list[bool]] = defaultdict(list)
    for case in cases:
        found[case.fault, case.history].append(case.p_value <= 0.05)
    for fault in sorted({c.fault for c in cases}):
        cells = (found[fault, h] for h in HISTORIES)
        print(
            f"{fault:20}"
            + "".join(f"{np.mean(c) if c else np.nan:>8.0%} of{len(c):>3}" for c in cells)
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--streams",
        default="evaluation",
        choices=("evaluation", "later", "fresh", "matched", "development"),
    )
    parser.add_argument(
        "--positions", type=int, default=40, help="snapshots judged a stream and history"
    )
    parser.add_argument("--faults", type=int, default=4, help="damaged copies of each")
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--bare", action="store_true", help="without the baselines: faster")
    parser.add_argument("--asked", action="store_true", help="with the stretch that was asked")
    asked = parser.parse_args()
    cases = run(asked)
    if asked.faults:
        compared(cases)
    promised(cases)
    if asked.faults:
        by_fault(cases)


if __name__ == "__main__":
    main()
