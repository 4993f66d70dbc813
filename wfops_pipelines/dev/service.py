"""What a supervised service is, and how to ask whether it is ready."""

from __future__ import annotations

import http.client
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from wfops_pipelines.dev.accounts import Account
from wfops_pipelines.dev.process import Command

_ANSWER_PATIENCE = 2.0


def _nothing() -> None:
    """What most services need before a start."""


@dataclass(frozen=True)
class Service:
    """One process of the tree.

    ready is asked until it is true: a function, or a URL that must answer with a status below
    500; None means ready as soon as it runs. env is the whole environment (None: this
    process's). before runs ahead of every start, restarts included. On stop the service gets
    stop_signal, and after `grace` seconds it is killed with all that it has started.
    """

    name: str
    argv: Sequence[str | Path]
    env: Mapping[str, str] | None = None
    ready: Callable[[], bool] | str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    grace: float = 10.0
    patience: float = 60.0
    cwd: Path | None = None
    account: Account | None = None
    before: Callable[[], None] = field(default=_nothing)

    def command(self) -> Command:
        """The command to put under guard."""
        argv = [os.fspath(part) for part in self.argv]
        return Command(argv, self.env, self.cwd, self.account, self.stop_signal, self.grace)

    def is_ready(self) -> bool:
        """Whether it can be used now."""
        match self.ready:
            case None:
                return True
            case str(url):
                return answers(url)
            case asked:
                return asked()


def answers(url: str) -> bool:
    """Whether a plain HTTP server answers there with anything but a server error.

    Goes straight to the server: a proxy from the environment has no business with loopback.
    """
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, _ANSWER_PATIENCE)
    try:
        connection.request("GET", path)
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
