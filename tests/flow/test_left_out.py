"""Rows that a SaaS API refuses for good are left out by a decision, and the others go on."""

import re
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from tests.destinations.contacts_api import contacts_api
from tests.flow.test_undo_rest import ANA, BOB, crm, emails, row
from wfops_pipelines import Policy, carrying, cli, flow, publishing, retrying, undoing
from wfops_pipelines.core.reviews import Actor, Edit, ReviewKind, ReviewState, Verb
from wfops_pipelines.deciding.settling import settle
from wfops_pipelines.destinations.deliveries import of_snapshot
from wfops_pipelines.errors import (
    AlreadyDecided,
    BadDecision,
    DestinationRefused,
    EvidenceChanged,
    NotAllowed,
)
from wfops_pipelines.flow import Run
from wfops_pipelines.reconciling import proving
from wfops_pipelines.reconciling.stories import versions_of
from wfops_pipelines.store import audit, reviews

pytestmark = [pytest.mark.components, pytest.mark.usefixtures("quick")]

GATE = Actor("gate", "machine")
LOOSE = Policy(reviewers="team", hold_rows_up_to=0.5)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr("wfops_pipelines.destinations.calling.BACKOFF", 0.001)


@pytest.fixture
def api():
    with contacts_api() as found:
        yield found


@pytest.fixture
def bench(make_bench, api):
    return make_bench(LOOSE, crm(), api.environ)


def attempt(bench, *pages, actor=GATE):
    """A run, as the command line and Dagster do it: what fails opens a review request."""
    if pages:
        bench.source.answer(*pages)
    bench.clock.advance(minutes=15)
    return retrying.run(bench.project, bench.sync, bench.services, Run(actor))


def refused(bench, *pages, **more):
    """The review request of a run in which the API refuses rows."""
    found = attempt(bench, *pages, **more).review
    assert found is not None
    return found


def leave_out(bench, review, who="ana", **changes):
    """Decide, and go on."""
    taken = bench.decide(review, Verb.LEAVE_OUT, who, **changes)
    bench.clock.advance(minutes=1)
    publishing.release(bench.sync, taken.id, bench.services, GATE)
    return retrying.go_on(bench.sync, bench.services, Run(GATE))


def states(bench, seq=1):
    with bench.services.engine.connect() as conn:
        return {k: d.state.value for k, d in of_snapshot(conn, "things", seq).items()}


def account(bench):
    proof = proving.prove(bench.sync, bench.services)
    assert proof.misfits == ()
    assert proof.account.missing == 0
    return proof.account


def trail(bench, subject):
    with bench.services.engine.connect() as conn:
        return audit.trail(conn, subject)


BAD = [row("1", "a@x"), row("2", "nonsense"), row("3", "c@x"), row("4", "odd")]


def test_what_was_refused_is_left_out_with_a_reason_and_later_snapshots_go_on(bench, api):
    review = refused(bench, BAD)
    assert (review.kind, review.keys) == (ReviewKind.FAILURE, ("2", "4"))
    assert review.verbs == (Verb.RETRY, Verb.LEAVE_OUT, Verb.REJECT)
    assert attempt(bench, [row("5", "e@x", 30)]).review is None  # one request for one cause
    assert "5" not in emails(api)
    done = leave_out(bench, review, reason="they are no addresses")
    assert [(p.seq, p.rows, p.inserted) for p in done.publications] == [(1, 2, 2), (2, 1, 1)]
    assert emails(api) == {"1": "a@x", "3": "c@x", "5": "e@x"}
    assert states(bench) == {"1": "delivered", "2": "left_out", "3": "delivered", "4": "left_out"}
    assert bench.review(review.id).state is ReviewState.APPROVED
    found = account(bench)
    assert (found.published, found.quarantined, found.left_out) == (3, 2, 2)
    event = next(e for e in trail(bench, "things #1") if e["action"] == "rows.left_out")
    assert (event["reason"], event["details"]["by"], event["details"]["keys"]) == (
        "they are no addresses", "ana (unverified)", ["2", "4"],
    )  # fmt: skip
    (story,) = versions_of(bench.sync, "2", bench.services)
    assert "left out by ana (unverified)" in story.words
    assert "“they are no addresses”" in story.words


