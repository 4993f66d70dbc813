"""What a person is told where something cannot be done, or waits for something else."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from unittest.mock import Mock

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from tests.conftest import MACHINE
from wfops_pipelines import Policy, flow
from wfops_pipelines.cli import app
from wfops_pipelines.core.audit import Action, AuditEvent
from wfops_pipelines.core.reviews import Actor, Edit, ReviewKind, Verb
from wfops_pipelines.core.snapshot import SnapshotState
from wfops_pipelines.core.verdict import Publish
from wfops_pipelines.deciding import settling
from wfops_pipelines.errors import BadDecision, FailureKind, SchemaRefused
from wfops_pipelines.masking import veil
from wfops_pipelines.store import controls, snapshots

pytestmark = pytest.mark.components

START = datetime(2026, 5, 1, 9, tzinfo=UTC)


def row(id, amount=10, minutes=0, **more):
    moment = START + timedelta(minutes=minutes)
    return {"id": id, "name": "n", "amount": amount, "updated_at": moment, **more}


def test_a_row_without_a_key_is_refused_at_the_decision_and_can_be_left_out(bench):
    review = bench.held([row("1"), row(None), row(None, 5), row("2")])
    assert "2 of 4 rows have no id" in review.summary
    for verb in (Verb.APPROVE, Verb.APPROVE_CLEAN):
        with pytest.raises(BadDecision, match=r"2 of 4 rows have no id.*`exclude: \[None\]`"):
            bench.decide(review, verb)
    assert bench.review(review.id) == review
    bench.release(bench.decide(review, Verb.APPROVE, exclude=("None",)))
    assert [r[0] for r in bench.rows()] == ["1", "2"]


def test_rows_without_any_key_column_can_only_be_rejected(make_bench):
    bench = make_bench()
    bench.project.syncs["things"] = replace(bench.sync, key="number")
    review = bench.held([row("1")])
    with pytest.raises(BadDecision, match=r"there is no key column 'number'.*Repair: reject"):
        bench.decide(review, Verb.APPROVE)
    bench.release(bench.decide(review, Verb.REJECT))


def tables(page):
    return pa.Table.from_pylist(page)


@pytest.mark.parametrize("function", [None, tables])
def test_a_deleted_column_that_no_row_has_is_said_before_anything_is_staged(bench, function):
    changes = {"rows": function} if function else {}
    bench.project.syncs["things"] = replace(bench.sync, deleted="archved", **changes)
    with pytest.raises(SchemaRefused, match=r"things: deleted='archved' .*archived") as refused:
        bench.run([row("1", archived=False)], [row("2", archived=True)])
    assert refused.value.kind is FailureKind.SCHEMA
    bench.project.syncs["things"] = replace(bench.sync, deleted="archived")
    assert bench.run().judged[0].snapshot.rows == 2


def test_a_source_that_marks_deleted_rows_only_goes_on_once_it_has_marked_one(bench):
    bench.project.syncs["things"] = replace(bench.sync, deleted="archived")
    bench.run([row("1"), row("2", archived=True)])
    assert bench.run([row("3", minutes=30)]).judged[0].snapshot.rows == 1


def test_a_table_has_no_deliveries_and_says_where_to_look(bench, monkeypatch):
    bench.run([row("1")])
    monkeypatch.setattr(
        "wfops_pipelines.commands.deliveries.open_all",
        lambda: (None, bench.project, bench.services),
    )
    with pytest.raises(BadDecision, match=r"table shop\.things.*`wfops reconcile things`"):
        settling.unsettled("things", bench.project, bench.services)
    assert "arrived" not in CliRunner().invoke(app, ["deliveries", "things"]).stdout


@pytest.mark.parametrize(
    ("policy", "rows", "why"),
    [
        (Policy(reviewers="team", scope="whole"), [row("1", -1), row("2")], r'scope="whole"'),
        (
            Policy(reviewers="team", hold_rows_up_to=0.2),
            [row("1", -1), row("2"), row("3")],
            r"1 of 3 are flagged, more than hold_rows_up_to \(20%\)",
        ),
        (
            Policy(reviewers="team", critical_fields=("owner",)),
            [row("1", -1), row("2")],
            "All rows wait, because what the policy guards is not there to be looked at",
        ),
    ],
)
def test_a_hold_says_why_rows_wait_that_nothing_flags(make_bench, policy, rows, why):
    review = make_bench(policy).held(rows)
    assert review.kind is ReviewKind.WHOLE
    assert re.search(why, review.summary), review.summary


def test_a_hold_of_single_rows_says_nothing_of_the_others(bench):
    review = bench.held([row("1", -1), row("2"), row("3")])
    assert review.kind is ReviewKind.ROWS
    assert "All rows wait" not in review.summary


def test_a_run_that_judges_second_tells_what_the_first_one_found(bench):
    bench.source.answer([row("1", -1), row("2"), row("3")])
    flow.stage(bench.sync, bench.services, MACHINE.actor, None)
    with bench.services.engine.connect() as conn:
        (staged,) = snapshots.in_state(conn, "things", SnapshotState.STAGED)
    first, second = (
        flow.judge(bench.project, bench.sync, staged, bench.services, MACHINE) for _ in range(2)
    )
    assert second.review is not None
    assert second.review.id == first.review.id
    assert second.evidence.hash == first.evidence.hash
    assert bench.review(second.review.id)


def test_a_run_that_judges_second_holds_nothing_that_the_first_one_let_go(bench, monkeypatch):
    bench.source.answer([row("1"), row("2")])
    flow.stage(bench.sync, bench.services, MACHINE.actor, None)
    with bench.services.engine.connect() as conn:
        (staged,) = snapshots.in_state(conn, "things", SnapshotState.STAGED)
    flow.judge(bench.project, bench.sync, staged, bench.services, MACHINE)
    broken = OSError("the destination was away for a moment")
    monkeypatch.setattr("wfops_pipelines.flow.read_past", lambda *_: broken)
    late = flow.judge(bench.project, bench.sync, staged, bench.services, MACHINE)
    assert (late.verdict, late.review) == (Publish(), None)


def test_a_pause_that_comes_after_the_list_of_what_may_go_stops_it(bench, monkeypatch):
    def pause_then_list(*args, **more):
        found = in_state(*args, **more)
        if found and found[0].state is SnapshotState.CLEARED:
            event = AuditEvent(bench.clock(), Actor("ana"), Action.PAUSED, "things", "stop")
            with bench.services.engine.begin() as conn:
                controls.pause(conn, event)
        return found

    in_state = snapshots.in_state
    monkeypatch.setattr("wfops_pipelines.store.snapshots.in_state", pause_then_list)
    assert bench.run([row("1")]).publications == ()
    assert bench.rows() == []


@pytest.mark.parametrize("project", ["masked", "open", "broken"])
def test_the_trail_in_the_shell_names_no_row_whose_key_is_masked(make_bench, monkeypatch, project):
    masked = ("id",) if project == "masked" else ()
    bench = make_bench(Policy(reviewers="team", hold_rows_up_to=0.5, masked=masked))
    review = bench.held([row("1"), row("s3cr3t", -5), row("an0ther", -6), row("4")])
    bench.release(bench.decide(review, Verb.APPROVE, exclude=("s3cr3t",)))
    edited = bench.held([row("s3cr3t", -7, 9)])
    bench.decide(edited, Verb.APPROVE, edits=(Edit("s3cr3t", {"amount": 7}),))
    settings = Mock(root=bench.project.root)
    monkeypatch.setattr("wfops_pipelines.commands.audit._open", lambda: (settings, bench.services))
    opened = (
        Mock(side_effect=SyntaxError) if project == "broken" else lambda *_, **__: bench.project
    )
    monkeypatch.setattr("wfops_pipelines.project.open_project", opened)
    for words in ((), ("--json",), ("things #1",)):
        said = CliRunner().invoke(app, ["audit", "log", *words]).output
        assert "review.overridden" in said
        assert ("s3cr3t" in said) == (project == "open")
        assert (veil("s3cr3t") in said) == (project != "open")
