"""What a sync of more and more rows takes in memory: it must not grow with them.

    nice python bench/memory.py                              # 500,000 rows, and four times as many
    nice python bench/memory.py --rows 100000 --text 1000    # with a text of 1,000 characters each
    nice python bench/memory.py --files                      # published to files, no database table

Each size has a process of its own on the same embedded PostgreSQL, with six snapshots of
history. The steps are those of `bench/sync.py`: extract and stage from Parquet, judge (a suite, the
scorer, critical fields, high impact, the difference to the destination), publish onto rows that are
there; then `wfops reconcile` accounts for all of them, and a row is edited. "Peak" is how far the
resident memory of the process rose in a step, in MB and in copies of the Arrow table; PostgreSQL's
own is not in it. What was freed is given back at once there, else the peak would tell as much of
the allocators' habits, by some 70 MB from run to run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench import sync as sync_bench

MADE_AT_ONCE = 50_000
DAYS, ROWS_A_DAY = 6, 1000  # of history


def grown(step: Callable[[], Any]) -> tuple[Any, float, int]:
    """What a step returns, its seconds, and how far it raised resident memory, in bytes."""
    before, begun = sync_bench.memory_now(), time.perf_counter()
    found = step()
    return found, time.perf_counter() - begun, sync_bench.memory_peak() - before


def write_rows(path: Path, rows: int, text: int) -> int:
    """Write the source's file a little at a time; the bytes that its rows take as a table."""
    total, writer = 0, None
    for at in range(0, rows, MADE_AT_ONCE):
        part = sync_bench.made(min(MADE_AT_ONCE, rows - at), at, sync_bench.NOW, at)
        if text:
            noise = np.random.default_rng(at).bytes(part.num_rows * text // 2).hex()
            cells = [noise[i * text : (i + 1) * text] for i in range(part.num_rows)]
            part = part.set_column(part.column_names.index("note"), "note", pa.array(cells))
        total += part.nbytes
        writer = writer or pq.ParquetWriter(path, part.schema)
        writer.write_table(part)
    assert writer is not None
    writer.close()
    return total


def measure(url: str, folder: Path, rows: int, at_once: int, to: str) -> dict[str, Any]:
    """The steps of one sync, in this process."""
    from wfops_pipelines import flow, publishing
    from wfops_pipelines.core.reviews import Actor, Decision, Edit, Verb
    from wfops_pipelines.deciding import editing
    from wfops_pipelines.destinations import file_table
    from wfops_pipelines.reconciling import proving
    from wfops_pipelines.sources import files
    from wfops_pipelines.staging.extraction import stage
    from wfops_pipelines.store import files as store

    run = flow.Run(Actor("bench", "machine"))
    kind = f"memory_{rows}"
    sync_bench._warm(url, folder, kind, run)
    project, sync, services = sync_bench._product(url, folder, kind)
    services = replace(services, at_once=at_once)
    if to == "files":
        sync = replace(sync, destination=file_table("lake", "published"))
    for n in range(DAYS):
        day = sync_bench.NOW - sync_bench.timedelta(days=DAYS + 1 - n)
        sync.source.answer(sync_bench.made(ROWS_A_DAY, n * ROWS_A_DAY, day, 100 + n))
        flow.run_sync(project, sync, services, run, day)
    lake = files("lake", "rows.parquet", cursor="updated_at", tables=True, quiet=0, rows=at_once)
    sync = replace(sync, source=lake)
    found: dict[str, Any] = {}

    def publish() -> int:
        done = [*publishing.publish_cleared(sync, services, run.actor)]
        if judged.review is not None:
            done.append(sync_bench._approved(project, sync, services, judged.review))
        return sum(p.rows for p in done)

    def edit() -> str:
        edits = (Edit(str(rows // 2), {"note": "mended"}),)
        decision = Decision("", "", Verb.APPROVE, "", run.actor, edits=edits)
        edited, _ = editing.edited(services.rows(staged), sync, decision)
        return store.write(folder / "edited", edited, at_once)

    staged, *found["stage"] = grown(lambda: stage(sync, services, run.actor, None, sync_bench.NOW))
    (judged,), *found["judge"] = grown(lambda: flow.judge_staged(project, sync, services, run))
    published, *found["publish"] = grown(publish)
    proof, *found["reconcile"] = grown(lambda: proving.prove(sync, services))
    _, *found["edit"] = grown(edit)
    assert (staged.rows, published, proof.misfits) == (rows, rows, ())
    return found


def child(url: str, folder: Path, rows: int, at_once: int, to: str) -> dict[str, Any]:
    """The steps in a process of their own."""
    command = [sys.executable, __file__, "--child", url, str(folder), str(rows), str(at_once), to]
    environment = {**os.environ, "MALLOC_ARENA_MAX": "1"}
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=environment)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def at_size(
    url: str, folder: Path, rows: int, text: int, at_once: int, to: str = "table"
) -> tuple[int, Any]:
    """(bytes of the table, steps) of one size, in a database of its own."""
    folder.mkdir()
    size = write_rows(folder / "rows.parquet", rows, text)
    own = sync_bench.database_of(url, f"sized_{rows}")
    return size, child(own, folder, rows, at_once, to)


def main() -> None:
    from wfops_pipelines.core.parts import AT_ONCE
    from wfops_pipelines.dev.cluster import remove
    from wfops_pipelines.dev.postgres import EmbeddedPostgres

    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--times", type=int, default=4)
    parser.add_argument("--text", type=int, default=0)
    parser.add_argument("--at-once", type=int, default=AT_ONCE)
    parser.add_argument("--files", action="store_const", const="files", default="table", dest="to")
    parser.add_argument("--child", nargs=5)
    asked = parser.parse_args()
    if asked.child:
        pa.jemalloc_set_decay_ms(0)
        url, folder, rows, at_once, to = asked.child
        print(json.dumps(measure(url, Path(folder), int(rows), int(at_once), to)))
        return
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        state = Path(place) / "server"
        with EmbeddedPostgres(state) as server:
            print(f"{'rows':>10}{'table':>9}  {'step':10}{'seconds':>9}{'MB':>8}{'copies':>8}")
            for rows in (asked.rows, asked.rows * asked.times):
                folder = Path(place) / str(rows)
                size, steps = at_size(server.url, folder, rows, asked.text, asked.at_once, asked.to)
                for name, (seconds, peak) in steps.items():
                    print(f"{rows:10,}{size / 1e6:6,.0f} MB  {name:10}{seconds:9.1f}"
                          f"{peak / 1e6:8,.0f}{peak / size:8.2f}")  # fmt: skip
        remove(state)


if __name__ == "__main__":
    main()