def test_all_that_an_api_refuses_beside_what_it_takes_is_one_decision(bench, api):
    """So many in a row are not about the rows, else the others go on."""
    many = [row(f"{i:02}", "odd" if i % 2 else f"{i}@x") for i in range(60)]
    review = refused(bench, many)
    assert len(review.keys) == 30
    assert len(emails(api)) == 30
    leave_out(bench, review)
    assert account(bench).left_out == 30


def test_where_an_api_takes_nothing_any_more_sending_stops(bench, api):
    many = [row(f"{i:02}", "odd" if i > 4 else f"{i}@x") for i in range(60)]
    tried = attempt(bench, many)
    assert len(tried.review.keys) == 21
    said = "Sending stopped there: 21 rows in a row were refused and none taken between"
    assert said in str(tried.error)


def test_a_newer_version_of_a_row_that_was_left_out_is_sent_as_usual(bench, api):
    leave_out(bench, refused(bench, BAD))
    bench.run([row("2", "b@x", 30)])
    assert emails(api)["2"] == "b@x"
    assert states(bench, 2) == {"2": "delivered"}
    account(bench)


def test_a_row_that_was_there_before_keeps_what_it_was(bench, api):
    bench.run([row("1", "a@x")])
    del api.records["c1"]  # somebody deleted it over there: an update is refused with 404
    review = refused(bench, [row("1", "a2@x", 30), row("2", "b@x", 30)])
    assert review.keys == ("1",)
    leave_out(bench, review)
    assert emails(api) == {"2": "b@x"}


def test_some_of_them_may_be_named_and_the_others_are_sent_again(bench, api):
    review = refused(bench, BAD)
    with pytest.raises(BadDecision, match="did not refuse a row with the key '1'"):
        bench.decide(review, Verb.LEAVE_OUT, exclude=("1",))
    again = leave_out(bench, review, exclude=("4",)).review
    assert again.keys == ("2",)
    assert states(bench)["4"] == "left_out"
    found = account(bench)
    assert (found.arrived, found.refused, found.waiting) == (2, 1, 0)
    leave_out(bench, again)
    assert account(bench).left_out == 2


def test_rows_of_an_approved_hold_are_left_out_of_its_release(bench, api):
    held = bench.held([row("1", "a@x", amount=-1), row("2", "odd", amount=-1)])
    taken = bench.decide(held, Verb.APPROVE)
    with pytest.raises(DestinationRefused) as error:
        bench.release(taken)
    with bench.services.engine.connect() as conn:
        errand = reviews.errand(conn, taken.id)
    review = carrying.note_failed(errand, bench.sync, error.value, bench.services, None)
    decision = bench.decide(review, Verb.LEAVE_OUT)
    publishing.release(bench.sync, decision.id, bench.services, GATE)
    assert (account(bench).arrived, account(bench).waiting) == (1, 0)
    done = retrying.go_on(bench.sync, bench.services, Run(GATE))
    assert [(p.part, p.rows) for p in done.publications] == [("held", 1)]
    assert emails(api) == {"1": "a@x"}
    assert account(bench).left_out == 1


def test_a_row_that_a_person_edited_is_left_out_of_its_edit_by_another_one(bench, api, shell):
    """An edit has its origin's place in the ledger of deliveries, and a number of its own."""
    held = bench.held([row("1", "a@x", amount=-1), row("2", "b@x", amount=-1)])
    bench.decide(held, Verb.APPROVE, actor=ANA, edits=(Edit("2", {"name": "odd"}),))
    (judged,) = flow.judge_staged(bench.project, bench.sync, bench.services, Run(GATE))
    taken = bench.decide(judged.review, Verb.APPROVE, actor=BOB)
    with pytest.raises(DestinationRefused) as error:
        bench.release(taken)
    with bench.services.engine.connect() as conn:
        errand = reviews.errand(conn, taken.id)
    review = carrying.note_failed(errand, bench.sync, error.value, bench.services, None)
    with pytest.raises(NotAllowed, match="four eyes"):
        bench.decide(review, Verb.LEAVE_OUT, actor=ANA)
    assert "ana had a hand in these rows; bob or cyd may leave them out" in shell("reviews")
    done = leave_out(bench, review, "cyd")
    assert [(p.seq, p.rows) for p in done.publications] == [(2, 1)]
    assert emails(api) == {"1": "a@x"}
    found = account(bench)
    assert (found.published, found.quarantined, found.left_out) == (1, 1, 1)


