"""Each fault does what it says, as often as it was asked for, to its system only."""

from __future__ import annotations

import socket
from collections import Counter
from datetime import timedelta
from http.client import IncompleteRead
from json import JSONDecodeError

import pytest

from wfops_pipelines.sandbox import NOW, SandboxRefused

pytestmark = pytest.mark.components

SYSTEMS = ("crm", "billing", "support")
KEYS = {"crm": "results", "billing": "data", "support": "tickets"}
WEEK = {
    "crm": {"updatedAfter": (NOW - timedelta(days=7)).isoformat()},
    "billing": {"updated[gte]": int((NOW - timedelta(days=7)).timestamp())},
    "support": {"updated_after": (NOW - timedelta(days=7)).isoformat()},
}


def week(call, system):
    return call.everything(system, 100, **WEEK[system])[0]


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_rate_limit_says_when_to_come_back_and_ends_after_its_times(call, sandbox, system):
    sandbox.client.set_fault(system, "rate_limit", times=2, retry_after=3)
    answers = [call.get(system) for _ in range(3)]
    assert [a.status for a in answers] == [429, 429, 200]
    assert answers[0].headers["retry-after"] == "3"
    others = [s for s in SYSTEMS if s != system]
    assert [call.get(other).status for other in others] == [200, 200]


def test_a_fault_without_times_stays_until_it_is_deleted(call, sandbox):
    sandbox.client.set_fault("crm", "server_error", status=502)
    assert [call.get("crm").status for _ in range(4)] == [502] * 4
    sandbox.client.clear_faults("billing")
    assert call.get("crm").status == 502
    sandbox.client.clear_faults("crm")
    assert call.get("crm").status == 200


def test_an_answer_that_never_comes_lets_the_others_through(call, sandbox):
    sandbox.client.set_fault("crm", "timeout", times=1, seconds=30)
    with pytest.raises((TimeoutError, socket.timeout)):
        call.call("crm", "GET", "/crm/v3/objects/contacts", timeout=0.2)
    assert call.get("crm").status == 200


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_page_loses_rows_without_a_word(call, sandbox, system):
    whole = week(call, system)
    sandbox.client.set_fault(system, "truncated_page", times=1, variant="rows", share=0.3)
    less = week(call, system)
    assert len(whole) - len(less) == 30
    assert [r for r in whole if r in less] == less


@pytest.mark.parametrize(
    ("variant", "error"), [("body", IncompleteRead), ("json", JSONDecodeError)]
)
def test_a_body_is_cut_short_of_its_length_or_of_its_sense(call, sandbox, caplog, variant, error):
    sandbox.client.set_fault("billing", "truncated_page", times=1, variant=variant)
    with pytest.raises(error):
        call.get("billing")
    assert call.get("billing").status == 200
    assert caplog.records == []


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_repeated_page_brings_the_first_page_again(call, sandbox, system):
    whole = week(call, system)
    sandbox.client.set_fault(system, "repeated_page", times=1)
    repeated = week(call, system)
    assert repeated == whole[:100] + whole


@pytest.mark.parametrize("system", SYSTEMS)
def test_an_answer_without_its_data_key_is_still_a_200(call, sandbox, system):
    sandbox.client.set_fault(system, "no_envelope", times=1)
    answer = call.get(system)
    assert answer.status == 200
    assert KEYS[system] not in answer.body


def test_next_links_point_to_where_the_fault_says(call, sandbox):
    for system in ("crm", "support"):
        sandbox.client.set_fault(system, "evil_next_link", origin="http://evil.example")
    assert call.get("support").body["links"]["next"].startswith("http://evil.example/api/v2/")
    link = call.get("crm").body["paging"]["next"]["link"]
    assert link.startswith("http://evil.example/crm/v3/")


@pytest.mark.parametrize(
    ("system", "name", "old", "new"),
    [
        ("crm", "lifecyclestage", "customer", "client"),
        ("billing", "status", "paid", "settled"),
        ("support", "status", "open", "in_progress"),
    ],
)
def test_an_enum_value_changes_its_name_everywhere(call, sandbox, system, name, old, new):
    def values():
        return Counter(r.get("properties", r)[name] for r in week(call, system))

    before = values()
    sandbox.client.set_fault(system, "changed_enum")
    after = values()
    assert before[old] > 0
    assert (after[old], after[new]) == (0, before[old])


def test_units_change_by_the_factor_for_the_share_that_was_asked(call, sandbox):
    before = {r["id"]: r["amount_due"] for r in week(call, "billing")}
    sandbox.client.set_fault("billing", "unit_change", share=0.1)
    after = {r["id"]: r["amount_due"] for r in week(call, "billing")}
    grown = [i for i in before if after[i] == 100 * before[i]]
    assert 0.05 < len(grown) / len(before) < 0.15
    assert all(after[i] == before[i] for i in before if i not in grown)


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_volume_drops_by_the_share_and_always_loses_the_same_rows(call, sandbox, system):
    whole = week(call, system)
    sandbox.client.set_fault(system, "volume_drop", share=0.4)
    less = week(call, system)
    assert 0.5 < len(less) / len(whole) < 0.7
    assert week(call, system) == less


