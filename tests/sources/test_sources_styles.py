"""Salesforce- and GitHub-style APIs, and each way of paging, filtering and nesting."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.sources.scripted import QUICK, as_json
from wfops_pipelines.core.parts import Rows
from wfops_pipelines.errors import SourceMalformed
from wfops_pipelines.sources import (
    Connection,
    CursorPaging,
    HeaderCursorPaging,
    HeaderLinkPaging,
    LinkPaging,
    OffsetPaging,
    PageNumberPaging,
    SinglePage,
    TimeFormat,
    Window,
    flatten,
    github,
    rest_api,
    salesforce,
)
from wfops_pipelines.store.rows import to_table, types_of

START = datetime(2026, 6, 1, tzinfo=UTC)
HOURS = [START + timedelta(hours=h) for h in range(25)]
WINDOW = Window(HOURS[5], HOURS[20])


def asked(path):
    return {k: v[0] for k, v in parse_qs(urlsplit(path).query).items()}


def read(source, script, window=WINDOW):
    return [r for page in source.pages(window, Connection(script.url, "t0ken")) for r in page]


def soql(path, size=4):
    """Answers as Salesforce does: `done`, and the rest below an address of its own."""
    rows = [{"Id": f"003{n:03d}", "SystemModstamp": f"{t:%Y-%m-%dT%H:%M:%S.000+0000}"}
            for n, t in enumerate(HOURS)]  # fmt: skip
    if "q" in asked(path):
        said = asked(path)["q"]
        start, end = map(datetime.fromisoformat, re.findall(r"\d{4}-\S+Z", said))
        rows = [r for r, t in zip(rows, HOURS, strict=True) if start <= t < end]
        soql.rows, at = rows, 0
    else:
        at = int(path.rpartition("-")[2])
        assert not asked(path), "the query came again with the next page"
    rows, done = soql.rows[at : at + size], at + size >= len(soql.rows)
    more = {} if done else {"nextRecordsUrl": f"/services/data/v62.0/query/01g-{at + size}"}
    return as_json({"totalSize": len(soql.rows), "done": done, "records": rows, **more})


CONTACTS = replace(salesforce("sf", "Contact", ("Id", "Account.Name")), retries=QUICK)


def test_a_salesforce_style_query_is_read_by_window_to_its_end(server):
    with server(soql) as script:
        found = read(CONTACTS, script)
        assert [r["Id"] for r in found] == [f"003{n:03d}" for n in range(5, 20)]
        assert asked(script.paths[0])["q"] == (
            "SELECT Id, Account.Name, SystemModstamp FROM Contact "
            "WHERE SystemModstamp >= 2026-06-01T05:00:00.000Z "
            "AND SystemModstamp < 2026-06-01T20:00:00.000Z ORDER BY SystemModstamp, Id"
        )
        assert len(read(CONTACTS, script, Window(None, HOURS[-1]))) == 24
    assert CONTACTS.windowed
    bin_ = salesforce("sf", "Contact", ("Id", "IsDeleted"), deleted=True)
    assert bin_.path.endswith("/queryAll")


@pytest.mark.parametrize("body", [{"records": []}, {"records": [], "done": "true"},
                                  {"records": [{"Id": "1"}], "done": False}])  # fmt: skip
def test_a_query_that_does_not_say_its_end_or_where_to_go_on_is_malformed(server, body):
    with server(lambda _: as_json(body)) as script, pytest.raises(SourceMalformed):
        read(CONTACTS, script)


@pytest.mark.parametrize("name", ["Id FROM User--", "a b", "", "1a", "Id,Name", "naïve"])
def test_what_is_no_name_is_no_part_of_a_query(name):
    for declared in ((name, ("Id",)), ("Contact", ("Id", name))):
        with pytest.raises(ValueError, match="is no name"):
            salesforce("sf", *declared)


def test_a_github_style_list_is_read_by_its_link_header(server):
    def answer(path):
        page = int(asked(path).get("page", 1))
        rows = [{"id": n} for n in range(250)][(page - 1) * 100 : page * 100]
        following = f"{script.url}/repos/o/r/issues?page={page + 1}&per_page=100"
        link = {"Link": f'<{following}>; rel="next", <{script.url}/x>; rel="last"'}
        return as_json(rows, link if page < 3 else {})

    with server(answer) as script:
        issues = github("code", "/repos/o/r/issues", params={"state": "all"}, retries=QUICK)
        assert len(read(issues, script)) == 250
        assert asked(script.paths[0]) == {
            "since": "2026-06-01T05:00:00Z", "per_page": "100", "state": "all",
            "sort": "created", "direction": "asc",
        }  # fmt: skip


def paged(path):
    """Answers in every style at once: ten records, three at a time."""
    query = asked(path)
    at = int(query.get("after") or query.get("offset") or 3 * (int(query.get("page", 1)) - 1))
    following = at + 3 if at + 3 < 10 else None
    body = {
        "items": [{"id": n} for n in range(10)][at : at + 3],
        "nextPageToken": following and str(following),
        "links": {"next": following and f"/x?after={following}"},
        "more": following is not None,
        "done": following is None,
        "total": 10,
        "pages": 4,
    }
    link = {"Link": f'</x?after={following}>; rel="next"', "X-Next": str(following)}
    return as_json(body, link if following else {})


STYLES = [
    CursorPaging("nextPageToken", "after"),
    CursorPaging("nextPageToken", "after", more="more"),
    CursorPaging("nextPageToken", "after", done="done"),
    LinkPaging("links.next"),
    LinkPaging("links.next", done="done"),
    HeaderLinkPaging(),
    HeaderCursorPaging("X-Next", "after"),
    OffsetPaging(3),
    OffsetPaging(3, total="total"),
    PageNumberPaging(),
    PageNumberPaging(total="pages"),
]


@pytest.mark.parametrize("paging", STYLES, ids=str)
def test_each_way_of_paging_reads_all_records_once(server, paging):
    source = rest_api("erp", "/x", records="items", paging=paging, retries=QUICK)
    with server(paged) as script:
        assert [r["id"] for r in read(source, script)] == list(range(10))


TIMES = [
    (TimeFormat.ISO_MILLIS, lambda t: t.isoformat()),
    (TimeFormat.UNIX_SECONDS, lambda t: int(t.timestamp())),
    (TimeFormat.UNIX_MILLIS, lambda t: int(t.timestamp() * 1000)),
]


@pytest.mark.parametrize(("times", "write"), TIMES, ids=["iso", "seconds", "millis"])
def test_an_api_that_cannot_filter_is_read_whole_and_the_window_is_kept(server, times, write):
    rows = [{"id": n, "meta": {"changed": write(t)}} for n, t in enumerate(HOURS)]
    rows.append({"id": 99, "meta": {"changed": None}})
    source = rest_api(
        "erp", "/x", records="", paging=SinglePage(), updated_at="meta.changed", times=times
    )
    assert source.windowed
    with server(lambda _: as_json(rows)) as script:
        assert [r["id"] for r in read(source, script)] == [*range(5, 20), 99]


@pytest.mark.parametrize("record", [{"id": 1}, {"id": 1, "at": "soon"}, {"id": 1, "at": []}])
def test_a_record_without_the_time_that_was_declared_is_malformed(server, record):
    source = rest_api("erp", "/x", records="", paging=SinglePage(), updated_at="at")
    wanted = pytest.raises(SourceMalformed, match="no time at 'at'")
    with server(lambda _: as_json([record])) as script, wanted:
        read(source, script)


def test_nested_records_become_columns_and_lists_stay():
    record = {"id": 1, "by": {"name": "Ana", "at": {"city": "Bonn"}}, "tags": ["a"], "none": None}
    flat = flatten(record)
    assert flat == {"id": 1, "by_name": "Ana", "by_at_city": "Bonn", "tags": ["a"], "none": None}
    assert flatten(record, keep=("by.at",))["by_at"] == {"city": "Bonn"}
    assert flatten(record, sep=".")["by.name"] == "Ana"
    with pytest.raises(ValueError, match="two values for the column 'a_b'"):
        flatten({"a_b": 1, "a": {"b": 2}})


def test_what_is_nested_is_staged_as_text_and_keeps_its_type_from_then_on():
    first = to_table([flatten({"id": 1, "at": {"x": 1}, "tags": [1, 2]}, keep=("at",))])
    assert types_of(Rows.of(first)) == {"id": "int64", "at": "string", "tags": "string"}
    rows = [
        flatten({"id": 2, "at": "none", "tags": []}),
        {"id": 3, "at": {"y": [1.5]}, "tags": None},
    ]
    second = to_table(rows, types_of(Rows.of(first)))
    assert types_of(Rows.of(second)) == types_of(Rows.of(first))
    assert second["at"].to_pylist() == ["none", '{"y": [1.5]}']
