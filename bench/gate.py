"""The gate: from the click on Launch to the published rows, and what 1,000 holds cost.

    python bench/gate.py            # 7 approvals, 1,000 holds

A project of its own is served as `wfops dev` serves one (database, code server, webserver, daemon).
Each approval is a `launchRun` of the job `decide`, as the Launchpad sends it. Times are seconds
after that request was sent; polling adds up to 0.02.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import tempfile
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from wfops_pipelines import flow
from wfops_pipelines.core import links
from wfops_pipelines.core.reviews import Actor, Review, ReviewKind, ReviewState
from wfops_pipelines.core.snapshot import Snapshot, SnapshotState
from wfops_pipelines.dagster_client import DagsterClient
from wfops_pipelines.dev.cluster import remove
from wfops_pipelines.project import load_project
from wfops_pipelines.serve import Serving, serve
from wfops_pipelines.services import Services, open_services
from wfops_pipelines.settings import read_settings
from wfops_pipelines.store import reviews, snapshots

ROOT = Path(__file__).resolve().parent.parent
ASSET = '''
from wfops_pipelines import Policy, sync, table
from wfops_pipelines.testing import FakeSource


@sync(source=FakeSource(), key="id", cursor="updated_at", destination=table("bench.things"),
      policy=Policy(reviewers="team", hold_rows_up_to=1))
def things(page):
    """Things to hold."""
    return page
'''
SUITE = """{"name": "things", "expectations": [
  {"type": "expect_column_values_to_be_between", "kwargs": {"column": "n", "min_value": 0}}]}"""
TIMES = """
query Times($id: ID!) {
  runOrError(runId: $id) { ... on Run { creationTime startTime endTime } }
}
"""


def project_in(folder: Path) -> None:
    for name in ("assets", "expectations"):
        (folder / name).mkdir()
    (folder / "assets/things.py").write_text(ASSET)
    (folder / "expectations/things.json").write_text(SUITE)
    (folder / "reviewers.yaml").write_text(
        "groups: {team: [developer]}\nroles: {override: [developer], engineer: [developer]}\n"
    )
    shutil.copytree(ROOT / "sensors", folder / "sensors")
    for name in ("dagster.yaml", "workspace.yaml"):
        shutil.copy(ROOT / name, folder)


class Bench:
    def __init__(self, running: Serving, approvals: int, holds: int) -> None:
        self.running, self.approvals, self.holds = running, approvals, holds
        self.project = load_project(running.settings.root)
        self.services: Services = open_services(running.settings, self.project.people)
        self.dagster = DagsterClient(running.ui, links.LOCATION)

    def run(self) -> None:
        found = [self.approve(n) for n in range(self.approvals)][1:]  # the first one warms up
        print(f"\napprove → published, {len(found)} approvals, seconds after the click (median)")
        for name in found[0]:
            values = [f[name] for f in found]
            print(f"  {name:34}{statistics.median(values):6.2f}   worst {max(values):.2f}")
        self.hold_many()

    def approve(self, n: int) -> dict[str, float]:
        sync = self.project.syncs["things"]
        moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=n)
        sync.source.answer([{"id": str(n), "n": -1, "updated_at": moment}])  # type: ignore[attr-defined]
        run = flow.Run(Actor("bench", "machine"))
        review = flow.run_sync(self.project, sync, self.services, run).judged[-1].review
        assert review is not None
        config = {
            "review": review.id, "evidence": review.evidence_hash,
            "decision": "approve", "reason": "measured",
        }  # fmt: skip
        clicked = time.time()
        id = self.dagster.launch("decide", config)
        answered = time.time()
        published = self.wait_for_rows(review)
        assert self.dagster.wait(id) == "SUCCESS"
        times = self.dagster.query(TIMES, {"id": id})["runOrError"]
        decided = self.decided_at(review)
        return {
            "Dagster has taken the launch": answered - clicked,
            "the run's process has started": float(times["startTime"]) - clicked,
            "the decision is recorded": decided - clicked,
            "the rows are published": published - clicked,
            "the run has ended": float(times["endTime"]) - clicked,
        }

    def wait_for_rows(self, review: Review) -> float:
        query = sa.text("select 1 from wfops.publications where seq = :n and part = 'held'")
        with self.services.engine.connect() as conn:
            while conn.execute(query, {"n": review.seq}).first() is None:
                conn.rollback()
                time.sleep(0.02)
        return time.time()

    def decided_at(self, review: Review) -> float:
        with self.services.engine.connect() as conn:
            found = reviews.get(conn, review.id)
        assert found is not None
        assert found.decided_at is not None
        return found.decided_at.timestamp()

    def hold_many(self) -> None:
        self.open_inbox()
        before = family(os.getpid())
        self.insert_holds()
        took = sorted(self.open_inbox() for _ in range(9))
        after = family(os.getpid())
        print(f"\n{self.holds:,} snapshots held")
        print(f"  processes             {len(before):6} before, {len(after)} after")
        print(f"  memory of all         {sum(before.values()):6.0f} MB before, "
              f"{sum(after.values()):.0f} MB after")  # fmt: skip
        print(f"  inbox, median of 9    {1000 * took[4]:6.0f} ms, worst {1000 * took[-1]:.0f} ms")

    def insert_holds(self) -> None:
        now = datetime.now(UTC)
        with self.services.engine.begin() as conn:
            for n in range(1000, 1000 + self.holds):
                held = Snapshot("things", n, f"{n:064x}", 1, now, SnapshotState.HELD)
                snapshots.add(conn, held)
                summary = f"1 of 1 rows held: expected: n is at least 0; {n:,} of 1 rows do not"
                reviews.open_review(conn, Review(
                    self.services.id("rv"), "things", n, ReviewKind.WHOLE, ReviewState.PENDING,
                    f"{n:064x}", summary, "team", now, "",
                ))  # fmt: skip

    def open_inbox(self) -> float:
        started = time.perf_counter()
        with urllib.request.urlopen(f"{self.running.ui}/wfops", timeout=30) as page:
            page.read()
        return time.perf_counter() - started


def family(root: int) -> dict[int, float]:
    """Proportional memory in MB of all processes below this one."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True)
    pairs = [tuple(map(int, line.split())) for line in listed.stdout.splitlines()]
    todo, found = [root], {}
    while todo:
        parent = todo.pop()
        below = [p for p, pp in pairs if pp == parent]
        todo += below
        found |= {p: memory(p) for p in below if "ps -eo" not in command(p)}
    return found


def memory(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) / 1e3


def command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--approvals", type=int, default=8)
    parser.add_argument("--holds", type=int, default=1000)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bench-gate-"))
    project_in(folder)
    env: dict[str, Any] = {
        **os.environ, "WFOPS_PROJECT": str(folder), "WFOPS_STATE": str(folder / ".wfops"),
        "WFOPS_FAKE_URL": "http://127.0.0.1:9", "WFOPS_FAKE_TOKEN": "none", "WFOPS_NOTIFY": "",
    }  # fmt: skip
    env.pop("WFOPS_POSTGRES_URL", None)
    settings = read_settings(env)
    try:
        serve(
            settings,
            0,
            task=lambda running: Bench(running, given.approvals, given.holds).run(),
            keep_serving=False,
        )
    finally:
        remove(settings.state)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
