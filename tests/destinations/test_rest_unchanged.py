"""A record that is already what would be sent is not written again, over real HTTP."""

import pytest
import sqlalchemy as sa

from tests.destinations.delivery_child import contacts
from tests.destinations.test_rest_undo import held, revert, send
from wfops_pipelines.destinations import Reverted, Written
from wfops_pipelines.destinations.deliveries import of_snapshot

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
