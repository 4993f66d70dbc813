"""What nobody can know is settled by a person, once, and then goes on."""

from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from tests.destinations.contacts_api import contacts_api
from wfops_pipelines import Policy, rest_destination
from wfops_pipelines.cli import app
from wfops_pipelines.core.reviews import Actor
from wfops_pipelines.deciding import settling
from wfops_pipelines.errors import (
    BadDecision,
    DestinationRefused,
    NotAllowed,
)
from wfops_pipelines.reconciling.reconciliation import reconcile
from wfops_pipelines.store import audit

pytestmark = pytest.mark.components

START = datetime(2026, 5, 1, 9, tzinfo=UTC)
ANA = Actor("ana", verified=True)


@pytest.fixture
def api():
    with contacts_api(keys=False) as found:
        yield found


@pytest.fixture
def bench(make_bench, api):
    to = rest_destination("crm", "POST /contacts", body={"email": "{name}"}, idempotency=False)
    return make_bench(Policy(reviewers="team"), to, api.environ)


def rows(count):
    return [
        {"id": f"k{i}", "name": f"k{i}@x", "amount": 1, "updated_at": START + timedelta(minutes=i)}
        for i in range(count)
    ]


def lost(bench, api):
    """A run in which the answer to the second row is lost."""
    api.faults = [None, "drop"]
    with pytest.raises(DestinationRefused):
        bench.run(rows(3))
    with pytest.raises(DestinationRefused, match="wfops deliveries things"):
        bench.run()


def settle(bench, key, arrived, who=ANA, reason="looked it up", **more):
    return settling.settle(key=key, name="things", arrived=arrived, reason=reason, actor=who,
                           project=bench.project, services=bench.services, **more)  # fmt: skip


@pytest.mark.parametrize(("arrived", "sent"), [(True, 3), (False, 4)])
def test_a_person_settles_it_and_the_publication_is_completed(bench, api, arrived, sent):
    lost(bench, api)
    assert len(api.writes()) == 3
    settle(bench, "k1", arrived)
    (done,) = bench.run().publications
    assert (done.rows, done.inserted) == (3, 3)
    assert len(api.writes()) == sent
    assert reconcile(bench.sync, bench.services).missing == 0
    with bench.services.engine.connect() as conn:
        event = next(e for e in audit.trail(conn, "things #1") if e["action"] == "delivery.settled")
    assert (event["actor"], event["reason"], event["details"]["key"]) == (
        "ana", "looked it up", "k1",
    )  # fmt: skip


def test_only_a_person_of_the_group_with_a_reason_and_once(bench, api):
    lost(bench, api)
    for who in (Actor("eve", verified=True), Actor("gate", "machine")):
        with pytest.raises(NotAllowed):
            settle(bench, "k1", True, who)
    with pytest.raises(BadDecision, match="reason"):
        settle(bench, "k1", True, reason=" ")
    with pytest.raises(BadDecision, match=r"k0.*is not open"):
        settle(bench, "k0", True)
    settle(bench, "k1", True)
    with pytest.raises(BadDecision, match="is not open"):
        settle(bench, "k1", False)


def test_the_command_lists_and_settles(bench, api, monkeypatch):
    lost(bench, api)
    monkeypatch.setattr(
        "wfops_pipelines.commands.deliveries.open_all",
        lambda: (None, bench.project, bench.services),
    )
    monkeypatch.setattr("wfops_pipelines.commands.deliveries.sign", lambda _: None)
    monkeypatch.setattr("wfops_pipelines.commands.deliveries.me", lambda _: ANA)

    def wfops(*words):
        done = CliRunner().invoke(app, ["deliveries", "things", *words])
        assert done.exit_code == 0, done.exception
        return done.stdout

    assert "unknown   things #1      k1" in wfops()
    assert (
        wfops("--again", "k1", "--reason", "not there")
        == "k1 of things is sent with the next try\n"
    )
    assert "again " in wfops()
    bench.run()
    assert wfops() == "every row that was sent has arrived\n"