def test_a_create_that_may_have_arrived_and_is_not_found_yet_is_not_left_out(make_bench, api):
    """A search lags behind: it does not find the record, and the API says that it is there."""
    found_by = crm(read="GET /contacts?ref={id}", record="results.0", idempotency=False)
    bench = make_bench(LOOSE, found_by, api.environ)
    api.faults = [None, None, "drop"]  # the comparison, a look ahead, the request itself
    assert refused(bench, [row("1", "a@x")]).keys == ()
    assert states(bench) == {"1": "unknown"}
    api.faults = [None, ("before", 422, {})]
    assert refused(bench).keys == ()
    assert states(bench)["1"] == "sending"


def test_the_same_row_of_a_later_snapshot_is_a_request_of_its_own(bench, api):
    first = refused(bench, [row("2", "odd")])
    with bench.services.engine.begin() as conn:
        conn.exec_driver_sql("update wfops.deliveries set state = 'delivered'")
    second = refused(bench, [row("2", "odder", 30)])
    assert second.keys == first.keys
    assert bench.review(first.id).state is ReviewState.SUPERSEDED
    leave_out(bench, second)
    assert states(bench, 2) == {"2": "left_out"}


def test_only_what_was_refused_for_good_can_be_left_out(bench, api, monkeypatch):
    monkeypatch.setattr("wfops_pipelines.destinations.calling.TRIES", 0)
    api.faults = [None, ("after", 500, {})]
    review = refused(bench, [row("1", "a@x"), row("2", "b@x"), row("3", "odd")])
    assert review.keys == ()
    assert review.verbs == (Verb.RETRY, Verb.REJECT)
    with pytest.raises(BadDecision, match="leave_out does not fit"):
        bench.decide(review, Verb.LEAVE_OUT)
    assert states(bench) == {"1": "delivered", "2": "sending"}


@pytest.mark.parametrize("fault", ["drop", ("after", 502, {}), ("before", 503, {})])
def test_a_refusal_after_a_try_that_may_have_arrived_is_settled_first(bench, api, fault):
    """The API answers 422 to the second try of a request whose first answer was lost."""
    api.faults = [fault, ("before", 422, {})]
    assert refused(bench, [row("1", "a@x")]).keys == ()
    api.faults = [("before", 422, {})]
    assert "`wfops deliveries things --delivered KEY` or `--again KEY`" in str(attempt(bench).error)
    assert states(bench) == {"1": "sending"}
    settle("things", "1", False, "not there", ANA, bench.project, bench.services)
    api.faults = [("before", 422, {})]
    assert refused(bench).keys == ("1",)
    assert states(bench) == {"1": "refused"}


def test_what_may_have_arrived_since_the_decision_is_not_left_out(bench):
    taken = bench.decide(refused(bench, BAD), Verb.LEAVE_OUT)
    with bench.services.engine.begin() as conn:
        conn.exec_driver_sql("update wfops.deliveries set state = 'sending' where key = '2'")
    publishing.release(bench.sync, taken.id, bench.services, GATE)
    assert states(bench)["2"] == "sending"
    assert states(bench)["4"] == "left_out"


def test_a_decision_about_what_is_no_longer_refused_is_stale(bench, api):
    review = refused(bench, BAD)
    with bench.services.engine.begin() as conn:
        conn.exec_driver_sql("update wfops.deliveries set state = 'delivered' where key = '2'")
    with pytest.raises(EvidenceChanged, match="2 of things #1 is not refused any more"):
        bench.decide(review, Verb.LEAVE_OUT)


def test_a_request_that_shows_other_rows_is_replaced(bench, api):
    first = refused(bench, BAD)
    api.faults = [("before", 429, {})] * 9
    attempt(bench)
    with bench.services.engine.begin() as conn:
        conn.exec_driver_sql("update wfops.deliveries set state = 'delivered' where key = '2'")
    second = refused(bench)
    assert second.keys == ("4",)
    assert bench.review(first.id).state is ReviewState.SUPERSEDED
    with pytest.raises(AlreadyDecided):
        bench.decide(first, Verb.LEAVE_OUT)


