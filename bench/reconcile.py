"""Seeded lives of a sync at a misbehaving source: `python bench/reconcile.py --runs 10000`.

Each run is the real flow, gate and publishing on a real PostgreSQL: rows come late, twice, torn or
out of order, the process dies at transaction boundaries, runs and people cross each other, and rows
are held, approved, refused, edited, expired, re-opened and taken back. At the end the source's own
record is compared with the files, the destination and what `wfops reconcile` says.

Of examining, the anomaly forest and the report file are left out: they take the time and move no
row. `--seed N` runs one seed and prints its faults; `--full` leaves nothing out.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import queue
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path

from bench.reconcile_judge import KINDS, Fault, judge
from bench.reconcile_life import begin
from bench.reconcile_world import Crash, Ground, ground, quick

STEPS = 15
CHUNK = 20


@dataclass
class Outcome:
    """What some lives came to. faults: by seed. did: what was exercised, and how often."""

    runs: int = 0
    faults: dict[int, list[Fault]] = field(default_factory=dict)
    did: Counter[str] = field(default_factory=Counter)

    def add(self, other: Outcome) -> None:
        self.runs += other.runs
        self.faults |= other.faults
        self.did += other.did

    def count(self, kind: str) -> int:
        return sum(f.kind == kind for found in self.faults.values() for f in found)


def live(seed: int, on: Ground, steps: int = STEPS) -> Outcome:
    """One life, judged. What nobody expected to be raised is a fault, too."""
    life = begin(seed, on)
    try:
        life.live(steps)
        faults = judge(life)
    except (Exception, Crash) as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        said = f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"
        faults = [Fault("broken", said)]
    finally:
        on.boundaries.disarm()
    did = life.did + life.source.showed
    return Outcome(1, {seed: faults} if faults else {}, did)


def lives(seeds: Iterable[int], url: str, *, full: bool = False) -> Outcome:
    """Many lives on one empty database."""
    total = Outcome()
    with contextlib.ExitStack() as stack:
        if not full:
            stack.enter_context(quick())
        on = stack.enter_context(ground(url))
        for seed in seeds:
            total.add(live(seed, on))
    return total


def _work(url: str, full: bool, seeds: multiprocessing.Queue, done: multiprocessing.Queue) -> None:
    with contextlib.ExitStack() as stack:
        if not full:
            stack.enter_context(quick())
        on = stack.enter_context(ground(url))
        while (chunk := seeds.get()) is not None:
            total = Outcome()
            for seed in chunk:
                total.add(live(seed, on))
            done.put(total)


@contextlib.contextmanager
def databases(count: int) -> Iterator[list[str]]:
    """Empty databases of one embedded server that is gone afterwards."""
    import sqlalchemy as sa

    from wfops_pipelines.dev.cluster import remove
    from wfops_pipelines.dev.postgres import EmbeddedPostgres

    with tempfile.TemporaryDirectory() as name, EmbeddedPostgres(Path(name) / "state") as server:
        admin = sa.create_engine(server.url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with admin.connect() as conn:
            for n in range(count):
                conn.exec_driver_sql(f"create database life{n}")
        at = sa.make_url(server.url)
        yield [
            at.set(database=f"life{n}").render_as_string(hide_password=False) for n in range(count)
        ]
        remove(Path(name) / "state")


def run_all(seeds: Sequence[int], workers: int, *, full: bool) -> Outcome:
    total, begun = Outcome(), time.monotonic()
    context = multiprocessing.get_context("spawn")
    todo, done = context.Queue(), context.Queue()
    chunks = [seeds[i : i + CHUNK] for i in range(0, len(seeds), CHUNK)]
    for chunk in [*chunks, *[None] * workers]:
        todo.put(chunk)
    with databases(workers) as urls:
        started = [context.Process(target=_work, args=(u, full, todo, done)) for u in urls]
        for one in started:
            one.start()
        for n in range(len(chunks)):
            found = _next(done, started)
            total.add(found)
            for seed, faults in found.faults.items():
                print(f"seed {seed}: {faults[0].kind}: {faults[0].words}", file=sys.stderr)
            if n % 10 == 9:
                spent = time.monotonic() - begun
                failing = len(total.faults)
                print(f"{total.runs} runs, {failing} with faults, {spent:.0f} s", file=sys.stderr)
        for one in started:
            one.join()
    return total


def _next(done: multiprocessing.Queue, working: Sequence[BaseProcess]) -> Outcome:
    """The next chunk's outcome; a worker that died must not be waited for."""
    while True:
        with contextlib.suppress(queue.Empty):
            return done.get(timeout=5)
        if died := [p for p in working if p.exitcode]:
            raise SystemExit(f"a worker died with exit code {died[0].exitcode}: see above")


def show(total: Outcome) -> None:
    print(f"\n{total.runs:,} runs, {sum(total.did.values()):,} acts and accidents\n\nfaults")
    for kind in KINDS:
        print(f"  {kind:24}{total.count(kind):>9,}")
    print("\nexercised")
    for what, times in sorted(total.did.items(), key=lambda item: -item[1]):
        print(f"  {what:24}{times:>9,}")
    for seed, faults in sorted(total.faults.items())[:40]:
        print(f"\nseed {seed}: {faults[0].kind}: {faults[0].words}")
    if len(total.faults) > 40:
        print(f"\n… and {len(total.faults) - 40} seeds more")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--seed", type=int, help="run this seed alone, and print all its faults")
    parser.add_argument("--workers", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--full", action="store_true", help="with the anomaly forest and reports")
    asked = parser.parse_args()
    if asked.seed is not None:
        with databases(1) as urls:
            total = lives([asked.seed], urls[0], full=asked.full)
        for fault in total.faults.get(asked.seed, []):
            print(f"{fault.kind}: {fault.words}")
    else:
        seeds = range(asked.first, asked.first + asked.runs)
        total = run_all(seeds, asked.workers, full=asked.full)
    show(total)
    return 1 if total.faults else 0


if __name__ == "__main__":
    sys.exit(main())
