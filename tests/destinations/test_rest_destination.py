"""A SaaS API as destination, over real HTTP against the sandbox."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from wfops_pipelines import Always, Policy, rest_destination
from wfops_pipelines.core.reviews import Verb
from wfops_pipelines.errors import DestinationRefused
from wfops_pipelines.sandbox.running import sandbox_thread

pytestmark = pytest.mark.components

REPLIES = rest_destination(
    "support",
    "POST /api/v2/tickets/{id}/comments",
    body={"comment": {"body": "{reply}", "public": True}},
)


@pytest.fixture
def saas(tmp_path):
    with sandbox_thread(tmp_path / "saas") as sandbox:
        yield sandbox


@pytest.fixture
def bench(make_bench, saas):
    policy = Policy(reviewers="team", high_impact=(Always("a message to a customer"),))
    return make_bench(policy, REPLIES, saas.environ())


def tickets(saas, n):
    import json
    import urllib.request

    address = f"{saas.url}/api/v2/tickets.json?page[size]={n}"
    headers = {"Authorization": f"Bearer {saas.token('support')}"}
    with urllib.request.urlopen(urllib.request.Request(address, headers=headers)) as answer:
        return [t["id"] for t in json.load(answer)["tickets"]]


def replies(saas, n):
    at = datetime(2026, 5, 1, tzinfo=UTC)
    return [
        {"id": i, "name": "x", "amount": 1, "reply": f"Hello {i} {{id}}", "updated_at": at}
        for i in tickets(saas, n)
    ]


def ledger(bench):
    with bench.services.engine.connect() as conn:
        query = sa.text("select key, state, remote_id from wfops.deliveries order by at")
        return list(conn.execute(query))


def test_nothing_is_sent_before_a_person_says_so(bench, saas):
    bench.held(replies(saas, 3))
    assert saas.client.about()["comments"] == 0


def test_approved_messages_are_sent_once_each(bench, saas):
    taken = bench.decide(bench.held(replies(saas, 3)), Verb.APPROVE)
    assert bench.release(taken).rows == 3
    assert bench.release(taken) is None
    assert saas.client.about()["comments"] == 3
    assert {row.state for row in ledger(bench)} == {"delivered"}
    assert all(row.remote_id for row in ledger(bench))


def test_rejected_messages_are_never_sent(bench, saas):
    bench.release(bench.decide(bench.held(replies(saas, 2)), Verb.REJECT))
    assert saas.client.about()["comments"] == 0


def test_a_delivery_that_broke_off_goes_on_without_repeating(bench, saas, monkeypatch):
    monkeypatch.setattr("wfops_pipelines.destinations.calling.TRIES", 0)
    taken = bench.decide(bench.held(replies(saas, 4)), Verb.APPROVE)
    saas.client.set_fault("support", "server_error", on="write", when="after", times=1)
    with pytest.raises(DestinationRefused, match=r"support: POST .* 500"):
        bench.release(taken)
    assert [row.state for row in ledger(bench)] == ["sending"]  # it may have been done all the same
    assert bench.release(taken).rows == 4
    assert saas.client.about()["comments"] == 4


def test_a_wrong_token_is_refused_and_shown_nowhere(make_bench, saas):
    environ = {**saas.environ(), "WFOPS_SUPPORT_TOKEN": "s3cr3t-token"}
    policy = Policy(reviewers="team", high_impact=(Always("a message"),))
    bench = make_bench(policy, REPLIES, environ)
    taken = bench.decide(bench.held(replies(saas, 1)), Verb.APPROVE)
    with pytest.raises(DestinationRefused, match="WFOPS_SUPPORT_TOKEN") as refused:
        bench.release(taken)
    assert "s3cr3t" not in str(refused.value)
