"""Syncs whose schedule was off: `python bench/detection_schedules.py [--blind] [--history 20]`.

The development streams as one log each, cut by runs that came late, were skipped, came by hand in
a burst, rested at weekends or caught up with days at once. A schedule is no fault of the data: it
counts how many clean snapshots are held at 2 %, and how many with a real fault are. With
`--blind` the profiles do not know what was asked, as those of older versions.
Figures on development streams are not evidence of anything but a difference.
"""

from __future__ import annotations

import argparse
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import detection_development
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from wfops_pipelines.anomaly import Profile, profile, score_snapshot

Rng = np.random.Generator
DAY, HOUR = 86_400.0, 3_600.0
STREAMS = ("crm_contacts", "tickets", "shop_orders", "payments", "leads", "ledger", "sensors",
           "weather", "newark", "kennedy")  # fmt: skip
DAYS = 100


@dataclass(frozen=True)
class Taken:
    """A snapshot and the stretch of the cursor that was asked."""

    rows: pa.Table
    since: float
    upto: float

    def profile(self, key: str | None, cursor: str | None, blind: bool) -> Profile:
        if blind:
            return profile(self.rows, key=key, cursor=cursor)
        ends = datetime.fromtimestamp(self.since, UTC), datetime.fromtimestamp(self.upto, UTC)
        return profile(self.rows, key=key, cursor=cursor, window=ends)


def daily(rng: Rng, first: float, last: float) -> list[float]:
    return list(np.arange(first + 6 * HOUR, last, DAY))


def jittered(rng: Rng, first: float, last: float) -> list[float]:
    return [at + rng.uniform(0, 8) * HOUR for at in daily(rng, first, last)]


def skipped(rng: Rng, first: float, last: float) -> list[float]:
    return [at for at in daily(rng, first, last) if rng.random() > 0.15]


