"""The expectation types that a suite may use: Great Expectations' own and the project's."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from wfops_pipelines.errors import ProjectError

CATALOGUE = Path(__file__).with_name("catalogue.json")
ABOUT_ROWS = {"ColumnMapExpectation", "ColumnPairMapExpectation", "MulticolumnMapExpectation"}
NOT_ON_DATAFRAMES = re.compile(r"like_pattern|^unexpected_rows|query_results|other_table")


@dataclass(frozen=True, slots=True)
class Known:
    """One expectation type. `open_kwargs`: its fields are not known before it is loaded."""

    type: str
    class_name: str
    base: str
    required: frozenset[str]
    optional: frozenset[str]
    file: Path | None = None
    open_kwargs: bool = False

    @property
    def about_rows(self) -> bool:
        """Whether it judges each row, so that a failure names rows."""
        return self.base in ABOUT_ROWS

    @property
    def on_dataframes(self) -> bool:
        return self.file is not None or not NOT_ON_DATAFRAMES.search(self.type)


@cache
def core_types() -> Mapping[str, Known]:
    """Great Expectations' own types by name, from `catalogue.json`."""
    return {k: _from_entry(k, e) for k, e in _catalogue()["types"].items()}


def known_types(folder: Path) -> Mapping[str, Known]:
    """Core types and the custom ones declared by `folder/*.py`, found without running the files.

    Raises `ProjectError` for a file that is not Python or a class that takes a core type's name.
    """
    known = dict(core_types())
    for file in sorted(folder.glob("*.py")):
        for custom in _declared(file):
            if custom.type in known:
                raise _taken(file, custom, known[custom.type])
            known[custom.type] = custom
    return known


def snake_case(class_name: str) -> str:
    """The expectation type of a class, exactly as Great Expectations derives it."""
    split = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", class_name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", split).lower()


@cache
def _catalogue() -> dict[str, dict[str, dict[str, list[str]]]]:
    loaded: dict[str, dict[str, dict[str, list[str]]]] = json.loads(CATALOGUE.read_text("utf-8"))
    return loaded


@cache
def _by_class() -> Mapping[str, Known]:
    bases = {k: _from_entry(k, e) for k, e in _catalogue()["bases"].items()}
    return bases | {known.class_name: known for known in core_types().values()}


def _from_entry(name: str, entry: Mapping[str, list[str]]) -> Known:
    base = name if name in ABOUT_ROWS else str(entry["base"])
    required, optional = frozenset(entry["required"]), frozenset(entry["optional"])
    return Known(name, str(entry["class"]), base, required, optional)


def _declared(file: Path) -> Iterable[Known]:
    try:
        tree = ast.parse(file.read_text("utf-8"), str(file))
    except (SyntaxError, ValueError) as error:
        raise ProjectError(file, "Python", f"it cannot be read: {error}", "correct it") from error
    parents = dict(_by_class())
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and (parent := _parent(node, parents)):
            custom = parents[node.name] = _subclass(node, parent, file)
            if not node.name.startswith("_"):
                yield custom


def _parent(node: ast.ClassDef, parents: Mapping[str, Known]) -> Known | None:
    names = [ast.unparse(base).rpartition(".")[2] for base in node.bases]
    found = next((parents[name] for name in names if name in parents), None)
    if found is None and node.name.startswith("Expect"):
        return Known("", "", "", frozenset(), frozenset(), open_kwargs=True)
    return found


def _subclass(node: ast.ClassDef, parent: Known, file: Path) -> Known:
    annotated = {
        ast.unparse(s.target): s.value is not None
        for s in node.body
        if isinstance(s, ast.AnnAssign) and "ClassVar" not in ast.unparse(s.annotation)
    }
    assigned = {ast.unparse(t) for s in node.body if isinstance(s, ast.Assign) for t in s.targets}
    names = parent.required | parent.optional | annotated.keys()
    given = {name for name, has_value in annotated.items() if has_value} | (assigned & names)
    required = (parent.required | annotated.keys()) - parent.optional - given
    return Known(
        snake_case(node.name),
        node.name,
        parent.base,
        required,
        names - required,
        file,
        parent.open_kwargs,
    )


def _taken(file: Path, custom: Known, other: Known) -> ProjectError:
    where = other.file.name if other.file else "Great Expectations"
    return ProjectError(
        file, f"class {custom.class_name}", f"{where} has this name too", "rename the class"
    )
