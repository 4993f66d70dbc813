"""What the flow works with, made once for each process."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine

from wfops_pipelines.core.ids import ENTROPY_BYTES, new_id
from wfops_pipelines.core.parts import AT_ONCE, Rows
from wfops_pipelines.core.people import People
from wfops_pipelines.core.snapshot import Evidence, Snapshot
from wfops_pipelines.errors import SettingsError
from wfops_pipelines.settings import Settings
from wfops_pipelines.store import database, files
from wfops_pipelines.store.heads import Vault


@dataclass(frozen=True, slots=True)
class Services:
    """The database, the snapshots' folder, the environment, people, the vault, clock and dice.

    `at_once` is how many rows of a snapshot are in memory at a time.
    """

    engine: Engine
    snapshots: Path
    environ: Mapping[str, str]
    people: People
    vault: Vault
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    entropy: Callable[[int], bytes] = secrets.token_bytes
    at_once: int = AT_ONCE

    @property
    def groups(self) -> Mapping[str, frozenset[str]]:
        return self.people.groups

    def id(self, prefix: str) -> str:
        return new_id(prefix, self.clock(), self.entropy(ENTROPY_BYTES))

    def folder(self, sync: str) -> Path:
        return self.snapshots / sync

    def rows(self, snapshot: Snapshot | Evidence) -> Rows:
        """A snapshot's rows. Raises SnapshotDamaged unless they are as they were staged."""
        return files.read(self.folder(snapshot.sync), snapshot.digest, self.at_once)


def open_services(settings: Settings, people: People) -> Services:
    """Connect to the database that `settings` name, or to the embedded one that is running.

    Raises SettingsError when neither is there.
    """
    engine = database.connect(database_url(settings))
    database.set_up(engine)
    vault = Vault(settings.audit_heads, settings.audit_key, settings.audit_old_keys)
    environ = {**settings.environ, "WFOPS_STATE": str(settings.state)}  # unset where it is default
    return Services(
        engine, settings.snapshots, environ, people, vault, at_once=settings.rows_at_once
    )


def database_url(settings: Settings) -> str:
    """The product's database. Raises SettingsError when none is running or named."""
    from wfops_pipelines.dev.postgres import running_url

    url = settings.postgres_url or running_url(settings.state)
    if url is None:
        raise SettingsError(
            "No database: WFOPS_POSTGRES_URL is not set and the embedded one is not running. "
            "Start it with `wfops dev` (or `make demo`), or set WFOPS_POSTGRES_URL."
        )
    return url


def identity_secret(settings: Settings) -> bytes:
    """The key that signs who launched a run; made on first use, readable by its owner only.

    Raises SettingsError for a file that is too short: anybody could sign with an empty key.
    """
    path = settings.identity_key
    if not path.exists():
        _make_secret(path)
    found = path.read_bytes()
    if len(found) < _SECRET:
        raise SettingsError(
            f"{path}: the key that signs who launched a run is cut off. Remove the file; another "
            "one is made. Runs that wait in the queue must be launched again."
        )
    return found


_SECRET = 32  # bytes


def _make_secret(path: Path) -> None:
    """The whole of it, or none: other processes may start at the same moment, this one may die."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{secrets.token_hex(16)}.tmp")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(_SECRET))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another process was first: its key counts
            os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
