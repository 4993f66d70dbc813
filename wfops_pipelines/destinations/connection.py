"""Where a destination is, read from the environment."""

from __future__ import annotations

from collections.abc import Mapping

from wfops_pipelines.errors import SettingsError


def setting(name: str, system: str, environ: Mapping[str, str]) -> str:
    """A variable of the environment. Raises SettingsError when it is not set."""
    value = environ.get(name, "").strip()
    if not value:
        raise SettingsError(f"{name} is not set: the destination {system!r} needs it.")
    return value
