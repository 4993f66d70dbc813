"""`wfops reconcile` of rows that came too late for what was reverted since."""

from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from tests.destinations.contacts_api import contacts_api
from wfops_pipelines import Above, Policy, cli, rest_destination, table, undoing
from wfops_pipelines.core.reviews import Actor, Verb
from wfops_pipelines.destinations import database_table, file_table
from wfops_pipelines.errors import BadDecision
from wfops_pipelines.reconciling.proving import prove
from wfops_pipelines.reconciling.stories import versions_of

pytestmark = pytest.mark.components

START = datetime(2026, 5, 1, 9, tzinfo=UTC)
ANA, BOB = Actor("ana", verified=True), Actor("bob", verified=True)
POLICY = Policy(reviewers="team", high_impact=(Above("amount", 100),), delete_rows_up_to=1.0)
ONLY = "and only a change at the source brings a newer one"


def row(id, amount=10, minutes=0):
    at = START + timedelta(minutes=minutes)
    return {"id": id, "name": f"n{amount}@x", "amount": amount, "updated_at": at}


def crm():
    return rest_destination(
        "crm", "POST /contacts", update="PATCH /contacts/{remote_id}", record="contact",
        delete="DELETE /contacts/{remote_id}", read="GET /contacts/{remote_id}",
        body={"email": "{name}", "ref": "{id}"},
    )  # fmt: skip


@pytest.fixture(params=["table", "database", "api"])
def bench(request, make_bench, database_url):
    there = {"WFOPS_ERP_URL": database_url}
    match request.param:
        case "table":
            yield make_bench(POLICY, table("shop.things"))
        case "database":
            yield make_bench(POLICY, database_table("erp", "things"), there)
        case "api":
            with contacts_api() as api:
                yield make_bench(POLICY, crm(), api.environ)


def ask(bench, seq):
    return undoing.ask("things", seq, "wrong", ANA, bench.project, bench.services)


def revert(bench, seq):
    bench.clock.advance(minutes=1)
    bench.release(bench.decide(ask(bench, seq), Verb.APPROVE, actor=BOB))


def let_go(bench, review):
    bench.clock.advance(minutes=1)
    bench.release(bench.decide(review, Verb.APPROVE))


def words(bench, key="1"):
    return [v.words for v in versions_of(bench.sync, key, bench.services)]


def beaten(bench):
    proof = prove(bench.sync, bench.services)
    assert proof.misfits == ()
    assert proof.account.missing == 0
    return [(b.key, b.seq, b.words) for b in proof.beaten]


def late(bench, first=True):
    """#1 is there, #2 is held, #3 is newer; then #2 is let go."""
    bench.run([row("1"), row("2")] if first else [row("2")])
    held = bench.held([row("1", 200, 10)])
    bench.run([row("1", 30, 20)])
    let_go(bench, held)
    return held


def test_an_approved_row_that_no_revert_brings_back_is_named_with_what_is_there(bench):
    late(bench)
    assert words(bench)[1].endswith("not written: #3 was there already, a newer one")
    assert beaten(bench) == []
    revert(bench, 3)
    _, second, third = words(bench)
    assert second.endswith(
        ", but not written: #3 was there already, a newer one; #3 was reverted since, which did "
        f"not bring this one: the destination holds the row of #1, {ONLY}"
    )
    assert third.startswith("reverted by decision")
    ((key, seq, said),) = beaten(bench)
    assert (key, seq) == ("1", 2)
    assert "but not written: #3 was there already, a newer one; #3 was reverted since" in said
    assert "the destination holds the row of #1, " in said or "holds an older row of it, " in said


def test_nothing_is_there_where_the_reverted_row_was_the_first(bench):
    late(bench, first=False)
    revert(bench, 3)
    assert f"the destination holds none of its rows, {ONLY}" in words(bench)[0]
    ((_, seq, said),) = beaten(bench)
    assert (seq, f"the destination holds none of its rows, {ONLY}" in said) == (2, True)


def test_who_is_asked_about_the_revert_reads_what_it_does_not_bring_back(bench):
    late(bench)
    asked = ask(bench, 3)
    assert (
        "newer ones stay; of 1 row a version that was let go came too late to be written (#2), "
        "and does not come back: wrong"
    ) in asked.summary


def test_of_rows_whose_version_before_was_there_in_time_nothing_of_that_is_said(bench):
    late(bench)
    held = bench.held([row("2", 200, 25)])
    bench.run([row("1", 40, 35), row("2", 60, 35)])
    let_go(bench, held)
    assert "of 1 row a version that was let go came too late to be written (#4)" in (
        ask(bench, 5).summary
    )
    assert "too late" not in ask(bench, 1).summary


def test_a_change_at_the_source_ends_it_and_nothing_else_does(bench):
    held = late(bench)
    revert(bench, 3)
    with pytest.raises(BadDecision):
        bench.reopen(held, ANA)
    bench.run([row("1", 30, 20)])
    assert len(beaten(bench)) == 1
    bench.run([row("1", 40, 30)])
    assert beaten(bench) == []
    assert words(bench)[1].endswith("not written: #3 was there already, a newer one")
    assert words(bench)[-1] == "published"


def test_what_was_let_go_after_the_revert_was_written(bench):
    """The older of two that came late: by then the newer one was not there, either."""
    bench.run([row("1"), row("2")])
    older = bench.held([row("1", 150, 5)])
    newer = bench.held([row("1", 200, 10)])
    bench.run([row("1", 30, 20)])
    let_go(bench, newer)
    revert(bench, 4)
    let_go(bench, older)
    _, second, third, _ = words(bench)
    assert second.startswith("published by decision")
    assert "holds the row of #2" in third
    assert [seq for _, seq, _ in beaten(bench)] == [3]


def test_a_newer_row_there_is_no_loss_for_what_came_late(bench):
    late(bench)
    bench.run([row("1", 50, 40)])
    revert(bench, 3)
    assert words(bench)[1].endswith("not written: #3 was there already, a newer one")
    assert beaten(bench) == []
    revert(bench, 4)
    assert "the destination holds the row of #1" in words(bench)[1]
    assert [seq for _, seq, _ in beaten(bench)] == [2]


def test_the_command_tells_of_it_and_the_sums_count_it(bench, monkeypatch):
    late(bench)
    revert(bench, 3)
    opened = (None, bench.project, bench.services)
    monkeypatch.setattr("wfops_pipelines.commands.reconcile.open_all", lambda: opened)
    done = CliRunner().invoke(cli.app, ["reconcile", "things"])
    assert done.exit_code == 0
    said = [" ".join(line.split()) for line in done.output.splitlines()]
    assert {"of these overtaken 1", "by what is reverted 1", "missing 0"} <= set(said)
    assert "! 1: #2: let go, but not written: #3 was there already" in done.output
    assert "; of 1 the newest version that was let go is not at the destination" in said[-1]


def test_of_files_the_row_that_came_late_shows_again(make_bench, tmp_path):
    there = {"WFOPS_LAKE_URL": str(tmp_path / "lake")}
    bench = make_bench(POLICY, file_table("lake", "things"), there)
    late(bench)
    assert words(bench)[1].endswith(
        "but kept behind what is there: #3 was there already, a newer one"
    )
    revert(bench, 3)
    assert words(bench)[1].startswith("published by decision")
    assert beaten(bench) == []
