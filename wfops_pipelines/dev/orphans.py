"""A server that outlived its launcher, and the files that a crash or a reboot left behind."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from dataclasses import dataclass
from pathlib import Path

_PATIENCE = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0))


@dataclass(frozen=True)
class Server:
    """A living server, as its postmaster.pid tells."""

    pid: int
    sockets: str
    ready: bool


def running(data: Path) -> Server | None:
    """The server that lives in this data folder, or None.

    A process id alone proves nothing: after a reboot it belongs to some other program.
    """
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        pid = int(lines[0])
        if not os.path.samefile(f"/proc/{pid}/cwd", data):
            return None
    except (FileNotFoundError, ProcessLookupError, PermissionError, IndexError, ValueError):
        return None
    told = [*lines, *[""] * 8]
    return Server(pid, told[4], told[7].strip() == "ready")


def stop(data: Path) -> None:
    """End a server that still runs in this data folder, gently first, and wait until it has."""
    for number, patience in _PATIENCE:
        server = running(data)
        if server is None or _end(server.pid, number, patience):
            return


def clear(data: Path, sockets: Path) -> None:
    """Remove the lock files of a server that is gone: a reused process id would block the next."""
    for file in (data / "postmaster.pid", sockets / ".s.PGSQL.5432.lock"):
        file.unlink(missing_ok=True)


def _end(pid: int, number: signal.Signals, patience: float) -> bool:
    with contextlib.suppress(ProcessLookupError):
        pidfd = os.pidfd_open(pid)
        try:
            signal.pidfd_send_signal(pidfd, number)
            return bool(select.select([pidfd], [], [], patience)[0])
        finally:
            os.close(pidfd)
    return True
