"""The real database and small projects for all tests."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from wfops_pipelines import Policy, flow, publishing, sync, table
from wfops_pipelines.checks.suite import read_suite
from wfops_pipelines.core.people import People, Role
from wfops_pipelines.core.reviews import Actor, Decision, Review, Verb
from wfops_pipelines.core.snapshot import Evidence
from wfops_pipelines.deciding import gate, reopening
from wfops_pipelines.project import Project
from wfops_pipelines.services import Services, open_services
from wfops_pipelines.settings import Settings
from wfops_pipelines.store import reviews, snapshots
from wfops_pipelines.testing import FakeSource, FrozenClock

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM_FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
MACHINE = flow.Run(Actor("test", "machine"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Folders that talk to a real server throughout, and files that score hundreds of times.

    Files that start one process after the other come first: run last, one of them would run alone.
    """
    first = (ROOT / "tests/acceptance", ROOT / "tests")
    items.sort(key=lambda item: item.path.parent not in first)
    for item in items:
        if item.path.parent.name in ("sandbox", "sources"):
            item.add_marker(pytest.mark.components)
        if item.path.name in ("test_anomaly_faults.py", "test_anomaly_drift.py"):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="module")  # its event loop must not outlive the file that needs it
def browser() -> Iterator[Browser]:
    """A real Chromium: $WFOPS_CHROMIUM, or what scripts/browser finds or installs."""
    from playwright.sync_api import sync_playwright

    found = os.environ.get("WFOPS_CHROMIUM") or shutil.which("chromium")
    if not found:
        done = subprocess.run([ROOT / "scripts/browser"], stdout=subprocess.PIPE, check=True)
        found = done.stdout.decode().strip().splitlines()[-1]
    flags = [*CHROMIUM_FLAGS, "--no-sandbox"] if os.geteuid() == 0 else CHROMIUM_FLAGS
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=flags)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an embedded server, one for each worker."""
    from wfops_pipelines.dev.cluster import remove
    from wfops_pipelines.dev.postgres import EmbeddedPostgres

    state = tmp_path_factory.mktemp("server")
    with EmbeddedPostgres(state) as server:
        yield server.url
    remove(state)


@pytest.fixture
def database_url(postgres: str) -> Iterator[str]:
    """A database of its own for one test."""
    import sqlalchemy as sa

    name = f"t{uuid.uuid4().hex[:12]}"
    admin = sa.create_engine(postgres, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with admin.connect() as conn:
        conn.execute(sa.text(f"create database {name}"))
    yield sa.make_url(postgres).set(database=name).render_as_string(hide_password=False)
    with admin.connect() as conn:
        conn.execute(sa.text(f"drop database {name} with (force)"))


@dataclass
class Bench:
    """One sync on the real database, with a source that answers what a test tells it to."""

    project: Project
    services: Services
    source: FakeSource
    clock: FrozenClock
    folder: Path
    name: str = "things"
    policy: Policy = field(default_factory=Policy)

    @property
    def sync(self) -> Any:
        return self.project.syncs[self.name]

    def run(self, *pages: list[dict[str, Any]]) -> flow.Passed:
        """One run in which the source answers `pages`."""
        if pages:
            self.source.answer(*pages)
        self.clock.advance(minutes=15)
        return flow.run_sync(self.project, self.sync, self.services, MACHINE)

    def held(self, *pages: list[dict[str, Any]]) -> Review:
        """The review request that a run opens."""
        review = self.run(*pages).judged[-1].review
        assert review is not None
        return review

    def decide(self, review: Review, verb: Verb, who: str = "ana", **changes: Any) -> gate.Taken:
        asked = Decision(review.id, review.evidence_hash, verb, "because", Actor(who))
        return gate.decide(replace(asked, **changes), self.project, self.services, "test")

    def release(self, taken: gate.Taken) -> publishing.Publication | None:
        return publishing.release(self.sync, taken.id, self.services, Actor("gate", "machine"))

    def reopen(self, review: Review, actor: Actor) -> Review:
        """Ask again about what a decision put away; the request that holds it now."""
        done = reopening.reopen(review.id, "look again", actor, self.project, self.services)
        if done.review is not None:
            return done.review
        judged = flow.judge_staged(self.project, self.sync, self.services, MACHINE)
        (asked,) = (j.review for j in judged if j.snapshot == done.staged)
        assert asked is not None
        return asked

    def rows(self, columns: str = "id, name, amount") -> list[tuple[Any, ...]]:
        """What the destination holds, by id."""
        import sqlalchemy as sa

        with self.services.engine.connect() as conn:
            if not conn.execute(sa.text("select to_regclass('shop.things')")).scalar():
                return []
            query = sa.text(f"select {columns} from shop.things order by id")
            return [tuple(r) for r in conn.execute(query)]

    def evidence(self, review: Review) -> Evidence:
        """What a review request shows."""
        assert review.seq is not None
        with self.services.engine.connect() as conn:
            found = snapshots.evidence(conn, self.name, review.seq)
        assert found is not None
        return Evidence.from_json(found[1])

    def review(self, id: str) -> Review:
        with self.services.engine.connect() as conn:
            found = reviews.get(conn, id)
        assert found is not None
        return found


EXPECTED = [
    {
        "type": "expect_column_values_to_not_be_null",
        "kwargs": {"column": "name"},
        "severity": "critical",
    },
    {
        "type": "expect_column_values_to_be_between",
        "kwargs": {"column": "amount", "min_value": 0},
        "severity": "critical",
    },
]


@pytest.fixture
def make_bench(database_url: str, tmp_path: Path) -> Any:
    """`make_bench(policy, destination)`: a Bench with these."""

    def make(policy: Policy | None = None, destination: Any = None, environ: Any = None) -> Bench:
        source, clock = FakeSource(), FrozenClock()
        expectations = tmp_path / "expectations"
        expectations.mkdir(exist_ok=True)
        suite_file = expectations / "things.json"
        suite_file.write_text(json.dumps({"name": "things", "expectations": EXPECTED}))

        @sync(
            source=source,
            key="id",
            cursor="updated_at",
            destination=destination or table("shop.things"),
            policy=policy or Policy(reviewers="team", hold_rows_up_to=0.5),
        )
        def things(page: list[dict[str, Any]]) -> list[dict[str, Any]]:
            return page

        people = People(
            {"team": frozenset({"ana", "bob", "cyd"})},
            {r: frozenset({"ana", "bob", "cyd"}) for r in Role},
        )
        project = Project(tmp_path, {"things": things}, {"things": read_suite(suite_file)}, people)
        env = {**source.connection(), **(environ or {})}
        settings = Settings(tmp_path, tmp_path / "state", database_url, env)
        services = replace(open_services(settings, people), clock=clock)
        return Bench(project, services, source, clock, settings.snapshots / "things")

    return make


@pytest.fixture
def bench(make_bench: Any) -> Bench:
    return make_bench()
