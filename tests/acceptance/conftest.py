"""The whole product, as `make demo` starts it, and a real browser in front of it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.notify.receivers import Webhook, webhook
from wfops_pipelines.dagster_client import DagsterClient
from wfops_pipelines.dev.postgres import running_url

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 900  # seconds for the first start on a busy machine


@dataclass
class Demo:
    """A running `wfops demo` and what it has printed so far."""

    process: subprocess.Popen[str]
    state: Path
    said: list[str] = field(default_factory=list)
    news: threading.Condition = field(default_factory=threading.Condition)

    @property
    def ui(self) -> str:
        found = re.search(r"^Dagster UI\s+(http://127\.0\.0\.1:\d+)$", self.text, re.M)
        assert found, self.text
        return found.group(1)

    @property
    def text(self) -> str:
        return "\n".join(self.said)

    @property
    def dagster(self) -> DagsterClient:
        return DagsterClient(self.ui, "wfops")

    def hear(self, pattern: str, patience: float = PATIENCE) -> None:
        """Wait until a line that matches is printed; AssertionError when that never happens."""

        def heard() -> bool:
            return bool(re.search(pattern, self.text, re.M)) or self.process.poll() is not None

        with self.news:
            self.news.wait_for(heard, patience)
        assert re.search(pattern, self.text, re.M), f"{self.text}\n{self.logs()}"

    def listen(self) -> None:
        """Collect what the process prints, until it ends."""
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                with self.news:
                    self.said.append(line.rstrip("\n"))
                    self.news.notify_all()
        self.process.wait()
        with self.news:
            self.news.notify_all()

    def logs(self) -> str:
        tails = [f"== {p.name}\n{p.read_text()[-3000:]}" for p in self.state.glob("logs/*.log")]
        return "\n".join(tails)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask the product's database."""
        import sqlalchemy as sa

        url = running_url(self.state)
        assert url is not None
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        with engine.connect() as conn:
            return [tuple(r) for r in conn.execute(sa.text(sql))]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=120)


def screenshots(demo: Demo) -> Path:
    """Where the tests leave pictures: $WFOPS_SCREENSHOTS, or the demo's state folder."""
    folder = Path(os.environ.get("WFOPS_SCREENSHOTS", demo.state / "screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def start(state: Path, *options: str, notify: str = "") -> Demo:
    env = {**os.environ, "WFOPS_STATE": str(state), "PYTHONUNBUFFERED": "1"}
    env["WFOPS_NOTIFY"] = notify
    env.pop("WFOPS_POSTGRES_URL", None)
    process = subprocess.Popen(
        [sys.executable, "-m", "wfops_pipelines", "demo", "--port", "0", *options],
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    demo = Demo(process, state)
    threading.Thread(target=demo.listen, daemon=True).start()
    return demo


@contextmanager
def served(root: Path, **more: str) -> Iterator[Demo]:
    """`wfops dev` on the project at `root`, with `more` in its environment, until the end."""
    from wfops_pipelines.dev.cluster import remove

    env = {**os.environ, **more, "PYTHONUNBUFFERED": "1"}
    env.pop("WFOPS_POSTGRES_URL", None)
    process = subprocess.Popen(
        [sys.executable, "-m", "wfops_pipelines", "dev", "--port", "0"],
        cwd=root,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    running = Demo(process, root / ".wfops")
    threading.Thread(target=running.listen, daemon=True).start()
    try:
        running.hear("^Ctrl-C stops everything")
        yield running
    finally:
        if process.poll() is None:
            running.stop()
        remove(root / ".wfops")


@pytest.fixture(scope="session")
def hook() -> Iterator[Webhook]:
    """Where the demo's reviewer groups are told."""
    with webhook() as found:
        yield found


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, hook: Webhook) -> Iterator[Demo]:
    """`wfops demo`, up to its summary."""
    from wfops_pipelines.dev.cluster import remove

    state = tmp_path_factory.mktemp("demo")
    running = start(state, notify=hook.address)
    try:
        running.hear("^Ctrl-C stops everything")
        yield running
    finally:
        if running.process.poll() is None:
            running.stop()
        remove(state)


@pytest.fixture
def page(demo: Demo, browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page of a real browser; a screenshot is left in the state folder at the end."""
    opened = browser.new_page(viewport={"width": 1400, "height": 1000}, base_url=demo.ui)
    opened.set_default_timeout(60_000)
    yield opened
    opened.screenshot(path=screenshots(demo) / f"{request.node.name}.png", full_page=True)
    opened.close()
