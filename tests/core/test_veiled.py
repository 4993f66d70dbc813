"""A finding about a masked column says what it can, and tells no value."""

import pytest

from wfops_pipelines.core.findings import Finding, Severity
from wfops_pipelines.core.veiled import veiled


def anomaly(statistic, sentence, kind="values", past=()):
    details = {"statistic": statistic, "kind": kind, "past": [*past]}
    return Finding("anomaly", Severity.CRITICAL, sentence, "email", "m", "e", (), details)


@pytest.mark.parametrize(
    "statistic",
    ["null", "distinct", "unseen letter pairs", "mix of words", "above the known range"],
)
def test_shares_that_tell_no_value_are_said_in_full(statistic):
    said = "email: nulls 30 %, last 20 snapshots 0 %–1 %"
    assert veiled(anomaly(statistic, said)) == said


@pytest.mark.parametrize(
    ("statistic", "kind"),
    [("share of 'ann@x.example'", "values"), ("length 'ann'", "text"), ("largest", "numbers"),
     ("flood of 'unseen words'", "values"), ("zero", "missing"), ("something new", "values")],
)  # fmt: skip
def test_what_quotes_or_measures_values_says_only_on_which_side_it_lies(statistic, kind):
    said = veiled(anomaly(statistic, "email: secret 4711", kind, [1.0, 2.0, 9.0]))
    assert "secret" not in said
    assert said.startswith("email (masked): its ")
    assert said.endswith("are above those of the last 2 snapshots")


@pytest.mark.parametrize(
    ("statistic", "kind", "words"),
    [("length mean", "text", "the mean of the lengths of its texts"),
     ("length 95% quantile", "text", "the high end of the lengths of its texts"),
     ("digits", "text", "the share of digits in its texts"),
     ("median", "numbers", "the median of its numbers"),
     ("spread", "numbers", "the spread of its numbers"),
     ("5% quantile", "numbers", "the low end of its numbers")],
)  # fmt: skip
def test_what_was_compared_is_said_where_it_tells_no_value(statistic, kind, words):
    assert veiled(anomaly(statistic, "email: secret 4711", kind, [1.0, 2.0, 9.0])) == (
        f"email (masked): {words} is above that of the last 2 snapshots (figures are left out, for "
        "the column is masked)"
    )


def test_without_a_history_it_says_no_side():
    assert veiled(anomaly("mean", "4711", "numbers")) == (
        "email (masked): its numbers are unlike those before"
    )


@pytest.mark.parametrize(
    ("check", "said"),
    [
        ("anomaly:row", "email (masked) makes 2 rows unlike the published ones"),
        ("expectation:email_is_set", "email (masked): expected: email is set; 2 rows fail"),
        ("high_impact", "email (masked): high impact, 2 rows"),
        ("critical_changes", "4711"),
    ],
)
def test_each_check_is_said_in_its_own_words(check, said):
    assert veiled(Finding(check, Severity.CRITICAL, "4711", "email", keys=("1", "2"))) == said
