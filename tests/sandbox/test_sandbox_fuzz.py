"""Nothing that is sent to the sandbox breaks it: each answer is one that it means."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wfops_pipelines.sandbox.faults import KINDS

pytestmark = pytest.mark.components

QUICK = settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
PARAMS = {
    "crm": ("limit", "after", "updatedAfter", "updatedBefore"),
    "billing": ("limit", "starting_after", "updated[gte]", "updated[lt]", "created[gte]"),
    "support": ("page[size]", "page[after]", "updated_after", "updated_before"),
}
TEXTS = st.text(max_size=12) | st.sampled_from(
    ["0", "-1", "1e999", "inf", "nan", "²", "٣", "9" * 40, "0001-01-01T00:00:00+23:59", "AAAA"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@given(st.data())
@QUICK
@pytest.mark.parametrize("system", sorted(PARAMS))
def test_any_query_is_answered_or_a_400(call, system, data):
    params = data.draw(st.dictionaries(st.sampled_from(PARAMS[system]), TEXTS, max_size=3))
    assert call.listing(system, params).status in (200, 400)


@given(st.data())
@QUICK
def test_any_fault_is_taken_or_refused_and_what_is_taken_can_be_served(call, sandbox, data):
    kind = data.draw(st.sampled_from([k for k in KINDS if k != "timeout"]))
    usual = st.sampled_from([*KINDS[kind].values(), 0.5, 2, "rows", ["amount_due"], {"id": "x"}])
    names = st.sampled_from([*KINDS[kind], "extra"])
    params = data.draw(st.dictionaries(names, usual | JSON, max_size=2) | JSON)
    system = data.draw(st.sampled_from(sorted(PARAMS)))
    body = {"system": system, "fault": kind, "times": 1, "params": params}
    sent = {"Content-Type": "application/json"}
    try:
        taken = call.post("crm", "/_sandbox/faults", body, sent).status
        assert taken in (201, 422)
        if taken == 201:
            serve(call, system)
    finally:
        sandbox.client.clear_faults()


def serve(call, system: str) -> None:
    """Call with a fault on; an answer in JSON that is a planned one, or a cut body."""
    fault = call.sandbox.client.faults()[0]
    if fault["fault"] in ("truncated_page", "redirect", "server_error", "rate_limit"):
        return
    assert call.get(system).status == 200


@given(JSON)
@QUICK
def test_any_other_body_to_the_admin_is_refused(call, sandbox, body):
    sent = {"Content-Type": "application/json"}
    assert call.post("crm", "/_sandbox/faults", body, sent).status == 422
    assert call.post("crm", "/_sandbox/clock", body, sent).status in (200, 422)
    assert sandbox.client.about()["faults"] == []


@given(st.dictionaries(st.sampled_from(["now", "advance_seconds", "rate"]), JSON, max_size=2))
@QUICK
def test_any_clock_is_taken_or_refused_and_the_sandbox_still_answers(call, sandbox, body):
    sent = {"Content-Type": "application/json"}
    assert call.post("crm", "/_sandbox/clock", body, sent).status in (200, 422)
    assert call.get("crm").status == 200


@given(JSON | st.fixed_dictionaries({"body": JSON, "public": JSON}))
@QUICK
def test_any_reply_is_stored_or_refused(call, body):
    ticket = call.get("support").body["tickets"][5]["id"]
    status = call.post("support", f"/api/v2/tickets/{ticket}/comments", body).status
    assert status in (201, 422, 400)
