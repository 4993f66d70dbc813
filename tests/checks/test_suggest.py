"""What is proposed from history, and how it is put into a suite's text."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest

from wfops_pipelines.checks.gx import run_suite
from wfops_pipelines.checks.suggest import amended, enough, entries_of, tried
from wfops_pipelines.checks.suggest.patterns import pattern_of
from wfops_pipelines.checks.suggest.propose import propose
from wfops_pipelines.checks.suggest.trial import suite_of
from wfops_pipelines.core.findings import Outcome

START = datetime(2026, 5, 1, tzinfo=UTC)


def day(number, rows=60, **changed):
    made = [START + timedelta(days=number, minutes=i) for i in range(rows)]
    columns = {
        "id": [f"in_{number:03d}{i:04d}" for i in range(rows)],
        "email": [f"p{number}.{i}@example.com" for i in range(rows)],
        "status": [("open", "paid", "void")[i % 3] for i in range(rows)],
        "amount": [100 + (number * 7 + i * 13) % 400 for i in range(rows)],
        "note": ["thanks" if i % 4 else None for i in range(rows)],
        "created_at": made,
        "updated_at": [m + timedelta(hours=2) for m in made],
    }
    return pa.table({**columns, **changed})


HISTORY = [day(n, 50 + n) for n in range(16)]


def kwargs_of(entries, type_):
    return [e["kwargs"] for e in entries if e["type"] == f"expect_{type_}"]


def sets_of(entries):
    found = kwargs_of(entries, "column_values_to_be_in_set")
    return {k["column"]: k["value_set"] for k in found}


def test_what_was_always_so_is_proposed_with_room_for_the_next():
    entries = propose(HISTORY, key="id")
    assert sets_of(entries) == {"status": ["open", "paid", "void"], "note": ["thanks"]}
    assert kwargs_of(entries, "column_values_to_be_between") == [
        {"column": "amount", "min_value": 0, "max_value": 1000}
    ]
    assert {"column": "id", "regex": "^in_[A-Za-z0-9]+$"} in kwargs_of(
        entries, "column_values_to_match_regex"
    )
    filled = {
        k["column"]: k.get("mostly") for k in kwargs_of(entries, "column_values_to_not_be_null")
    }
    assert filled["email"] is None
    assert 0.4 < filled["note"] < 0.75
    assert kwargs_of(entries, "column_pair_values_a_to_be_greater_than_b") == [
        {"column_A": "updated_at", "column_B": "created_at", "or_equal": True}
    ]
    assert kwargs_of(entries, "table_row_count_to_be_between") == [
        {"min_value": 16, "max_value": 200}
    ]


def test_only_what_names_the_key_is_critical():
    critical = {e["kwargs"].get("column") for e in propose(HISTORY, key="id")
                if e["severity"] == "critical"}  # fmt: skip
    assert critical == {"id"}


def test_no_value_of_a_masked_column_is_proposed():
    text = json.dumps(propose(HISTORY, key="id", masked=frozenset({"status", "amount", "id"})))
    assert "paid" not in text
    assert "in_" not in text.replace("_in_", "").replace("min_", "").replace("expect_", "")
    assert '"column": "amount", "min_value"' not in text
    assert '{"column": "status"}' in text  # that it is filled is no value


@pytest.mark.slow
def test_the_next_snapshot_meets_the_suite_and_a_broken_one_does_not():
    suite = suite_of(propose(HISTORY, key="id"))
    good = run_suite(suite, day(16), key="id")
    assert [r.words for r in good if r.outcome is not Outcome.PASSED] == []
    broken = day(17, amount=[v * 100 for v in day(17)["amount"].to_pylist()])
    failed = [r.column for r in run_suite(suite, broken, key="id") if r.outcome is Outcome.FAILED]
    assert failed == ["amount"]


def test_what_fails_on_trial_is_dropped_and_named():
    fading = [*HISTORY[:13], *(day(n, status=["new"] * 60) for n in range(13, 16))]
    trial = tried(fading, key="id")
    assert (trial.fitted, trial.chosen_on, trial.judged, trial.passed) == (8, 4, 4, 1)
    assert trial.dropped == ("status is one of open, paid, void",)
    assert "status" not in sets_of(trial.entries)


def test_a_rare_value_makes_no_set_and_a_long_list_of_values_neither():
    odd = [day(n, status=["odd" if n == 3 and i == 0 else "usual" for i in range(60)])
           for n in range(10)]  # fmt: skip
    assert "status" not in sets_of(propose(odd, key="id"))
    many = [day(n, status=[f"s{i % 40}" for i in range(60)]) for n in range(10)]
    assert "status" not in sets_of(propose(many, key="id"))


def test_a_version_that_has_not_changed_yet_is_no_set():
    same = [day(n, status=["v4.1.0"] * 60) for n in range(10)]
    assert "status" not in sets_of(propose(same, key="id"))


def test_few_rows_say_nothing_about_a_column():
    tiny = [day(n, 3) for n in range(8)]
    assert [e["type"] for e in propose(tiny, key="id")] == ["expect_table_row_count_to_be_between"]
    assert enough(tiny)
    assert not enough(tiny[:7])


@pytest.mark.parametrize(
    "column",
    [
        pa.array([None] * 60, pa.string()),
        pa.array([None] * 60, pa.null()),
        pa.array([float("nan"), float("inf"), 1.0] * 20),
        pa.array([Decimal("1.10")] * 60),
        pa.array([True, False, None] * 20),
        pa.array([[1], [], None] * 20),
        pa.array([{"a": 1}] * 60),
        pa.array([""] * 60),
        pa.array([2**62] * 60),
        pa.array([-0.001] * 60),
    ],
    ids=str,
)
def test_odd_columns_make_a_suite_that_they_meet(column):
    tables = [day(n, odd=column) for n in range(8)]
    suite = suite_of(propose(tables, key="id"))
    results = run_suite(suite, tables[-1], key="id")
    assert [(r.words, r.error) for r in results if r.outcome is not Outcome.PASSED] == []


@pytest.mark.parametrize(
    ("values", "pattern"),
    [
        (["a@b.de", "x.y@z.org"], r"^[^@\s]+@[^@\s]+\.[^@\s]+$"),
        (["DE", "FR"], "^[A-Z]{2}$"),
        (["cus_1aB", "cus_2"], "^cus_[A-Za-z0-9]+$"),
        (["SO-1", "SO-2"], r"^SO\-[A-Za-z0-9]+$"),
        (["SO-1", "PO-2"], None),
        (["two words", "other"], None),
    ],
)
def test_patterns(values, pattern):
    assert pattern_of(values) == pattern


SUITE = """{
  "name": "things",  "meta": {"note": "ours, [hand-made]"},
  "expectations": [
    {"type":  "expect_column_values_to_not_be_null", "kwargs": {"column": "a"}},
    {
      "type": "expect_table_row_count_to_equal",
      "kwargs": {"value": 3}
    }
  ],
  "suite_parameters": {"n": 1}
}
"""
NEW = {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "é"}}


def test_a_suite_is_amended_and_every_other_byte_stays():
    wider = {"type": "expect_table_row_count_to_equal", "kwargs": {"value": 4}}
    text = amended(SUITE, {1: wider}, [NEW])
    assert entries_of(text) == [entries_of(SUITE)[0], wider, NEW]
    assert text.startswith(SUITE[: SUITE.index("{\n      ")])
    assert text.endswith('"é"}}\n  ],\n  "suite_parameters": {"n": 1}\n}\n')


@pytest.mark.parametrize("body", ['{"name": "x", "expectations": []}', SUITE])
def test_a_suite_grows_from_nothing_and_stays_as_it_is_when_there_is_nothing_to_say(body):
    assert amended(body, {}, []) == body
    assert entries_of(amended(body, {}, [NEW, NEW]))[-2:] == [NEW, NEW]
