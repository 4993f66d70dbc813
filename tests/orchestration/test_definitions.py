"""The definitions that Dagster loads from this project, against a golden file.

After a change on purpose: `python -m tests.orchestration.golden` writes the file anew.
"""

import json
import shutil
from pathlib import Path

from tests.orchestration.golden import FILE, loaded

ROOT = Path(__file__).resolve().parents[2]


def test_the_loaded_definitions_are_the_ones_we_mean():
    assert loaded() == json.loads(Path(FILE).read_text("utf-8"))


def test_every_expectation_is_an_asset_check_in_words():
    from wfops_pipelines import workbench

    checks = loaded()["checks"]
    for name, suite in workbench.project().suites.items():
        for expectation in suite.expectations:
            assert checks[f"{name}/staged:{expectation.name}"] == expectation.words


def test_an_edited_suite_changes_the_checks_at_the_next_load(tmp_path):
    from wfops_pipelines.orchestration.assemble import assemble
    from wfops_pipelines.project import load_project

    for name in ("assets", "expectations", "sensors"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "reviewers.yaml", tmp_path)

    def checks():
        graph = assemble(load_project(tmp_path)).get_repository_def().asset_graph
        return {k.name for k in graph.asset_check_keys if "crm_contacts" in k.asset_key.path}

    before = checks()
    file = tmp_path / "expectations/crm_contacts.json"
    body = json.loads(file.read_text())
    body["expectations"][2:3] = [
        {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "email"}}
    ]
    file.write_text(json.dumps(body))
    assert before - checks() == {"email_is_never_empty"}
    assert checks() - before == {"email_is_unique"}
