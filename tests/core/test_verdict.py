import pytest
from hypothesis import given
from hypothesis import strategies as st

from wfops_pipelines.core.findings import Finding, Severity
from wfops_pipelines.core.policy import Policy
from wfops_pipelines.core.verdict import Hold, Publish, decide


def finding(severity=Severity.CRITICAL, keys=()):
    return Finding("expectation:x", severity, "x is odd", keys=tuple(keys))


def test_a_snapshot_without_findings_is_published():
    assert decide([], 10, Policy()) == Publish()


def test_information_and_warnings_do_not_hold():
    found = [finding(Severity.INFO), finding(Severity.WARNING)]
    assert decide(found, 10, Policy()) == Publish()


def test_warnings_hold_where_the_policy_says_so():
    found = finding(Severity.WARNING)
    assert decide([found], 10, Policy(warnings_hold=True)) == Hold((found,))


def test_a_finding_about_the_snapshot_holds_all_of_it():
    whole, row = finding(), finding(keys=["7"])
    assert decide([row, whole], 1000, Policy()) == Hold((row, whole))


def test_findings_about_rows_hold_those_rows_only():
    verdict = decide([finding(keys=["1", "2"]), finding(keys=["2", "3"])], 100, Policy())
    assert isinstance(verdict, Hold)
    assert verdict.keys == {"1", "2", "3"}


def test_too_many_flagged_rows_hold_the_whole_snapshot():
    policy = Policy(hold_rows_up_to=0.2)
    few = decide([finding(keys=["1", "2"])], 10, policy)
    many = decide([finding(keys=["1", "2", "3"])], 10, policy)
    assert isinstance(few, Hold)
    assert isinstance(many, Hold)
    assert few.keys == {"1", "2"}
    assert many.keys is None


def test_a_policy_of_whole_snapshots_never_splits_one():
    verdict = decide([finding(keys=["1"])], 1000, Policy(scope="whole"))
    assert verdict == Hold((finding(keys=["1"]),))


@given(
    st.lists(
        st.builds(
            finding,
            severity=st.sampled_from(Severity),
            keys=st.lists(st.sampled_from("abcdef"), max_size=3),
        )
    ),
    st.integers(1, 50),
)
def test_every_key_of_a_critical_finding_is_held(findings, rows):
    verdict = decide(findings, rows, Policy())
    critical = [f for f in findings if f.severity is Severity.CRITICAL]
    assert isinstance(verdict, Hold) == bool(critical)
    if isinstance(verdict, Hold) and verdict.keys is not None:
        assert {k for f in critical for k in f.keys} == verdict.keys
        assert all(f.keys for f in critical)


@pytest.mark.parametrize(
    ("policy", "field"),
    [
        (Policy(false_holds=0), "false_holds"),
        (Policy(approvals=0), "approvals"),
        (Policy(scope="half"), "scope"),
        (Policy(hold_rows_up_to=1.2), "hold_rows_up_to"),
        (Policy(while_held="wait"), "while_held"),
        (Policy(reviewers=" "), "reviewers"),
    ],
)
def test_a_policy_that_cannot_be_names_the_field(policy, field):
    assert [name for name, _ in policy.problems()] == [field]
