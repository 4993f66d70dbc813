"""The Stripe preset against localstripe, a server that nobody here wrote."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import requests

from tests.conftest import MACHINE
from tests.peers.localstripe import TOKEN, localstripe
from tests.sources.scripted import QUICK
from wfops_pipelines import Policy, flow, instant, sync, table
from wfops_pipelines.errors import FailureKind, SourceMalformed, SourceRefused, SyncFailure
from wfops_pipelines.sources import Connection, Window, basic, stripe

CUSTOMERS = replace(
    stripe("billing", "/v1/customers", window=None, retries=QUICK), page_size=("limit", 10)
)
NOW = datetime.now(UTC)
WINDOW = Window(NOW - timedelta(days=1), NOW + timedelta(days=1))


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with localstripe() as url:
        for n in range(25):
            form = {"email": f"c{n}@shop.example", "name": f"Customer {n}"}
            requests.post(f"{url}/v1/customers", form, auth=(TOKEN, ""), timeout=10)
        yield url


def read(url, source, window=WINDOW, token=TOKEN):
    return [r for page in source.pages(window, Connection(url, token)) for r in page]


def test_all_customers_come_once_over_its_pages(url):
    pages = list(CUSTOMERS.pages(WINDOW, Connection(url, TOKEN)))
    assert [len(p) for p in pages] == [10, 10, 5]
    emails = [c["email"] for p in pages for c in p]
    assert sorted(emails) == sorted(f"c{n}@shop.example" for n in range(25))


def test_it_takes_the_key_as_basic_too(url):
    by_name = replace(CUSTOMERS, auth=basic)
    assert len(read(url, by_name, token=f"{TOKEN}:")) == 25


def test_a_window_of_creation_is_honoured(url):
    events = stripe("billing", "/v1/events", window="created", retries=QUICK)
    found = read(url, events)
    assert {e["type"] for e in found} >= {"customer.created"}
    assert all(WINDOW.start <= instant(e["created"]) < WINDOW.end for e in found)
    before = Window(NOW - timedelta(days=2), NOW - timedelta(days=1))
    assert read(url, events, before) == []


def test_a_filter_that_stripe_does_not_know_is_said_in_its_words(url):
    with pytest.raises(SourceMalformed, match="Unexpected updated") as caught:
        read(url, stripe("billing", "/v1/customers", retries=QUICK))
    assert caught.value.exchange["status"] == 400


@pytest.mark.parametrize(
    ("path", "token", "kind"),
    [
        ("/v1/customers", "wrong_key_of_mine", FailureKind.AUTH),
        ("/v1/customers", "sk_", FailureKind.AUTH),
        ("/v1/nothing", TOKEN, FailureKind.BAD_DATA),
    ],
)
def test_its_refusals_are_classified(url, path, token, kind):
    with pytest.raises(SyncFailure) as caught:
        read(url, replace(CUSTOMERS, path=path), token=token)
    assert caught.value.kind is kind
    assert token not in json.dumps(caught.value.exchange) + str(caught.value) or token == "sk_"


def test_a_refused_key_names_its_variable(url):
    with pytest.raises(SourceRefused, match="WFOPS_BILLING_TOKEN"):
        read(url, CUSTOMERS, token="wrong_key_of_mine")


def test_customers_go_all_the_way_into_a_table(url, make_bench):
    bench = make_bench()

    @sync(source=CUSTOMERS, key="id", destination=table("shop.things"), policy=Policy())
    def things(page):
        return [
            {
                "id": c["id"],
                "name": c["name"],
                "amount": len(c["email"]),
                "at": instant(c["created"]),
            }
            for c in page
        ]

    environ = {"WFOPS_BILLING_URL": url, "WFOPS_BILLING_TOKEN": TOKEN}
    services = replace(bench.services, environ=environ)
    project = replace(bench.project, syncs={"things": things})
    run = flow.run_sync(project, things, services, MACHINE)
    assert run.judged[-1].snapshot.rows == 25
    assert [p.rows for p in run.publications] == [25]
    assert sorted(name for (name,) in bench.rows("name")) == sorted(
        f"Customer {n}" for n in range(25)
    )
