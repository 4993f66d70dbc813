"""A publication to a SaaS API that broke off: what reconcile expects, and when its request ends."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.destinations.contacts_api import contacts_api
from wfops_pipelines import Policy, carrying, mending, rest_destination, retrying
from wfops_pipelines.core.reviews import Actor, ReviewState, Verb
from wfops_pipelines.deciding import steering
from wfops_pipelines.errors import DestinationRefused, SourceRefused
from wfops_pipelines.failing import report_failure
from wfops_pipelines.flow import Run
from wfops_pipelines.reconciling import proving, stories
from wfops_pipelines.reconciling.fates import Fate
from wfops_pipelines.store import audit, reviews

pytestmark = pytest.mark.components

START = datetime(2026, 5, 1, 9, tzinfo=UTC)
RUN = Run(Actor("test", "machine"))
LOOSE = Policy(reviewers="team", hold_rows_up_to=0.5)


def row(id, email, minutes=0, amount=1):
    moment = START + timedelta(minutes=minutes)
    return {"id": id, "name": email, "amount": amount, "updated_at": moment}


def crm():
    return rest_destination(
        "crm", "POST /contacts", update="PATCH /contacts/{remote_id}", record="contact",
        delete="DELETE /contacts/{remote_id}", read="GET /contacts/{remote_id}",
        body={"email": "{name}", "ref": "{id}"},
    )  # fmt: skip


@pytest.fixture
def api(monkeypatch):
    monkeypatch.setattr("wfops_pipelines.destinations.calling.BACKOFF", 0.001)
    with contacts_api() as found:
        yield found


@pytest.fixture
def bench(make_bench, api):
    return make_bench(LOOSE, crm(), api.environ)


def attempt(bench, *pages):
    if pages:
        bench.source.answer(*pages)
    bench.clock.advance(minutes=15)
    return retrying.run(bench.project, bench.sync, bench.services, RUN)


def misfits(bench):
    return [(m.key, m.words) for m in proving.prove(bench.sync, bench.services).misfits]


def mended(bench):
    with bench.services.engine.connect() as conn:
        found = audit.trail(conn, "things")
    return [(e["actor"], e["reason"]) for e in found if e["action"] == "failure.mended"]


def test_reconcile_expects_what_the_ledger_says_was_sent_of_a_newer_snapshot(bench, api):
    bench.run([row("1", "a@x"), row("2", "b@x")])
    api.records["c2"]["archived"] = True  # it cannot be changed: refused with 400
    assert attempt(bench, [row("1", "a2@x", 30), row("2", "b2@x", 31)]).error is not None
    assert [r["email"] for r in api.records.values()] == ["a2@x", "b@x"]
    assert misfits(bench) == []
    api.records["c1"]["email"] = "else@x"  # what was sent is still compared
    assert misfits(bench) == [("1", "the destination holds other values of name")]


def told(bench, key):
    (version,) = [v for v in stories.versions_of(bench.sync, key, bench.services) if v.seq == 1]
    return version.told.fate, version.words


def counts(bench):
    proof = proving.prove(bench.sync, bench.services)
    account = proof.account
    assert (proof.misfits, account.missing) == ((), 0)
    assert proof.fates.get(Fate.PUBLISHED, 0) == account.published
    assert proof.fates.get(Fate.HELD, 0) == account.held
    return account.published, account.held, account.waiting


def test_reconcile_tells_what_has_arrived_and_what_the_api_refused(bench, api):
    assert attempt(bench, [row("1", "a@x"), row("2", "odd"), row("3", "c@x")]).error is not None
    assert counts(bench) == (2, 1, 0)
    said = [what.strip() for what, _ in proving.prove(bench.sync, bench.services).account.lines()]
    assert {"of these before others", "of these sent"} <= set(said)
    fate, words = told(bench, "1")
    assert (fate, words) == (
        Fate.PUBLISHED, "published: it has arrived; of its snapshot not all is done yet"
    )  # fmt: skip
    fate, words = told(bench, "2")
    assert (fate, "refused by the API: it waits for a person" in words) == (Fate.HELD, True)


def test_what_is_sent_again_still_waits_for_the_machine(bench, api):
    bench.source.answer([row("1", "a@x"), row("2", "b@x")])
    api.faults = [None, ("before", 403, {})]
    assert attempt(bench).error is not None
    assert counts(bench)[1:] == (0, 1)
    assert "sending it is tried again" in told(bench, "2")[1]


@pytest.mark.parametrize("when", ["before", "after"])
def test_reconcile_claims_nothing_of_a_row_that_perhaps_has_arrived(bench, api, monkeypatch, when):
    bench.run([row("1", "a@x"), row("2", "b@x")])
    bench.source.answer([row("1", "a2@x", 30), row("2", "b2@x", 31)])
    monkeypatch.setattr("wfops_pipelines.destinations.calling.TRIES", 0)
    asked = type(api).work

    def work(self, method, *rest):
        if method == "PATCH":
            done = asked(self, method, *rest) if when == "after" else None
            assert done is None or done[0] == 200
            return 500, {"error": "broken"}
        return asked(self, method, *rest)

    monkeypatch.setattr(type(api), "work", work)
    assert attempt(bench).error is not None
    assert misfits(bench) == []


def test_a_failure_is_closed_by_the_machine_when_all_of_it_has_arrived(bench, api):
    review = attempt(bench, [row("1", "a@x"), row("2", "odd")]).review
    assert attempt(bench).error is not None  # the same again
    assert bench.review(review.id).state is ReviewState.PENDING
    with bench.services.engine.begin() as conn:  # as if it were mended over there
        conn.exec_driver_sql("update wfops.deliveries set state = 'delivered' where key = '2'")
    assert attempt(bench).error is None
    closed = bench.review(review.id)
    assert (closed.state, closed.decided_by) == (ReviewState.SUPERSEDED, "machine:gate")
    assert mended(bench) == [("gate", "everything that was to be published then has arrived since")]


def test_it_stays_open_while_a_paused_sync_publishes_nothing(bench, api):
    review = attempt(bench, [row("1", "a@x"), row("2", "odd")]).review
    ana = Actor("ana", verified=True)
    steering.pause("things", "an audit", ana, bench.project, bench.services)
    assert attempt(bench).error is None
    assert bench.review(review.id).state is ReviewState.PENDING
    assert mended(bench) == []


def test_it_stays_open_while_an_earlier_snapshot_of_the_queue_waits(make_bench, api):
    policy = Policy(reviewers="team", hold_rows_up_to=0.5, while_held="queue")
    bench = make_bench(policy, crm(), api.environ)
    held = bench.held([row("1", "a@x", amount=-1)])
    bench.run([row("2", "b@x", 30)])  # waits for its turn
    away = DestinationRefused("away")
    review = report_failure(bench.sync, "publishing", away, bench.services, None)
    bench.run()
    assert bench.review(review.id).state is ReviewState.PENDING
    bench.release(bench.decide(held, Verb.APPROVE))
    bench.run()
    assert bench.review(review.id).state is ReviewState.SUPERSEDED


def test_a_failed_extraction_is_over_when_a_later_one_went_through(bench):
    review = report_failure(bench.sync, "extraction", SourceRefused("401"), bench.services, None)
    bench.run([row("1", "a@x")])
    assert bench.review(review.id).state is ReviewState.SUPERSEDED
    assert mended(bench)[0][1] == "a later run has read the source and examined what came"


def test_a_run_that_began_before_the_failure_proves_nothing(bench):
    begun = bench.services.clock()
    bench.clock.advance(minutes=1)
    review = report_failure(bench.sync, "extraction", SourceRefused("401"), bench.services, None)
    mending.close(bench.sync, "extraction", bench.services, None, begun)
    assert bench.review(review.id).state is ReviewState.PENDING


def test_a_failed_release_is_over_when_what_was_decided_is_done(bench, api):
    taken = bench.decide(bench.held([row("1", "a@x", amount=-1)]), Verb.APPROVE)
    api.faults = [("before", 403, {})]
    with pytest.raises(DestinationRefused) as error:
        bench.release(taken)
    with bench.services.engine.connect() as conn:
        errand = reviews.errand(conn, taken.id)
    review = carrying.note_failed(errand, bench.sync, error.value, bench.services, None)
    bench.run([row("2", "b@x", 30)])
    assert bench.review(review.id).state is ReviewState.PENDING
    bench.release(taken)
    assert bench.review(review.id).state is ReviewState.SUPERSEDED
    assert mended(bench) == [("gate", "everything that was decided by then has been done since")]
