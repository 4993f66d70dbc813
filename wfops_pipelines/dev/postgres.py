"""The embedded PostgreSQL: a real server from a wheel, private to one state folder.

It listens on a Unix socket in a 0700 folder only, asks for a generated password, and ends with
the process that started it. Root never runs it: an unprivileged account does, and then the
cluster lies in /var/lib/wfops-pipelines, with a symlink in the state folder.
"""

from __future__ import annotations

import signal
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

from wfops_pipelines.dev import binaries, orphans
from wfops_pipelines.dev.accounts import is_root, make_private
from wfops_pipelines.dev.cluster import (
    DATABASE,
    USER,
    Cluster,
    find,
    find_or_make,
    make_state_folder,
)
from wfops_pipelines.dev.errors import ServiceFailed
from wfops_pipelines.dev.locks import StateLock
from wfops_pipelines.dev.process import Guarded
from wfops_pipelines.dev.service import Service

PORT = 5432
_SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "io_method": "sync",
}


def running_url(state: Path) -> str | None:
    """The URL of the server that serves this state folder now, or None when none does.

    For commands beside a running `wfops dev`. Raises SettingsError for another user's server.
    """
    cluster = find(state.resolve())
    server = orphans.running(cluster.data) if cluster else None
    return _url(cluster) if cluster and server and server.ready else None


class EmbeddedPostgres:
    """The server of one state folder. `with EmbeddedPostgres(state) as server: server.url`.

    At most one process serves a state folder: a second one gets AlreadyRunning, and can ask
    `running_url(state)` instead.
    """

    def __init__(self, state: Path) -> None:
        self._state = state.resolve()
        self._log = self._state / "logs" / "database.log"
        self._lock = StateLock(self._state / "postgres.lock")
        self._cluster: Cluster | None = None
        self._process: Guarded | None = None

    @property
    def url(self) -> str:
        """The SQLAlchemy URL, with the password; known from prepare() on."""
        return _url(self._prepared)

    @property
    def pid(self) -> int | None:
        """The server's process id, or None while it does not run."""
        server = orphans.running(self._cluster.data) if self._cluster else None
        return server.pid if server else None

    def prepare(self) -> None:
        """Take the state folder, make its cluster if needed, clear what a crash left behind.

        Raises AlreadyRunning when another living process serves it, SettingsError when this
        machine or user cannot run it.
        """
        make_state_folder(self._state)
        self._lock.take()
        try:
            self._cluster = find_or_make(self._state)
            self.recover()
        except BaseException:
            self._lock.release()
            raise

    def recover(self) -> None:
        """Make way for a new server after a crash, a reboot or a killed launcher."""
        cluster = self._prepared
        orphans.stop(cluster.data)
        make_private(cluster.sockets, cluster.account)
        orphans.clear(cluster.data, cluster.sockets)

    def service(self) -> Service:
        """The service that a supervisor runs after prepare(); call stop() when it has ended."""
        cluster = self._prepared
        settings = {**_SETTINGS, "unix_socket_directories": str(cluster.sockets)}
        options = [f"--{name}={value}" for name, value in settings.items()]
        return Service(
            name="database",
            argv=[binaries.programs(cluster.account) / "postgres", "-D", cluster.data, *options],
            env=binaries.ENVIRONMENT,
            ready=self.is_ready,
            stop_signal=signal.SIGINT,  # PostgreSQL's "fast shutdown"
            grace=20.0,
            patience=60.0,  # crash recovery replays the log first
            cwd=Path("/"),
            account=cluster.account if is_root() else None,
            before=self.recover,
        )

    def is_ready(self) -> bool:
        """Whether the server accepts connections now."""
        server = orphans.running(self._prepared.data)
        return server is not None and server.ready

    def start(self) -> None:
        """Start the server and wait until it accepts connections.

        Raises AlreadyRunning, SettingsError (as prepare), or ServiceFailed with the log's tail.
        """
        self.prepare()
        try:
            self._log.parent.mkdir(mode=0o700, exist_ok=True)
            service = self.service()
            self._process = Guarded(service.command(), self._log)
            self._wait_until_ready(self._process, service.patience)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server, if this object started one, and let go of the state folder."""
        if self._process is not None:
            self._process.stop()
            self._process = None
        self._lock.release()

    def __enter__(self) -> EmbeddedPostgres:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def _prepared(self) -> Cluster:
        if self._cluster is None:
            raise RuntimeError("prepare() or start() the embedded database first")
        return self._cluster

    def _wait_until_ready(self, process: Guarded, patience: float) -> None:
        tick = 0.02
        for _ in range(int(patience / tick)):
            if self.is_ready():
                return
            if process.wait(tick):
                raise ServiceFailed("database", f"ended with {process.poll()}", self._log)
        raise ServiceFailed("database", f"is not ready after {patience:g} s", self._log)


def _url(cluster: Cluster) -> str:
    host = quote(str(cluster.sockets), safe="/")
    return f"postgresql+psycopg2://{USER}:{cluster.password()}@:{PORT}/{DATABASE}?host={host}"
