"""Basic, and OAuth2: tokens are fetched, renewed, refused in words, and shown nowhere."""

from __future__ import annotations

import logging
import traceback
from base64 import b64encode
from datetime import timedelta
from urllib.parse import parse_qs

import pytest

from tests.sources.scripted import QUICK, as_json
from wfops_pipelines.apis import signing
from wfops_pipelines.errors import (
    SettingsError,
    SourceMalformed,
    SourceRefused,
    SourceUnreachable,
    SyncFailure,
)
from wfops_pipelines.sandbox import NOW
from wfops_pipelines.sources import (
    Connection,
    CursorPaging,
    Window,
    basic,
    no_auth,
    oauth2,
    rest_api,
)

WINDOW = Window(NOW - timedelta(days=1), NOW)
CLIENT = "client-1:s3cret-of-client"
REFRESH = "first-refresh"


def items(auth):
    paging = CursorPaging("next", "after")
    return rest_api("erp", "/items", records="data", paging=paging, auth=auth, retries=QUICK)


class Vendor:
    """Gives out tokens t1, t2, …; `ends` are those that it no longer takes."""

    def __init__(self, pages=2, **answer):
        self.given, self.pages, self.answer, self.ends = 0, pages, answer, set()
        self.failing = []

    def reply(self, path, headers):
        if path.startswith("/oauth/token"):
            if self.failing:
                return self.failing.pop(0)
            self.given += 1
            return as_json({"access_token": f"t{self.given}", "expires_in": 3600, **self.answer})
        token = headers.get("Authorization", "").removeprefix("Bearer ")
        if token != f"t{self.given}" or token in self.ends:
            return as_json({"error": f"what is {token}?"}, status=401)
        page = int(path.partition("after=")[2].partition("&")[0] or 0)
        following = page + 1 if page + 1 < self.pages else None
        return as_json({"data": [{"id": page}], "next": following})


@pytest.fixture
def read(server):
    def run(vendor, auth, token=CLIENT, between=None):
        with server(lambda path: vendor.reply(path, script.seen[-1][1])) as script:
            found = []
            for page in items(auth).pages(WINDOW, Connection(script.url, token)):
                found += [row["id"] for row in page]
                if between:
                    between(vendor)
            return found, script

    return run


def test_basic_sends_user_and_password(server):
    with server(lambda _: as_json({"data": [], "next": None})) as vendor:
        list(items(basic).pages(WINDOW, Connection(vendor.url, "ana:pass:word")))
    wanted = b64encode(b"ana:pass:word").decode()
    assert vendor.seen[0][1]["Authorization"] == f"Basic {wanted}"


def test_an_api_that_anybody_may_ask_needs_no_token(server):
    answers = [as_json({"data": [{"id": 1}], "next": None}), as_json("no such items", status=404)]
    with server(lambda _: answers.pop(0)) as vendor:
        opened = items(no_auth).connect({"WFOPS_ERP_URL": vendor.url})
        assert list(items(no_auth).pages(WINDOW, opened)) == [[{"id": 1}]]
        with pytest.raises(SourceMalformed, match="no such items"):
            list(items(no_auth).pages(WINDOW, opened))
    assert "Authorization" not in vendor.seen[0][1]
    with pytest.raises(SettingsError, match="WFOPS_ERP_TOKEN is not set"):
        items(basic).connect({"WFOPS_ERP_URL": vendor.url})


def test_client_credentials_are_exchanged_once_for_all_pages(read):
    found, script = read(Vendor(pages=3), oauth2("/oauth/token", scope="read:items"))
    assert found == [0, 1, 2]
    (form,) = map(parse_qs, script.posted)
    assert form == {"grant_type": ["client_credentials"], "scope": ["read:items"]}
    wanted = b64encode(CLIENT.encode()).decode()
    assert script.seen[0][1]["Authorization"] == f"Basic {wanted}"


def test_a_refresh_token_is_exchanged_and_a_new_one_is_used_next(read):
    vendor = Vendor(refresh_token="second")
    auth = oauth2("/oauth/token", grant="refresh_token")
    found, script = read(vendor, auth, f"{CLIENT}:first", lambda v: v.ends.add("t1"))
    assert found == [0, 1]
    forms = [parse_qs(p) for p in script.posted]
    assert [f["refresh_token"] for f in forms] == [["first"], ["second"]]


