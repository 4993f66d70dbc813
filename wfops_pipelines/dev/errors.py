"""Errors of the development tree; each says what to do."""

from __future__ import annotations

from pathlib import Path

from wfops_pipelines.errors import SettingsError, WfopsError


class AlreadyRunning(SettingsError):
    """Another live process already serves this state folder."""


class PortInUse(SettingsError):
    """The port that was asked for is taken; names who holds it where that is readable."""


class ServiceFailed(WfopsError):
    """A service did not come up, or died more often than it may be restarted."""

    def __init__(self, name: str, problem: str, log: Path) -> None:
        self.name, self.log = name, log
        super().__init__(f"{name} {problem}. Its log, {log}, ends with:\n{tail(log)}")


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log, indented; a placeholder when there is nothing to show."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    return "\n".join(f"    {line}" for line in text.splitlines()[-lines:]) or "    (empty)"
