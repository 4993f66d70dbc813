"""Check results and schemas become findings that say what happened."""

import pyarrow as pa

from wfops_pipelines.checks.examine import findings_of, schema_drift
from wfops_pipelines.core.findings import CheckResult, Outcome, Severity


def result(outcome, **more):
    defaults = {"name": "email_is_never_empty", "words": "email is never empty"}
    return CheckResult(outcome=outcome, **defaults | {"severity": Severity.WARNING} | more)


def said(previous, current):
    return [
        (f.severity.value, f.sentence)
        for f in schema_drift(previous and pa.schema(previous), pa.schema(current))
    ]


def test_what_passed_is_no_finding():
    assert findings_of([result(Outcome.PASSED)]) == ()


def test_a_failure_keeps_its_severity_and_names_its_rows():
    failed = result(Outcome.FAILED, rows=1000, failed_rows=2, failed_keys=("7", "9"))
    (finding,) = findings_of([failed])
    assert (finding.check, finding.severity) == (
        "expectation:email_is_never_empty",
        Severity.WARNING,
    )
    assert finding.sentence == "expected: email is never empty; 2 of 1,000 rows fail"
    assert finding.keys == ("7", "9")


def test_an_error_is_critical_and_about_the_whole_snapshot():
    error = result(Outcome.ERROR, error="no column email", failed_rows=1, failed_keys=("1",))
    (finding,) = findings_of([error])
    assert (finding.severity, finding.about_rows) == (Severity.CRITICAL, False)
    assert finding.sentence.endswith("it could not be told: no column email")


def test_a_first_snapshot_and_an_equal_one_have_not_drifted():
    assert said(None, {"id": pa.int64()}) == []
    assert said({"id": pa.int64()}, {"id": pa.int64()}) == []


def test_a_new_column_is_critical_too():
    assert said({"id": pa.int64()}, {"id": pa.int64(), "vip": pa.bool_()}) == [
        ("critical", "column vip (bool) is new")
    ]


def test_a_gone_and_a_retyped_column_are_critical():
    assert said(
        {"id": pa.int64(), "amount": pa.int64(), "note": pa.string()},
        {"id": pa.string(), "note": pa.string()},
    ) == [
        ("critical", "column amount (int64) is gone"),
        (
            "critical",
            "column id changed its type from int64 to string: some value is no number. Once it is "
            "mended (in the sync's function or by an edit), the numbers are numbers again",
        ),
    ]


def test_a_renamed_column_is_called_renamed():
    assert said({"owner_id": pa.int64()}, {"owner": pa.string(), "ownerId": pa.int64()}) == [
        ("critical", "column owner_id seems to be renamed to ownerId"),
        ("critical", "column owner (string) is new"),
    ]


def test_two_gone_columns_do_not_share_one_new_name():
    drift = said(
        {"phone_1": pa.string(), "phone_2": pa.string()}, {"phone": pa.string(), "x": pa.int64()}
    )
    assert len([s for _, s in drift if "renamed" in s]) == 1
    assert len([s for _, s in drift if "is gone" in s]) == 1
