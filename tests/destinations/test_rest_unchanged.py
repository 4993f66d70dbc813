"""A record that is already what would be sent is not written again, over real HTTP."""

import pytest
import sqlalchemy as sa

from tests.destinations.delivery_child import contacts
from tests.destinations.test_rest_undo import held, parcel, revert, send
from wfops_pipelines.core.snapshot import Diff
from wfops_pipelines.destinations import Reverted, Written, rest_destination
from wfops_pipelines.destinations.deliveries import State, of_snapshot, settle
from wfops_pipelines.errors import DestinationRefused

pytestmark = [pytest.mark.components, pytest.mark.usefixtures("quick")]

ROWS = {"a": "a@x", "b": "b@x"}


@pytest.fixture
def sent(engine, api):
    """Rows that were sent an hour ago."""
    send(engine, api, ROWS)
    an_hour_later(engine)
    api.asked.clear()


def an_hour_later(engine):
    with engine.begin() as conn:
        for ledger in ("deliveries", "reversals"):
            conn.execute(sa.text(f"update wfops.{ledger} set at = at - interval '1 hour'"))


def written(api):
    return [a[:2] for a in api.writes()]


@pytest.mark.usefixtures("sent")
def test_what_is_there_already_is_read_and_not_written(engine, api):
    assert send(engine, api, {**ROWS, "b": "b2@x"}, 2) == Written(updated=1)
    assert written(api) == [("PATCH", "/contacts/c2")]
    with engine.connect() as conn:
        assert {k: d.state.value for k, d in of_snapshot(conn, "people", 2).items()} == {
            "a": "delivered", "b": "delivered",
        }  # fmt: skip
    assert send(engine, api, {**ROWS, "b": "b2@x"}, 2) == Written(updated=1)  # tells it again
    assert len(written(api)) == 1


@pytest.mark.usefixtures("sent")
def test_what_somebody_changed_over_there_is_written(engine, api):
    api.records["c1"]["email"] = "by-hand@x"
    assert send(engine, api, ROWS, 2) == Written(updated=1)
    assert held(api) == ROWS


def test_an_api_that_answers_late_is_not_believed(engine, api):
    """Its answer may be of before what was written last, a revert included."""
    send(engine, api, {"a": "a@x"})
    assert send(engine, api, {"a": "a@x"}, 2) == Written(updated=1)
    an_hour_later(engine)
    assert send(engine, api, {"a": "a@x"}, 3) == Written()
    assert send(engine, api, {"a": "a@x"}, 4) == Written()  # nothing was written an hour long
    revert(engine, api, {"a": "a@x"}, 4)
    assert send(engine, api, {"a": "a@x"}, 5) == Written(updated=1)


def test_what_was_sent_last_is_not_sent_again_however_soon(engine, api):
    """A sync that runs each five minutes sent everything each time."""
    send(engine, api, {"a": "a@x"})
    for n in range(2, 6):
        send(engine, api, {"a": "a2@x"}, n)
    assert written(api) == [("POST", "/contacts"), ("PATCH", "/contacts/c1")]
    assert send(engine, api, {"a": "a3@x"}, 6) == Written(updated=1)
    assert send(engine, api, {"a": "a2@x"}, 7) == Written(updated=1)
    assert held(api) == {"a": "a2@x"}


def test_what_was_taken_back_lately_is_sent_though_it_was_sent_before(engine, api):
    """The answer that has it may be of before it was taken back."""
    send(engine, api, {"a": "a@x"})
    send(engine, api, {"a": "a2@x"}, 2)
    an_hour_later(engine)
    api.records["c1"]["email"] = "by-hand@x"
    send(engine, api, {"a": "a2@x"}, 3)
    revert(engine, api, {"a": "a2@x"}, 3)
    assert held(api) == {"a": "by-hand@x"}
    api.records["c1"]["email"] = "a2@x"  # as a late answer would have it
    assert send(engine, api, {"a": "a2@x"}, 4) == Written(updated=1)


@pytest.mark.usefixtures("sent")
def test_a_record_that_cannot_be_read_is_written(engine, api):
    assert send(engine, api, ROWS, 2, to=contacts(keys=True)) == Written(updated=2)


@pytest.mark.usefixtures("sent")
def test_what_was_not_written_can_be_taken_back_all_the_same(engine, api):
    second = {"a": "a@x", "b": "b2@x"}
    send(engine, api, second, 2)
    an_hour_later(engine)
    assert revert(engine, api, second, 2) == Reverted(restored=2)
    assert held(api) == ROWS


@pytest.mark.usefixtures("sent")
def test_a_newer_snapshot_without_news_still_goes_before_an_older_one(engine, api):
    send(engine, api, ROWS, 3)
    assert send(engine, api, {"a": "old@x"}, 2) == Written(stale=1)
    assert held(api) == ROWS