@pytest.mark.parametrize(
    ("system", "gone", "come"),
    [
        ("crm", "lifecyclestage", "lifecycle_stage"),
        ("billing", "customer_email", "email"),
        ("support", "priority", "urgency"),
    ],
)
def test_a_schema_changes_by_a_new_name_and_a_new_type(call, sandbox, system, gone, come):
    retyped = {"crm": "hubspot_owner_id", "billing": "amount_due", "support": "tags"}[system]
    before = [r.get("properties", r) for r in week(call, system)]
    sandbox.client.set_fault(system, "schema_change")
    after = [r.get("properties", r) for r in week(call, system)]
    assert [r[come] for r in after] == [r[gone] for r in before]
    assert not any(gone in r for r in after)
    types = [{type(r[retyped]) for r in rows} - {type(None)} for rows in (before, after)]
    assert types[0] != types[1]


@pytest.mark.parametrize("system", SYSTEMS)
def test_late_rows_come_after_a_reader_has_passed_their_time(call, sandbox, system):
    on_time = {r["id"] for r in week(call, system)}
    sandbox.client.set_fault(system, "late_rows", share=0.3, delay_seconds=3600)
    first = week(call, system)
    sandbox.client.advance(timedelta(hours=1))
    second = week(call, system)
    late = [r for r in second if r not in first and r["id"] in on_time]
    times = {"crm": "updatedAt", "billing": "updated", "support": "updated_at"}[system]
    watermark = max(r[times] for r in first)
    assert any(r[times] <= watermark for r in late)


def test_a_write_fault_can_lose_the_answer_after_the_reply_was_stored(call, sandbox):
    ticket = call.get("support").body["tickets"][0]["id"]
    path, key = f"/api/v2/tickets/{ticket}/comments", {"Idempotency-Key": "lost"}
    stored = sandbox.client.about()["comments"]
    sandbox.client.set_fault("support", "server_error", times=1, on="write", when="after")
    assert call.get("support").status == 200
    assert call.post("support", path, {"body": "Hello"}, key).status == 500
    assert sandbox.client.about()["comments"] == stored + 1
    again = call.post("support", path, {"body": "Hello"}, key)
    assert (again.status, again.headers.get("idempotent-replayed")) == (201, "true")
    assert sandbox.client.about()["comments"] == stored + 1


@pytest.mark.parametrize(
    ("system", "fault", "params", "words"),
    [
        ("erp", "rate_limit", {}, "system must be one of"),
        ("crm", "gremlins", {}, "fault must be one of"),
        ("crm", "rate_limit", {"speed": 1}, "rate_limit takes"),
        ("crm", "unit_change", {}, "no amounts"),
        ("billing", "evil_next_link", {}, "no next links"),
        ("crm", "truncated_page", {"variant": "all"}, "variant must be one of"),
        ("crm", "volume_drop", {"share": "half"}, "share must be"),
        ("crm", "volume_drop", {"share": 2}, "share must be"),
        ("crm", "timeout", {"seconds": -1}, "seconds must be"),
        ("crm", "server_error", {"status": 200}, "status must be"),
        ("crm", "late_rows", {"delay_seconds": None}, "delay_seconds must be"),
        ("billing", "unit_change", {"factor": "x"}, "factor must be"),
        ("billing", "unit_change", {"fields": "amount_due"}, "fields must be"),
        ("crm", "schema_change", {"rename": ["a"]}, "rename must be"),
    ],
)
def test_a_fault_that_cannot_be_is_refused_with_what_can(sandbox, system, fault, params, words):
    with pytest.raises(SandboxRefused, match=words):
        sandbox.client.set_fault(system, fault, **params)
    assert sandbox.client.faults() == []


def test_times_must_be_a_positive_number(sandbox):
    for times in (0, -1, 1.5, True, "2"):
        with pytest.raises(SandboxRefused, match="times"):
            sandbox.client.set_fault("crm", "rate_limit", times=times)


def test_the_admin_takes_only_bodies_that_a_web_page_cannot_send(call):
    sent = {"Content-Type": "text/plain"}
    body = b'{"system": "crm", "fault": "rate_limit"}'
    assert call.call("crm", "POST", "/_sandbox/faults", body, sent).status == 422
    assert call.call("crm", "POST", "/_sandbox/clock", b"{}", sent).status == 422


@pytest.mark.parametrize("body", [{"now": "soon"}, {"now": "2026-06-15T09:00:00"}, {"rate": "x"}])
def test_a_clock_that_cannot_be_read_is_refused(call, sandbox, body):
    sent = {"Content-Type": "application/json"}
    assert call.post("crm", "/_sandbox/clock", body, sent).status == 422
    assert sandbox.client.now() == NOW
