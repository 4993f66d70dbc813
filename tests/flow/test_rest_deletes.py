"""What a source no longer has is deleted at a SaaS API, by the list that the API has itself."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.destinations.contacts_api import contacts_api
from wfops_pipelines import Policy, rest_destination
from wfops_pipelines.core.reviews import Verb
from wfops_pipelines.destinations import can_list
from wfops_pipelines.errors import SourceRefused
from wfops_pipelines.sources import CursorPaging, rest_api
from wfops_pipelines.validation import problems

pytestmark = pytest.mark.components

START = datetime(2026, 5, 1, 9, tzinfo=UTC)
LIST = rest_api("crm", "/contacts", records="contacts", paging=CursorPaging("next", "after"))
FREE = Policy(reviewers="team", hold_rows_up_to=0.5, delete_rows_up_to=0.5)


def row(id, minutes=0, **more):
    moment = START + timedelta(minutes=minutes)
    return {"id": id, "name": f"{id}@x", "amount": 1, "updated_at": moment, **more}


def crm(**changes):
    declared = {
        "update": "PATCH /contacts/{remote_id}", "delete": "DELETE /contacts/{remote_id}",
        "read": "GET /contacts/{remote_id}", "record": "contact",
        "body": {"email": "{name}", "ref": "{id}"}, "lists": LIST,
    }  # fmt: skip
    return rest_destination("crm", "POST /contacts", **(declared | changes))


@pytest.fixture
def api():
    with contacts_api() as found:
        found.records["theirs"] = {"id": "theirs", "email": "made-by-somebody-else@x"}
        yield found


@pytest.fixture
def whole(make_bench, api):
    """`whole(destination)`: each extraction has everything, and what it lacks is gone."""

    def make(destination, policy=FREE):
        bench = make_bench(policy, destination, api.environ)
        bench.project.syncs["things"] = replace(bench.sync, cursor=None, missing="delete")
        return bench

    return make


def emails(api):
    return sorted(r["email"] for r in api.records.values())


@pytest.mark.parametrize("by", [None, "ref"])
@pytest.mark.parametrize("ids", [["a", "b", "c", "d"], [1, 2, 3, 4]], ids=["texts", "numbers"])
def test_what_is_missing_is_deleted_there_and_what_others_made_is_not(whole, api, by, ids):
    bench = whole(crm(lists_by=by))
    bench.run([row(i) for i in ids])
    (done,) = bench.run([row(i) for i in ids[:3]]).publications
    assert (done.updated, done.deleted) == (3, 1)
    assert emails(api) == sorted([*(f"{i}@x" for i in ids[:3]), "made-by-somebody-else@x"])
    assert len(api.records) == 4  # what is gone is not missed again


def test_what_somebody_deleted_over_there_is_not_deleted_once_more(whole, api):
    bench = whole(crm())
    bench.run([row(i) for i in "abcd"])
    gone = next(i for i, r in api.records.items() if r["email"] == "d@x")
    del api.records[gone]
    (done,) = bench.run([row(i) for i in "abc"]).publications
    assert done.deleted == 0


def test_more_deletions_than_may_go_wait_and_are_counted_by_the_list(whole, api):
    bench = whole(crm(), replace(FREE, delete_rows_up_to=0.3, hold_rows_up_to=1.0))
    bench.run([row(i) for i in "abcd"])
    review = bench.held([row(i) for i in "ab"])
    assert "2 rows would be deleted of 4 rows that the destination holds" in review.summary
    assert len(api.records) == 5
    bench.release(bench.decide(review, Verb.APPROVE))
    assert emails(api) == ["a@x", "b@x", "made-by-somebody-else@x"]


def test_a_list_that_cannot_be_read_deletes_nothing(whole, api):
    bench = whole(crm())
    bench.run([row(i) for i in "abcd"])
    api.takes = {"another-token"}
    with pytest.raises(SourceRefused, match=r"crm: GET /contacts .*WFOPS_CRM_TOKEN"):
        bench.run([row("a")])
    assert len(api.records) == 5


def said(bench, **changes):
    bench.project.syncs["things"] = replace(bench.sync, **changes)
    return [f"{p.field}: {p.problem}. {p.repair}" for p in problems(bench.project)]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"missing": "delete", "cursor": None}, "missing: the crm API, POST /contacts cannot say "),
        ({"deleted": "gone"}, "policy.delete_rows_up_to: the crm API, POST /contacts cannot say"),
    ],
)
def test_without_a_list_it_is_refused_in_words(make_bench, api, changes, words):
    bench = make_bench(FREE, crm(lists=None), api.environ)
    (found,) = [s for s in said(bench, **changes) if s.startswith(words)]
    assert "declare lists=rest_api(…)" in found


def test_deletions_that_each_wait_for_a_person_need_no_list(make_bench, api):
    bench = make_bench(replace(FREE, delete_rows_up_to=0), crm(lists=None), api.environ)
    assert not [s for s in said(bench, deleted="gone") if "delete" in s]
    bench.run([row("a", gone=None), row("b", gone=None), row("c", gone=None)])
    review = bench.held([row("a", 30, gone=True)])
    assert "1 row would be deleted; up to 0 may go" in review.summary


def test_an_api_that_cannot_delete_is_refused_for_deletions(make_bench, api):
    bench = make_bench(FREE, crm(delete=None), api.environ)
    assert any("is told of deletions and cannot delete" in s for s in said(bench, deleted="gone"))


def test_a_list_is_checked_where_it_is_declared():
    assert can_list(crm())
    assert not can_list(crm(lists=None))
    with pytest.raises(ValueError, match="of another system"):
        crm(lists=replace(LIST, system="erp"))
    with pytest.raises(ValueError, match="must list every record"):
        crm(lists=replace(LIST, updated_after="since"))
