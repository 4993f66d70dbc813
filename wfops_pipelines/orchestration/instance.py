"""The Dagster instance of a project: storage in the product's database, files in its state folder.

`dagster.yaml` names these classes, so that every Dagster command finds the same instance as
`wfops dev`, and commands that need no database (`dagster definitions validate`) run without one.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Mapping
from functools import cache
from typing import Any

import sqlalchemy
from dagster._core.storage.base_storage import DagsterStorage
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._core.storage.root import LocalArtifactStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData
from dagster_postgres.storage import DagsterPostgresStorage

from wfops_pipelines.errors import SettingsError
from wfops_pipelines.services import database_url
from wfops_pipelines.settings import read_settings
from wfops_pipelines.store.database import connect

SCHEMA = "orchestrator"


def dagster_url(url: str) -> str:
    """The same database, with Dagster's tables in the schema `orchestrator`."""
    return f"{url}{'&' if '?' in url else '?'}options=-csearch_path%3D{SCHEMA}"


@cache
def _throwaway() -> DagsterStorage:
    """What Dagster itself uses where no instance is named, as in `dagster definitions validate`."""
    folder = tempfile.mkdtemp(prefix="dagster-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return DagsterSqliteStorage.from_local(folder)


class ProjectStorage(DagsterPostgresStorage):
    """Runs, events and schedules in PostgreSQL, in a schema of their own."""

    @classmethod
    def config_type(cls) -> Any:
        return {}

    @classmethod
    def from_config_value(  # type: ignore[override]
        cls,
        inst_data: ConfigurableClassData | None,
        config_value: Mapping[str, Any],  # noqa: ARG003
    ) -> DagsterStorage:
        try:
            url = database_url(read_settings())
        except SettingsError:
            if os.environ.get("DAGSTER_HOME"):
                raise  # a real instance must never forget what it was told
            return _throwaway()
        engine = connect(url)
        with engine.begin() as conn:
            conn.execute(sqlalchemy.text(f"create schema if not exists {SCHEMA}"))
        return cls(dagster_url(url), should_autocreate_tables=True, inst_data=inst_data)


class ProjectArtifacts(LocalArtifactStorage):
    """Local files of Dagster, in the project's state folder."""

    @classmethod
    def config_type(cls) -> Any:
        return {}

    @classmethod
    def from_config_value(
        cls,
        inst_data: ConfigurableClassData | None,
        config_value: Mapping[str, Any],  # noqa: ARG003
    ) -> ProjectArtifacts:
        return cls(str(read_settings().state / "dagster"), inst_data)


class ProjectComputeLogs(LocalComputeLogManager):
    """Output of runs, in the project's state folder."""

    @classmethod
    def config_type(cls) -> Any:
        return {}

    @classmethod
    def from_config_value(
        cls,
        inst_data: ConfigurableClassData | None,
        config_value: Mapping[str, Any],  # noqa: ARG003
    ) -> ProjectComputeLogs:
        return cls(str(read_settings().state / "dagster" / "output"), inst_data=inst_data)
