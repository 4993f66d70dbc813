"""`wfops suggest` on a published history."""

import json
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from wfops_pipelines import Policy, suggesting
from wfops_pipelines.checks.suite import read_suite
from wfops_pipelines.errors import WfopsError

pytestmark = pytest.mark.components

START = datetime(2026, 5, 1, 9, tzinfo=UTC)


def page(day):
    moment = START + timedelta(days=day)
    return [
        {
            "id": f"{day:03d}{i:03d}",
            "name": f"name-{i}",
            "amount": 10 + i,
            "plan": ("free", "pro")[i % 2],
            "updated_at": moment + timedelta(seconds=i),
        }
        for i in range(40)
    ]


@pytest.fixture
def grown(make_bench):
    def grow(days=10, policy=None):
        bench = make_bench(policy or Policy(reviewers="team", hold_rows_up_to=0.5))
        for day in range(days):
            bench.run(page(day))
        return bench

    return grow


def suite_file(bench):
    return bench.project.suites["things"].file


def test_a_diff_is_proposed_that_git_applies_and_the_file_stays(grown, tmp_path):
    bench = grown()
    before = suite_file(bench).read_bytes()
    found = suggesting.suggest(bench.sync, bench.project, bench.services)
    assert suite_file(bench).read_bytes() == before
    assert "passed on 3 of 3 that they had not seen (100%)" in found.report[0]
    assert "plan is one of free, pro" in found.added
    done = subprocess.run(
        ["git", "apply"], input=found.diff, text=True, cwd=tmp_path, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    suite = read_suite(suite_file(bench))
    assert "plan is one of free, pro" in [e.words for e in suite.expectations]
    again = suggesting.suggest(
        bench.sync, replace(bench.project, suites={"things": suite}), bench.services
    )
    assert again.diff == ""


def test_what_published_rows_do_not_meet_is_widened(grown):
    bench = grown()
    body = json.loads(suite_file(bench).read_text())
    body["expectations"][1]["kwargs"]["max_value"] = 20
    suite_file(bench).write_text(json.dumps(body))
    narrow = replace(bench.project, suites={"things": read_suite(suite_file(bench))})
    found = suggesting.suggest(bench.sync, narrow, bench.services)
    assert found.widened == ("amount is between 0 and 98",)
    assert '-{"name": "things"' in found.diff


def test_what_cannot_be_widened_is_said(grown):
    bench = grown()
    body = json.loads(suite_file(bench).read_text())
    body["expectations"].append(
        {"type": "expect_column_values_to_be_in_set",
         "kwargs": {"column": "plan", "value_set": ["free"], "row_condition": 'col("amount") > 12',
                    "condition_parser": "great_expectations"}}
    )  # fmt: skip
    suite_file(bench).write_text(json.dumps(body))
    odd = replace(bench.project, suites={"things": read_suite(suite_file(bench))})
    found = suggesting.suggest(bench.sync, odd, bench.services)
    assert any("fails on 9 of 9 published snapshots" in line for line in found.report)


def test_masked_values_stay_out_of_the_diff(grown):
    policy = Policy(reviewers="team", hold_rows_up_to=0.5, masked=("plan",))
    found = suggesting.suggest(*(lambda b: (b.sync, b.project, b.services))(grown(10, policy)))
    assert "free" not in found.diff
    assert "no value of a masked column is suggested: plan" in found.report


def test_too_little_history_is_said(grown):
    bench = grown(4)
    with pytest.raises(WfopsError, match=r"3 published snapshots .* Ask again when there are 8"):
        suggesting.suggest(bench.sync, bench.project, bench.services)
