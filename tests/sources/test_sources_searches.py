"""Searches that are posted: query, window and paging in the body, repeated as a GET is."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.sources.scripted import QUICK, as_json
from wfops_pipelines.errors import SourceMalformed, SourceUnreachable
from wfops_pipelines.sources import (
    Connection,
    CursorPaging,
    HeaderCursorPaging,
    OffsetPaging,
    PageNumberPaging,
    SinglePage,
    TimeFormat,
    Window,
    hubspot_search,
    notion,
    oauth2,
    rest_api,
)

START = datetime(2026, 6, 1, tzinfo=UTC)
HOURS = [START + timedelta(hours=h) for h in range(25)]
WINDOW = Window(HOURS[5], HOURS[20])


def read(source, script, window=WINDOW):
    source = replace(source, retries=QUICK)
    return [r for page in source.pages(window, Connection(script.url, "t0ken")) for r in page]


class Api:
    """Answers the last body that was posted; `failing` answers come first."""

    def __init__(self, answer):
        self.answer, self.failing, self.script = answer, [], None

    def __call__(self, path):
        if self.failing:
            return self.failing.pop(0)
        return self.answer(json.loads(self.script.posted[-1]))

    @property
    def bodies(self):
        return [json.loads(p) for p in self.script.posted]


@pytest.fixture
def api(server):
    def run(answer, source, window=WINDOW, failing=()):
        found = Api(answer)
        found.failing = list(failing)
        with server(found) as script:
            found.script = script
            return read(source, script, window), found

    return run


def hubspots(body):
    """HubSpot's search, as its documentation has it."""
    (group,) = body["filterGroups"]
    start, end = (int(f["value"]) for f in group["filters"])
    assert [f["operator"] for f in group["filters"]] == ["GTE", "LT"]
    assert body["sorts"] == [{"propertyName": "lastmodifieddate", "direction": "ASCENDING"}]
    there = [n for n, t in enumerate(HOURS) if start <= t.timestamp() * 1000 < end]
    at, size = int(body.get("after", 0)), min(body["limit"], 4)
    results = [{"id": str(n), "properties": {"email": f"{n}@x"}} for n in there[at : at + size]]
    more = {"paging": {"next": {"after": str(at + size)}}} if at + size < len(there) else {}
    return as_json({"total": len(there), "results": results, **more})


CONTACTS = hubspot_search("crm", "contacts", ["email"], changed="lastmodifieddate")


def test_hubspots_search_is_read_by_window_to_its_end(api):
    found, asked = api(hubspots, CONTACTS)
    assert [r["id"] for r in found] == [str(n) for n in range(5, 20)]
    assert len(asked.bodies) == 4
    assert asked.bodies[1]["properties"] == ["email", "lastmodifieddate"]
    assert "after" not in asked.bodies[0]
    assert CONTACTS.windowed
    assert hash(CONTACTS) == hash(hubspot_search("crm", "contacts", ["email"],
                                                 changed="lastmodifieddate"))  # fmt: skip


def test_the_first_extraction_of_a_search_reads_from_the_beginning(api):
    assert len(api(hubspots, CONTACTS, Window(None, HOURS[-1]))[0]) == 24


def test_a_search_is_repeated_as_a_get_is_and_no_page_is_lost(api):
    broken = [as_json({}, status=502), as_json({}, {"Retry-After": "0"}, 429)]
    found, asked = api(hubspots, CONTACTS, failing=broken)
    assert len(found) == 15
    assert asked.bodies[0] == asked.bodies[1] == asked.bodies[2]
    with pytest.raises(SourceUnreachable, match=r"crm: POST /crm/v3/objects/contacts/search"):
        api(hubspots, CONTACTS, failing=[as_json({}, status=502)] * 3)


def notions(body):
    """A query of Notion's, as its documentation has it."""
    after, before = body["filter"]["and"]
    start = datetime.fromisoformat(after["last_edited_time"]["on_or_after"])
    end = datetime.fromisoformat(before["last_edited_time"]["before"])
    there = [n for n, t in enumerate(HOURS) if start <= t < end]
    at = there.index(int(body["start_cursor"])) if "start_cursor" in body else 0
    rest = there[at + 4 :]
    return as_json({
        "object": "list", "results": [{"id": n} for n in there[at : at + 4]],
        "next_cursor": str(rest[0]) if rest else None, "has_more": bool(rest),
    })  # fmt: skip


def test_notions_query_is_read_by_window_to_its_end_with_its_version(server):
    source = notion("wiki", "/v1/databases/d1/query")
    with server(lambda _: notions(json.loads(script.posted[-1]))) as script:
        assert [r["id"] for r in read(source, script)] == list(range(5, 20))
    assert {h["Notion-Version"] for _, h in script.seen} == {"2022-06-28"}
    assert json.loads(script.posted[0])["page_size"] == 100


def counted(rows, size):
    def answer(body):
        at = body["page"]["from"] if "page" in body else (body["n"] - 1) * size
        return as_json({"rows": rows[at : at + size]})

    return answer


ROWS = [{"id": n} for n in range(10)]


