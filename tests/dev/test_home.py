"""A project made as the docs say it has the product's Dagster instance, not Dagster's own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT
from wfops_pipelines.dev.cluster import make_state_folder
from wfops_pipelines.dev.home import furnish
from wfops_pipelines.errors import ProjectError

HERE = (ROOT / "dagster.yaml").read_text("utf-8")


def test_a_project_without_dagster_yaml_is_given_the_one_of_this_repository(
    tmp_path: Path,
) -> None:
    assert furnish(tmp_path)
    assert (tmp_path / "dagster.yaml").read_text("utf-8") == HERE
    assert not furnish(tmp_path)


def test_git_leaves_the_state_folder_alone_in_a_project_without_a_gitignore(tmp_path: Path) -> None:
    """It holds customers' rows and a password."""
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    make_state_folder(tmp_path / ".wfops")
    (tmp_path / ".wfops/postgres.password").write_text("secret", "utf-8")
    shown = ["git", "-C", tmp_path, "status", "--porcelain", "--untracked-files=all"]
    assert subprocess.run(shown, check=True, capture_output=True, text=True).stdout == ""


def test_what_the_project_adds_to_it_stays(tmp_path: Path) -> None:
    own = HERE.replace("max_concurrent_runs: 4", "max_concurrent_runs: 9")
    (tmp_path / "dagster.yaml").write_text(own, "utf-8")
    assert not furnish(tmp_path)
    assert (tmp_path / "dagster.yaml").read_text("utf-8") == own


@pytest.mark.parametrize(
    "said", ["", "telemetry: {enabled: false}", "run_coordinator: nobody", "["]
)
def test_one_by_which_nobody_could_decide_is_refused_with_its_repair(
    tmp_path: Path, said: str
) -> None:
    (tmp_path / "dagster.yaml").write_text(said, "utf-8")
    with pytest.raises(ProjectError, match="Repair: move the file away"):
        furnish(tmp_path)
