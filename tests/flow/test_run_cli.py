"""What `wfops run` says of a snapshot, and `wfops reconcile` of a row that was deleted."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from unittest.mock import Mock

import pytest
from typer.testing import CliRunner

from wfops_pipelines import Policy, cli, undoing
from wfops_pipelines.core.progress import LOGGER
from wfops_pipelines.core.reviews import Actor, Verb
from wfops_pipelines.deciding.steering import pause, resume
from wfops_pipelines.errors import DestinationRefused, DestinationUnreachable, SourceRefused
from wfops_pipelines.failing import report_failure
from wfops_pipelines.masking import veil
from wfops_pipelines.store import reviews

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


def test_where_the_address_is_not_known_the_page_is_named_all_the_same(shell):
    said = shell("run", "things", pages=[[row("1"), row("2", amount=-1)]])
    review = re.search(r"wfops decide (rv-\w+) approve", said)[1]
    assert f"look at it: /wfops/r/{review} at the address of the UI\n" in said
    shell.bench.source.error = SourceRefused("the token is wrong")
    shell("run", "things")
    assert shell("reviews").count("look at it: /wfops/r/rv-") == 2


@pytest.mark.parametrize("masked", [(), ("amount",), ("id", "name")])
def test_who_approves_an_edit_in_the_shell_sees_its_cells(shell, masked):
    bench = shell.bench
    bench.project.syncs["things"] = replace(
        bench.sync, policy=replace(bench.sync.policy, masked=masked)
    )
    bench.services.environ["WFOPS_DEVELOPER"] = "ana"
    shell("run", "things", pages=[[row("1"), row("2", amount=-1, name="two\x1b[2J")]])
    (held,) = [line.split()[0] for line in shell("reviews").splitlines() if " pending " in line]
    edits = ("--set", "2.amount=7", "--set", "2.name=two")
    shell("decide", held, "approve", *edits, "--reason", "a slip")
    edit = re.findall(r"^(rv-\w+)  pending", shell("reviews"), re.M)[0]
    said = shell("reviews", edit)
    key = "2" if "id" not in masked else veil("2")
    amount = "(masked) → (masked)" if "amount" in masked else "'-1' → '7'"
    name = "(masked) → (masked)" if "name" in masked else r"'two\x1b[2J' → 'two'"
    assert f"      {key}: amount {amount}\n" in said
    assert f"      {key}: name {name}\n" in said


def test_of_an_edit_of_many_cells_the_shell_shows_the_first(shell):
    shell.bench.services.environ["WFOPS_DEVELOPER"] = "ana"
    rows = [row(f"{n:02}", amount=-1) for n in range(23)]
    shell("run", "things", pages=[rows])
    (held,) = re.findall(r"^(rv-\w+)  pending", shell("reviews"), re.M)
    edits = [word for r in rows for word in ("--set", f"{r['id']}.amount=7")]
    shell("decide", held, "approve", *edits, "--reason", "a slip")
    (edit,) = re.findall(r"^(rv-\w+)  pending", shell("reviews"), re.M)
    said = shell("reviews", edit)
    assert said.count("'-1' → '7'") == 20
    assert "and 3 cells more" in said


def test_a_revert_is_approved_by_whom_and_as_it_says(shell):
    environ = shell.bench.services.environ
    environ["WFOPS_DEVELOPER"] = "ana"
    shell("run", "things", pages=[[row("1"), row("2")]])
    shell("run", "things", pages=[[row("1", amount=99, minutes=5)]])
    said = shell("revert", "things", "2", "--reason", "wrong")
    command = re.search(r"  bob or cyd approves it: wfops (decide rv-\w+ approve --reason) …", said)
    words = command[1].split()
    assert "look at it: /wfops/r/rv-" in said  # nobody said at which address
    assert "recorded" not in shell(*words, "ok")  # who asked may not
    environ["WFOPS_DEVELOPER"] = "bob"
    assert shell(*words, "ok").splitlines()[-1] == "reverted: 1 of 1 restored"
    assert shell.bench.rows("id, amount") == [("1", 10), ("2", 10)]


def test_a_revert_says_of_which_rows_nothing_was_taken_back_and_why(shell):
    bench = shell.bench
    bench.run([row("1"), row("2")])
    bench.run([row("1", amount=99, minutes=5), row("2", amount=99, minutes=5), row("3")])
    bench.run([row("1", amount=50, minutes=9)])
    asked = undoing.ask("things", 2, "wrong", Actor("bob"), bench.project, bench.services)
    bench.decide(asked, Verb.APPROVE)
    said = "1 of 3 restored, 1 deleted; 1 stays, for a newer version is there"
    assert f"things #2: approve by ana (unverified): reverted: {said}\n" in shell("run", "things")
    assert bench.rows("id, amount") == [("1", 50), ("2", 10)]


def test_who_is_alone_in_a_group_is_told_whom_a_revert_lacks(shell):
    shell.bench.services.people.groups["team"] = frozenset({"ana"})
    shell.bench.services.environ["WFOPS_DEVELOPER"] = "ana"
    shell("run", "things", pages=[[row("1")]])
    said = shell("revert", "things", "1", "--reason", "wrong")
    assert (
        "nobody else is in team; add who approves it to reviewers.yaml, for: wfops decide" in said
    )


BAD = [row("1", amount=-1)]


def test_a_run_carries_out_what_was_decided_and_nobody_has_carried_out(shell):
    """Decided on a page, while no Dagster runs that would release it."""
    bench = shell.bench
    held = bench.held(BAD)
    bench.decide(held, Verb.APPROVE)
    assert "things #1: approve by ana (unverified): published 1 row\n" in shell("run", "things")
    assert bench.rows("id, amount") == [("1", -1)]
    assert "things #1" not in shell("run", "things")


def test_a_run_puts_away_what_was_rejected_and_takes_back_what_was_reverted(shell):
    bench = shell.bench
    bench.decide(bench.held([row("2", amount=-1)]), Verb.REJECT)
    said = shell("run", "things", pages=[[row("1"), row("1")]])
    assert "things #1: reject by ana (unverified): quarantined; nothing was published" in said
    asked = undoing.ask("things", 2, "wrong", Actor("bob"), bench.project, bench.services)
    bench.decide(asked, Verb.APPROVE)
    assert "things #2: approve by ana (unverified): reverted" in shell("run", "things")
    assert bench.rows() == []


def test_a_decision_that_must_wait_says_for_what_and_who_carries_it_out_then(shell):
    bench, who = shell.bench, Actor("ana")
    bench.services.environ["WFOPS_DEVELOPER"] = "ana"
    held = bench.held(BAD)
    pause("things", "an audit", who, bench.project, bench.services)
    waits = (
        "not carried out yet: things is paused (by ana (unverified): an audit). "
        "`wfops resume things` lets it go on. Then the approval gate of a running Dagster carries "
        "it out, or `wfops run things`"
    )
    assert waits in shell("decide", held.id, "approve", "--reason", "checked")
    assert f"things #1: approve by ana (unverified): {waits}" in shell("run", "things")
    resume("things", "done", who, bench.project, bench.services)
    assert "published 1 row" in shell("run", "things")


def test_what_was_decided_in_any_order_goes_in_one_run(shell):
    """The second waits for the first to go, and the third for the second."""
    bench = shell.bench
    bench.project.syncs["things"] = replace(bench.sync, policy=replace(FREE, while_held="queue"))
    first = bench.held(BAD)
    bench.run([row("2", minutes=1)])
    last = bench.held([row("3", amount=-3, minutes=2)])
    for review in (last, first):
        bench.decide(review, Verb.APPROVE)
    said = shell("run", "things").splitlines()
    assert said == [
        "things: nothing new",
        "things #3: approve by ana (unverified): published 1 row",
        "things #1: approve by ana (unverified): published 1 row",
        "things #2: 1 row, published now: an earlier run had left them",
    ]
    assert [id for (id,) in bench.rows("id")] == ["1", "2", "3"]


def test_a_failed_release_is_told_with_who_tries_again(shell, monkeypatch):
    bench = shell.bench
    bench.services.environ["WFOPS_DEVELOPER"] = "ana"
    held = bench.held(BAD)
    down = DestinationUnreachable("the server is down")
    with monkeypatch.context() as patch:
        patch.setattr(type(bench.sync.destination), "publish", Mock(side_effect=down))
        said = shell("decide", held.id, "approve", "--reason", "checked")
    assert "the decision stands: the approval gate of a running Dagster carries it out, or" in said
    assert "published 1 row" in shell("run", "things")


def test_what_failed_for_good_is_left_to_whoever_answers_about_it(shell, monkeypatch):
    bench = shell.bench
    bench.services.environ["WFOPS_DEVELOPER"] = "ana"
    held = bench.held(BAD)
    bad = DestinationRefused("no such column")
    with monkeypatch.context() as patch:
        patch.setattr(type(bench.sync.destination), "publish", Mock(side_effect=bad))
        said = shell("decide", held.id, "approve", "--reason", "checked")
    about = re.search(r"the decision stands, and (rv-\w+) asks how to go on", said)[1]
    assert "it failed, and `wfops reviews` asks how to go on" in shell("run", "things")
    said = shell("decide", about, "retry", "--reason", "the column is there")
    assert "things #1: approve by ana (unverified): published 1 row" in said


def test_a_run_is_the_retry_that_a_decision_waits_for(shell):
    """The approval gate need not start another one."""
    bench = shell.bench
    bench.services.environ["WFOPS_DEVELOPER"] = "ana"
    failed = report_failure(bench.sync, "extraction", SourceRefused("401"), bench.services, None)
    taken = bench.decide(failed, Verb.RETRY)
    shell("run", "things", "--since", "2026-04-01", pages=[[row("1")]])
    with bench.services.engine.connect() as conn:
        assert reviews.errand(conn, taken.id).done_at is None  # that was another run
    shell("run", "things")
    with bench.services.engine.connect() as conn:
        assert reviews.errand(conn, taken.id).done_at is not None


def test_what_would_be_an_override_is_called_so_before_and_after(shell):
    shell.bench.services.environ["WFOPS_DEVELOPER"] = "ana"
    said = shell("run", "things", pages=[BAD])
    override = "an override of the failed critical check amount_is_in_range"
    assert f"publishes all of it as it is; that is {override}" in said
    assert f"    approve is {override}\n" in shell("reviews")
    review = re.search(r"wfops decide (rv-\w+) approve", said)[1]
    said = shell("decide", review, "approve", "--reason", "known")
    assert ", an override of amount_is_in_range: somebody else looks at it afterwards\n" in said


def test_a_hold_is_listed_with_who_decides_it_and_how(shell):
    said = shell("run", "things", pages=[BAD])
    review = re.search(r"wfops decide (rv-\w+) approve", said)[1]
    command = f"wfops decide {review} approve | reject --reason …"
    assert f"    decide it: {command}\n" in shell("reviews")


def test_one_request_is_told_with_all_that_was_found(shell):
    pages = [[{**row("1", amount=-5), "name": None}, row("2")]]
    said = shell("run", "things", pages=pages)
    review = re.search(r"wfops decide (rv-\w+) ", said)[1]
    listed, told = shell("reviews"), shell("reviews", review)
    found = [f for f in told.splitlines() if f.startswith("    critical  ")]
    assert any("name" in f for f in found)
    assert any("amount" in f for f in found)
    assert told.splitlines()[0] == listed.splitlines()[0]
    assert "    critical  " not in listed
    assert f"wfops decide {review} " in told
    unknown = CliRunner().invoke(cli.app, ["reviews", "rv-none"])
    assert "there is no review request 'rv-none'" in str(unknown.exception)


@pytest.mark.parametrize("masked", [(), ("id",)])
def test_a_request_names_the_rows_that_may_be_left_out(shell, masked):
    bench = shell.bench
    policy = replace(bench.sync.policy, masked=masked, hold_rows_up_to=1.0)
    bench.project.syncs["things"] = replace(bench.sync, policy=policy)
    bench.services.environ["WFOPS_DEVELOPER"] = "ana"
    keys = [f"{n:02}" for n in range(23)]
    said = shell("run", "things", pages=[[row(k, amount=-1) for k in keys] + [row("ok")]])
    review = re.search(r"wfops decide (rv-\w+) ", said)[1]
    (rows,) = re.findall("^      rows: (.*)$", shell("reviews", review), re.M)
    named, _, more = rows.partition(" and ")
    names = named.split(", ")
    assert names == [veil(k) if masked else k for k in keys[:20]]
    assert more.startswith("3 more")
    shell("decide", review, "approve", "--exclude", names[0], "--reason", "known")
    assert [key for key, *_ in bench.rows()] == [*keys[1:], "ok"]


def test_nobody_looks_at_their_own_override_and_its_request_says_who_does(shell):
    """The development user is not verified, and still the one who overrode."""
    shell.bench.services.environ["WFOPS_DEVELOPER"] = "ana"
    review = re.search(r"wfops decide (rv-\w+) approve", shell("run", "things", pages=[BAD]))[1]
    shell("decide", review, "approve", "--reason", "known")
    listed = shell("reviews")
    command = re.search(r"  bob or cyd looks at it: wfops (decide rv-\w+ approve) ", listed)[1]
    assert "says that it was right; nothing moves" in listed
    refused = CliRunner().invoke(cli.app, [*command.split(), "--reason", "fine"])
    assert "four eyes" in str(refused.exception)
    shell.bench.services.environ["WFOPS_DEVELOPER"] = "bob"
    assert "the override was looked at" in shell(*command.split(), "--reason", "fine")


def test_who_overrides_alone_is_told_whom_the_look_afterwards_lacks(shell):
    shell.bench.services.people.groups["team"] = frozenset({"ana"})
    shell.bench.services.environ["WFOPS_DEVELOPER"] = "ana"
    review = re.search(r"wfops decide (rv-\w+) approve", shell("run", "things", pages=[BAD]))[1]
    lacks = "nobody else is in team; add who looks at it"
    assert f"{lacks} afterwards to reviewers.yaml" in shell(
        "decide", review, "approve", "--reason", "known"
    )
    assert f"{lacks} to reviewers.yaml, for: wfops decide rv-" in shell("reviews")


def test_a_retry_says_before_and_after_that_it_is_a_whole_run(shell):
    bench = shell.bench
    bench.services.environ["WFOPS_DEVELOPER"] = "ana"
    failed = report_failure(bench.sync, "extraction", SourceRefused("no"), bench.services, None)
    said = shell("reviews")
    command = f"wfops decide {failed.id} retry --reason …"
    assert f"{command}  # tries again what failed, by a whole run of the sync here and now" in said
    said = shell("decide", failed.id, "retry", "--reason", "it is up", pages=[[row("1")]])
    assert said.splitlines()[1:] == [
        "a whole run of things begins, which tries what failed again",
        "things #1: 1 row, published",
    ]


def test_stale_rows_are_not_said_to_be_published(shell):
    bench = shell.bench
    bench.services.environ["WFOPS_DEVELOPER"] = "ana"
    held = bench.held([row("1", amount=-1), row("2", amount=-1)])
    bench.run([row("1", amount=5, minutes=30)])
    said = shell("decide", held.id, "approve", "--reason", "ok")
    assert "published 1 row; 1 was stale: the destination has a newer version\n" in said
    assert bench.rows("id, amount") == [("1", 5), ("2", -1)]


def test_the_list_says_how_many_of_how_many_have_approved(shell):
    bench = shell.bench
    policy = replace(bench.sync.policy, approvals=2)
    bench.project.syncs["things"] = replace(bench.sync, policy=policy)
    held = bench.held(BAD)
    assert "of 2" not in shell("reviews")
    bench.decide(held, Verb.APPROVE)
    assert "    1 of 2 people: ana would approve all\n" in shell("reviews")