def weekdays(rng: Rng, first: float, last: float) -> list[float]:
    return [at for at in daily(rng, first, last) if (at // DAY + 3) % 7 < 5]


def by_hand(rng: Rng, first: float, last: float) -> list[float]:
    """Twice a day, sometimes a few runs within a quarter of an hour, then the rest of the time."""
    runs = []
    for at in np.arange(first + 6 * HOUR, last, DAY / 2):
        runs.append(float(at))
        if rng.random() < 0.12:
            start = at + rng.uniform(1, 8) * HOUR
            runs += list(start + np.sort(rng.uniform(0, 900, int(rng.integers(2, 7)))))
    return runs


def often(rng: Rng, first: float, last: float) -> list[float]:
    """Every three hours, day and night; one in ten is skipped, one in twenty comes late."""
    runs = [float(at) for at in np.arange(first + 40 * DAY, last, 3 * HOUR) if rng.random() > 0.1]
    return [at + (rng.uniform(0.5, 2) * HOUR if rng.random() < 0.05 else 0) for at in runs]


def caught_up(rng: Rng, first: float, last: float) -> list[float]:
    """Daily, with now and then several days at once."""
    runs, away = [], 0
    for at in daily(rng, first, last):
        away = int(rng.integers(2, 7)) if not away and rng.random() < 0.05 else away
        away = max(away - 1, 0)
        if not away:
            runs.append(at)
    return runs


SCHEDULES: dict[str, Callable[[Rng, float, float], list[float]]] = {
    f.__name__: f for f in (daily, jittered, skipped, weekdays, by_hand, often, caught_up)
}


def seconds(table: pa.Table, cursor: str) -> np.ndarray[Any, Any]:
    return np.asarray(table[cursor].cast(pa.timestamp("us")).cast(pa.int64()), np.float64) / 1e6


def each_once(log: pa.Table, key: str | None) -> pa.Table:
    """Without the keys that the days of a made-up stream happen to share."""
    if key is None:
        return log
    _, first = np.unique(np.asarray(log[key].to_pylist()), return_index=True)
    return log.take(pa.array(np.sort(first)))


def taken(log: pa.Table, cursor: str, runs: list[float]) -> list[Taken]:
    """What each run finds: rows later than the newest one that the run before had."""
    at = seconds(log, cursor)
    since, done, out = float(at[0]) - HOUR, 0, []
    for run in runs:
        upto = int(np.searchsorted(at, run, "right"))
        if upto > done:
            out.append(Taken(log.slice(done, upto - done), since, run))
            since, done = float(at[upto - 1]), upto
    return out[1:]


def no_first_page(rng: Rng, one: Taken, before: Taken, cursor: str) -> pa.Table:
    return one.rows.slice(int(one.rows.num_rows * 0.3))


def no_last_page(rng: Rng, one: Taken, before: Taken, cursor: str) -> pa.Table:
    return one.rows.slice(0, int(one.rows.num_rows * 0.7))


def no_page_within(rng: Rng, one: Taken, before: Taken, cursor: str) -> pa.Table:
    n = one.rows.num_rows
    first = int(rng.uniform(0.1, 0.6) * n)
    return pa.concat_tables([one.rows.slice(0, first), one.rows.slice(first + int(0.3 * n))])


def half_the_rows(rng: Rng, one: Taken, before: Taken, cursor: str) -> pa.Table:
    n = one.rows.num_rows
    return one.rows.take(pa.array(np.sort(rng.choice(n, max(n // 2, 1), replace=False))))


def other_zone(rng: Rng, one: Taken, before: Taken, cursor: str) -> pa.Table:
    moved = int(rng.choice([-5, -2, 2, 5])) * 3_600_000_000
    at = one.rows.column_names.index(cursor)
    ticks = pc.add(one.rows[cursor].cast(pa.int64()), moved)
    return one.rows.set_column(at, cursor, ticks.cast(one.rows.schema.field(cursor).type))


def stale_third(rng: Rng, one: Taken, before: Taken, cursor: str) -> pa.Table:
    n = one.rows.num_rows // 3
    return pa.concat_tables([before.rows.slice(0, n), one.rows.slice(n)])


FAULTS = {
    f.__name__: f
    for f in (no_first_page, no_last_page, no_page_within, half_the_rows, other_zone, stale_third)
}


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--blind", action="store_true")
    asked.add_argument("--history", type=int, default=20)
    asked.add_argument("--positions", type=int, default=8)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--only", nargs="*", default=STREAMS)
    asked.add_argument("--show", action="store_true", help="why clean snapshots were held")
    got = asked.parse_args()
    made = detection_development.streams(DAYS)
    held: dict[tuple[str, str], list[bool]] = {}
    for stream in got.only:
        key, cursor, tables = made[stream]
        assert cursor is not None
        log = pa.concat_tables(tables)
        log = each_once(log.filter(pc.is_valid(log[cursor])).sort_by(cursor), key)
        at = seconds(log, cursor)
        for name, schedule in SCHEDULES.items():
            rng = np.random.default_rng([got.seed, zlib.crc32(f"{stream} {name}".encode())])
            snapshots = taken(log, cursor, schedule(rng, at[0], at[-1]))
            snapshots = snapshots[: got.history + 3 * got.positions]
            profiles = [s.profile(key, cursor, got.blind) for s in snapshots]
            places = np.linspace(got.history, len(snapshots) - 1, got.positions).astype(int)
            for i in np.unique(places[places >= got.history]):
                past, one = profiles[i - got.history : i], snapshots[i]
                answer = score_snapshot(past, profiles[i])
                held.setdefault((name, "clean"), []).append(answer.held)
                if answer.held and got.show:
                    print(stream, name, i, f"{answer.p_value:.4f}", one.rows.num_rows,
                          f"{(one.upto - one.since) / HOUR:.2f} h",
                          [f.sentence[:110] for f in answer.findings[:3]])  # fmt: skip
                if one.rows.num_rows < 20:
                    continue
                for fault in rng.choice(list(FAULTS), 2, replace=False):
                    rows = FAULTS[fault](rng, one, snapshots[i - 1], cursor)
                    broken = Taken(rows, one.since, one.upto).profile(key, cursor, got.blind)
                    answer = score_snapshot(past, broken)
                    held.setdefault((name, fault), []).append(answer.held)
        print(stream, flush=True)
    print(f"{'held at 2 %':12}" + "".join(f"{f:>20}" for f in ("clean", *FAULTS)))
    for name in (*SCHEDULES, ""):
        cells = []
        for fault in ("clean", *FAULTS):
            of = [
                h for (n, f), all_ in held.items() if f == fault and name in ("", n) for h in all_
            ]
            cells.append(f"{np.mean(of) if of else np.nan:>10.1%} of {len(of):>5}")
        print(f"{name or 'all':12}" + "".join(f"{c:>20}" for c in cells))


if __name__ == "__main__":
    main()
