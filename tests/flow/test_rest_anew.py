"""A record that is not at the API any more, whose row comes again: it is created anew, once."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.destinations.contacts_api import contacts_api
from tests.flow.test_undo_rest import crm
from wfops_pipelines import Policy, undoing
from wfops_pipelines.core.reviews import Actor, Verb
from wfops_pipelines.deciding.settling import settle, unsettled
from wfops_pipelines.destinations.told import OutcomeUnknown
from wfops_pipelines.errors import DestinationRefused
from wfops_pipelines.reconciling.proving import prove

pytestmark = pytest.mark.components

ANA, BOB = Actor("ana", verified=True), Actor("bob", verified=True)
POLICY = Policy(reviewers="team", hold_rows_up_to=0.9)


def row(id, email, days=0, **more):
    at = datetime(2026, 5, 1, 9, tzinfo=UTC) + timedelta(days=days)
    return {"id": id, "name": email, "amount": 1, "updated_at": at, **more}


def there(api):
    return sorted((r["ref"], r["email"]) for r in api.records.values())


def breaks_once(api):
    """Does what it is asked, and says of the next create that it is broken."""
    work, broken = api.work, []

    def works(method, *asked):
        done = work(method, *asked)
        if method == "POST" and not broken:
            broken.append(True)
            return 500, {"error": "broken"}
        return done

    return works


def test_a_row_that_comes_back_and_may_have_arrived_is_not_sent_twice(make_bench, monkeypatch):
    """The name of the record that was deleted says nothing of the one that may have been made."""
    with contacts_api(keys=False) as api:
        bench = make_bench(POLICY, crm(idempotency=False), api.environ)
        bench.project.syncs["things"] = replace(bench.sync, deleted="gone")
        bench.run([row("1", "a@x", gone=False), row("2", "b@x", gone=False)])
        held = bench.held([row("1", "a@x", 1, gone=True), row("2", "b@x", gone=False)])
        bench.release(bench.decide(held, Verb.APPROVE))
        assert there(api) == [("2", "b@x")]
        monkeypatch.setattr(api, "work", breaks_once(api))
        with pytest.raises(OutcomeUnknown):
            bench.run([row("1", "back@x", 2, gone=False)])
        with pytest.raises(DestinationRefused, match="may have arrived and is not sent again"):
            bench.run()
        assert there(api) == [("1", "back@x"), ("2", "b@x")]
        assert [d.key for d in unsettled("things", bench.project, bench.services)] == ["1"]
        settle("things", "1", True, "it is there", ANA, bench.project, bench.services)
        bench.run()
        assert there(api) == [("1", "back@x"), ("2", "b@x")]


@pytest.mark.parametrize("cursor", ["updated_at", None])
def test_a_record_that_somebody_deleted_is_created_by_the_next_version(
    make_bench, monkeypatch, cursor
):
    """As the diff says. The row was refused with each version, and nothing led out of that."""
    monkeypatch.setattr("wfops_pipelines.destinations.sending.READABLE", timedelta(0))
    with contacts_api() as api:
        bench = make_bench(POLICY, crm(), api.environ)
        bench.project.syncs["things"] = replace(bench.sync, cursor=cursor)
        bench.run([row("1", "a@x"), row("2", "b@x")])
        del api.records["c1"]
        (done,) = bench.run([row("1", "a2@x", 1), row("2", "b2@x", 1)]).publications
        assert (done.inserted, done.updated) == (1, 1)
        assert there(api) == [("1", "a2@x"), ("2", "b2@x")]
        proof = prove(bench.sync, bench.services)
        assert (proof.misfits, proof.account.missing) == ((), 0)
        back = undoing.ask("things", 2, "wrong", ANA, bench.project, bench.services)
        bench.release(bench.decide(back, Verb.APPROVE, actor=BOB))
        assert there(api) == [("2", "b@x")]


def test_soon_after_something_was_sent_an_api_may_answer_late(make_bench):
    with contacts_api() as api:
        bench = make_bench(POLICY, crm(), api.environ)
        bench.run([row("1", "a@x"), row("2", "b@x")])
        del api.records["c1"]
        with pytest.raises(DestinationRefused, match="PATCH /contacts/c1 was refused with 404"):
            bench.run([row("1", "a2@x", 1)])
        assert there(api) == [("2", "b@x")]