def test_a_token_that_the_vendor_ends_early_is_renewed_and_no_page_is_lost(read):
    def end(vendor):
        vendor.ends.add("t1")

    found, script = read(
        Vendor(pages=4), oauth2("/oauth/token"), between=lambda v: v.ends.add("t1")
    )
    assert found == [0, 1, 2, 3]
    assert len(script.posted) == 2


def test_a_token_that_has_ended_is_replaced_before_it_is_sent(read, monkeypatch):
    vendor = Vendor(pages=3, expires_in=100)
    now = [1000.0]
    monkeypatch.setattr(signing.time, "monotonic", lambda: now[0])

    def later(_):
        now[0] += 60

    found, script = read(vendor, oauth2("/oauth/token"), between=later)
    assert found == [0, 1, 2]
    assert len(script.posted) == 3
    first = next(headers for path, headers in script.seen if path.startswith("/items"))
    assert first["Authorization"] == "Bearer t1"


def test_a_401_that_stays_is_refused_after_one_renewal(read):
    vendor = Vendor()
    vendor.ends = {f"t{n}" for n in range(50)}
    with pytest.raises(SourceRefused, match="WFOPS_ERP_TOKEN"):
        read(vendor, oauth2("/oauth/token"))
    assert vendor.given == 2


@pytest.mark.parametrize(
    ("reply", "failure", "words"),
    [
        (as_json({"error": "invalid_client"}, status=401), SourceRefused, "renew the token"),
        (as_json({"error": "invalid_grant"}, status=400), SourceRefused, "invalid_grant"),
        (as_json({"token": "x"}), SourceMalformed, "gave no access token"),
        (as_json({"access_token": 7}), SourceMalformed, "gave no access token"),
        (as_json({"access_token": "a\nb"}), SourceMalformed, "gave no access token"),
        (as_json([]), SourceMalformed, "gave no access token"),
        ((200, {}, b"<html>"), SourceMalformed, "gave no access token"),
        ((302, {"Location": "http://127.0.0.1:9/"}, b""), SourceMalformed, "status 302"),
    ],
)
def test_a_token_endpoint_that_does_not_answer_as_it_should(read, reply, failure, words):
    vendor = Vendor()
    vendor.failing = [reply]
    with pytest.raises(failure, match=words):
        read(vendor, oauth2("/oauth/token"))


def test_a_token_endpoint_that_is_away_for_a_moment_is_asked_again(read):
    vendor = Vendor()
    vendor.failing = [as_json({}, status=503), as_json({}, {"Retry-After": "0"}, status=429)]
    assert read(vendor, oauth2("/oauth/token"))[0] == [0, 1]


def test_a_token_endpoint_that_is_not_there_is_unreachable():
    source = items(oauth2("/oauth/token"))
    with pytest.raises(
        SourceUnreachable, match="the token endpoint /oauth/token did not answer"
    ) as caught:
        list(source.pages(WINDOW, Connection("http://127.0.0.1:9", CLIENT)))
    assert caught.value.exchange["url"] == "http://127.0.0.1:9/oauth/token"


def test_no_secret_is_in_a_failure_or_a_log(read, caplog):
    caplog.set_level(logging.DEBUG)
    vendor = Vendor()
    vendor.failing = [as_json({"error": f"{CLIENT} {REFRESH}"}, status=400)]
    with pytest.raises(SyncFailure) as caught:
        read(vendor, oauth2("/oauth/token", grant="refresh_token"), f"{CLIENT}:{REFRESH}")
    told = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert "s3cret" not in told
    assert REFRESH not in told
    assert "***" in told


@pytest.mark.parametrize(("path", "grant"), [("token", "client_credentials"), ("/t", "password")])
def test_a_wrong_declaration_is_refused_when_it_is_made(path, grant):
    with pytest.raises(ValueError, match=r"must start with one slash|the grant is"):
        oauth2(path, grant=grant)
