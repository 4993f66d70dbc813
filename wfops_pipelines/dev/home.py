"""The project's `dagster.yaml`: without ours, Dagster keeps all in SQLite and knows no launcher."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from wfops_pipelines.errors import ProjectError

_OURS = Path(__file__).with_name("dagster.yaml")
_STAMPS = "run_coordinator"


def furnish(root: Path) -> bool:
    """Write `dagster.yaml` where the project has none; returns whether it was written.

    Raises ProjectError for one by which nobody who launches a run would be known: each decision
    in the Launchpad would be refused.
    """
    path = root / "dagster.yaml"
    if not path.exists():
        shutil.copyfile(_OURS, path)
        return True
    _require(path)
    return False


def _require(path: Path) -> None:
    wanted = yaml.safe_load(_OURS.read_text("utf-8"))[_STAMPS]
    try:
        said = yaml.safe_load(path.read_text("utf-8"))
    except yaml.YAMLError as error:
        raise ProjectError(path, "file", f"is no YAML: {error}", _REPAIR) from None
    found = said.get(_STAMPS) if isinstance(said, dict) else None
    named = found if isinstance(found, dict) else {}
    if any(named.get(part) != wanted[part] for part in ("module", "class")):
        wrong = "it does not say who launched a run, so that nobody could decide in the Launchpad"
        raise ProjectError(path, _STAMPS, wrong, _REPAIR)


_REPAIR = "move the file away: `wfops dev` writes one, and what you had can be added to it"
