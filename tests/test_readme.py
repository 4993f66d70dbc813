"""What the README shows is what the product does."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

import wfops_pipelines
from wfops_pipelines.checks.suite import check_columns, read_suite
from wfops_pipelines.cli import app
from wfops_pipelines.project import load_project

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.M | re.S)


def test_the_sync_and_the_suite_of_the_readme_make_a_project(tmp_path):
    (code,), (suite,) = blocks("python"), blocks("json")
    for room in ("assets", "expectations"):
        (tmp_path / room).mkdir()
    (tmp_path / "assets/leads.py").write_text(code.replace("def crm_contacts", "def leads"))
    (tmp_path / "expectations/leads.json").write_text(suite)
    (tmp_path / "reviewers.yaml").write_text("groups: {revops: [developer]}\n")
    project = load_project(tmp_path)
    assert list(project.syncs) == ["leads"]
    check_columns(read_suite(tmp_path / "expectations/leads.json"), ["email"])


def test_wfops_check_says_what_the_readme_shows():
    done = subprocess.run(
        [sys.executable, "-m", "wfops_pipelines", "check"],
        capture_output=True, text=True, cwd=ROOT, check=True,
    )  # fmt: skip
    shown = re.search(r"✓ \S+: (.*)", README)
    assert done.stdout.strip().endswith(shown.group(1))


def commands():
    top = get_command(app).commands
    groups = {n: c.commands for n, c in top.items() if hasattr(c, "commands")}
    below = [f"{group} {n}" for group, commands in groups.items() for n in commands]
    return sorted(below) + sorted(set(top) - set(groups))


@pytest.mark.parametrize("command", commands())
def test_every_command_is_documented_and_helps(command):
    assert re.search(rf"`(wfops )?{command}\b|\bwfops {command}\b|`{command}`", README + (
        ROOT / "CHANGELOG.md"
    ).read_text("utf-8"))  # fmt: skip
    done = CliRunner().invoke(app, [*command.split(), "--help"])
    assert done.exit_code == 0
    assert "Usage:" in done.stdout


def test_every_file_that_the_readme_names_is_there():
    for path in re.findall(
        r"\]\((?!http)([^)#]+)\)|`(bench/[a-z_]+\.py)`|python (bench/\S+?)`", README
    ):
        name = next(filter(None, path))
        assert (ROOT / name).exists(), name


def test_every_variable_that_the_readme_names_is_read():
    code = "\n".join(
        p.read_text("utf-8") for p in Path(wfops_pipelines.__file__).parent.rglob("*.py")
    )
    for name in re.findall(r"`(WFOPS_[A-Z_]+)`", README):
        assert name in code, name