def test_the_policy_holds_groups_approvals_and_four_eyes(make_bench, api):
    policy = Policy(reviewers="team", hold_rows_up_to=0.5, approvals=2)
    bench = make_bench(policy, crm(), api.environ)
    review = refused(bench, BAD, actor=ANA)
    with pytest.raises(NotAllowed, match="four eyes"):
        bench.decide(review, Verb.LEAVE_OUT, "ana")
    with pytest.raises(NotAllowed, match="not a member"):
        bench.decide(review, Verb.LEAVE_OUT, "eve")
    with pytest.raises(BadDecision, match="reason"):
        bench.decide(review, Verb.LEAVE_OUT, "bob", reason=" ")
    first = bench.decide(review, Verb.LEAVE_OUT, "bob", exclude=("2", "4"))
    assert not first.final
    assert publishing.release(bench.sync, first.id, bench.services, GATE) is None
    assert states(bench)["2"] == "refused"
    said = r"bob would leave out 2, 4 \(all that were refused\), and this answer would leave out 2."
    with pytest.raises(BadDecision, match=said):
        bench.decide(review, Verb.LEAVE_OUT, "cyd", exclude=("2",))
    leave_out(bench, review, "cyd")
    assert states(bench)["2"] == "left_out"


def test_who_launched_the_run_may_still_try_again(bench, api):
    review = refused(bench, BAD, actor=ANA)
    assert bench.decide(review, Verb.RETRY, "ana").final


def test_undo_does_not_touch_what_was_left_out(bench, api):
    leave_out(bench, refused(bench, BAD))
    asked = undoing.ask("things", 1, "wrong", ANA, bench.project, bench.services)
    bench.release(bench.decide(asked, Verb.APPROVE, actor=BOB))
    assert emails(api) == {}
    assert states(bench) == {"1": "reverted", "2": "left_out", "3": "reverted", "4": "left_out"}
    found = account(bench)
    assert (found.published, found.quarantined, found.left_out) == (0, 4, 2)


def test_what_the_api_quotes_of_masked_columns_stays_masked(make_bench, api):
    policy = Policy(reviewers="team", hold_rows_up_to=0.5, masked=("name", "id"))
    bench = make_bench(policy, crm(), api.environ)
    review = refused(bench, [row("1", "a@x"), row("secret-key", "secret-name")])
    with bench.services.engine.connect() as conn:
        body = str(reviews.failure_of(conn, review.id))
    assert "secret" not in body
    assert "422" in body
    leave_out(bench, review)
    assert states(bench)["secret-key"] == "left_out"


@pytest.fixture
def shell(bench, monkeypatch):
    """`shell(*words)` runs wfops on the bench, and says what it printed."""
    opened = None, bench.project, bench.services
    monkeypatch.setattr(cli, "_open", lambda: opened)
    monkeypatch.setattr(cli, "_sign", lambda services: None)
    for module in ("reconcile", "deliveries"):
        monkeypatch.setattr(f"wfops_pipelines.commands.{module}.open_all", lambda: opened)
    bench.services.environ["WFOPS_DEVELOPER"] = "ana"

    def run(*words):
        bench.clock.advance(minutes=15)
        done = CliRunner().invoke(cli.app, list(words))
        return done.output + (str(done.exception) if done.exception else "")

    return run


def test_where_a_newer_version_waits_behind_the_refused_one_the_shell_says_so(bench, api, shell):
    review = refused(bench, BAD)
    assert "newer staged" not in shell("deliveries", "things")
    assert "newer staged" not in shell("reviews")
    bench.source.answer([row("2", "b@x", 30)])
    said = (
        "newer staged already: 2 (#2). `retry` would send the version of #1 first, and later "
        "snapshots wait for it; `leave_out` leaves out that version only, and the newer one goes "
        "next"
    )
    assert shell("run", "things").endswith(
        "as a newer version, and leave_out this one. And 1 more."
    )
    assert said in shell("reviews")
    assert said in shell("deliveries", "things")
    shell("decide", review.id, "leave_out", "--reason", "mended at the source")
    assert emails(api) == {"1": "a@x", "2": "b@x", "3": "c@x"}
    assert "newer staged" not in shell("deliveries", "things")
    account(bench)


