"""Rows that people put away are asked about again: rejected ones, and those an approval left."""

from datetime import UTC, datetime, timedelta

import pytest

from wfops_pipelines import Policy
from wfops_pipelines.core.reviews import Actor, Edit, ReviewKind, ReviewState, Verb
from wfops_pipelines.deciding import reopening
from wfops_pipelines.errors import BadDecision, NotAllowed, SnapshotDamaged
from wfops_pipelines.reconciling.fates import Fate
from wfops_pipelines.reconciling.proving import prove
from wfops_pipelines.reconciling.reconciliation import reconcile
from wfops_pipelines.reconciling.stories import versions_of

pytestmark = pytest.mark.components

START = datetime(2026, 5, 1, 9, tzinfo=UTC)
ANA, BOB, CYD = (Actor(name, verified=True) for name in ("ana", "bob", "cyd"))
WHOLE = Policy(reviewers="team", scope="whole")


def row(id, amount=10, minutes=0):
    at = START + timedelta(minutes=minutes)
    return {"id": id, "name": "n", "amount": amount, "updated_at": at}


PAGE = [row("1"), row("2", -5), row("3")]


def accounted(bench):
    """Where all rows are, and nothing that contradicts it."""
    proof = prove(bench.sync, bench.services)
    assert proof.misfits == ()
    found = proof.account
    assert found.missing == 0
    return found.published, found.quarantined, found.held


def test_rows_that_an_approval_left_are_asked_about_again_and_published(make_bench):
    bench = make_bench(WHOLE)
    review = bench.held([*PAGE, row("4", -7)])
    bench.release(bench.decide(review, Verb.APPROVE_CLEAN))
    assert accounted(bench) == (2, 2, 0)
    new = bench.reopen(review, ANA)
    assert accounted(bench) == (2, 0, 2)
    assert [f for f in ("2 rows", "ana") if f not in new.summary] == []
    with pytest.raises(NotAllowed, match="four eyes"):
        bench.decide(new, Verb.APPROVE, actor=ANA)
    bench.release(bench.decide(new, Verb.APPROVE, actor=BOB))
    assert bench.rows("id, amount") == [("1", 10), ("2", -5), ("3", 10), ("4", -7)]
    assert accounted(bench) == (4, 0, 0)
    told = versions_of(bench.sync, "2", bench.services)
    assert [v.told.fate for v in told] == [Fate.SUPERSEDED, Fate.PUBLISHED]
    assert told[0].words == "left in quarantine, then asked about as #2"
    assert told[1].by == "asked about again by ana"


def test_an_excluded_row_may_be_excluded_and_asked_about_once_more(make_bench):
    bench = make_bench(WHOLE)
    review = bench.held([*PAGE, row("4", -7)])
    bench.release(bench.decide(review, Verb.APPROVE, exclude=("2", "4")))
    again = bench.reopen(review, ANA)
    bench.release(bench.decide(again, Verb.APPROVE, actor=BOB, exclude=("2",)))
    assert accounted(bench) == (3, 1, 0)
    third = bench.reopen(again, BOB)
    assert third.reopened_by == "bob"
    bench.release(bench.decide(third, Verb.REJECT))
    assert accounted(bench) == (3, 1, 0)
    fourth = bench.reopen(third, BOB)
    bench.release(bench.decide(fourth, Verb.APPROVE))
    assert [r[0] for r in bench.rows()] == ["1", "2", "3", "4"]


def test_rows_asked_about_again_are_examined_as_they_are_judged_now_and_never_go_by_themselves(
    make_bench,
):
    """Also where nothing is found any more: a person put them away, and a person lets them go."""
    bench = make_bench(WHOLE)
    review = bench.held([row("1"), row("2", -5), row("3")])
    bench.release(bench.decide(review, Verb.APPROVE, exclude=("3",)))
    new = bench.reopen(review, ANA)
    assert new.kind is ReviewKind.WHOLE
    assert new.summary.startswith(
        "1 of 1 rows held: ana asks again about 1 row that an approval had left out"
    )
    assert [r[0] for r in bench.rows()] == ["1", "2"]


def test_a_row_that_changed_at_the_source_since_stays_as_it_is_there(make_bench):
    bench = make_bench(WHOLE)
    review = bench.held(PAGE)
    bench.release(bench.decide(review, Verb.APPROVE_CLEAN))
    bench.run([row("2", 5, minutes=30)])
    new = bench.reopen(review, ANA)
    done = bench.release(bench.decide(new, Verb.APPROVE, actor=BOB))
    assert (done.rows, done.stale) == (1, 1)
    assert bench.rows("id, amount")[1] == ("2", 5)
    assert prove(bench.sync, bench.services).misfits == ()


