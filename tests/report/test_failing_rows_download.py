"""The download has every failing row and nothing that a spreadsheet would run."""

import csv
import io
from dataclasses import replace

import pytest

from tests.report.sample_reports import HOSTILE, hostile, ordinary
from wfops_pipelines.report import Check, failing_rows_csv
from wfops_pipelines.report.download import safe_cell


def rows_of(report):
    return list(csv.reader(io.StringIO(failing_rows_csv(report), newline="")))


def test_every_failing_row_is_there_with_its_reasons():
    header, *rows = rows_of(ordinary())
    assert header[:3] == ["row", "reasons", "id"]
    assert len(rows) == 15
    assert rows[0][:2] == [
        "1000",
        "critical: expected: email is never empty; "
        "warning: expected: amount_due is between 0 and 5,000,000",
    ]


def test_no_row_is_left_out_of_a_long_list():
    report = ordinary()
    keys = tuple(str(i) for i in range(5000))
    many = replace(report.checks[1].result, failed_keys=keys)
    assert len(rows_of(replace(report, checks=(Check(many),)))) == 5001


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1+1",
        "-1+1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        " =1",
        "\x00=1",
        "|calc",
        "\uff1d1",
        "\u00a0=1",
        "-cmd|' /C calc'!A0",
    ],
)
def test_formulas_become_text(text):
    assert safe_cell(text).startswith("'")


@pytest.mark.parametrize(
    ("value", "cell"),
    [(-5, "-5"), (-1.5, "-1.5"), ("-12.50", "-12.50"), (1e-7, "1e-07"), (True, "true"), (None, "")],
)
def test_numbers_and_plain_values_stay(value, cell):
    assert safe_cell(value) == cell


def test_no_cell_of_a_hostile_report_is_a_formula():
    cells = [cell for row in rows_of(hostile()) for cell in row]
    assert not [c for c in cells if c[:1] in "=+-@|" and c]


def test_masked_columns_are_masked_in_the_download():
    report = replace(ordinary(), masked=frozenset({"name", "id"}))
    text = failing_rows_csv(report)
    assert "Ada" not in text
    assert "1000" not in text
    assert HOSTILE[0] not in text
