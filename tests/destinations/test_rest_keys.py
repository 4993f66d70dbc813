"""Idempotency keys are of one installation's request, and the same for every try of it."""

from __future__ import annotations

import pytest

from tests.destinations.delivery_child import contacts, people, publish
from wfops_pipelines.errors import DestinationRefused

pytestmark = [pytest.mark.components, pytest.mark.usefixtures("quick")]

CRM = contacts(keys=True)


def other_installation(engine):
    """As a second project has it, or this one restored from a backup: no delivery is known."""
    with engine.begin() as conn:
        conn.exec_driver_sql("delete from wfops.deliveries")


def test_another_installation_writes_its_own_values_where_the_numbers_are_the_same(engine, api):
    publish(engine, CRM, people({"a": "a@x"}, api.environ))
    other_installation(engine)
    publish(engine, CRM, people({"a": "other@x"}, api.environ))
    assert sorted(r["email"] for r in api.records.values()) == ["a@x", "other@x"]


def test_a_create_that_arrived_before_the_ledger_was_lost_is_not_doubled(engine, api):
    publish(engine, CRM, people({"a": "a@x"}, api.environ))
    other_installation(engine)
    publish(engine, CRM, people({"a": "a@x"}, api.environ))
    assert [r["email"] for r in api.records.values()] == ["a@x"]


def test_a_later_try_has_the_key_of_the_first_though_it_would_say_something_else(engine, api):
    api.faults = ["drop"] * 5
    with pytest.raises(DestinationRefused):
        publish(engine, CRM, people({"a": "a@x"}, api.environ))
    mended = contacts(keys=True, create_body={"origin": "shop"})
    publish(engine, mended, people({"a": "a@x"}, api.environ))
    assert len({asked[3] for asked in api.writes()}) == 1
    assert len(api.records) == 1


def test_a_version_from_before_keeps_its_key(engine, api):
    api.faults = ["drop"] * 5
    with pytest.raises(DestinationRefused):
        publish(engine, CRM, people({"a": "a@x"}, api.environ))
    with engine.begin() as conn:
        conn.exec_driver_sql("update wfops.deliveries set idempotency_key = 'of-before'")
    publish(engine, CRM, people({"a": "a@x"}, api.environ))
    assert api.writes()[-1][3] == "of-before"


@pytest.mark.parametrize("mended", [CRM, contacts(keys=True, create_body={"origin": "shop"})])
def test_after_a_refusal_an_api_that_answers_each_key_as_before_is_asked_anew(engine, api, mended):
    """Its refusal may be kept with the key, or it takes the key for nothing but the same words."""
    api.faults = [("before", 422, {})]
    with pytest.raises(DestinationRefused):
        publish(engine, CRM, people({"a": "a@x"}, api.environ))
    refused = api.writes()[-1][3]
    api.faults = ["drop"] * 5
    with pytest.raises(DestinationRefused):
        publish(engine, mended, people({"a": "a@x"}, api.environ))
    publish(engine, mended, people({"a": "a@x"}, api.environ))
    first, *later = dict.fromkeys(asked[3] for asked in api.writes())
    assert first == refused
    assert len(later) == 1
    assert [r["email"] for r in api.records.values()] == ["a@x"]