def test_who_edited_or_asked_again_does_not_approve_it(make_bench):
    bench = make_bench(WHOLE)
    review = bench.held(PAGE)
    bench.decide(review, Verb.APPROVE, actor=ANA, edits=(Edit("2", {"amount": -4}),))
    edited = bench.run([]).judged[-1].review
    bench.release(bench.decide(edited, Verb.APPROVE, actor=BOB, exclude=("2",)))
    new = bench.reopen(edited, BOB)
    for who in (ANA, BOB):
        with pytest.raises(NotAllowed, match="four eyes"):
            bench.decide(new, Verb.APPROVE, actor=who)
    evidence = [f.sentence for f in bench.evidence(new).findings]
    assert "ana edited amount in 1 row" in evidence  # it is still what a person wrote


def test_values_of_several_types_keep_what_they_were(make_bench):
    """A text among numbers that was left out is a text still, and so is not brought once more."""
    bench = make_bench(WHOLE)
    bench.run([row("1", 10)])
    review = bench.held([row("2", "n/a", 30), row("3", 33, 31), row("4", 44, 32)])
    bench.release(bench.decide(review, Verb.APPROVE_CLEAN))
    new = bench.reopen(review, ANA)
    assert accounted(bench) == (3, 0, 1)
    said = [f.sentence for f in bench.evidence(new).findings if f.check == "schema"]
    assert len(said) == 1
    assert "n/a" in said[0] or "text" in said[0]
    assert bench.run([row("2", "n/a", 30)]).judged == ()


def test_only_what_a_decision_put_away_is_asked_about_again_and_only_once(bench):
    review = bench.held(PAGE)
    bench.release(bench.decide(review, Verb.APPROVE))
    with pytest.raises(BadDecision, match="left no row in quarantine"):
        bench.reopen(review, ANA)
    other = bench.held([row("5", -5, 40), row("6", -6, 40), row("7", 1, 41), row("8", 1, 41)])
    taken = bench.decide(other, Verb.APPROVE, exclude=("5",))
    with pytest.raises(BadDecision, match="is being acted on"):
        bench.reopen(other, ANA)
    bench.release(taken)
    bench.reopen(other, ANA)
    with pytest.raises(BadDecision, match="left no row in quarantine"):
        bench.reopen(other, ANA)


def test_a_file_that_is_gone_is_told_and_nothing_is_changed(make_bench):
    bench = make_bench(WHOLE)
    review = bench.held(PAGE)
    bench.release(bench.decide(review, Verb.APPROVE_CLEAN))
    (file,) = bench.services.folder("things").glob("*.parquet")
    whole = file.read_bytes()
    file.unlink()
    project, services = bench.project, bench.services
    with pytest.raises(SnapshotDamaged, match="cannot be read"):
        reopening.reopen(review.id, "again", ANA, project, services)
    file.write_bytes(whole)
    assert accounted(bench) == (2, 1, 0)


def test_a_rejection_is_reopened_and_approved_by_somebody_else(bench):
    review = bench.held(PAGE)
    bench.release(bench.decide(review, Verb.REJECT, actor=ANA))
    new = bench.reopen(review, ANA)
    assert reconcile(bench.sync, bench.services).held == 1
    with pytest.raises(NotAllowed, match="four eyes"):
        bench.decide(new, Verb.APPROVE, actor=ANA)
    bench.release(bench.decide(new, Verb.APPROVE, actor=BOB))
    assert [r[0] for r in bench.rows()] == ["1", "2", "3"]
    found = reconcile(bench.sync, bench.services)
    assert (found.published, found.quarantined, found.missing) == (3, 0, 0)


def test_only_a_rejection_that_was_acted_on_is_reopened_and_only_once(bench):
    review = bench.held(PAGE)
    with pytest.raises(BadDecision, match="is pending"):
        bench.reopen(review, ANA)
    taken = bench.decide(review, Verb.REJECT)
    with pytest.raises(BadDecision, match="is being acted on"):
        bench.reopen(review, ANA)
    bench.release(taken)
    bench.reopen(review, ANA)
    with pytest.raises(BadDecision, match="was re-opened already"):
        bench.reopen(review, ANA)


def test_a_whole_snapshot_reopened_can_be_rejected_again(make_bench):
    bench = make_bench(WHOLE)
    review = bench.held(PAGE)
    bench.release(bench.decide(review, Verb.REJECT))
    new = bench.reopen(review, BOB)
    bench.release(bench.decide(new, Verb.REJECT, "ana"))
    found = reconcile(bench.sync, bench.services)
    assert (found.quarantined, found.missing) == (3, 0)
    assert bench.review(new.id).state is ReviewState.REJECTED
