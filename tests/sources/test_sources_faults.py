"""Every fault of the sandbox ends in the failure that a person can act on, or in good data."""

from __future__ import annotations

from datetime import timedelta

import pytest

from wfops_pipelines.errors import (
    SourceMalformed,
    SourceRateLimited,
    SourceRefused,
    SourceUnreachable,
    SyncFailure,
)
from wfops_pipelines.sandbox import NOW
from wfops_pipelines.sources import Connection, Window

pytestmark = pytest.mark.components

DAY = Window(NOW - timedelta(days=1), NOW)
SYSTEMS = ("crm", "billing", "support")
PATHS = {"crm": "/crm/v3/objects/contacts", "billing": "/v1/invoices", "support": "/api/v2/tickets"}

PASSING = [
    ("rate_limit", {"retry_after": 0}),
    ("server_error", {}),
    ("server_error", {"status": 503}),
    ("truncated_page", {"variant": "body"}),
    ("truncated_page", {"variant": "json"}),
]
LASTING = [
    ("rate_limit", {"retry_after": 0}, SourceRateLimited, "429"),
    ("server_error", {}, SourceUnreachable, "500"),
    ("truncated_page", {"variant": "body"}, SourceUnreachable, "cut off"),
    ("truncated_page", {"variant": "json"}, SourceUnreachable, "cut off"),
    ("no_envelope", {}, SourceMalformed, "has no"),
    ("repeated_page", {}, SourceMalformed, "twice"),
    ("redirect", {}, SourceMalformed, "302"),
]


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize(("fault", "params"), PASSING)
def test_a_fault_that_passes_is_waited_out_and_no_record_is_missing(read, system, fault, params):
    expected = read.rows(system)
    read.sandbox.client.set_fault(system, fault, times=2, **params)
    assert read.rows(system) == expected
    assert read.sandbox.client.faults() == []


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize(("fault", "params", "failure", "words"), LASTING)
def test_a_fault_that_stays_is_told_apart(read, system, fault, params, failure, words):
    read.sandbox.client.set_fault(system, fault, **params)
    with pytest.raises(failure, match=words) as caught:
        read.rows(system)
    message = str(caught.value)
    assert message.startswith(f"{system}: GET {PATHS[system]}")
    assert "Repair:" in message


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_page_repeated_only_once_is_noticed_too(read, system):
    read.sandbox.client.set_fault(system, "repeated_page", times=1)
    with pytest.raises(SourceMalformed):
        read.rows(system)


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_wrong_token_is_refused_at_once_and_names_the_variable(read, system):
    before = read.requests(system)
    wrong = Connection(read.sandbox.url, "sk_wrong_1234")
    with pytest.raises(SourceRefused, match=f"WFOPS_{system.upper()}_TOKEN"):
        list(read.source(system).pages(DAY, wrong))
    assert read.requests(system) == before + 1


def test_an_answer_that_never_comes_is_given_up_after_all_attempts(read):
    read.sandbox.client.set_fault("crm", "timeout", seconds=20)
    before = read.requests("crm")
    with pytest.raises(SourceUnreachable, match="in time"):
        read.rows("crm", timeout=0.2)
    assert read.requests("crm") == before + 3


def test_an_answer_that_is_late_once_is_asked_for_again(read):
    expected = read.rows("crm")
    read.sandbox.client.set_fault("crm", "timeout", times=1, seconds=20)
    assert read.rows("crm", timeout=1.0) == expected


def test_a_server_that_is_not_there_is_unreachable(read):
    nobody = Connection("http://127.0.0.1:9", "token")
    with pytest.raises(SourceUnreachable, match="WFOPS_CRM_URL"):
        list(read.source("crm").pages(DAY, nobody))


def test_a_page_that_silently_lacks_rows_cannot_be_seen_here_and_is_the_examiners_work(read):
    expected = read.rows("crm")
    read.sandbox.client.set_fault("crm", "truncated_page", variant="rows", share=0.5)
    assert 0 < len(read.rows("crm")) < len(expected)


@pytest.mark.parametrize("system", SYSTEMS)
def test_transient_failures_are_marked_so(read, system):
    read.sandbox.client.set_fault(system, "server_error")
    with pytest.raises(SyncFailure) as caught:
        read.rows(system)
    assert caught.value.transient