def test_the_commands_show_the_rows_the_words_and_the_choices(bench, api, shell):
    bench.source.answer(BAD)
    said = shell("run", "things")
    assert "things #1: 4 rows, cleared; 2 rows have arrived, 2 were refused\n" in said
    assert "resume" not in said
    (review,) = [line.split()[-1] for line in said.splitlines() if line.startswith("it failed: ")]
    for told in (said, shell("reviews")):
        assert "create of 2: crm: POST /contacts was refused with 422" in told
        assert "no e-mail: nonsense" in told
        for verb in ("retry", "leave_out", "reject"):
            assert f"wfops decide {review} {verb} --reason" in told
    assert "refused   things #1      2" in shell("deliveries", "things")
    said = shell("decide", review, "leave_out", "--reason", "no addresses")
    assert "left out: 2, 4\nthings #1: 2 rows, published\n" in said
    told = shell("deliveries", "things")
    assert "but for what was left out" in told
    assert "left_out  things #1      2" in told
    assert "left out by ana (unverified): “no addresses”; crm: POST" in told
    counts = shell("reconcile", "things").splitlines()
    assert ["of", "these", "left", "out", "2"] in [line.split() for line in counts]
    assert "left out by ana (unverified)" in shell("reconcile", "things", "2")


def test_the_commands_veil_what_the_policy_masks_and_take_it_as_they_show_it(bench, api, shell):
    policy = replace(LOOSE, masked=("id", "name"))
    bench.project.syncs["things"] = replace(bench.sync, policy=policy)
    bench.source.answer([row("secret-1", "odd-name"), row("secret-2", "other-name")])
    said = shell("run", "things")
    review = re.search(r"it failed: (rv-\w+)", said)[1]
    listed = shell("deliveries", "things")
    told = [shell("deliveries", "things", "--delivered", "secret-1", "--reason", "r"), listed, said]
    assert "refused with 422" in listed
    keys = re.findall(r"sha256:\w{12}", listed)
    assert len(keys) == 2
    words = ("decide", review, "leave_out", "--exclude", keys[0], "--reason", "no address")
    told += [shell(*words), shell("deliveries", "things"), shell("reconcile", "things")]
    assert f"left out: {keys[0]}\n" in told[3]
    for text in told:
        assert not re.search("secret-|odd-name|other-name", text)


def test_a_row_in_doubt_is_settled_by_the_name_that_is_shown(bench, shell):
    bench.project.syncs["things"] = replace(bench.sync, policy=replace(LOOSE, masked=("id",)))
    bench.run([row("secret-1", "a@x")])
    with bench.services.engine.begin() as conn:
        conn.exec_driver_sql("update wfops.deliveries set state = 'unknown'")
    (key,) = re.findall(r"sha256:\w{12}", shell("deliveries", "things"))
    said = shell("deliveries", "things", "--delivered", key, "--reason", "it is there")
    assert said == f"{key} of things has arrived\n"
    assert states(bench) == {"secret-1": "delivered"}


def test_a_decision_without_the_variables_stands_and_says_who_acts_on_it(bench, shell):
    held = bench.held([row("1", "a@x", amount=-1), row("2", "b@x")])
    token = bench.services.environ.pop("WFOPS_CRM_TOKEN")
    said = shell("decide", held.id, "approve", "--reason", "fine")
    assert "approve recorded as dc-" in said
    assert "WFOPS_CRM_TOKEN is not set" in said
    assert "the decision stands: the approval gate of a running Dagster carries it out, or" in said
    assert bench.review(held.id).state is ReviewState.APPROVED
    bench.services.environ["WFOPS_CRM_TOKEN"] = token


def test_leaving_out_without_the_variables_says_that_it_is_done_and_the_others_wait(bench, shell):
    review = refused(bench, BAD)
    del bench.services.environ["WFOPS_CRM_TOKEN"]
    said = shell("decide", review.id, "leave_out", "--reason", "no addresses")
    assert "left out: 2, 4\n" in said
    assert "the decision stands: the next run with the variable set goes on" in said


def test_what_came_of_a_retry_is_told(bench, api, shell, monkeypatch):
    review = refused(bench, BAD)
    said = shell("decide", review.id, "retry", "--reason", "mended over there")
    assert "it failed: rv-" in said
    assert "422" in said
    with bench.services.engine.connect() as conn:
        (pending,) = reviews.listed(conn)
    monkeypatch.setattr(type(api), "done", lambda self, method, parts, body: (201, {"id": "c9"}))
    said = shell("decide", pending.id, "retry", "--reason", "mended over there")
    assert "things #1: 4 rows, published\n" in said
    assert "closed" in shell("decide", refused_again(bench, api, monkeypatch), "reject", "-r", "no")


def refused_again(bench, api, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(cli, "_open", lambda: (None, bench.project, bench.services))
    monkeypatch.setattr(cli, "_sign", lambda services: None)
    return refused(bench, [row("9", "odd", 60)]).id
