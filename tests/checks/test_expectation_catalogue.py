"""The file of known expectation types says what the installed Great Expectations says."""

import json
import subprocess
import sys

from wfops_pipelines.checks.known import CATALOGUE, core_types, snake_case


def test_the_catalogue_matches_the_installed_great_expectations():
    from wfops_pipelines.checks.gx.catalogue import installed_catalogue

    written = json.loads(CATALOGUE.read_text())
    assert written == installed_catalogue(), (
        "write it anew: python -m wfops_pipelines.checks.gx.catalogue"
    )


def test_class_names_become_the_types_that_great_expectations_gives_them():
    assert {t.type: snake_case(t.class_name) for t in core_types().values()} == {
        name: name for name in core_types()
    }


def test_reading_a_suite_imports_no_heavy_library():
    heavy = "{'great_expectations', 'pandas', 'numpy', 'pyarrow', 'jinja2'}"
    code = (
        "import sys, wfops_pipelines.checks.suite, wfops_pipelines.checks.examine\n"
        f"print({heavy} & set(sys.modules) or 'light')"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "light"
