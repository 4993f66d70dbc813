"""What others build on: round trips, no heavy imports, frozen nouns."""

from __future__ import annotations

import subprocess
import sys

import pyarrow as pa
import pytest

import wfops_pipelines.anomaly as anomaly
from wfops_pipelines.anomaly import Profile, RowModel, fit_rows, profile, score_snapshot
from wfops_pipelines.errors import SnapshotDamaged


def test_importing_the_package_imports_no_framework() -> None:
    code = (
        "import sys, wfops_pipelines.anomaly;"
        "print(sorted({'numpy','pyarrow','sklearn','scipy','pandas'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_is_there() -> None:
    assert all(hasattr(anomaly, name) for name in anomaly.__all__)


def test_a_profile_survives_json() -> None:
    one = profile(pa.table({"id": [1, 2, 3], "name": ["Ann", None, "N/A"]}), key="id")
    assert Profile.from_json(one.to_json()) == one


def test_a_row_model_survives_json() -> None:
    model = fit_rows(pa.table({"id": range(50), "name": ["Ann", "Bob"] * 25}), key="id")
    assert RowModel.from_json(model.to_json()) == model


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 99}', "null"])
def test_what_is_no_profile_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(SnapshotDamaged, match="profile"):
        Profile.from_json(text)


@pytest.mark.parametrize("budget", [0.0, 1.0, -1.0, 7.0])
def test_a_budget_that_is_no_share_is_refused(budget: float) -> None:
    with pytest.raises(ValueError, match="false_holds"):
        score_snapshot([], profile(pa.table({"a": [1]})), false_holds=budget)


def test_what_is_no_table_or_no_profile_is_refused_with_the_repair() -> None:
    with pytest.raises(TypeError, match="from_pylist"):
        profile([{"id": 1}])
    with pytest.raises(TypeError, match=r"profile\(table\)"):
        score_snapshot([], pa.table({"id": [1]}))  # type: ignore[arg-type]
