"""A sandbox that runs: in a thread of this process, or in a process of its own."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from wfops_pipelines.sandbox.client import SandboxClient

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from uvicorn import Server

SEED = 7
NOW = datetime(2026, 6, 15, 9, tzinfo=UTC)
SYSTEMS = ("crm", "billing", "support")
READY = "sandbox listening on "


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A running sandbox. `client` sets its faults and its clock."""

    url: str

    @property
    def client(self) -> SandboxClient:
        return SandboxClient(self.url)

    def token(self, system: str) -> str:
        """Return the bearer token that a system accepts (no secret: every sandbox has the same)."""
        return f"sandbox-{system}-token"

    def environ(self) -> dict[str, str]:
        """Return the environment that points every source to this sandbox."""
        found = {f"WFOPS_{system.upper()}_URL": self.url for system in SYSTEMS}
        return found | {f"WFOPS_{s.upper()}_TOKEN": self.token(s) for s in SYSTEMS}


@contextmanager
def sandbox_thread(folder: Path, seed: int = SEED, now: datetime = NOW) -> Iterator[Sandbox]:
    """Run a sandbox on a free loopback port in a thread of this process."""
    from wfops_pipelines.sandbox.server import app

    listener = _listen(0)
    ready = threading.Event()
    server = _server(app(folder, seed, now), lambda _: ready.set())
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    ready.wait()
    try:
        yield Sandbox(_url(listener))
    finally:
        server.should_exit = server.force_exit = True
        thread.join()
        listener.close()


@contextmanager
def sandbox_process(
    folder: Path, seed: int = SEED, now: datetime = NOW, port: int = 0
) -> Iterator[Sandbox]:
    """Run a sandbox in a process of its own; it is killed at the end (it loses nothing by that)."""
    process = start_process(folder, seed, now, port)
    try:
        yield Sandbox(ready_url(process))
    finally:
        process.kill()
        process.communicate()


def start_process(
    folder: Path, seed: int = SEED, now: datetime = NOW, port: int = 0
) -> subprocess.Popen[str]:
    """Start `python -m wfops_pipelines.sandbox` and return at once; see `ready_url`."""
    what = ["--port", str(port), "--state", str(folder), "--seed", str(seed)]
    command = [sys.executable, "-m", "wfops_pipelines.sandbox", *what, "--now", now.isoformat()]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def ready_url(process: subprocess.Popen[str]) -> str:
    """Wait until a started sandbox answers, and return its address.

    Raises:
        RuntimeError: it ended instead; its own words are on its standard error.
    """
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.startswith(READY):
        raise RuntimeError(f"the sandbox did not start (exit code {process.wait()})")
    return line.removeprefix(READY).strip()


def serve(folder: Path, seed: int, now: datetime, port: int) -> None:
    """Serve until interrupted, and print the address when ready.

    Raises:
        OSError: the port is taken.
    """
    from wfops_pipelines.sandbox.server import app

    listener = _listen(port)
    server = _server(app(folder, seed, now), print_ready(listener))
    server.run(sockets=[listener])


def print_ready(listener: socket.socket) -> Callable[[object], None]:
    """Return what prints the line by which others know that the sandbox is ready."""
    return lambda _: print(f"{READY}{_url(listener)}", flush=True)


def _listen(port: int) -> socket.socket:
    listener = socket.create_server(("127.0.0.1", port), backlog=128)
    listener.setblocking(False)
    return listener


def _url(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def _not_asked_for(record: logging.LogRecord) -> bool:
    """Return False for the complaint about a body that a fault cut short."""
    error = record.exc_info[1] if record.exc_info else None
    return "Too little data for declared Content-Length" not in str(error)


def _server(application: Starlette, when_ready: Callable[[object], None]) -> Server:
    import uvicorn

    logging.getLogger("uvicorn.error").addFilter(_not_asked_for)

    class Announcing(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            when_ready(self)

    # h11, because a body shorter than its Content-Length must reach the client as a cut connection.
    config = uvicorn.Config(
        application,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    return Announcing(config)
