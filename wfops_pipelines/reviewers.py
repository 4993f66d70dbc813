"""`reviewers.yaml`: the reviewer groups and roles of a project."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wfops_pipelines.core.near import did_you_mean
from wfops_pipelines.core.people import People, Role
from wfops_pipelines.errors import ProjectError

GROUPS = "write `groups:` and below it a line `name: [member, member]` for each group"
ROLES = f"write `roles:` and below it lines `name: [member]` for {', '.join(r.value for r in Role)}"
NAME = re.compile(r"[\w-]+")  # a group's name is a team of Dagster's as well


def read_people(path: Path) -> People:
    """Groups and roles. Raises ProjectError that names the field and the repair."""
    body = _read(path)
    groups = body.get("groups")
    if not isinstance(groups, dict) or not groups:
        raise ProjectError(path, "groups", "no groups are declared", GROUPS)
    roles = body.get("roles") or {}
    if not isinstance(roles, dict):
        raise ProjectError(path, "roles", "is not a list of roles", ROLES)
    for unknown in set(body) - {"groups", "roles"}:
        raise ProjectError(path, str(unknown), "is not a known field", "use groups and roles")
    return People(_groups(path, groups), {_role(path, r): _names(path, "roles", r, m, ROLES)
                                          for r, m in roles.items()})  # fmt: skip


def _read(path: Path) -> Mapping[str, Any]:
    import yaml

    try:
        body: Any = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ProjectError(path, "groups", "the file is missing", GROUPS) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        said = " ".join(str(error).split())[:300]
        raise ProjectError(path, "groups", f"not YAML ({said})", GROUPS) from error
    return body if isinstance(body, dict) else {}


def _groups(path: Path, groups: Mapping[Any, Any]) -> dict[str, frozenset[str]]:
    for name in groups:
        if not isinstance(name, str) or not NAME.fullmatch(name):
            said = "is no name for a group"
            raise ProjectError(path, f"groups.{name}", said, "use letters, digits, - and _")
    return {n: _names(path, "groups", n, m, GROUPS) for n, m in groups.items()}


def _role(path: Path, name: Any) -> Role:
    try:
        return Role(name)
    except ValueError:
        hint = did_you_mean(str(name), [r.value for r in Role])
        raise ProjectError(path, f"roles.{name}", "is no role", ROLES + hint) from None


def _names(path: Path, kind: str, name: Any, members: Any, repair: str) -> frozenset[str]:
    if not isinstance(members, list) or not all(isinstance(m, str) and m for m in members):
        raise ProjectError(path, f"{kind}.{name}", "is not a list of names", repair)
    return frozenset(members)
