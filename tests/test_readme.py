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
PAGES = {
    p: p.read_text("utf-8") for p in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
}


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
    pages = "".join([*PAGES.values(), (ROOT / "CHANGELOG.md").read_text("utf-8")])
    assert re.search(rf"`(wfops )?{command}\b|\bwfops {command}\b|`{command}`", pages)
    done = CliRunner().invoke(app, [*command.split(), "--help"])
    assert done.exit_code == 0
    assert "Usage:" in done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_file_and_heading_that_a_page_names_is_there(page):
    for path, heading in re.findall(r"\]\((?!http)([^)#]*)(?:#([^)]+))?\)", PAGES[page]):
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), path
        assert not heading or heading in headings(target), (path, heading)
    for name in re.findall(r"\b(bench/[a-z_]+\.py)", PAGES[page]):
        assert (ROOT / name).exists(), name


def headings(page):
    """The anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", t.lower()).replace(" ", "-") for t in titles}


def test_every_page_is_reached_from_the_readme():
    for page in PAGES:
        assert page.name == "README.md" or f"(docs/{page.name})" in README, page.name


def test_every_variable_that_a_page_names_is_read():
    code = "\n".join(
        p.read_text("utf-8") for p in Path(wfops_pipelines.__file__).parent.rglob("*.py")
    )
    for name in re.findall(r"`(WFOPS_[A-Z_]+)`", "".join(PAGES.values())):
        of_a_system = re.search(r"_(URL|TOKEN|CREDENTIALS)$", name)
        assert name in code or of_a_system, name
