"""A process that sends rows is killed with SIGKILL; what the server received is counted."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.destinations.contacts_api import contacts_api
from tests.destinations.delivery_child import contacts, many, people, publish
from wfops_pipelines.destinations import Written
from wfops_pipelines.destinations.deliveries import of_snapshot
from wfops_pipelines.errors import DestinationRefused

pytestmark = pytest.mark.components
CHILD = Path(__file__).with_name("delivery_child.py")
ROWS = 6


def killed(api, url, at, keys):
    """Let a child send rows, and kill it while the request number `at` is being answered."""
    api.faults = [None] * at + ["hang"]
    environ = {**os.environ, **api.environ, "PYTHONPATH": str(CHILD.parents[2])}
    args = [sys.executable, str(CHILD), url, "keys" if keys else "none", str(ROWS)]
    child = subprocess.Popen(args, env=environ)
    assert api.reached.wait(60)
    child.kill()
    child.wait()
    api.free.set()
    api.faults = []


def states(engine):
    with engine.connect() as conn:
        return {k: d.state.value for k, d in of_snapshot(conn, "people", 1).items()}


@pytest.mark.parametrize("at", [0, 3, 5])
def test_with_keys_every_row_arrives_once(engine, database_url, at):
    with contacts_api() as api:
        killed(api, database_url, at, keys=True)
        assert states(engine)[f"k{at}"] == "sending"
        rows = people(many(ROWS), api.environ)
        assert publish(engine, contacts(keys=True), rows) == Written(inserted=ROWS)
        sent = [a[2]["ref"] for a in api.writes()]
        assert sorted(sent) == sorted([*many(ROWS), f"k{at}"])  # one was asked for twice
        assert len(api.records) == ROWS  # and happened once


@pytest.mark.parametrize("at", [0, 3, 5])
def test_without_keys_none_is_doubled_and_a_person_is_told_of_the_one_in_doubt(
    engine, database_url, at
):
    with contacts_api(keys=False) as api:
        killed(api, database_url, at, keys=False)
        rows, to = people(many(ROWS), api.environ), contacts(keys=False)
        for _ in range(2):
            with pytest.raises(
                DestinationRefused, match=rf"1 row may .*\(k{at}\).*wfops deliveries"
            ):
                publish(engine, to, rows)
        assert states(engine).pop(f"k{at}") == "unknown"
        assert sorted(a[2]["ref"] for a in api.writes()) == sorted(many(ROWS))
        assert len(api.records) == ROWS


def test_without_keys_but_with_read_back_the_api_itself_settles_it(engine, database_url):
    with contacts_api(keys=False) as api:
        killed(api, database_url, 3, keys=False)
        for record in api.records.values():  # an API whose records go by our own key
            record["id"] = record["ref"]
        api.records = {r["ref"]: r for r in api.records.values()}
        to = contacts(keys=False, read="GET /contacts/{id}")
        rows = people(many(ROWS), api.environ)
        assert publish(engine, to, rows) == Written(inserted=ROWS)
        assert sorted(a[2]["ref"] for a in api.writes()) == sorted(many(ROWS))


def test_read_back_finds_that_it_did_not_arrive(engine, database_url):
    with contacts_api(keys=False) as api:
        killed(api, database_url, 3, keys=False)
        api.records = {r["ref"]: r for r in api.records.values() if r["ref"] != "k3"}
        to = contacts(keys=False, read="GET /contacts/{id}")
        rows = people(many(ROWS), api.environ)
        assert publish(engine, to, rows) == Written(inserted=ROWS)
        assert [a[2]["ref"] for a in api.writes()].count("k3") == 2
        assert len(api.records) == ROWS
