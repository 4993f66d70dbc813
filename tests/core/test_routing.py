"""Who is asked: rules first, then what was learned, never a group that the policy does not name."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from wfops_pipelines.core.findings import Finding, Severity
from wfops_pipelines.core.policy import Policy, Route
from wfops_pipelines.core.reviews import Review, ReviewKind, ReviewState
from wfops_pipelines.core.routing import permitted, route_failure, route_hold

SUMMARY = "3 of 9 rows held: price: median 40, expected 30"
POLICY = Policy(
    reviewers="team", escalate_hours=1, escalate_to="boss",
    routes=(Route("finance", column="amount"), Route("data", check="anomaly"),
            Route("ops", failure="auth")),
)  # fmt: skip


def finding(check: str = "expectation:x", column: str | None = None) -> Finding:
    return Finding(check, Severity.CRITICAL, "s", column=column)


def past(group: str, summary: str = SUMMARY) -> Review:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Review(
        "rv-1", "s", 1, ReviewKind.WHOLE, ReviewState.APPROVED, "ab", summary, group, at, ""
    )


@pytest.mark.parametrize(
    ("found", "group"),
    [
        (finding(column="amount"), "finance"),
        (finding("anomaly", "amount"), "finance"),
        (finding("anomaly", "price"), "data"),
        (finding("anomaly:row"), "data"),
        (finding("anomalyx"), "team"),
        (finding(), "team"),
    ],
)
def test_the_first_rule_that_fits_says_who(found, group):
    routed = route_hold(SUMMARY, [found], POLICY, [])
    assert routed.group == group
    assert bool(routed.why) == (group != "team")


def test_a_failure_goes_by_its_kind():
    assert route_failure("auth", "x", POLICY, []).group == "ops"
    assert route_failure("network", "x", POLICY, []).group == "team"


def test_what_one_group_decided_often_is_sent_to_it():
    other = replace(past("team"), summary="1 of 2 rows held: other")
    assert route_hold(SUMMARY, [finding()], POLICY, [past("boss")] * 2).group == "team"
    learned = route_hold(SUMMARY, [finding()], POLICY, [past("boss")] * 3 + [other] * 9)
    assert learned.group == "boss"
    assert learned.why == "learned: boss decided 3 of 3 like it"
    mixed = [past("boss")] * 3 + [past("team")] * 2
    assert route_hold(SUMMARY, [finding()], POLICY, mixed).group == "team"


def test_the_figures_of_a_summary_do_not_make_another_cause():
    like = past("boss", "7 of 11 rows held: price: median 99, expected 31")
    assert route_hold(SUMMARY, [finding()], POLICY, [like] * 3).group == "boss"


def test_a_group_that_the_policy_does_not_name_is_never_learned():
    assert route_hold(SUMMARY, [finding()], POLICY, [past("strangers")] * 50).group == "team"
    assert permitted(POLICY) == ("team", "finance", "data", "ops", "boss")


@pytest.mark.parametrize(
    "routes", [(Route("x"),), ("x",), Route("x", column="a"), (Route("", column="a"),)]
)
def test_a_rule_about_nothing_is_refused(routes):
    assert [f for f, _ in Policy(routes=routes).problems()] == ["routes"]
