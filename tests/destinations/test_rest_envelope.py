"""An API that wraps what it is sent as what it answers, as {"contact": {…}}: Zendesk's way."""

from __future__ import annotations

import pytest

from tests.destinations.test_rest_undo import held, parcel, revert, send
from wfops_pipelines.destinations import Reverted, many, rest_destination
from wfops_pipelines.destinations.readback import as_sent

pytestmark = [pytest.mark.components, pytest.mark.usefixtures("quick")]

BODY = {"contact": {"email": "{email}", "ref": "{id}"}}
BATCH = many("GET /contacts?ids={ids}", records="results")


def crm(**more):
    return rest_destination(
        "crm", "POST /contacts", update="PATCH /contacts/{remote_id}",
        delete="DELETE /contacts/{remote_id}", read="GET /contacts/{remote_id}", body=BODY, **more,
    )  # fmt: skip


@pytest.fixture(params=["", "contact"])
def wrapping(request, api):
    """With `record` and without it, which only the answers' envelope needs."""
    api.wrapped = True
    return crm(record=request.param)


def diff(engine, api, emails, to):
    with engine.connect() as conn:
        return to.diff(conn, parcel(api, emails, 2), ["email"])


def test_what_was_sent_is_no_difference_and_what_changes_is_one(engine, api, wrapping):
    send(engine, api, {"a": "a@x", "b": "b@x"}, to=wrapping)
    found = diff(engine, api, {"a": "a@x", "b": "b2@x"}, wrapping)
    assert (found.unchanged, found.updated) == (1, 1)
    assert found.changes == (("b", "email", "b@x", "b2@x"),)


def test_it_is_taken_back(engine, api, wrapping):
    send(engine, api, {"a": "a@x", "b": "b@x"}, to=wrapping)
    second = {"a": "a2@x", "b": None, "c": "c@x"}
    send(engine, api, second, 2, to=wrapping)
    assert revert(engine, api, second, 2, to=wrapping) == Reverted(restored=2, deleted=1)
    assert held(api) == {"a": "a@x", "b": "b@x"}


def test_records_of_a_batch_come_without_the_envelope(engine, api):
    api.wrapped = True
    to = crm(record="contact", read_many=BATCH)
    send(engine, api, {"a": "a@x", "b": "b@x"}, to=to)
    assert diff(engine, api, {"a": "a@x", "b": "b2@x"}, to).unchanged == 1


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        ({"email": "{email}"}, {"email": "a@x"}),
        ({"contact": "{email}"}, {"email": "a@x"}),
        ({"contact": {}, "notify": True}, {"email": "a@x"}),
        ({"contact": {"email": "{email}"}}, {"contact": {"email": "a@x"}}),
    ],
)
def test_only_a_body_that_is_the_envelope_is_taken_for_one(body, seen):
    assert as_sent({"email": "a@x"}, "contact", body) == seen
    assert as_sent(None, "contact", body) is None
