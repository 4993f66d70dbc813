"""`wfops dev`: database, code location, webserver and daemon in one process tree."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wfops_pipelines.core import links
from wfops_pipelines.dev.home import furnish
from wfops_pipelines.dev.locks import StateLock
from wfops_pipelines.dev.ports import free_port, require_port
from wfops_pipelines.dev.postgres import EmbeddedPostgres
from wfops_pipelines.dev.service import Service
from wfops_pipelines.dev.supervise import supervise
from wfops_pipelines.project import load_project
from wfops_pipelines.settings import Settings
from wfops_pipelines.store import database

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Serving:
    """A running product: where its UI is, and the settings with its database filled in."""

    settings: Settings
    port: int

    @property
    def ui(self) -> str:
        return f"http://{HOST}:{self.port}"


def run_dev(settings: Settings, port: int) -> int:
    """Serve until Ctrl-C; returns the exit code."""
    serve(settings, port, task=_say_where)
    return 0


def serve(
    settings: Settings,
    port: int,
    *,
    extra: Sequence[Service] = (),
    environ: Mapping[str, str] | None = None,
    task: Callable[[Serving], None] | None = None,
    keep_serving: bool = True,
) -> None:
    """Start everything, run `task` beside it, and stop everything at the end of it or on Ctrl-C.

    `extra` services start first; `environ` is added to every process. Raises ProjectError for a
    broken project, PortInUse, AlreadyRunning or ServiceFailed.
    """
    load_project(settings.root)
    port = require_port(port) if port else free_port()
    settings.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    with StateLock(settings.state / "dev.lock"):
        if furnish(settings.root):
            _say("  project    dagster.yaml written: where Dagster keeps its own, and who launched")
        _serve(settings, port, extra, environ or {}, task, keep_serving=keep_serving)


def _serve(
    settings: Settings,
    port: int,
    extra: Sequence[Service],
    environ: Mapping[str, str],
    task: Callable[[Serving], None] | None,
    *,
    keep_serving: bool,
) -> None:
    embedded = None if settings.postgres_url else EmbeddedPostgres(settings.state)
    if embedded is not None:
        if not (settings.state / "postgres").exists():
            _say("  database   making one in the state folder, a few seconds")
        embedded.prepare()
    try:
        url = embedded.url if embedded else database.psycopg2_url(settings.postgres_url or "")
        own = {"WFOPS_PUBLIC_URL": f"http://{HOST}:{port}"}  # what messages link to
        env = {**own, **settings.environ, **environ, **_environ(settings, url)}
        running = Serving(Settings(settings.root, settings.state, url, env), port)
        first = [embedded.service()] if embedded else []
        supervise(
            [*first, *extra, *_dagster(running)],
            settings.state / "logs",
            say=_say,
            task=None if task is None else lambda: task(running),
            keep_serving=keep_serving,
        )
    finally:
        if embedded is not None:
            embedded.stop()


def _environ(settings: Settings, url: str) -> dict[str, str]:
    return {
        "DAGSTER_HOME": str(settings.root),
        "WFOPS_PROJECT": str(settings.root),
        "WFOPS_STATE": str(settings.state),
        "WFOPS_POSTGRES_URL": url,
        "WFOPS_WARM_RUNS": "1",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
    }


def _dagster(running: Serving) -> list[Service]:
    env, root = running.settings.environ, running.settings.root
    code_port = free_port()
    workspace = running.settings.state / "workspace.yaml"
    workspace.write_text(
        f"load_from:\n  - grpc_server: {{host: {HOST}, port: {code_port}, "
        f"location_name: {links.LOCATION}}}\n",
        "utf-8",
    )
    python = sys.executable
    code: list[str | Path] = [
        python, "-m", "dagster", "code-server", "start", "-m", "wfops_pipelines.definitions",
        "--host", HOST, "--port", str(code_port), "--location-name", links.LOCATION,
    ]  # fmt: skip
    web: list[str | Path] = [
        python, "-m", "wfops_pipelines.web", "--host", HOST, "--port", str(running.port),
        "-w", str(workspace),
    ]  # fmt: skip
    daemon: list[str | Path] = [Path(python).with_name("dagster-daemon"), "run", "-w", workspace]
    return [
        Service(
            "code",
            code,
            env,
            cwd=root,
            ready=lambda: _listens(code_port),
            patience=120,
            before=lambda: _set_up(running.settings),
        ),
        Service("webserver", web, env, cwd=root, ready=f"{running.ui}/server_info", patience=120),
        Service("daemon", daemon, env, cwd=root),
    ]


def _set_up(settings: Settings) -> None:
    """The tables, before anything asks for them."""
    engine = database.connect(settings.postgres_url or "")
    database.set_up(engine)
    engine.dispose()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def _say(line: str) -> None:
    print(line, flush=True)


def _say_where(running: Serving) -> None:
    _say(f"\nDagster UI  {running.ui}\nReviews     {running.ui}/wfops\nCtrl-C stops everything.")
