"""A project's rooms, found by path: what is declared in them, under one name everywhere."""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wfops_pipelines.errors import ProjectError
from wfops_pipelines.sync import Sync

if TYPE_CHECKING:
    from wfops_pipelines.checks.suite import Suite

NAMESPACE = "wfops_project"
DEVELOPER = "developer"  # who acts where no proxy says who it is


@dataclass(frozen=True, slots=True)
class Project:
    """Everything that the rooms of one project declare.

    syncs and suites are keyed by the sync's name; sensors are the modules of `sensors/`;
    groups maps each reviewer group to its members.
    """

    root: Path
    syncs: Mapping[str, Sync]
    suites: Mapping[str, Suite]
    groups: Mapping[str, frozenset[str]]
    sensors: tuple[types.ModuleType, ...] = field(default=())

    def members(self, group: str) -> frozenset[str]:
        return self.groups.get(group, frozenset())


def load_project(root: Path) -> Project:
    """Import the rooms under `root`. Raises the first ProjectError that `problems` finds."""
    from wfops_pipelines.validation import problems

    project = open_project(root)
    for problem in problems(project):
        raise problem
    return project


def open_project(root: Path) -> Project:
    """Import the rooms without judging how they fit together. Raises ProjectError."""
    _mount(root)
    syncs = {s.name: s for s in _syncs(root)}
    suites = {n: _suite(root, n) for n in syncs if _suite_file(root, n).exists()}
    return Project(root, syncs, suites, read_groups(root / "reviewers.yaml"), _sensors(root))


def read_groups(path: Path) -> dict[str, frozenset[str]]:
    """Reviewer groups and their members from `reviewers.yaml`. Raises ProjectError."""
    import yaml

    repair = "write `groups:` and below it a line `name: [member, member]` for each group"
    try:
        body: Any = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ProjectError(path, "groups", "the file is missing", repair) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ProjectError(path, "groups", f"not YAML ({_one_line(error)})", repair) from error
    groups = body.get("groups") if isinstance(body, dict) else None
    if not isinstance(groups, dict) or not groups:
        raise ProjectError(path, "groups", "no groups are declared", repair)
    for unknown in set(body) - {"groups"}:
        raise ProjectError(path, str(unknown), "is not a known field", repair)
    return {str(n): _members(path, str(n), m, repair) for n, m in groups.items()}


def _members(path: Path, group: str, members: Any, repair: str) -> frozenset[str]:
    if not isinstance(members, list) or not all(isinstance(m, str) and m for m in members):
        raise ProjectError(path, f"groups.{group}", "is not a list of names", repair)
    return frozenset(members)


def _mount(root: Path) -> None:
    """Make the rooms importable under a private name, whatever was mounted there before."""
    for name in [n for n in sys.modules if n == NAMESPACE or n.startswith(NAMESPACE + ".")]:
        del sys.modules[name]
    importlib.invalidate_caches()
    module = types.ModuleType(NAMESPACE)
    module.__path__ = [str(root)]
    sys.modules[NAMESPACE] = module


def _modules(root: Path, room: str) -> Iterator[tuple[Path, types.ModuleType]]:
    folder = root / room
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.name.startswith(("_", ".")):
            continue
        if path.suffix == ".py" or (path / "__init__.py").exists():
            yield path, _import(path, f"{NAMESPACE}.{room}.{path.stem}")


def _import(path: Path, name: str) -> types.ModuleType:
    try:
        return importlib.import_module(name)
    except ProjectError:
        raise
    except Exception as error:
        line = error.lineno if isinstance(error, SyntaxError) else _line_in(path, error)
        where = f"line {line}" if line else "import"
        said = f"{type(error).__name__}: {_one_line(error)}"
        raise ProjectError(path, where, said, "mend the file; it must import cleanly") from error


def _syncs(root: Path) -> Iterator[Sync]:
    for path, module in _modules(root, "assets"):
        found = [(n, v) for n, v in vars(module).items() if isinstance(v, Sync)]
        declared = [s for n, s in found if not n.startswith("_")]
        if [s.name for s in declared] != [path.stem]:
            names = ", ".join(s.name for s in declared) or "none"
            raise ProjectError(
                path,
                "@sync",
                f"declares {names} where one sync named {path.stem} is expected",
                f"name the function {path.stem}, or rename the file to the sync's name .py",
            )
        yield declared[0]


def _sensors(root: Path) -> tuple[types.ModuleType, ...]:
    return tuple(module for _, module in _modules(root, "sensors"))


def _suite_file(root: Path, name: str) -> Path:
    return root / "expectations" / f"{name}.json"


def _suite(root: Path, name: str) -> Suite:
    from wfops_pipelines.checks.suite import read_suite

    return read_suite(_suite_file(root, name))


def _line_in(path: Path, error: Exception) -> int | None:
    trace, line = error.__traceback__, None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename.startswith(str(path)):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
