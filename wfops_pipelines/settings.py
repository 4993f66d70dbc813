"""The environment, read once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wfops_pipelines.core.parts import AT_ONCE
from wfops_pipelines.errors import SettingsError

PROJECT_MARKS = ("assets", "expectations")


@dataclass(frozen=True, slots=True)
class Settings:
    """Where this project is and what it talks to.

    root: the folder with the rooms `assets/`, `expectations/`, `sensors/`.
    state: snapshots, logs, keys and the embedded database; `<root>/.wfops` unless set.
    postgres_url: the database (WFOPS_POSTGRES_URL), or None for the embedded one.
    environ: all variables, for the sources' and destinations' own URLs and tokens.
    """

    root: Path
    state: Path
    postgres_url: str | None
    environ: Mapping[str, str]

    @property
    def snapshots(self) -> Path:
        return self.state / "snapshots"

    @property
    def audit_heads(self) -> Path:
        """Signed heads of the audit trail: WFOPS_AUDIT_HEADS_FILE, best on another disk."""
        named = self.environ.get("WFOPS_AUDIT_HEADS_FILE")
        return Path(named).absolute() if named else self.state / "audit" / "heads.jsonl"

    @property
    def audit_key(self) -> Path | None:
        """The key that signs them, where WFOPS_AUDIT_KEY_FILE names one; else one is made."""
        named = self.environ.get("WFOPS_AUDIT_KEY_FILE")
        return Path(named).absolute() if named else None

    @property
    def audit_old_keys(self) -> tuple[str, ...]:
        """Public keys that signed before (WFOPS_AUDIT_OLD_KEYS, hexadecimal, by commas)."""
        named = self.environ.get("WFOPS_AUDIT_OLD_KEYS", "")
        return tuple(k.strip().lower() for k in named.split(",") if k.strip())

    @property
    def rows_at_once(self) -> int:
        """How many rows of a snapshot are in memory at a time: WFOPS_ROWS_AT_ONCE.

        Raises SettingsError where it is no number above 0.
        """
        named = self.environ.get("WFOPS_ROWS_AT_ONCE") or str(AT_ONCE)
        if not named.isdecimal() or not int(named):
            raise SettingsError(
                f"WFOPS_ROWS_AT_ONCE={named}: not a number of rows. Write a whole number, as "
                f"{AT_ONCE}, or leave it out."
            )
        return int(named)

    @property
    def identity_key(self) -> Path:
        return self.state / "identity.key"


def read_settings(environ: Mapping[str, str] | None = None, start: Path | None = None) -> Settings:
    """Raises SettingsError when no project is found above `start` (the current folder)."""
    env = os.environ if environ is None else environ
    root = _project(env, start or Path.cwd())
    state = Path(env["WFOPS_STATE"]) if env.get("WFOPS_STATE") else root / ".wfops"
    return Settings(root, state.absolute(), env.get("WFOPS_POSTGRES_URL") or None, dict(env))


def _project(env: Mapping[str, str], start: Path) -> Path:
    if named := env.get("WFOPS_PROJECT"):
        root = Path(named).absolute()
        if not _is_project(root):
            raise SettingsError(
                f"WFOPS_PROJECT={named}: there is no folder assets/ beside expectations/. "
                "Point it to the folder that holds both."
            )
        return root
    for folder in (start.absolute(), *start.absolute().parents):
        if _is_project(folder):
            return folder
    raise SettingsError(
        f"{start} is in no project: a project has the folders assets/ and expectations/. "
        "Go into one, or set WFOPS_PROJECT to it."
    )


def _is_project(folder: Path) -> bool:
    return all((folder / mark).is_dir() for mark in PROJECT_MARKS)
