"""A shift that is real, in the demo's world: once approved, it is soon the new normal."""

from datetime import timedelta

import pytest

from tests.conftest import ROOT
from wfops_pipelines import flow, publishing
from wfops_pipelines.core.reviews import Actor, Decision, Verb
from wfops_pipelines.core.snapshot import SnapshotState
from wfops_pipelines.deciding import gate
from wfops_pipelines.demonstration import TODAY
from wfops_pipelines.project import load_project
from wfops_pipelines.sandbox import sandbox_thread
from wfops_pipelines.services import open_services
from wfops_pipelines.settings import Settings
from wfops_pipelines.store import snapshots

pytestmark = [pytest.mark.components, pytest.mark.slow]

HISTORY, AFTER = 20, 4
MACHINE = flow.Run(Actor("test", "machine"))


class Days:
    """A demo sync that runs once a day, and a reviewer who approves whatever is held."""

    def __init__(self, name, services, project, sandbox):
        self.sync, self.services, self.project = project.syncs[name], services, project
        self.sandbox = sandbox

    def run(self, day):
        """The anomaly scorer's summary of that day's snapshot, and what it held all of it for."""
        self.sandbox.client.set_clock(TODAY + timedelta(days=day - HISTORY))
        passed = flow.run_sync(self.project, self.sync, self.services, MACHINE)
        for judged in passed.judged:
            if judged.review is not None:
                self._approve(judged.review)
        (judged,) = passed.judged
        found = [f.sentence for f in judged.evidence.findings if f.check == "anomaly"]
        return judged.evidence.anomaly, found

    def _approve(self, review):
        asked = Decision(
            review.id, review.evidence_hash, Verb.APPROVE, "it is real", Actor("developer")
        )
        taken = gate.decide(asked, self.project, self.services, "test")
        publishing.release(self.sync, taken.id, self.services, Actor("gate", "machine"))


@pytest.fixture
def world(database_url, tmp_path):
    with sandbox_thread(tmp_path / "sandbox", now=TODAY) as sandbox:
        project = load_project(ROOT)
        settings = Settings(ROOT, tmp_path / "state", database_url, sandbox.environ())
        yield sandbox, project, open_services(settings, project.people)


def test_after_an_approved_shift_the_sandbox_is_held_no_more_within_two_snapshots(world):
    sandbox, project, services = world
    days = Days("billing_invoices", services, project, sandbox)
    for day in range(HISTORY):
        days.run(day)
    sandbox.client.set_fault("billing", "unit_change")
    shifted = [days.run(HISTORY + day) for day in range(AFTER)]
    assert shifted[0][0]["held"]
    assert any("amount" in sentence for sentence in shifted[0][1])
    assert not any(summary["held"] for summary, _ in shifted[2:]), shifted
    with services.engine.connect() as conn:
        assert not snapshots.in_state(conn, "billing_invoices", SnapshotState.HELD)
