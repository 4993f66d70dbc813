"""The definitions that Dagster loads from this project, against a golden file.

After a change on purpose: `python -m tests.orchestration.golden` writes the file anew.
"""

import json
from pathlib import Path

from tests.orchestration.golden import FILE, loaded


def test_the_loaded_definitions_are_the_ones_we_mean():
    assert loaded() == json.loads(Path(FILE).read_text("utf-8"))


def test_every_expectation_is_an_asset_check_in_words():
    from wfops_pipelines import workbench

    checks = loaded()["checks"]
    for name, suite in workbench.project().suites.items():
        for expectation in suite.expectations:
            assert checks[f"{name}/staged:{expectation.name}"] == expectation.words
