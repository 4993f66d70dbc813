"""The config by which a run of a sync reads from a date, made and read in one place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def op_name(sync: str) -> str:
    """What Dagster calls the op behind a sync's assets."""
    return f"{sync}__sync"


def run_config(sync: str, since: str) -> dict[str, Any]:
    """Nothing where a run reads as ever."""
    return {"ops": {op_name(sync): {"config": {"since": since}}}} if since else {}


def asked_since(sync: str, config: Mapping[str, Any]) -> str:
    """The date that a run was given; "" where there was none."""
    found: Any = config
    for name in ("ops", op_name(sync), "config", "since"):
        found = found.get(name) if isinstance(found, Mapping) else None
    return str(found or "")
