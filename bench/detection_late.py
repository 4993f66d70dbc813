"""Punctual syncs whose run is late for once: `python bench/detection_late.py [--history 20]`.

Each stream is one log, cut at six each morning; the last run comes late, or catches up with days
that were skipped. How many clean snapshots are held at 2 %, and how many with a fault are. The
demo's kind of streams are development streams, and `reviews` of the matched ones is one for this
question: what held its clean late runs was mended.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import anomaly_demo_streams
import detection_matched
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from detection_schedules import DAY, FAULTS, HOUR, Rng, Taken, each_once, seconds, taken

from wfops_pipelines.anomaly import score_snapshot

LATE = {"punctual": 0.0, "6 h late": 6.0, "12 h late": 12.0, "a day skipped": 24.0,
        "two skipped": 48.0, "four skipped": 96.0}  # fmt: skip
AFTER = "after 12 h late"


def logs(days: int) -> Iterator[tuple[str, str | None, str, list[pa.Table]]]:
    for name, (stream, key, cursor) in anomaly_demo_streams.STREAMS.items():
        yield name, key, cursor, [stream(1, day) for day in range(days)]
    for name, (key, cursor, tables) in detection_matched.streams(days).items():
        if cursor is not None:
            yield name, key, cursor, tables


def runs_of(punctual: list[float], at: int) -> Iterator[tuple[str, list[float]]]:
    """When the runs were, the judged one last."""
    for kind, hours in LATE.items():
        yield kind, [*punctual[:at], punctual[at] + hours * HOUR]
    yield AFTER, [*punctual[:at], punctual[at] + 12 * HOUR, punctual[at + 1]]


def as_it_is(rng: Rng, one: Taken, before: Taken, cursor: str) -> pa.Table:
    return one.rows


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--history", type=int, default=20)
    asked.add_argument("--positions", type=int, default=2)
    got = asked.parse_args()
    held: dict[tuple[str, str], list[bool]] = {}
    for name, key, cursor, tables in logs(got.history + 22):
        log = pa.concat_tables(tables)
        log = each_once(log.filter(pc.is_valid(log[cursor])).sort_by(cursor), key)
        when = seconds(log, cursor)
        first = np.floor(when[0] / DAY) * DAY + DAY + 6 * HOUR
        punctual = [float(at) for at in np.arange(first, when[-1], DAY)]
        usual = [one.profile(key, cursor, False) for one in taken(log, cursor, punctual)]
        for at in np.linspace(got.history + 1, len(punctual) - 6, got.positions).astype(int):
            for kind, runs in runs_of(punctual, int(at)):
                cut = taken(log, cursor, runs)
                past = [
                    *usual[: at - 1],
                    *(t.profile(key, cursor, False) for t in cut[at - 1 : -1]),
                ]
                past = past[-got.history :]
                for fault, damage in (("clean", as_it_is), *FAULTS.items()):
                    rng = np.random.default_rng([int(at), len(fault)])
                    rows = damage(rng, cut[-1], cut[-2], cursor)
                    one = Taken(rows, cut[-1].since, cut[-1].upto).profile(key, cursor, False)
                    held.setdefault((kind, fault), []).append(score_snapshot(past, one).held)
        print(name, flush=True)
    print(f"{'held at 2 %':16}" + "".join(f"{f:>16}" for f in ("clean", *FAULTS)))
    for kind in (*LATE, AFTER):
        cells = (held[kind, fault] for fault in ("clean", *FAULTS))
        print(f"{kind:16}" + "".join(f"{sum(c):>10} of {len(c):>2}" for c in cells))


if __name__ == "__main__":
    main()
