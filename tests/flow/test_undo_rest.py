"""A publication to a SaaS API taken back: asked for by one person, approved by another."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.destinations.contacts_api import contacts_api
from wfops_pipelines import Policy, rest_destination, undoing
from wfops_pipelines.core.reviews import Actor, ReviewKind, Verb
from wfops_pipelines.errors import BadDecision, DestinationRefused, NotAllowed
from wfops_pipelines.reconciling.reconciliation import reconcile
from wfops_pipelines.store import audit

pytestmark = pytest.mark.components

START = datetime(2026, 5, 1, 9, tzinfo=UTC)
ANA, BOB = Actor("ana", verified=True), Actor("bob", verified=True)


def row(id, email, minutes=0, amount=1):
    moment = START + timedelta(minutes=minutes)
    return {"id": id, "name": email, "amount": amount, "updated_at": moment}


def crm(**changes):
    declared = {
        "update": "PATCH /contacts/{remote_id}", "delete": "DELETE /contacts/{remote_id}",
        "read": "GET /contacts/{remote_id}", "record": "contact",
        "body": {"email": "{name}", "ref": "{id}"},
    }  # fmt: skip
    return rest_destination("crm", "POST /contacts", **(declared | changes))


@pytest.fixture
def api():
    with contacts_api() as found:
        yield found


@pytest.fixture
def bench(make_bench, api):
    return make_bench(Policy(reviewers="team", hold_rows_up_to=0.5), crm(), api.environ)


def ask(bench, seq):
    return undoing.ask("things", seq, "wrong data", ANA, bench.project, bench.services)


def emails(api):
    return {r["ref"]: r["email"] for r in api.records.values()}


def test_it_is_asked_for_by_one_approved_by_another_and_done_once(bench, api):
    bench.run([row("1", "a@x"), row("2", "b@x")])
    bench.run([row("2", "wrong@x", 30), row("3", "c@x", 31)])
    review = ask(bench, 2)
    assert review.kind is ReviewKind.REVERT
    with pytest.raises(NotAllowed):
        bench.decide(review, Verb.APPROVE, actor=ANA)
    assert emails(api) == {"1": "a@x", "2": "wrong@x", "3": "c@x"}
    taken = bench.decide(review, Verb.APPROVE, actor=BOB)
    bench.release(taken)
    assert emails(api) == {"1": "a@x", "2": "b@x"}
    sent = len(api.writes())
    bench.release(taken)
    assert len(api.writes()) == sent
    with bench.services.engine.connect() as conn:
        last = audit.trail(conn, "things #2")[-1]
    assert (last["action"], last["details"]["restored"], last["details"]["deleted"]) == (
        "rows.reverted", 1, 1,
    )  # fmt: skip
    found = reconcile(bench.sync, bench.services)
    assert (found.published, found.quarantined, found.missing) == (2, 2, 0)
    bench.run([row("3", "c3@x", 60)])
    assert emails(api) == {"1": "a@x", "2": "b@x", "3": "c3@x"}


def test_a_revert_that_the_api_refuses_halfway_is_finished_by_the_next_try(bench, api):
    bench.run([row("1", "a@x"), row("2", "b@x")])
    bench.run([row("1", "w1@x", 30), row("2", "w2@x", 31)])
    taken = bench.decide(ask(bench, 2), Verb.APPROVE, actor=BOB)
    api.faults = [None, None, None, ("before", 422, {})]
    with pytest.raises(DestinationRefused, match="The others were taken back"):
        bench.release(taken)
    assert sorted(emails(api).values()) == ["a@x", "w2@x"]
    bench.release(taken)
    assert sorted(emails(api).values()) == ["a@x", "b@x"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"update": None, "delete": None, "read": None}, "each row is sent as something new"),
        ({"read": None}, r"nothing reads what a record was before \(no read=\)"),
        ({"delete": None}, r"nothing deletes what was created \(no delete=\)"),
    ],
)
def test_what_cannot_be_taken_back_says_so_in_words(make_bench, api, changes, why):
    bench = make_bench(Policy(reviewers="team"), crm(**changes), api.environ)
    bench.run([row("1", "a@x")])
    with pytest.raises(
        BadDecision, match=f"the crm API, POST /contacts cannot be taken back: {why}"
    ):
        ask(bench, 1)
