"""Rows that are gone are archived by a request with a body, over real HTTP; records stay."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.destinations.delivery_child import people, publish
from wfops_pipelines.core.snapshot import Diff
from wfops_pipelines.destinations import Keep, Reverted, Written, many, rest_destination
from wfops_pipelines.errors import DestinationRefused
from wfops_pipelines.sources import CursorPaging, rest_api

pytestmark = [pytest.mark.components, pytest.mark.usefixtures("quick")]
LIST = rest_api("crm", "/contacts", records="contacts", paging=CursorPaging("next", "after"))
DECLARED = {
    "update": "PATCH /contacts/{remote_id}",
    "delete": "PATCH /contacts/{remote_id}", "delete_body": {"archived": True, "why": "{id} left"},
    "gone": "archived", "read": "GET /contacts/{remote_id}", "record": "contact",
    "body": {"email": "{email}", "ref": "{id}"}, "lists": LIST,
}  # fmt: skip


def pages(**changes):
    return rest_destination("crm", "POST /contacts", **(DECLARED | changes))


BATCHES = pages(
    read_many=many("GET /contacts?ids={ids}", records="results", size=2),
)


def parcel(api, emails, seq):
    keep = Keep("wfops.replaced", seq, datetime(2026, 5, 1, tzinfo=UTC))
    return replace(people(emails, api.environ, seq), keep=keep)


def send(engine, api, emails, seq=1, to=BATCHES):
    return publish(engine, to, parcel(api, emails, seq))


def alive(api):
    return {r["ref"]: r["email"] for r in api.records.values() if not r.get("archived")}


@pytest.mark.parametrize("to", [pages(), BATCHES], ids=["one", "many"])
def test_a_row_that_is_gone_is_archived_and_counts_as_gone(engine, api, to):
    send(engine, api, {"a": "a@x", "b": "b@x", "c": "c@x"}, to=to)
    assert send(engine, api, {"b": None}, 2, to) == Written(deleted=1)
    method, path, body, key = api.writes()[-1]
    assert (method, path, body) == (
        "PATCH", "/contacts/c2", {"archived": True, "why": "b left"},
    )  # fmt: skip
    assert key
    with engine.connect() as conn:
        found = to.diff(conn, people({"a": "a@x", "b": "b@x", "c": None}, api.environ, 3), [])
        held = to.existing(conn, people({"a": "a@x", "b": "b@x"}, api.environ, 3), ["email"]).rows
        assert to.living(conn, "id", api.environ, "people").to_pylist() == ["a", "c"]
    assert found == Diff(inserted=1, unchanged=1, deleted=1)
    assert held == {"a": {"email": "a@x"}}
    assert send(engine, api, {"b": "b3@x"}, 3, to) == Written(inserted=1)
    assert alive(api) == {"a": "a@x", "b": "b3@x", "c": "c@x"}


@pytest.mark.parametrize("keep", [True, False])
def test_what_somebody_archived_already_is_not_archived_once_more(engine, api, keep):
    send(engine, api, {"a": "a@x", "b": "b@x"})
    api.records["c1"]["archived"] = True
    gone = parcel(api, {"a": None, "b": None}, 2)
    assert publish(engine, pages(), gone if keep else replace(gone, keep=None)) == Written(
        deleted=1
    )
    assert [a[1] for a in api.writes()[2:]] == ["/contacts/c2"]


def test_what_was_archived_or_created_is_taken_back(engine, api):
    send(engine, api, {"a": "a@x", "b": "b@x"})
    before = alive(api)
    second = {"a": "a2@x", "b": None, "c": "c@x", "d": "d@x"}
    send(engine, api, second, 2)
    api.records["c4"]["archived"] = True  # by somebody else
    with engine.begin() as conn:
        assert BATCHES.revert(conn, parcel(api, second, 2)) == Reverted(
            restored=2, deleted=1, newer=1
        )
    assert alive(api) == before


def test_a_changed_row_of_an_archived_record_is_refused_with_the_row(engine, api):
    send(engine, api, {"a": "a@x"})
    api.records["c1"]["archived"] = True
    with pytest.raises(DestinationRefused, match=r"row a: .*c1 is archived and cannot be edited"):
        send(engine, api, {"a": "a2@x"}, 2)


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"delete": None}, "delete_body needs delete="), ({"gone": None}, 'gone="archived"')],
)
def test_what_cannot_be_is_refused_where_it_is_declared(changes, words):
    with pytest.raises(ValueError, match=words):
        pages(**changes)


def test_what_only_a_create_sends_is_neither_compared_nor_updated_and_restored(engine, api):
    to = pages(create_body={"parent": {"list": "l1"}, "made_by": "{id}'s owner"})
    send(engine, api, {"a": "a@x", "b": "b@x"}, to=to)
    assert api.writes()[0][2] == {
        "email": "a@x", "ref": "a", "parent": {"list": "l1"}, "made_by": "a's owner",
    }  # fmt: skip
    api.records["c1"]["parent"] = api.records["c2"]["parent"] = {"list": "moved-by-hand"}
    with engine.connect() as conn:
        assert to.diff(conn, people({"a": "a@x"}, api.environ, 2), []) == Diff(unchanged=1)
    second = {"a": "a2@x", "b": None}
    send(engine, api, second, 2, to)
    assert api.writes()[2][2] == {"email": "a2@x", "ref": "a"}
    with engine.begin() as conn:
        assert to.revert(conn, parcel(api, second, 2)) == Reverted(restored=2)
    assert api.writes()[-2][2] == {"email": "a@x", "ref": "a"}
    assert api.writes()[-1][2] == {
        "email": "b@x", "ref": "b", "parent": {"list": "moved-by-hand"}, "made_by": "b's owner",
    }  # fmt: skip
    with pytest.raises(ValueError, match="create_body needs a create"):
        rest_destination("crm", update="PUT /contacts/{id}", create_body={"a": 1})
