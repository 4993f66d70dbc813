"""A command under guard: it and all that it starts end with this process, even by `kill -9`."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wfops_pipelines.dev.accounts import Account

_WARDEN = Path(__file__).with_name("warden.py")


@dataclass(frozen=True)
class Command:
    """What to run.

    env is the whole environment (None: this process's); account is the user to drop to (None:
    stay); on stop the command gets stop_signal, and after `grace` seconds its tree is killed.
    """

    argv: Sequence[str]
    env: Mapping[str, str] | None = None
    cwd: Path | None = None
    account: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    grace: float = 10.0


class Guarded:
    """A running command; all its output goes to the log.

    Its end means that the whole tree below it has ended too. `pid` is the command's own process
    id, or None when it could not be run (the log says why).
    """

    def __init__(self, command: Command, log: Path) -> None:
        read, write = os.pipe()
        try:
            with log.open("ab") as output:
                self._warden = subprocess.Popen(
                    [
                        sys.executable,
                        "-I",
                        "-S",
                        "-X",
                        "utf8",
                        str(_WARDEN),
                        _order(command, write),
                    ],
                    env=None if command.env is None else dict(command.env),
                    cwd=command.cwd,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    pass_fds=(write,),
                    start_new_session=True,
                )
        except BaseException:
            os.close(read)
            raise
        finally:
            os.close(write)
        self._pidfd = os.pidfd_open(self._warden.pid)
        with os.fdopen(read, "rb") as report:
            reported = report.read()
        self.pid = int(reported) if reported else None

    def fileno(self) -> int:
        """A descriptor that becomes readable when the tree has ended."""
        return self._pidfd

    def poll(self) -> int | None:
        """The exit code (128 + the signal when killed by one), or None while the tree runs."""
        return self._warden.poll()

    def wait(self, timeout: float | None) -> bool:
        """Wait for the end of the tree; whether it came in time."""
        if self.poll() is None:
            waiting = select.poll()
            waiting.register(self._pidfd, select.POLLIN)
            waiting.poll(None if timeout is None else int(timeout * 1000))
        return self.poll() is not None

    def ask_to_stop(self) -> None:
        """Ask the tree to end, without waiting."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the whole tree, without waiting."""
        self._send(signal.SIGQUIT)

    def stop(self) -> int:
        """Ask the tree to end, wait until it has, and return its exit code."""
        if self.poll() is None:
            self.ask_to_stop()
        code = self._warden.wait()
        self.close()
        return code

    def close(self) -> None:
        """Let go of the descriptor of a tree that has ended."""
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1

    def _send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, number)


def _order(command: Command, report_fd: int) -> str:
    account = command.account
    return json.dumps(
        {
            "argv": [os.fsencode(a).decode("utf-8", "surrogateescape") for a in command.argv],
            "parent": os.getpid(),
            "report_fd": report_fd,
            "stop_signal": int(command.stop_signal),
            "grace": command.grace,
            "uid": account.uid if account else None,
            "gid": account.gid if account else None,
        }
    )
