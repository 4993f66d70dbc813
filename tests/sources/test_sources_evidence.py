"""Each failure is classified, says what to do, and carries its request and answer, clean."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import tenacity.nap
from starlette.testclient import TestClient

from tests.sources.scripted import QUICK, as_json
from tests.web.conftest import application
from wfops_pipelines import workbench
from wfops_pipelines.errors import (
    FailureKind,
    SettingsError,
    SourceRateLimited,
    SourceUnreachable,
    SyncFailure,
)
from wfops_pipelines.failing import report_failure
from wfops_pipelines.orchestration.reporting import failure
from wfops_pipelines.sandbox import NOW
from wfops_pipelines.sources import (
    Connection,
    CursorPaging,
    Retries,
    SinglePage,
    Window,
    oauth2,
    rest_api,
)

TOKEN = "sk_live_51HxSECRETvalue"
WINDOW = Window(NOW - timedelta(days=1), NOW)
ITEMS = rest_api(
    "erp", "/items", records="data", paging=CursorPaging("next", "after"),
    params={"expand": "owner"}, retries=QUICK,
)  # fmt: skip
CLOSE = {"Connection": "close"}
LONG = "Fri, 31 Dec 99999 23:59:59 GMT"


def failing(server, reply, source=ITEMS, token=TOKEN):
    with server(lambda path: reply(path) if callable(reply) else reply) as vendor:
        with pytest.raises(SyncFailure) as caught:
            list(source.pages(WINDOW, Connection(vendor.url, token)))
        return caught.value, vendor


CASES = [
    (as_json({"error": "no"}, status=401), FailureKind.AUTH, "renew the token"),
    (as_json({"error": "no"}, status=403), FailureKind.AUTH, "renew the token"),
    (as_json({"error": "no"}, {"Retry-After": "0"}, 403), FailureKind.RATE_LIMIT, "retry later"),
    (as_json({}, {"X-RateLimit-Remaining": "0"}, 403), FailureKind.RATE_LIMIT, "retry later"),
    (as_json({"error": "slow"}, status=429), FailureKind.RATE_LIMIT, "higher limit"),
    (as_json({"error": "oh"}, status=503), FailureKind.NETWORK, "Repair: retry later; if it stays"),
    (as_json({"error": "late"}, status=408), FailureKind.NETWORK, "status page"),
    (as_json({"error": "gone"}, status=404), FailureKind.BAD_DATA, "correct the path"),
    (as_json({"error": "what?"}, status=400), FailureKind.BAD_DATA, "documentation"),
    (as_json({"items": []}), FailureKind.BAD_DATA, "documentation"),
    ((200, {}, b'{"data": [{"id'), FailureKind.NETWORK, "status page"),
    ((200, {"Content-Length": "999", **CLOSE}, b'{"data": []'), FailureKind.NETWORK, "cut off"),
]


@pytest.mark.parametrize(("reply", "kind", "advice"), CASES)
def test_a_failure_is_classified_with_advice_and_evidence(server, reply, kind, advice):
    error, vendor = failing(server, reply)
    assert error.kind is kind
    assert advice in str(error)
    told = error.exchange
    assert told["method"] == "GET"
    insisted = kind in (FailureKind.RATE_LIMIT, FailureKind.NETWORK)
    assert told.get("attempts") == (3 if insisted else None)
    assert len(vendor.seen) == (3 if insisted else 1)
    assert told["url"] == (
        f"{vendor.url}/items?expand=owner" if "items" in vendor.paths[0] else told["url"]
    )
    if "Content-Length" not in reply[1]:
        assert told["status"] == reply[0]


def test_a_server_that_is_not_there_leaves_the_request_as_evidence():
    with pytest.raises(SourceUnreachable) as caught:
        list(ITEMS.pages(WINDOW, Connection("http://127.0.0.1:9", TOKEN)))
    assert caught.value.exchange == {
        "method": "GET", "url": "http://127.0.0.1:9/items?expand=owner", "attempts": 3,
    }  # fmt: skip


def test_a_later_page_that_does_not_come_is_not_blamed_on_the_one_before(server):
    def reply(path):
        if "after" in path:
            return 200, {"Content-Length": "99", **CLOSE}, b"{"
        return as_json({"data": [{"id": 1}], "next": "p2"})

    error, _ = failing(server, reply)
    assert "after=p2" in error.exchange["url"]


def test_a_vendor_that_echoes_every_secret_leaves_none_in_the_evidence(server):
    def reply(path):
        if path.startswith("/oauth"):
            return as_json({"access_token": "access-of-the-vendor", "expires_in": 3600})
        echo = f"client-1 s3cret-of-client access-of-the-vendor {TOKEN} ana@shop.example"
        return as_json(
            {"you sent": echo, "refresh_token": "later"}, {"Location": f"/?t={TOKEN}"}, 418
        )

    source = rest_api(
        "erp", "/items", records="data", paging=SinglePage(), auth=oauth2("/oauth/token"),
        params={"api_key": TOKEN}, retries=QUICK,
    )  # fmt: skip
    error, _ = failing(server, reply, source, "client-1:s3cret-of-client")
    told = json.dumps(error.exchange) + str(error)
    for secret in ("s3cret", "access-of", "ana@", "later", TOKEN):
        assert secret not in told
    assert "you sent" in told


def test_rows_are_no_evidence(server):
    body = {"data": {"id": 1, "email": "ana@shop.example", "name": "Ana Diaz"}, "next": None}
    error, _ = failing(server, as_json(body))
    assert "Ana" not in json.dumps(error.exchange)
    assert error.exchange["body"] == "{data: {id: number, email: text, name: text}, next: null}"


@pytest.mark.parametrize(("hours", "words"), [(2, "ahead"), (-2, "behind"), (0, None)])
def test_a_clock_that_is_wrong_is_part_of_the_evidence(server, hours, words):
    date = format_datetime(datetime.now(UTC) + timedelta(hours=hours), usegmt=True)
    answered = 429, {"Date": date}, b""

    def reply(_):
        return answered

    with server(reply) as vendor, pytest.raises(SourceRateLimited) as caught:
        list(ITEMS.pages(WINDOW, Connection(vendor.url, TOKEN)))
    said = caught.value.exchange.get("clock", "")
    assert words in said if words else not said


@pytest.fixture
def waits(monkeypatch):
    found: list[float] = []
    monkeypatch.setattr(tenacity.nap.time, "sleep", found.append)
    return found


def in_seconds(seconds):
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("wish", "least", "most", "words"),
    [
        ("7", 7, 7, "asking for 7 s of patience"),
        (in_seconds(86_400), 60, 60, "asking for patience until 20"),
        ("86400", 60, 60, "asking for 86400 s"),
        (in_seconds(-3600), 0, 4, "until 20"),  # past, or our clock is ahead: the usual wait
        ("soon", 0, 4, "answered 429 ("),
        ("-5", 0, 4, "answered 429 ("),
        ("9" * 5000, 0, 4, "answered 429 ("),
        (LONG, 0, 4, "answered 429 ("),
    ],
    ids=["seconds", "date", "a day", "past", "words", "negative", "endless", "odd date"],
)
def test_patience_is_honoured_in_both_forms_and_never_for_ever(
    server, waits, wish, least, most, words
):
    patient = rest_api(
        "erp", "/items", records="", paging=SinglePage(), retries=Retries(3, 1.0, longest_wait=60)
    )
    error, _ = failing(server, as_json({"error": "slow"}, {"Retry-After": wish}, 429), patient)
    assert isinstance(error, SourceRateLimited)
    assert words in str(error)
    assert len(waits) == 2
    assert all(least <= w <= most for w in waits)


def test_a_token_endpoint_cannot_make_an_extraction_wait_for_a_day(server, waits):
    source = rest_api(
        "erp", "/items", records="", paging=SinglePage(), auth=oauth2("/oauth/token"),
        retries=Retries(3, 1.0, longest_wait=60),
    )  # fmt: skip
    error, _ = failing(server, as_json({}, {"Retry-After": "86400"}, 429), source, "id:secret")
    assert isinstance(error, SourceRateLimited)
    assert waits == [60, 60]
    assert error.exchange["url"].endswith("/oauth/token")


@pytest.fixture
def page_of(monkeypatch):
    def get(bench, review):
        monkeypatch.setattr(workbench, "services", lambda: bench.services)
        monkeypatch.setattr(workbench, "project", lambda: bench.project)
        monkeypatch.setattr(workbench, "secret", lambda: b"k" * 32)
        return TestClient(application()).get(f"/wfops/r/{review.id}").text

    return get


def test_the_review_page_and_the_run_show_request_and_answer_and_no_secret(
    server, make_bench, page_of
):
    hidden = "known-only-to-the-environment"
    bench = make_bench(environ={"WFOPS_OTHER_TOKEN": hidden})
    body = {"error": f"<b>no</b> {hidden} {TOKEN}"}
    error, vendor = failing(server, as_json(body, {"X-Request-Id": "r-77"}, 403))
    review = report_failure(bench.sync, "extraction", error, bench.services, None)
    page = page_of(bench, review)
    assert f"GET {vendor.url}/items?expand=owner</pre>" in page
    assert "\nX-Request-Id: r-77\n" in page
    assert "&lt;b&gt;no&lt;/b&gt;" in page
    assert hidden not in page
    assert TOKEN not in page + str(failure(error, review).metadata)
    assert "r-77" in str(failure(error, review).metadata)


def test_a_variable_that_is_not_set_is_for_those_who_hold_the_credentials(make_bench, page_of):
    bench = make_bench()
    with pytest.raises(SettingsError) as caught:
        ITEMS.connect({})
    review = report_failure(bench.sync, "extraction", caught.value, bench.services, None)
    assert review.summary.startswith("extraction failed (auth): WFOPS_ERP_URL is not set")
    assert "Renew the credentials" in page_of(bench, review)


def test_a_failure_without_an_exchange_has_a_page_too(make_bench, page_of):
    bench = make_bench()
    review = report_failure(bench.sync, "x", ValueError("no"), bench.services, None)
    assert "The request" not in page_of(bench, review)
