"""What `wfops run` says of a snapshot, and `wfops reconcile` of a row that was deleted."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from wfops_pipelines import Policy, cli
from wfops_pipelines.core.progress import LOGGER
from wfops_pipelines.core.reviews import Actor
from wfops_pipelines.deciding.steering import pause, resume

pytestmark = pytest.mark.components

FREE = Policy(reviewers="team", hold_rows_up_to=0.5, delete_rows_up_to=1.0)


def row(id, amount=10, minutes=0, **more):
    moment = datetime(2026, 5, 1, 9, tzinfo=UTC) + timedelta(minutes=minutes)
    return {"id": id, "name": "a name", "amount": amount, "updated_at": moment, **more}


@pytest.fixture
def shell(make_bench, monkeypatch):
    """`shell(*words)` runs wfops on `shell.bench`, and says what it printed."""
    bench = make_bench(FREE)
    bench.project.syncs["things"] = replace(
        bench.sync, deleted="archived", rows=lambda page: [{"archived": None, **r} for r in page]
    )
    opened = None, bench.project, bench.services
    monkeypatch.setattr(cli, "_open", lambda: opened)
    monkeypatch.setattr(cli, "_sign", lambda services: None)
    monkeypatch.setattr("wfops_pipelines.commands.reconcile.open_all", lambda: opened)

    def run(*words, pages=()):
        if pages:
            bench.source.answer(*pages)
        bench.clock.advance(minutes=15)
        return CliRunner().invoke(cli.app, list(words)).output

    run.bench = bench
    return run


def test_what_is_published_is_said_with_its_rows(shell):
    assert shell("run", "things", pages=[[row("1")]]) == "things #1: 1 row, published\n"


def test_a_run_that_another_one_overtook_sends_nobody_to_the_reviews(shell, monkeypatch):
    """It opened no request: run again, it goes on where the other one was."""
    import wfops_pipelines.staging.extraction as extraction

    bench, made, done = shell.bench, extraction._snapshot, []

    def meanwhile(*args):
        if not done:
            done.append(True)
            extraction.stage(bench.sync, bench.services, Actor("other", "machine"), None)
        return made(*args)

    monkeypatch.setattr(extraction, "_snapshot", meanwhile)
    assert "wfops reviews" not in shell("run", "things", pages=[[row("1")]])
    assert shell("run", "things") == "things #1: 1 row, published\n"


def test_one_row_of_many_that_fails_is_said_as_a_sentence(shell):
    pages = [[row("1", amount=-1), row("2"), row("3")]]
    assert "1 of 3 rows fail" in shell("run", "things", pages=pages)


def test_a_paused_sync_has_published_nothing(shell):
    bench = shell.bench
    pause("things", "an audit", Actor("ana"), bench.project, bench.services)
    said = shell("run", "things", pages=[[row("1")]])
    assert "not published yet" in said
    assert "wfops resume things" in said


def test_what_an_earlier_run_had_left_is_told_when_it_goes(shell):
    bench = shell.bench
    pause("things", "an audit", Actor("ana"), bench.project, bench.services)
    shell("run", "things", pages=[[row("1"), row("2")]])
    resume("things", "done", Actor("ana"), bench.project, bench.services)
    assert shell("run", "things", pages=[[row("3", minutes=5)]]) == (
        "things #1: 2 rows, published now: an earlier run had left them\n"
        "things #2: 1 row, published\n"
    )


def test_a_run_that_takes_long_says_how_far_it_has_come(shell, monkeypatch):
    monkeypatch.setattr("wfops_pipelines.core.progress.EVERY", -1.0)
    assert "  things: 2 rows read\n" in shell("run", "things", pages=[[row("1"), row("2")]])
    assert not LOGGER.handlers


def test_a_hold_of_single_rows_says_that_the_others_went(shell):
    shell("run", "things", pages=[[row("1"), row("2")]])
    pages = [[row("3", amount=-1), row("4", minutes=1), row("5", minutes=1)]]
    assert "1 of 3 rows held" in (said := shell("run", "things", pages=pages))
    assert "the others are published" in said


def test_a_rows_story_tells_its_deletion(shell):
    shell("run", "things", pages=[[row("1"), row("2")]])
    shell("run", "things", pages=[[row("1", minutes=5, archived=True)]])
    first, last = shell("reconcile", "things", "1").splitlines()
    assert "a deletion" not in first
    assert ", a deletion, as of 2026-05-01 09:05:00 UTC: published" in last


def test_what_waits_says_the_command_that_decides_it_and_where_its_page_is(shell):
    shell.bench.services.environ["WFOPS_PUBLIC_URL"] = "https://gate.example/"
    said = shell("run", "things", pages=[[row("1"), row("2", amount=-1)]])
    review = re.search(r"wfops decide (rv-\w+) approve --reason …", said)[1]
    assert f"wfops decide {review} reject --reason …" in said
    assert f"wfops decide {review} approve --set KEY.COLUMN=VALUE --reason …" in said
    assert f"https://gate.example/wfops/r/{review}\n" in said


def test_a_revert_is_approved_by_whom_and_as_it_says(shell):
    environ = shell.bench.services.environ
    environ["WFOPS_DEVELOPER"] = "ana"
    shell("run", "things", pages=[[row("1"), row("2")]])
    shell("run", "things", pages=[[row("1", amount=99, minutes=5)]])
    said = shell("revert", "things", "2", "--reason", "wrong")
    command = re.search(r"  bob or cyd approves it: wfops (decide rv-\w+ approve --reason) …", said)
    words = command[1].split()
    assert "wfops/r" not in said  # nobody said where the pages are
    assert "recorded" not in shell(*words, "ok")  # who asked may not
    environ["WFOPS_DEVELOPER"] = "bob"
    assert shell(*words, "ok").splitlines()[-1] == "reverted"
    assert shell.bench.rows("id, amount") == [("1", 10), ("2", 10)]


def test_who_is_alone_in_a_group_is_told_whom_a_revert_lacks(shell):
    shell.bench.services.people.groups["team"] = frozenset({"ana"})
    shell.bench.services.environ["WFOPS_DEVELOPER"] = "ana"
    shell("run", "things", pages=[[row("1")]])
    said = shell("revert", "things", "1", "--reason", "wrong")
    assert (
        "nobody else is in team; add who approves it to reviewers.yaml, for: wfops decide" in said
    )
