"""Records are read back by batches, and side by side, over real HTTP."""

import threading

import pytest

from tests.destinations.delivery_child import contacts, many, people, publish
from wfops_pipelines.core.snapshot import Diff
from wfops_pipelines.destinations import many as batch
from wfops_pipelines.destinations import rest_destination
from wfops_pipelines.errors import DestinationRefused

pytestmark = pytest.mark.components

READ = "GET /contacts/{remote_id}"
BY_ADDRESS = batch("GET /contacts?ids={ids}", records="results", size=10)
BY_BODY = batch(
    "POST /contacts/batch/read", body={"inputs": "{ids}", "properties": ["email"]},
    each={"id": "{one}"}, records="results", size=10,
)  # fmt: skip


@pytest.fixture
def filled(engine, api):
    """25 rows were sent; then one was changed over there and one is gone."""
    publish(engine, contacts(keys=True), people(many(25), api.environ))
    api.records["c3"]["email"] = "changed-there@x"
    del api.records["c4"]
    api.asked.clear()
    return many(25) | {"k7": None, "new": "new@x"}


def diff(engine, api, rows, to):
    with engine.connect() as conn:
        return to.diff(conn, people(rows, api.environ, 2), ["email"])


FOUND = Diff(
    inserted=2, updated=1, unchanged=22, deleted=1,
    changes=(("k2", "email", "changed-there@x", "k2@example.org"),),
)  # fmt: skip


@pytest.mark.parametrize("read_many", [None, BY_ADDRESS, BY_BODY], ids=["one", "address", "body"])
def test_the_diff_is_the_same_however_it_is_read(engine, api, filled, read_many):
    to = contacts(keys=True, read=READ, read_many=read_many)
    assert diff(engine, api, filled, to) == FOUND
    # three batches, and the one that is gone alone: the ledger says that it lived
    assert len(api.asked) == (25 if read_many is None else 4)
    with engine.connect() as conn:
        held = to.existing(conn, people(filled, api.environ, 2), ["email"]).rows
    assert len(held) == 23
    assert held["k2"] == {"email": "changed-there@x"}


def test_a_batch_that_is_cut_short_is_not_taken_for_rows_that_are_not_there(engine, api, filled):
    api.at_most = 3
    to = contacts(keys=True, read=READ, read_many=BY_ADDRESS)
    assert diff(engine, api, filled, to) == FOUND


def test_a_batch_is_repeated_though_it_is_posted(engine, api, filled, monkeypatch):
    monkeypatch.setattr("wfops_pipelines.destinations.calling.BACKOFF", 0.001)
    api.faults = ["drop", ("before", 502, {}), ("before", 429, {"Retry-After": "0"})]
    to = contacts(keys=False, read=READ, read_many=BY_BODY)
    assert diff(engine, api, filled, to) == FOUND


def test_records_are_read_side_by_side(engine, api, filled):
    api.side_by_side = threading.Barrier(4)
    to = contacts(keys=True, read=READ)
    rows = {k: filled[k] for k in [*filled][:8]}
    assert diff(engine, api, rows, to).unchanged == 5


def test_one_failure_stops_the_rest(engine, api, filled):
    api.faults = [("before", 422, {})] * 100
    with pytest.raises(DestinationRefused, match=r"GET /contacts/c\d+ was refused with 422"):
        diff(engine, api, filled, contacts(keys=True, read=READ))
    assert len(api.asked) < 25


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"records": "data"}, "no list at 'data'"), ({"match": "number"}, "none of 9 records has")],
)
def test_a_batch_that_is_declared_wrongly_is_refused_in_words(engine, api, filled, changes, words):
    declared = {"records": "results", "size": 10} | changes
    to = contacts(keys=True, read=READ, read_many=batch("GET /contacts?ids={ids}", **declared))
    with pytest.raises(DestinationRefused, match=words):
        diff(engine, api, filled, to)


def test_what_cannot_be_is_refused_where_it_is_declared():
    with pytest.raises(ValueError, match="where the rows' names go"):
        batch("GET /contacts")
    with pytest.raises(ValueError, match="size must be"):
        batch("GET /contacts?ids={ids}", size=0)
    with pytest.raises(ValueError, match="read_many needs read="):
        rest_destination("crm", "POST /contacts", read_many=BY_BODY)
