"""Who is asked: rules first, then what was learned, never a group that the policy does not name."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from wfops_pipelines.core.findings import Finding, Severity
from wfops_pipelines.core.policy import Policy, Route
from wfops_pipelines.core.reviews import Review, ReviewKind, ReviewState
from wfops_pipelines.core.routing import permitted, route_failure, route_hold

SUMMARY = "3 of 9 rows held: price: median 40, expected 30"
CAUSE = "anomaly: price"
POLICY = Policy(
    reviewers="team", escalate_hours=1, escalate_to="boss",
    routes=(Route("finance", column="amount"), Route("data", check="anomaly"),
            Route("ops", failure="auth")),
)  # fmt: skip


def finding(check: str = "expectation:x", column: str | None = None) -> Finding:
    return Finding(check, Severity.CRITICAL, "s", column=column)


def past(group: str, cause: str = CAUSE, summary: str = SUMMARY) -> Review:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Review(
        "rv-1", "s", 1, ReviewKind.WHOLE, ReviewState.APPROVED, "ab", summary, group, at, "",
        cause=cause, decided_by="ana",
    )  # fmt: skip


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
    routed = route_hold(CAUSE, [found], POLICY, [])
    assert routed.group == group
    assert bool(routed.why) == (group != "team")


def test_a_failure_goes_by_its_kind():
    assert route_failure("auth", "x", POLICY, []).group == "ops"
    assert route_failure("network", "x", POLICY, []).group == "team"


def test_what_one_group_decided_often_is_sent_to_it():
    other = past("team", "schema: other")
    assert route_hold(CAUSE, [finding()], POLICY, [past("boss")] * 2).group == "team"
    learned = route_hold(CAUSE, [finding()], POLICY, [past("boss")] * 3 + [other] * 9)
    assert learned.group == "boss"
    assert learned.why == "learned: boss decided 3 of 3 like it"
    mixed = [past("boss")] * 3 + [past("team")] * 2
    assert route_hold(CAUSE, [finding()], POLICY, mixed).group == "team"


def test_what_a_deadline_handed_on_and_no_person_decided_teaches_no_route():
    moved = replace(past("boss"), decided_by="machine:deadline")
    assert route_hold(CAUSE, [finding()], POLICY, [moved] * 9).group == "team"


def test_a_group_that_the_policy_does_not_name_is_never_learned():
    assert route_hold(CAUSE, [finding()], POLICY, [past("strangers")] * 50).group == "team"
    assert permitted(POLICY) == ("team", "finance", "data", "ops", "boss")


@pytest.mark.parametrize(
    "routes", [(Route("x"),), ("x",), Route("x", column="a"), (Route("", column="a"),)]
)
def test_a_rule_about_nothing_is_refused(routes):
    assert [f for f, _ in Policy(routes=routes).problems()] == ["routes"]
