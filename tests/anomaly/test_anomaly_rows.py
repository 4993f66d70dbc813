"""Rows: the budget is kept, the wrong cell is named, identifiers may be new."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from anomaly_demo_streams import STREAMS, crm_contacts

from wfops_pipelines.anomaly import RowModel, fit_rows, score_rows
from wfops_pipelines.anomaly._trees import Trees, path_scores
from wfops_pipelines.errors import SchemaRefused

DAYS = [crm_contacts(6, day) for day in range(14)]
MODEL = fit_rows(DAYS[:12], key="id")


@pytest.mark.parametrize("sync", STREAMS)
def test_a_budget_of_two_percent_holds_about_two_percent_of_clean_rows(sync: str) -> None:
    make = STREAMS[sync][0]
    model = fit_rows([make(6, day) for day in range(12)], key="id")
    clean = np.concatenate([score_rows(model, make(6, day)).p_value for day in range(12, 18)])
    assert (clean <= 0.02).mean() < 0.035


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("email", "ann at acme"),
        ("lifecycle_stage", "LEAD"),
        ("country", "Germany"),
        ("owner_id", -1),
    ],
)
def test_a_wrong_cell_is_found_and_named(column: str, value: object) -> None:
    rows = DAYS[13].to_pylist()
    rows[5][column] = value
    scores = score_rows(MODEL, pa.Table.from_pylist(rows, schema=DAYS[13].schema))
    assert scores.p_value[5] <= 0.02
    assert scores.reasons(5)[0].column == column
    assert scores.reasons(5)[0].sentence.startswith(f"{column}: ")


def test_a_new_identifier_alone_is_never_a_reason() -> None:
    rows = DAYS[13].to_pylist()
    before = score_rows(MODEL, DAYS[13]).score[5]
    rows[5]["id"] = 19_999_998
    after = score_rows(MODEL, pa.Table.from_pylist(rows, schema=DAYS[13].schema)).score[5]
    assert after <= before + 0.2


def test_a_stored_model_gives_the_same_bits() -> None:
    again = RowModel.from_json(MODEL.to_json())
    assert (score_rows(again, DAYS[13]).score == score_rows(MODEL, DAYS[13]).score).all()


def test_a_missing_column_is_refused_with_its_name() -> None:
    with pytest.raises(SchemaRefused, match="email"):
        score_rows(MODEL, DAYS[13].drop_columns(["email"]))


def test_the_padded_trees_score_as_scikit_learn_does() -> None:
    from sklearn.ensemble import IsolationForest

    x = np.random.default_rng(1).normal(size=(500, 6))
    forest = IsolationForest(n_estimators=30, random_state=0).fit(x)
    assert np.abs(path_scores(Trees.of(forest), x) + forest.score_samples(x)).max() < 1e-12
