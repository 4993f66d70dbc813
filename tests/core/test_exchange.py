"""A request and its answer as evidence: enough to act on, and no secret and no row."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wfops_pipelines.core.exchange import clean_url, excerpt, exchange, outline, without_secrets

SECRET = "s3cr/et+val=ue"


def test_a_refusal_keeps_what_the_vendor_said_without_secrets_and_addresses():
    body = json.dumps(
        {"error": "no scope", "access_token": "abc", "by": "ana@shop.example", "echo": SECRET}
    ).encode()
    told = exchange(
        "GET", f"https://u:p@api.example/x?limit=5&api_key=77&q={SECRET}#f", [SECRET],
        status=403, headers={"Date": "today", "Set-Cookie": "sid=1", "X-RateLimit-Reset": "9"},
        body=body,
    )  # fmt: skip
    assert told["status"] == 403
    assert told["headers"] == {"Date": "today", "X-RateLimit-Reset": "9"}
    assert told["url"].startswith("https://api.example/x?limit=5&api_key=")
    assert '"error": "no scope"' in told["body"]
    for hidden in (SECRET, "abc", "ana@", "u:p", "77", "sid", "s3cr%2Fet"):
        assert hidden not in json.dumps(told)


def test_of_an_answer_that_succeeds_only_the_structure_is_kept():
    body = json.dumps({"results": [{"id": 7, "email": "x@y.example"}], "ana": {"1": True}})
    said = excerpt(body.encode(), 200)
    assert said == "{results: [1 × {id: number, email: text}], ana: {9: true}}"


@pytest.mark.parametrize("body", [b'{"results": [{"name": "Ana Diaz', b"id,name\n1,Ana", b"\xff"])
def test_a_body_that_is_no_json_keeps_its_form_and_not_its_words(body):
    said = excerpt(body, 200)
    assert said.startswith(f"not JSON, {len(body)} bytes: ")
    assert "Ana" not in said


def test_a_page_where_json_was_expected_is_quoted_for_it_says_what_is_wrong():
    assert "Sign in" in excerpt(b"<html><title>Sign in</title>", 200)


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer abc.def-123",
        'token="abc.def-123"',
        "api_key=abc.def-123&x=1",
        "{'client_secret': 'abc.def-123'}",
        "password: abc.def-123",
        "got eyJhbGciOi.abc.def-123 from you",
    ],
)
def test_secrets_are_found_by_their_names(text):
    assert "abc.def-123" not in without_secrets(text)


@pytest.mark.parametrize("text", ["Invalid token provided", "the basic information is missing"])
def test_words_about_secrets_stay(text):
    assert without_secrets(text) == text


@given(st.text(min_size=6), st.text(max_size=30), st.integers(200, 599))
def test_a_secret_is_never_in_an_excerpt_wherever_it_stands(secret, around, status):
    hidden = excerpt(f"{around}{secret}{around}".encode("utf-8", "replace"), status, [secret])
    clear = secret.encode("utf-8", "replace").decode()
    assert clear not in hidden.replace("[redacted]", "") or clear == "[redacted]"[: len(clear)] or (
        clear in "not JSON, 0123456789 bytes: {…} number text null […@…"
    )  # fmt: skip


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=9))
def test_everything_has_an_outline(value):
    assert isinstance(outline(value), str)


@pytest.mark.parametrize("url", ["http://[::1/x?token=1234567", "x" * 5000, ""])
def test_an_odd_address_is_no_trouble(url):
    assert isinstance(clean_url(url), str)
