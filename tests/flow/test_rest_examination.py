"""A snapshot is examined against what a SaaS API holds; where that cannot be seen, it is said."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.destinations.contacts_api import contacts_api
from wfops_pipelines import Policy, rest_destination
from wfops_pipelines.core.reviews import Verb
from wfops_pipelines.core.snapshot import SnapshotState
from wfops_pipelines.errors import (
    DestinationDenied,
    DestinationRateLimited,
    DestinationUnreachable,
    SettingsError,
)
from wfops_pipelines.reconciling.reconciliation import reconcile
from wfops_pipelines.store import snapshots
from wfops_pipelines.validation import problems

pytestmark = pytest.mark.components

START = datetime(2026, 5, 1, 9, tzinfo=UTC)
CRITICAL = Policy(reviewers="team", hold_rows_up_to=0.5, critical_fields=("name",))


def row(id, email, minutes=0):
    moment = START + timedelta(minutes=minutes)
    return {"id": id, "name": email, "amount": 1, "updated_at": moment}


def crm(**changes):
    declared = {
        "update": "PATCH /contacts/{remote_id}", "read": "GET /contacts/{remote_id}",
        "record": "contact", "body": {"email": "{name}", "ref": "{id}"},
    }  # fmt: skip
    return rest_destination("crm", "POST /contacts", **(declared | changes))


@pytest.fixture
def api(monkeypatch):
    monkeypatch.setattr("wfops_pipelines.destinations.calling.BACKOFF", 0.001)
    with contacts_api() as found:
        yield found


def emails(api):
    return sorted(r["email"] for r in api.records.values())


def denied(api, environ):
    environ["WFOPS_CRM_TOKEN"] = "spent"


def limited(api, environ):
    api.faults = [("before", 429, {})] * 20


def away(api, environ):
    api.faults = [("before", 503, {})] * 20


def unset(api, environ):
    del environ["WFOPS_CRM_TOKEN"]


@pytest.mark.parametrize(
    ("broken", "failure"),
    [
        (denied, DestinationDenied), (limited, DestinationRateLimited),
        (away, DestinationUnreachable), (unset, SettingsError),
    ],
)  # fmt: skip
def test_an_api_that_does_not_answer_holds_nothing_and_the_next_run_judges(
    make_bench, api, broken, failure
):
    bench = make_bench(CRITICAL, crm(), api.environ)
    bench.run([row("1", "a@x")])
    environ = dict(bench.services.environ)
    broken(api, bench.services.environ)
    with pytest.raises(failure, match=r"things #2 waits to be examined|WFOPS_CRM_TOKEN"):
        bench.run([row("1", "a@x", 29), row("2", "b@x", 30), row("3", "c@x", 31)])
    with bench.services.engine.connect() as conn:
        assert snapshots.get(conn, "things", 2).state is SnapshotState.STAGED
    assert emails(api) == ["a@x"]
    bench.services.environ.update(environ)
    api.faults = []
    passed = bench.run()
    assert [j.snapshot.seq for j in passed.judged] == [2]
    assert emails(api) == ["a@x", "b@x", "c@x"]
    assert reconcile(bench.sync, bench.services).missing == 0


def said(bench):
    return [p for p in problems(bench.project) if p.field == "policy.critical_fields"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"read": None}, r"is not read back, so nobody would see"),
        ({"body": {"email": "<{name}>"}}, r"gets 'name' only inside longer texts"),
    ],
)
def test_a_critical_field_that_nobody_would_see_change_is_refused(make_bench, api, changes, words):
    (problem,) = said(make_bench(CRITICAL, crm(**changes), api.environ))
    assert words in problem.problem


def test_critical_fields_that_are_read_back_or_never_sent_are_fine(make_bench, api):
    assert said(make_bench(CRITICAL, crm(), api.environ)) == []
    assert said(make_bench(CRITICAL, crm(body={"ref": "{id}"}), api.environ)) == []
    assert said(make_bench(CRITICAL, crm(update=None, read=None), api.environ)) == []


def test_a_row_of_which_no_request_can_be_made_is_held_before_anybody_approves_it(make_bench, api):
    to = crm(body={"email": "{name}", "ref": "{id}", "note": "sent to {team}"})
    bench = make_bench(replace(CRITICAL, hold_rows_up_to=0.7), to, api.environ)
    bench.run([{**row("1", "a@x"), "team": "red"}, {**row("2", "b@x"), "team": "red"}])
    rows = [{**row("1", "c@x", 20), "team": None}, {**row("2", "b@x", 20), "team": "blue"},
            {**row("3", "d@x", 20), "team": None}]  # fmt: skip
    review = bench.held(rows)
    assert review.keys == ("1", "3")
    assert "2 rows cannot be sent, 1, 3: the row has no team" in review.summary
    assert emails(api) == ["a@x", "b@x"]
    assert sorted(r["note"] for r in api.records.values()) == ["sent to blue", "sent to red"]
    bench.release(bench.decide(review, Verb.REJECT))
    assert reconcile(bench.sync, bench.services).quarantined == 2
