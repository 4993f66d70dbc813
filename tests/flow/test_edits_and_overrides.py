"""Some rows left out, rows repaired by hand, and approvals that set a failed check aside."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from wfops_pipelines import Above, Policy
from wfops_pipelines.core.people import People, Role
from wfops_pipelines.core.reviews import Actor, Edit, ReviewKind, ReviewState, Verb
from wfops_pipelines.errors import BadDecision, NotAllowed
from wfops_pipelines.flow import Run, judge_staged
from wfops_pipelines.reconciling.reconciliation import reconcile
from wfops_pipelines.store import audit, reviews, snapshots

pytestmark = pytest.mark.components

START = datetime(2026, 5, 1, 9, tzinfo=UTC)


def row(id, name="a name", amount=10, minutes=0, **more):
    moment = START + timedelta(minutes=minutes)
    return {"id": id, "name": name, "amount": amount, "updated_at": moment, **more}


PAGE = [row("1"), row("2", amount=-5), row("3", amount=-6), row("4")]


def judged_again(bench):
    """The review request that the edited snapshot opens."""
    run = Run(Actor("gate", "machine"))
    (judged,) = judge_staged(bench.project, bench.sync, bench.services, run)
    return judged.review


def without_roles(bench):
    bench.services = replace(bench.services, people=People(bench.services.groups))
    return bench


def pending(bench):
    with bench.services.engine.connect() as conn:
        return reviews.listed(conn)


@pytest.mark.parametrize("value", [5.5, "5.5", True])
def test_an_edit_is_taken_as_it_was_written_or_not_at_all(bench, value):
    review = bench.held(PAGE)
    with pytest.raises(BadDecision, match="does not fit the column amount, which holds int64"):
        bench.decide(review, Verb.APPROVE, edits=(Edit("2", {"amount": value}),))


def test_excluded_rows_stay_in_quarantine_and_the_others_go(bench):
    review = bench.held(PAGE)
    done = bench.release(bench.decide(review, Verb.APPROVE, exclude=("3",)))
    assert done.rows == 1
    assert [r[0] for r in bench.rows()] == ["1", "2", "4"]
    found = reconcile(bench.sync, bench.services)
    assert (found.published, found.quarantined, found.missing) == (3, 1, 0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"exclude": ("1",)}, "no held row has the key '1'"),
        ({"exclude": ("3", "3")}, "names a row twice"),
        ({"exclude": ("2", "3")}, "leaves no row to approve"),
        ({"edits": (Edit("1", {"amount": 1}),)}, "no held row has the key '1'"),
        ({"edits": (Edit("2", {"colour": 1}),)}, "there is no column 'colour'"),
        ({"edits": (Edit("2", {"id": "9"}),)}, "id says which row this is"),
        ({"edits": (Edit("2", {"amount": "many"}),)}, "which holds int64"),
        ({"edits": (Edit("2", {"amount": True}),)}, "which holds int64"),
        ({"edits": (Edit("2", {"amount": {"env": "PATH"}}),)}, "which holds int64"),
        ({"edits": (Edit("2", {"amount": -5}),)}, "change nothing"),
        ({"edits": (Edit("2", {"amount": 5}),), "exclude": ("3",)}, "not together with exclude"),
    ],
)
def test_what_cannot_be_excluded_or_edited_changes_nothing(bench, changes, said):
    review = bench.held(PAGE)
    with pytest.raises(BadDecision, match=said):
        bench.decide(review, Verb.APPROVE, **changes)
    assert bench.review(review.id).state is ReviewState.PENDING
    assert len(pending(bench)) == 1


@pytest.mark.parametrize("verb", [Verb.REJECT])
def test_a_rejection_leaves_nothing_out_and_edits_nothing(bench, verb):
    review = bench.held(PAGE)
    with pytest.raises(BadDecision, match="goes with decision: approve"):
        bench.decide(review, verb, exclude=("3",))


def test_edited_rows_are_examined_again_and_somebody_else_approves_them(bench):
    review = bench.held(PAGE)
    edits = (Edit("2", {"amount": 5}), Edit("3", {"amount": 6, "name": "O'Hara"}))
    taken = bench.decide(review, Verb.APPROVE, "ana", edits=edits)
    assert bench.review(review.id).state is ReviewState.SUPERSEDED
    again = judged_again(bench)
    assert (again.seq, again.kind, again.requested_by) == (taken.edited, ReviewKind.WHOLE, "ana")
    assert "ana edited amount in 2 rows" in again.summary
    with pytest.raises(NotAllowed, match="four eyes"):
        bench.decide(again, Verb.APPROVE, "ana")
    bench.release(bench.decide(again, Verb.APPROVE, "bob"))
    assert bench.rows() == [
        ("1", "a name", 10),
        ("2", "a name", 5),
        ("3", "O'Hara", 6),
        ("4", "a name", 10),
    ]


def test_an_edit_shows_what_changed_and_no_row_is_counted_twice(bench):
    review = bench.held(PAGE)
    bench.decide(review, Verb.APPROVE, edits=(Edit("2", {"amount": 5}),))
    assert reconcile(bench.sync, bench.services).missing == 0
    again = judged_again(bench)
    assert reconcile(bench.sync, bench.services).held == 2
    with bench.services.engine.connect() as conn:
        found = snapshots.evidence(conn, "things", again.seq)[1]
    edited = [f for f in found["findings"] if f["check"] == "edited"]
    assert [f["details"]["changes"] for f in edited] == [[["2", "-5", "5"]]]
    bench.release(bench.decide(again, Verb.REJECT, "bob"))
    account = reconcile(bench.sync, bench.services)
    assert (account.staged, account.published, account.quarantined) == (4, 2, 2)
    assert account.missing == 0


def test_an_edit_makes_no_row_newer_than_it_is(bench):
    review = bench.held(PAGE)
    bench.decide(review, Verb.APPROVE, edits=(Edit("2", {"amount": 5}),))
    bench.run([row("2", "newer", 77, minutes=60)])
    again = next(r for r in pending(bench) if r.kind is ReviewKind.WHOLE)
    done = bench.release(bench.decide(again, Verb.APPROVE, "bob", exclude=("3",)))
    assert (done.rows, done.stale) == (1, 1)
    assert ("2", "newer", 77) in bench.rows()


def test_an_edited_snapshot_that_still_fails_is_still_held_for_it(bench):
    review = bench.held(PAGE)
    bench.decide(review, Verb.APPROVE, edits=(Edit("2", {"amount": -1}),))
    again = judged_again(bench)
    bench = without_roles(bench)
    with pytest.raises(NotAllowed, match="override"):
        bench.decide(again, Verb.APPROVE, "bob")


def test_the_trail_says_which_cells_were_edited_and_no_value(make_bench):
    bench = make_bench(Policy(reviewers="team", hold_rows_up_to=0.5, masked=("amount",)))
    review = bench.held(PAGE)
    bench.decide(review, Verb.APPROVE, edits=(Edit("2", {"amount": 54321}),))
    with bench.services.engine.connect() as conn:
        trail = audit.trail(conn, "things #1")
    edited = [e for e in trail if e["action"] == "review.edited"]
    assert edited[0]["details"]["cells"] == [["2", "amount"]]
    assert "54321" not in str(trail)
    assert "54321" not in judged_again(bench).summary


def test_a_failed_critical_check_is_set_aside_by_an_override_only(bench):
    bench = without_roles(bench)
    review = bench.held(PAGE)
    with pytest.raises(NotAllowed, match=r"the failed critical check .*amount"):
        bench.decide(review, Verb.APPROVE)
    bench.decide(review, Verb.REJECT)


def test_what_exists_to_be_judged_needs_no_override(make_bench):
    policy = Policy(reviewers="team", high_impact=(Above("amount", 100),))
    bench = without_roles(make_bench(policy))
    review = bench.held([row(str(i)) for i in range(9)] + [row("x", amount=500)])
    bench.release(bench.decide(review, Verb.APPROVE))
    assert len(bench.rows()) == 10
    assert pending(bench) == []


def test_clean_rows_of_a_whole_snapshot_need_no_override(make_bench):
    bench = without_roles(make_bench(Policy(reviewers="team", hold_rows_up_to=0.1)))
    review = bench.held(PAGE)
    assert review.kind is ReviewKind.WHOLE
    bench.release(bench.decide(review, Verb.APPROVE_CLEAN))
    assert [r[0] for r in bench.rows()] == ["1", "4"]


def test_an_override_is_looked_at_afterwards_by_somebody_else(bench):
    review = bench.held(PAGE)
    ana = Actor("ana", verified=True)
    taken = bench.decide(review, Verb.APPROVE, actor=ana)
    assert taken.override
    (after,) = pending(bench)
    assert after.kind is ReviewKind.AFTER
    assert "ana overrode things #1" in after.summary
    bench.release(taken)
    with pytest.raises(NotAllowed, match="four eyes"):
        bench.decide(after, Verb.APPROVE, actor=ana)
    bench.decide(after, Verb.APPROVE, actor=Actor("bob", verified=True))
    assert pending(bench) == []
    assert reconcile(bench.sync, bench.services).missing == 0


def test_a_broken_glass_lets_one_person_of_the_role_decide_and_is_looked_at(make_bench):
    bench = make_bench(Policy(reviewers="team", approvals=3, high_impact=(Above("amount", 9),)))
    people = People({"team": frozenset({"bob"})}, {Role.OVERRIDE: frozenset({"zoe"})})
    bench.services = replace(bench.services, people=people)
    review = bench.held([row("1"), row("2", amount=1), row("3", amount=1)])
    with pytest.raises(NotAllowed, match="breaking the glass"):
        bench.decide(review, Verb.APPROVE, "bob", break_glass=True)
    with pytest.raises(NotAllowed, match="not a member"):
        bench.decide(review, Verb.APPROVE, "zoe")
    taken = bench.decide(review, Verb.APPROVE, "zoe", break_glass=True)
    assert taken.final
    bench.release(taken)
    assert "zoe broke the glass on things #1" in pending(bench)[0].summary


def test_two_approvals_must_be_of_the_same(make_bench):
    bench = make_bench(Policy(reviewers="team", approvals=2, hold_rows_up_to=0.5))
    review = bench.held(PAGE)
    bench.decide(review, Verb.APPROVE, "ana", exclude=("3",))
    said = "ana would approve all but 3, and this answer would approve all. Say the same"
    with pytest.raises(BadDecision, match=said):
        bench.decide(review, Verb.APPROVE, "bob")
    bench.release(bench.decide(review, Verb.APPROVE, "bob", exclude=("3",)))
    assert [r[0] for r in bench.rows()] == ["1", "2", "4"]


def test_a_sync_that_is_gone_from_the_project_is_named_before_anything_happens(bench):
    review = bench.held(PAGE)
    bench.project = replace(bench.project, syncs={})
    with pytest.raises(BadDecision, match=r"assets/things\.py is there, reload"):
        bench.decide(review, Verb.REJECT)
    assert bench.review(review.id).state is ReviewState.PENDING


def test_no_detour_lets_an_editor_approve_their_own_edit(bench):
    review = bench.held(PAGE)
    bench.decide(review, Verb.APPROVE, "ana", edits=(Edit("2", {"amount": 5}),))
    again = judged_again(bench)
    with pytest.raises(NotAllowed, match="four eyes"):
        bench.decide(again, Verb.APPROVE, "ana", break_glass=True)
    bench.release(bench.decide(again, Verb.REJECT, "bob"))
    cyd = Actor("cyd", verified=True)
    reopened = bench.reopen(again, cyd)
    for name in ("ana", "cyd"):
        with pytest.raises(NotAllowed, match="four eyes"):
            bench.decide(reopened, Verb.APPROVE, name)
    bench.release(bench.decide(reopened, Verb.APPROVE, "bob"))
    assert ("2", "a name", 5) in bench.rows()
