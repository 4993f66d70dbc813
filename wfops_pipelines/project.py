"""A project's rooms, found by path: what is declared in them, under one name everywhere."""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from wfops_pipelines.core.people import People
from wfops_pipelines.core.policy import Policy
from wfops_pipelines.errors import ProjectError, Tell, WfopsError, refuse
from wfops_pipelines.reviewers import read_people
from wfops_pipelines.sync import Sync, sync

if TYPE_CHECKING:
    from wfops_pipelines.checks.suite import Suite

NAMESPACE = "wfops_project"


@dataclass(frozen=True, slots=True)
class Project:
    """Everything that the rooms of one project declare.

    syncs and suites are keyed by the sync's name; sensors are the modules of `sensors/`;
    people are the reviewer groups and roles. broken: what is wrong with the suite of a sync, in a
    project that was opened for one of the others.
    """

    root: Path
    syncs: Mapping[str, Sync]
    suites: Mapping[str, Suite]
    people: People
    sensors: tuple[types.ModuleType, ...] = field(default=())
    broken: Mapping[str, ProjectError] = field(default_factory=dict)

    @property
    def groups(self) -> Mapping[str, frozenset[str]]:
        return self.people.groups

    def find(self, name: str) -> Sync:
        """The sync of that name. Raises WfopsError with what was probably meant."""
        import difflib

        if name not in self.syncs:
            near = difflib.get_close_matches(name, list(self.syncs), 1)
            hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(self.syncs)}."
            raise WfopsError(f"no sync is called {name!r}. {hint}")
        return self.syncs[name]

    def suite(self, name: str) -> Suite:
        """What is expected of a sync's rows. Raises the ProjectError of a suite that is broken."""
        if name in self.broken:
            raise self.broken[name]
        return self.suites[name]

    def members(self, group: str) -> frozenset[str]:
        return self.people.members(group)


def load_project(root: Path, *, lenient: bool = False) -> Project:
    """Import the rooms under `root`. Raises the first ProjectError that `problems` finds.

    `lenient`: a suite that cannot be read stops its own sync alone, when it is asked for.
    """
    from wfops_pipelines.validation import problems

    project = open_project(root, lenient=lenient)
    for problem in problems(project):
        raise problem
    return project


def open_project(root: Path, *, lenient: bool = False, tell: Tell = refuse) -> Project:
    """Import the rooms without judging how they fit together. Raises ProjectError.

    `tell` gets each, and what it is about is left out where it does not raise.
    """
    _mount(root)
    syncs = {s.name: s for s in _syncs(root, tell)}
    suites, broken = {}, {}
    for name in (n for n in syncs if _suite_file(root, n).exists()):
        try:
            suites[name] = _suite(root, name, tell)
        except ProjectError as error:
            broken[name] = error
            if not lenient:
                tell(error)
    return Project(root, syncs, suites, _people(root, tell), _sensors(root, tell), broken)


def _people(root: Path, tell: Tell) -> People:
    try:
        return read_people(root / "reviewers.yaml")
    except ProjectError as error:
        tell(error)
    return People({}, {})


def _mount(root: Path) -> None:
    """Make the rooms importable under a private name, whatever was mounted there before."""
    for name in [n for n in sys.modules if n == NAMESPACE or n.startswith(NAMESPACE + ".")]:
        del sys.modules[name]
    importlib.invalidate_caches()
    module = types.ModuleType(NAMESPACE)
    module.__path__ = [str(root)]
    sys.modules[NAMESPACE] = module


def _modules(root: Path, room: str, tell: Tell) -> Iterator[tuple[Path, types.ModuleType]]:
    folder = root / room
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.name.startswith(("_", ".")):
            continue
        if path.suffix == ".py" or (path / "__init__.py").exists():
            try:
                module = _import(path, f"{NAMESPACE}.{room}.{path.stem}")
            except ProjectError as error:
                tell(error)
                continue
            yield path, module


def _import(path: Path, name: str) -> types.ModuleType:
    try:
        return importlib.import_module(name)
    except ProjectError:
        raise
    except Exception as error:
        line = error.lineno if isinstance(error, SyntaxError) else _line_in(path, error)
        where = f"line {line}" if line else "import"
        said = f"{type(error).__name__}: {_one_line(error)}"
        repair = _meant(error) or "mend the file; it must import cleanly"
        raise ProjectError(path, where, said, repair) from error


def _meant(error: Exception) -> str | None:
    """For an argument that `Policy` or `sync` does not know: those that it does."""
    import difflib
    import inspect
    import re

    found = re.search(r"(Policy|sync)\b.* unexpected keyword argument '(\w+)'", str(error))
    if not isinstance(error, TypeError) or found is None:
        return None
    known = list(inspect.signature(Policy if found[1] == "Policy" else sync).parameters)
    near = difflib.get_close_matches(found[2], known, 1)
    return f"{f'did you mean {near[0]}? ' if near else ''}{found[1]} takes {', '.join(known)}"


def _syncs(root: Path, tell: Tell) -> Iterator[Sync]:
    for path, module in _modules(root, "assets", tell):
        found = [(n, v) for n, v in vars(module).items() if isinstance(v, Sync)]
        declared = [s for n, s in found if not n.startswith("_")]
        if [s.name for s in declared] != [path.stem]:
            names = ", ".join(s.name for s in declared) or "none"
            said = f"declares {names} where one sync named {path.stem} is expected"
            repair = f"name the function {path.stem}, as its file is called"
            if len(declared) == 1:
                repair += f", or rename the file {declared[0].name}.py"
            tell(ProjectError(path, "@sync", said, repair))
            continue
        yield declared[0]


def _sensors(root: Path, tell: Tell) -> tuple[types.ModuleType, ...]:
    return tuple(module for _, module in _modules(root, "sensors", tell))


def _suite_file(root: Path, name: str) -> Path:
    return root / "expectations" / f"{name}.json"


def _suite(root: Path, name: str, tell: Tell) -> Suite:
    from wfops_pipelines.checks.suite import read_suite

    return read_suite(_suite_file(root, name), tell)


def _line_in(path: Path, error: Exception) -> int | None:
    trace, line = error.__traceback__, None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename.startswith(str(path)):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