@pytest.mark.parametrize(
    "paging",
    [OffsetPaging(4, offset_param="page.from", limit_param="page.size"), PageNumberPaging("n")],
)
def test_offsets_and_page_numbers_go_into_the_body(api, paging):
    source = rest_api("erp", "/search", records="rows", paging=paging, body={"query": "*"})
    found, asked = api(counted(ROWS, 4), source)
    assert found == ROWS
    assert all(b["query"] == "*" for b in asked.bodies)
    assert not source.windowed
    assert {path for path, _ in asked.script.seen} == {"/search"}


def test_a_token_from_a_header_goes_into_the_body(api):
    def answer(body):
        at = int(body.get("paging", {}).get("token", 0))
        more = {"X-Next": str(at + 4)} if at + 4 < 10 else {}
        return as_json({"rows": ROWS[at : at + 4]}, more)

    paging = HeaderCursorPaging("X-Next", "paging.token")
    assert api(answer, rest_api("erp", "/s", records="rows", paging=paging, body={}))[0] == ROWS


def composite(body):
    """Salesforce's composite request: a query inside a body, its answer inside an answer."""
    url = body["compositeRequest"][0]["url"]
    at = int(url.rpartition("-")[2]) if "?" not in url else 0
    done = at + 4 >= 10
    inner = {"records": ROWS[at : at + 4], "done": done}
    if not done:
        inner["nextRecordsUrl"] = f"/services/data/v62.0/query/01g-{at + 4}"
    return as_json({"compositeResponse": [{"body": inner, "httpStatusCode": 200}]})


COMPOSITE = rest_api(
    "sf",
    "/services/data/v62.0/composite",
    records="compositeResponse[0].body.records",
    paging=CursorPaging(
        "compositeResponse[0].body.nextRecordsUrl",
        "compositeRequest[0].url",
        done="compositeResponse[0].body.done",
    ),
    body={
        "compositeRequest": [
            {"method": "GET", "referenceId": "q", "url": "/query?q=SELECT+Id+WHERE+x>={start}"}
        ]
    },
)


def test_a_composite_request_is_read_to_its_end(api):
    found, asked = api(composite, COMPOSITE)
    assert found == ROWS
    assert "2026-06-01T05:00:00.000Z" in asked.bodies[0]["compositeRequest"][0]["url"]


def test_a_composite_whose_inner_request_failed_is_malformed_and_not_empty(api):
    def refused(_):
        inner = [{"errorCode": "MALFORMED_QUERY", "message": "unexpected token"}]
        return as_json({"compositeResponse": [{"body": inner, "httpStatusCode": 400}]})

    with pytest.raises(SourceMalformed, match=r"sf: POST .* has no 'compositeResponse\[0\]"):
        api(refused, COMPOSITE)


def test_the_same_page_twice_is_a_loop_also_in_a_body(api):
    def looping(body):
        return as_json({"rows": [{"id": len(api_bodies)}], "next": "x"})

    api_bodies = []
    source = rest_api("erp", "/s", records="rows", paging=CursorPaging("next", "after"), body={})

    def answer(body):
        api_bodies.append(body)
        return looping(body)

    with pytest.raises(SourceMalformed, match="a loop"):
        api(answer, source)


def test_numbers_stay_numbers_and_texts_with_more_in_them_texts(api):
    body = {"from": "{start}", "text": "changed>{start} and changed<{end}", "other": "{id}"}
    source = rest_api(
        "erp", "/s", records="", paging=SinglePage(), body=body, times=TimeFormat.UNIX_SECONDS,
        updated_before="until",
    )  # fmt: skip
    _, asked = api(lambda _: as_json([]), source)
    start, end = (int(HOURS[h].timestamp()) for h in (5, 20))
    assert asked.bodies == [
        {"from": start, "text": f"changed>{start} and changed<{end}", "other": "{id}", "until": end}
    ]


def test_a_search_is_signed_again_with_its_body_when_a_token_ends(server):
    def answer(path):
        if path == "/oauth/token":
            return as_json({"access_token": f"t{len(script.posted)}", "expires_in": 3600})
        if script.seen[-1][1]["Authorization"] == "Bearer t1":
            return as_json({}, status=401)
        return notions(json.loads(script.posted[-1]))

    with server(answer) as script:
        source = replace(notion("wiki", "/q"), retries=QUICK, auth=oauth2("/oauth/token"))
        pages = source.pages(WINDOW, Connection(script.url, "client:s3cr3t"))
        assert sum(len(p) for p in pages) == 15


@pytest.mark.parametrize(
    ("body", "paging"),
    [
        ({"x": object()}, SinglePage()),
        ({"after": 1}, CursorPaging("next", "after.cursor")),
        ({"jobs": []}, CursorPaging("next", "jobs[0].cursor")),
    ],
)
def test_a_body_that_cannot_be_sent_or_paged_is_refused_where_it_is_declared(body, paging):
    with pytest.raises(ValueError, match=r"the body (is no JSON|has no place)"):
        rest_api("erp", "/s", records="", paging=paging, body=body)
