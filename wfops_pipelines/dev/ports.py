"""Loopback ports: a free one, and who holds one that is taken."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from pathlib import Path

from wfops_pipelines.dev.errors import PortInUse

LOOPBACK = "127.0.0.1"
_LISTENING = "0A"


def free_port(preferred: int = 0) -> int:
    """The preferred loopback port if it is free, else any free one (0: any)."""
    return preferred if preferred and _is_free(preferred) else _bind(0)


def require_port(port: int) -> int:
    """That very port; raises PortInUse, naming the holder where /proc tells, when it is taken."""
    if _is_free(port):
        return port
    raise PortInUse(
        f"port {port} on {LOOPBACK} is in use{_by(holder_of(port))}. "
        "Stop that process, or choose another port: `make demo PORT=3001`, `wfops dev --port 3001`."
    )


def holder_of(port: int) -> tuple[int, str] | None:
    """Process id and command of the listener on a port; None when it cannot be read."""
    inodes = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if any(os.readlink(fd) in inodes for fd in (process / "fd").iterdir()):
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ")
                return int(process.name), command.decode("utf-8", "replace").strip()
    return None


def _bind(port: int) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((LOOPBACK, port))
        return int(probe.getsockname()[1])


def _is_free(port: int) -> bool:
    try:
        _bind(port)
    except OSError as problem:
        if problem.errno in (errno.EADDRINUSE, errno.EACCES):
            return False
        raise
    return True


def _by(holder: tuple[int, str] | None) -> str:
    if holder is None:
        return ", by a process that you may not see"
    pid, command = holder
    return f" by process {pid} ({command[:120]})"


def _listening_inodes(port: int) -> set[str]:
    found = set()
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in Path("/proc/net", table).read_text().splitlines()[1:]:
                _, local, _, status, *rest = line.split()
                if status == _LISTENING and int(local.rpartition(":")[2], 16) == port:
                    found.add(rest[5])
    return found