def test_the_first_that_is_sent_of_a_record_made_by_hand_may_be_what_it_is(engine, api):
    api.records["7"] = {"id": "7", "ref": "7", "email": "same@x"}
    to = contacts(keys=True, read="GET /contacts/{id}")
    assert send(engine, api, {"7": "same@x"}, to=to) == Written()
    assert written(api) == []
    assert revert(engine, api, {"7": "same@x"}, 1, to) == Reverted(restored=1)
    assert held(api) == {"7": "same@x"}


def in_path(**changes):
    """An API that takes values in the query, as Trello does."""
    declared = {
        "update": "PATCH /contacts/{remote_id}?email={email}",
        "delete": "DELETE /contacts/{remote_id}", "read": "GET /contacts/{remote_id}",
        "record": "contact",
    }  # fmt: skip
    return rest_destination("crm", "POST /contacts?email={email}&ref={id}", **declared | changes)


@pytest.mark.parametrize("body", [None, {"ref": "{id}"}])
def test_what_an_update_says_in_its_path_cannot_be_compared_and_is_sent(engine, api, body):
    to = in_path(body=body)
    send(engine, api, ROWS, to=to)
    an_hour_later(engine)
    second = {**ROWS, "b": "b2@x"}
    with engine.connect() as conn:
        assert to.diff(conn, parcel(api, second, 2), ()) == Diff(0, 2, 0)
    assert send(engine, api, second, 2, to) == Written(updated=2)
    assert held(api) == second


@pytest.mark.parametrize("body", [None, {"ref": "{id}"}])
def test_a_record_found_by_the_rows_own_key_gets_what_the_path_says(engine, api, body):
    api.records["7"] = {"id": "7", "ref": "7", "email": "old@x"}
    to = in_path(update="PUT /contacts/{id}?email={email}", read="GET /contacts/{id}", body=body)
    assert send(engine, api, {"7": "new@x"}, to=to) == Written(updated=1)
    assert held(api) == {"7": "new@x"}


def test_a_path_that_names_the_record_by_the_rows_own_key_says_nothing_more(engine, api):
    api.records["7"] = {"id": "7", "ref": "7", "email": "same@x"}
    body = {"email": "{email}", "ref": "{id}"}
    to = in_path(update="PUT /contacts/{id}?by=id", read="GET /contacts/{id}", body=body)
    assert send(engine, api, {"7": "same@x"}, to=to) == Written()
    assert written(api) == []


def test_whether_what_a_path_says_has_arrived_is_for_a_person_to_find_out(engine, api):
    to = in_path(update="POST /contacts/{remote_id}?email={email}", idempotency=False)
    send(engine, api, {"a": "a@x"}, to=to)
    api.faults = [("before", 500, {})]
    for _ in range(2):
        with pytest.raises(DestinationRefused, match="may have"):
            send(engine, api, {"a": "a2@x"}, 2, to)
    assert len(written(api)) == 2
    with engine.begin() as conn:
        assert settle(conn, "people", of_snapshot(conn, "people", 2)["a"], State.AGAIN)
    assert send(engine, api, {"a": "a2@x"}, 2, to) == Written(updated=1)
    assert held(api) == {"a": "a2@x"}


def test_an_update_that_may_have_arrived_is_sent_again_where_its_body_is_not_there(engine, api):
    body = {"ref": "{id}", "name": "{email}"}
    to = in_path(
        update="POST /contacts/{remote_id}?email={email}", idempotency=False, body=body
    )  # fmt: skip
    send(engine, api, {"a": "a@x"}, to=to)
    api.faults = [("before", 500, {})]
    with pytest.raises(DestinationRefused, match="may have"):
        send(engine, api, {"a": "a2@x"}, 2, to)
    assert send(engine, api, {"a": "a2@x"}, 2, to) == Written(updated=1)
    assert held(api) == {"a": "a2@x"}


def test_a_message_is_sent_though_its_record_is_there_already(engine, api):
    body = {"email": "{email}", "ref": "{id}"}
    to = rest_destination(
        "crm", "POST /contacts", read="GET /contacts/{id}", record="contact", body=body
    )
    api.records["a"] = {"id": "a", "email": "a@x", "ref": "a"}
    with engine.connect() as conn:
        assert to.diff(conn, parcel(api, {"a": "a@x"}, 1), []) == Diff(inserted=1)
    send(engine, api, {"a": "a@x"}, to=to)
    with engine.connect() as conn:
        assert to.diff(conn, parcel(api, {"a": "a@x"}, 1), []) == Diff(unchanged=1)
