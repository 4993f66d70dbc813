"""Customers go through the gate into localstripe, a server that nobody here wrote, as forms."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import requests

from tests.peers.localstripe import TOKEN, localstripe
from wfops_pipelines import Policy, rest_destination, undoing
from wfops_pipelines.core.reviews import Actor, Verb
from wfops_pipelines.errors import DestinationRefused
from wfops_pipelines.reconciling.reconciliation import reconcile
from wfops_pipelines.validation import problems

pytestmark = pytest.mark.components

START = datetime(2026, 5, 1, 9, tzinfo=UTC)
CUSTOMERS = rest_destination(
    "billing",
    "POST /v1/customers",
    update="POST /v1/customers/{remote_id}",
    delete="DELETE /v1/customers/{remote_id}",
    gone="deleted",
    read="GET /v1/customers/{remote_id}",
    form=True,
    body={
        "name": "{name}",
        "phone": "{phone}",
        "metadata": {"ref": "{id}", "amount": "{amount}", "vip": "{vip}"},
        "address": {"city": "{city}", "country": "SE"},
        "preferred_locales": ["{language}", "en"],
    },
)
POLICY = Policy(
    reviewers="team", hold_rows_up_to=0.5, critical_fields=("amount",), delete_rows_up_to=0
)


def row(id, minutes=0, **changes):
    moment = START + timedelta(minutes=minutes)
    values = {"name": f"Åsa & {id}=?", "phone": "+46 8", "amount": 12, "vip": True, "city": "Malmö",
              "language": "sv", "archived": None, "updated_at": moment}  # fmt: skip
    return {"id": id, **values, **changes}


@pytest.fixture(scope="module")
def url():
    with localstripe() as found:
        yield found


@pytest.fixture
def bench(make_bench, url):
    bench = make_bench(POLICY, CUSTOMERS, {"WFOPS_BILLING_URL": url, "WFOPS_BILLING_TOKEN": TOKEN})
    requests.delete(f"{url}/_config/data", timeout=10).raise_for_status()
    bench.project.syncs["things"] = replace(bench.sync, deleted="archived")
    assert list(problems(bench.project)) == []
    return bench


def customers(url):
    """Our reference of each customer -> the customer."""
    there = requests.get(f"{url}/v1/customers", auth=(TOKEN, ""), timeout=10).json()["data"]
    return {c["metadata"]["ref"]: c for c in there}


def test_customers_are_created_updated_and_deleted_through_the_gate(bench, url):
    (done,) = bench.run([row("a"), row("b"), row("c", phone=None, city=None)]).publications
    assert done.inserted == 3
    there = customers(url)
    assert there["a"]["name"] == "Åsa & a=?"
    assert there["a"]["metadata"] == {"ref": "a", "amount": "12", "vip": "true"}
    assert there["a"]["address"] == {"city": "Malmö", "country": "SE"}
    assert there["a"]["preferred_locales"] == ["sv", "en"]
    assert (there["c"]["phone"], there["c"]["address"]) == (None, {"country": "SE"})

    # the same again: read back, nothing differs, so no critical field changed
    run = bench.run(
        [row("a", 20, language="de"), row("b", 20), row("c", 20, phone=None, city=None)]
    )
    assert run.judged[-1].review is None
    assert customers(url)["a"]["preferred_locales"] == ["de", "en"]

    review = bench.held([row("a", 40, amount=99, phone=None), row("b", 40, archived=True)])
    assert set(customers(url)) == {"a", "b", "c"}
    bench.release(bench.decide(review, Verb.APPROVE))
    there = customers(url)
    assert set(there) == {"a", "c"}
    assert there["a"]["metadata"]["amount"] == "99"
    assert not there["a"]["phone"]
    assert reconcile(bench.sync, bench.services).missing == 0


def test_what_was_written_is_taken_back(bench, url):
    bench.run([row("a"), row("b")])
    before = {ref: one["name"] for ref, one in customers(url).items()}
    changed = [row("a", 20, name="wrong", phone=None), row("b", 20, archived=True), row("d", 20)]
    bench.release(bench.decide(bench.held(changed), Verb.APPROVE))
    assert set(customers(url)) == {"a", "d"}
    ana, bob = Actor("ana", verified=True), Actor("bob", verified=True)
    review = undoing.ask("things", 2, "wrong", ana, bench.project, bench.services)
    bench.release(bench.decide(review, Verb.APPROVE, actor=bob))
    there = customers(url)
    assert {ref: one["name"] for ref, one in there.items()} == before
    assert there["a"]["phone"] == "+46 8"
    assert there["b"]["metadata"] == {"ref": "b", "amount": "12", "vip": "true"}


def test_what_it_refuses_names_the_row_and_what_it_said(bench, url):
    to = replace(CUSTOMERS, body=(*CUSTOMERS.body, ("nickname", "{name}")))
    bench.project.syncs["things"] = replace(bench.sync, destination=to)
    with pytest.raises(DestinationRefused, match=r"row a: billing: POST .*Unexpected nickname"):
        bench.run([row("a")])
    assert customers(url) == {}
