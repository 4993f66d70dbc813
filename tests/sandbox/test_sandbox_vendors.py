"""The sandbox behaves like the vendors: tokens, windows, order, page cuts, errors."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from wfops_pipelines.sandbox import NOW

pytestmark = pytest.mark.components

SYSTEMS = ("crm", "billing", "support")
WINDOW = {
    "crm": ("updatedAfter", "updatedBefore"),
    "billing": ("updated[gte]", "updated[lt]"),
    "support": ("updated_after", "updated_before"),
}


def updated(system: str, record: dict[str, Any]) -> datetime:
    match system:
        case "crm":
            return datetime.fromisoformat(record["updatedAt"])
        case "billing":
            return datetime.fromtimestamp(record["updated"], NOW.tzinfo)
        case _:
            return datetime.fromisoformat(record["updated_at"])


def window(system: str, start: datetime, end: datetime) -> dict[str, object]:
    low, high = WINDOW[system]
    if system == "billing":
        return {low: int(start.timestamp()), high: int(end.timestamp())}
    return {low: start.isoformat(), high: end.isoformat()}


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_wrong_or_missing_token_is_refused_in_the_vendors_own_words(call, system):
    call.token = "wrong"
    answer = call.get(system)
    assert answer.status == 401
    expected = {
        "crm": ("category", "INVALID_AUTHENTICATION"),
        "billing": ("error", None),
        "support": ("error", "Couldn't authenticate you"),
    }[system]
    assert expected[0] in answer.body
    assert expected[1] in (None, answer.body[expected[0]])


@pytest.mark.parametrize("system", SYSTEMS)
def test_pages_of_any_size_give_the_same_records_once_and_in_order(call, system):
    day = window(system, NOW - timedelta(days=4), NOW)
    whole, _ = call.everything(system, 100, **day)
    for limit in (7, 50):
        assert call.everything(system, limit, **day)[0] == whole
    places = [(updated(system, r), r["id"]) for r in whole]
    assert [p[0] for p in places] == sorted(p[0] for p in places)
    assert len({r["id"] for r in whole}) == len(whole) > 50


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_page_that_is_exactly_full_is_the_last_one_and_says_so(call, system):
    window_ = window(system, NOW - timedelta(days=1), NOW)
    whole, _ = call.everything(system, 100, **window_)
    size = next(n for n in range(2, 101) if len(whole) % n == 0)
    _, pages = call.everything(system, size, **window_)
    assert pages == len(whole) // size


@pytest.mark.parametrize("system", SYSTEMS)
def test_neighbouring_windows_share_no_record_and_miss_none(call, system):
    start, end = NOW - timedelta(days=3), NOW
    whole, _ = call.everything(system, 100, **window(system, start, end))
    middle = updated(system, whole[len(whole) // 2])
    first, _ = call.everything(system, 100, **window(system, start, middle))
    second, _ = call.everything(system, 100, **window(system, middle, end))
    assert first + second == whole
    assert second[0] == whole[len(whole) // 2]


@pytest.mark.parametrize("system", SYSTEMS)
def test_only_what_was_updated_before_now_can_be_seen(call, system, sandbox):
    before, _ = call.everything(system, 100, **window(system, NOW, NOW + timedelta(days=30)))
    assert before == []
    sandbox.client.advance(timedelta(days=1))
    after, _ = call.everything(system, 100, **window(system, NOW, NOW + timedelta(days=30)))
    assert len(after) > 20
    assert max(updated(system, r) for r in after) < NOW + timedelta(days=1)


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_cursor_or_page_size_that_makes_no_sense_is_a_400(call, system):
    size, cursor = {
        "crm": ("limit", "after"),
        "billing": ("limit", "starting_after"),
        "support": ("page[size]", "page[after]"),
    }[system]
    for bad in ({size: 0}, {size: 101}, {size: "x"}, {cursor: "%%%"}, {WINDOW[system][0]: "soon"}):
        assert call.listing(system, bad).status == 400, bad


def test_stripe_style_lists_can_be_cut_by_creation_time_too(call):
    low, high = int((NOW - timedelta(days=9)).timestamp()), int(NOW.timestamp()) - 86_400
    found, _ = call.everything("billing", 100, **{"created[gte]": low, "created[lt]": high})
    assert found
    assert all(low <= invoice["created"] < high for invoice in found)


def test_a_next_link_can_be_followed_as_it_is(call):
    body = call.get("support").body
    assert call.call("support", "GET", body["links"]["next"]).body["tickets"]


TICKET = "/api/v2/tickets/{}/comments"


def test_a_reply_is_stored_once_for_each_key_and_answered_the_same_again(call):
    ticket = call.get("support").body["tickets"][3]["id"]
    body = {"comment": {"body": "We are on it.", "public": True}}
    key = {"Idempotency-Key": "release-1"}
    first = call.post("support", TICKET.format(ticket), body, key)
    again = call.post("support", TICKET.format(ticket), body, key)
    assert (first.status, again.status) == (201, 201)
    assert again.body == first.body
    assert again.headers["idempotent-replayed"] == "true"
    thread = call.get("support", TICKET.format(ticket)).body["comments"]
    assert [c["body"] for c in thread[1:]] == ["We are on it."]


def test_a_key_used_for_another_reply_is_refused_and_stores_nothing(call, sandbox):
    first, second = (t["id"] for t in call.get("support").body["tickets"][1:3])
    key = {"Idempotency-Key": "release-2"}
    assert call.post("support", TICKET.format(first), {"body": "one"}, key).status == 201
    stored = sandbox.client.about()["comments"]
    assert call.post("support", TICKET.format(first), {"body": "two"}, key).status == 422
    assert call.post("support", TICKET.format(second), {"body": "one"}, key).status == 422
    assert sandbox.client.about()["comments"] == stored


def test_replies_that_cannot_be_are_refused(call):
    ticket = call.get("support").body["tickets"][0]["id"]
    assert call.post("support", TICKET.format(1), {"body": "hello"}).status == 404
    for bad in ({}, {"comment": {}}, {"body": "  "}, {"comment": []}, [], {"body": 7}):
        assert call.post("support", TICKET.format(ticket), bad).status == 422, bad
    refused = call.call("support", "POST", TICKET.format(ticket), b"{")
    assert refused.status == 400
