"""Whatever a server answers: good records, or a failure of ours; never a hang, never a loss."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sources.scripted import QUICK, Reply, Scripted, as_json, scripted_server
from wfops_pipelines.errors import SourceMalformed, SourceRateLimited, SyncFailure
from wfops_pipelines.sandbox import NOW
from wfops_pipelines.sources import (
    Connection,
    OffsetPaging,
    PageNumberPaging,
    Retries,
    SinglePage,
    Window,
    hubspot,
    rest_api,
    stripe,
    zendesk,
)

pytestmark = pytest.mark.components

WINDOW = Window(NOW - timedelta(days=1), NOW)
PRESETS = {
    "results": hubspot("crm", "/people", retries=QUICK),
    "data": stripe("billing", "/invoices", retries=QUICK),
    "tickets": zendesk("support", "/tickets.json", retries=QUICK),
}


@pytest.fixture(scope="module")
def script() -> Iterator[Scripted]:
    with scripted_server(lambda _: as_json({})) as server:
        yield server


def read(script: Scripted, source: Any) -> list[Any]:
    return [row for page in source.pages(WINDOW, Connection(script.url, "t0ken")) for row in page]


BROKEN = {
    "results": [
        {},
        [],
        None,
        7,
        "no",
        {"results": None},
        {"results": {"id": 1}},
        {"results": [1, 2]},
        {"results": [[{}]]},
        {"result": []},
        {"results": [{"id": 1}], "paging": {"next": {"link": "/people?page=2"}}},
        {"results": [{"id": 1}], "paging": {"next": {}}},
        {"results": [{"id": 1}], "paging": {"next": {"after": None}}},
        {"results": [{"id": 1}], "paging": {"next": {"after": ""}}},
    ],
    "data": [
        {"data": [{"id": "in_1"}]},
        {"data": [{"id": "in_1"}], "has_more": None},
        {"data": [{"id": "in_1"}], "has_more": "true"},
        {"data": [{"id": "in_1"}], "has_more": 1},
        {"data": [], "has_more": True},
        {"data": [{"number": 1}], "has_more": True},
        {"has_more": False},
    ],
    "tickets": [
        {"tickets": [{"id": 1}]},
        {"tickets": [{"id": 1}], "meta": {"has_more": True}},
        {"tickets": [{"id": 1}], "meta": {"has_more": True}, "links": {"next": None}},
        {"tickets": [{"id": 1}], "meta": {"has_more": True}, "links": {"next": 7}},
        {"tickets": [{"id": 1}], "meta": {"has_more": True}, "links": {"next": {}}},
        {"tickets": [{"id": 1}], "meta": {"has_more": True}, "links": {"next": ["/x"]}},
        {"tickets": [{"id": 1}], "meta": {"has_more": True}, "links": {"next": ""}},
    ],
}


@pytest.mark.parametrize(
    ("key", "body"), [(key, body) for key, bodies in BROKEN.items() for body in bodies]
)
def test_an_answer_that_breaks_the_promise_is_malformed(script, key, body):
    script.answer = lambda _: as_json(body)
    with pytest.raises(SourceMalformed, match="Repair:"):
        read(script, PRESETS[key])


def test_a_last_page_that_still_has_a_link_is_the_last_page(script):
    script.answer = lambda _: as_json(
        {"tickets": [{"id": 1}], "meta": {"has_more": False}, "links": {"next": "/tickets.json?2"}}
    )
    assert read(script, PRESETS["tickets"]) == [{"id": 1}]


def test_a_cursor_that_runs_in_a_longer_circle_is_noticed(script):
    def answer(path: str) -> Reply:
        at = int(path.partition("after=")[2] or 0) if "after=" in path else 0
        following = {"next": {"after": str((at + 1) % 5)}}
        return as_json({"results": [{"id": f"{at}-{len(script.seen)}"}], "paging": following})

    script.answer = answer
    with pytest.raises(SourceMalformed, match="loop"):
        read(script, PRESETS["results"])


def test_the_same_records_under_ever_new_cursors_are_noticed(script):
    script.answer = lambda _: as_json(
        {"results": [{"id": 1}], "paging": {"next": {"after": str(len(script.seen))}}}
    )
    with pytest.raises(SourceMalformed, match="twice"):
        read(script, PRESETS["results"])


def test_empty_pages_may_come_but_not_for_ever(script):
    script.seen.clear()
    script.answer = lambda _: as_json(
        {"results": [], "paging": {"next": {"after": str(len(script.seen))}}}
    )
    with pytest.raises(SourceMalformed, match="empty pages"):
        read(script, PRESETS["results"])


def test_whole_numbers_beyond_64_bits_and_odd_unicode_come_through_exactly(script):
    body = b'{"results": [{"id": 123456789012345678901234, "n": 9007199254740993, "s": "\\ud83d"}]}'
    script.answer = lambda _: (200, {}, body)
    row = read(script, PRESETS["results"])[0]
    assert row == {"id": 123456789012345678901234, "n": 9007199254740993, "s": "\ud83d"}


def test_offset_paging_goes_on_to_the_first_empty_page(script):
    rows = [{"id": n} for n in range(25)]

    def answer(path: str) -> Reply:
        offset = int(path.partition("offset=")[2].partition("&")[0])
        return as_json({"items": rows[offset : offset + 10]})

    script.answer = answer
    source = rest_api("erp", "/items", records="items", paging=OffsetPaging(10), retries=QUICK)
    assert read(script, source) == rows


def test_page_numbers_end_at_the_total_that_the_server_names(script):
    def answer(path: str) -> Reply:
        page = int(path.partition("page=")[2].partition("&")[0])
        return as_json({"items": [{"id": page}], "pages": 3})

    script.answer = answer
    paging = PageNumberPaging(total="pages")
    source = rest_api("erp", "/items", records="items", paging=paging, retries=QUICK)
    assert [row["id"] for row in read(script, source)] == [1, 2, 3]


@pytest.mark.parametrize("total", [None, "many", {}, [3]])
def test_a_total_that_is_no_number_is_malformed(script, total):
    script.answer = lambda _: as_json({"items": [{"id": 1}], "pages": total})
    paging = PageNumberPaging(total="pages")
    with pytest.raises(SourceMalformed):
        read(script, rest_api("erp", "/items", records="items", paging=paging, retries=QUICK))


def test_a_base_address_with_a_path_keeps_it(script):
    script.answer = lambda path: as_json([{"path": path}])
    source = rest_api("erp", "/items", records="", paging=SinglePage(), params={"kind": "a b&c"})
    there = Connection(f"{script.url}/api/v3", "t0ken")
    assert list(source.pages(WINDOW, there)) == [[{"path": "/api/v3/items?kind=a+b%26c"}]]


def test_retry_after_is_honoured_up_to_the_longest_wait(script, monkeypatch):
    import tenacity.nap

    waits: list[float] = []
    monkeypatch.setattr(tenacity.nap.time, "sleep", waits.append)
    script.answer = lambda _: as_json({}, {"Retry-After": "7"}, 429)
    patient = rest_api(
        "erp", "/x", records="", paging=SinglePage(), retries=Retries(3, 1.0, longest_wait=60)
    )
    with pytest.raises(SourceRateLimited, match="7 s of patience"):
        read(script, patient)
    script.answer = lambda _: as_json({}, {"Retry-After": "86400"}, 429)
    with pytest.raises(SourceRateLimited):
        read(script, patient)
    assert waits == [7, 7, 60, 60]


NAMES = ("results", "data", "tickets", "paging", "next", "after", "links", "meta", "has_more", "id")
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["/tickets.json?page=2", "http://127.0.0.1:9/", "true"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "results",
                    "data",
                    "tickets",
                    "paging",
                    "next",
                    "after",
                    "links",
                    "meta",
                    "has_more",
                    "id",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
BODIES = JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=60)
STATUSES = st.sampled_from([200, 200, 200, 200, 204, 206, 301, 400, 401, 404, 418, 429, 500, 599])


@given(st.sampled_from(sorted(PRESETS)), STATUSES, BODIES)
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_answer_whatsoever_escapes_as_anything_but_rows_or_our_failure(
    script, key, status, body
):
    script.answer = lambda _: (status, {}, b"" if status in (204, 301) else body)
    try:
        rows = read(script, PRESETS[key])
    except SyncFailure:
        return
    assert rows == json.loads(body)[key]
