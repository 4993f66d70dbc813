"""Real servers and real little processes for the tests of `wfops_pipelines.dev`."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from wfops_pipelines.dev.cluster import remove
from wfops_pipelines.dev.postgres import EmbeddedPostgres

PATIENCE = 30.0

Script = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def wait_for_end() -> Callable[[int], bool]:
    """Wait until the process behind a pidfd has ended; whether it has."""

    def wait(pidfd: int) -> bool:
        try:
            return bool(select.select([pidfd], [], [], PATIENCE)[0])
        finally:
            os.close(pidfd)

    return wait


@pytest.fixture
def script() -> Iterator[Script]:
    """Run Python code in a process of its own: `script(code, *args, env=…)`."""
    with ExitStack() as stack:

        def run(
            code: str, *arguments: object, env: dict[str, str] | None = None
        ) -> subprocess.Popen[str]:
            process = subprocess.Popen(
                [sys.executable, "-c", code, *map(str, arguments)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=env,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield run


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A state folder with a cluster in it, its server not running."""
    folder = tmp_path_factory.mktemp("project") / "state"
    yield folder
    remove(folder)


@pytest.fixture
def server(state: Path) -> Iterator[EmbeddedPostgres]:
    """The running server of that state folder."""
    with EmbeddedPostgres(state) as running:
        yield running
