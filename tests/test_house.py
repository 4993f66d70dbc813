"""The rules of the house: one-way imports, public names, light imports, one name everywhere."""

import ast
import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

import wfops_pipelines

PACKAGE = Path(wfops_pipelines.__file__).parent
ROOT = PACKAGE.parent
COMPONENTS = {
    "sources", "destinations", "checks", "anomaly", "assist", "store", "report", "notify",
    "sandbox", "dev",
}  # fmt: skip
BELOW = {"core", "errors", "apis", "postgres"}
STEPS = ["examining", "staging", "deciding", "flow"]  # each may use those before it
SHELL = {
    "__main__",
    "orchestration",
    "web",
    "cli",
    "commands",
    "serve",
    "demonstration",
    "definitions",
    "workbench",
}
ONLY_IN = {
    "great_expectations": ("checks/gx/",),
    "sklearn": ("anomaly/", "assist/"),
    "dlt": ("sources/",),
    "apprise": ("notify/",),
    "dagster": ("orchestration/", "web/"),
    "dagster_postgres": ("orchestration/",),
    "dagster_webserver": ("web/",),
    "starlette": ("web/", "sandbox/"),
}
HEAVY = ("great_expectations", "sklearn", "pandas", "dlt", "pyarrow", "numpy", "scipy")
FILES = sorted(PACKAGE.rglob("*.py"))


def imported(path):
    """(module, at the top of the file?) of every import, without those for type checkers."""
    tree = ast.parse(path.read_text("utf-8"))
    typing = [n for n in ast.walk(tree) if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.dump(n)]
    hidden = {id(c) for n in typing for c in ast.walk(n)}
    for node in ast.walk(tree):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.Import):
            yield from ((a.name, node in tree.body) for a in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, node in tree.body
            yield from ((f"{node.module}.{a.name}", node in tree.body) for a in node.names)


def room(name):
    """The room of a module of this package, or None for its top level."""
    parts = name.split(".")
    return parts[1] if parts[0] == "wfops_pipelines" and len(parts) > 1 else None


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_one_way(path):
    here = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for name, _ in imported(path):
        there = room(name)
        if there is None:
            continue
        if here == "core":
            assert there in ("core", "errors"), f"core imports {name}"
        elif here in COMPONENTS or here in BELOW:
            assert there in {here, *BELOW}, f"{here} imports {name}"
        elif here not in SHELL:
            assert there not in SHELL, f"{here} imports {name}"
        if here in STEPS and there in STEPS:
            assert STEPS.index(there) <= STEPS.index(here), f"{here} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_framework_lives_in_one_place(path):
    here = path.relative_to(PACKAGE).as_posix()
    for name, _ in imported(path):
        allowed = ONLY_IN.get(name.split(".")[0])
        assert allowed is None or here.startswith(allowed), f"{here} imports {name}"


def test_the_core_needs_nothing_but_the_standard_library():
    for path in (PACKAGE / "core").glob("*.py"):
        for name, _ in imported(path):
            top = name.split(".")[0]
            assert top in sys.stdlib_module_names or top == "wfops_pipelines", f"{path}: {name}"


def test_every_public_name_is_there_and_none_leaks():
    assert len(wfops_pipelines.__all__) <= 15
    assert wfops_pipelines.__all__ == sorted(wfops_pipelines.__all__)
    for name in wfops_pipelines.__all__:
        assert getattr(wfops_pipelines, name).__module__.startswith("wfops_pipelines")


@pytest.mark.parametrize(
    "module", ["wfops_pipelines", "wfops_pipelines.anomaly", "wfops_pipelines.checks.suite"]
)
def test_importing_the_public_names_loads_no_framework(module):
    code = f"import sys, {module}; print([m for m in {(*HEAVY, 'dagster')!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere Arrow chooses")
@pytest.mark.parametrize("asked", [None, "system"])
def test_arrow_gives_memory_back_unless_somebody_chose_how(asked):
    code = "import wfops_pipelines, pyarrow; print(pyarrow.default_memory_pool().backend_name)"
    env = {k: v for k, v in os.environ.items() if k != "ARROW_DEFAULT_MEMORY_POOL"}
    env |= {"ARROW_DEFAULT_MEMORY_POOL": asked} if asked else {}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    assert done.stdout.strip() == (asked or "jemalloc")


def test_loading_the_code_location_loads_no_heavy_library():
    code = (
        "import sys, wfops_pipelines.definitions; "
        f"print([m for m in {HEAVY[:4]!r} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"


def test_every_module_of_the_package_imports():
    for path in FILES:
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if not name.endswith("__main__") and "sandbox" not in name:
            importlib.import_module(name)


def test_every_file_that_a_user_edits_stays_short():
    for room_ in ("assets", "sensors"):
        for path in (ROOT / room_).rglob("*.py"):
            assert len(path.read_text("utf-8").splitlines()) <= 40, path
