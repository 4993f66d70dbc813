"""The chance of an approval: what it counts, what it says, and that it keeps its promise."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from wfops_pipelines.core.confidence import attention, cause, confidence, record
from wfops_pipelines.core.reviews import Review, ReviewKind, ReviewState

NOW = datetime(2026, 6, 1, tzinfo=UTC)
YES, NO = ReviewState.APPROVED, ReviewState.REJECTED


def hold(why="name is never empty", sync="contacts", state=ReviewState.PENDING, **more):
    summary = f"3 of 200 rows held: expected: {why}; 3 of 200 rows fail"
    known = Review(
        "rv-1", sync, 1, ReviewKind.ROWS, state, "e" * 64, summary, "team", NOW, "", ("1", "2", "3")
    )
    return replace(known, **more)


def chance(review, *decided):
    return confidence(review, record(decided)).chance


def test_where_nothing_was_decided_there_is_no_number_to_show():
    found = confidence(hold(), record([]))
    assert (found.chance, found.shown, found.words) == (0.5, None, "nothing was decided yet")


def test_what_was_decided_for_other_reasons_makes_no_number_to_show():
    known = record([hold("amount is at least 0", state=YES, cause="anomaly: amount")] * 8)
    other = confidence(hold(cause="high_impact: large"), known)
    assert other.shown is None
    assert other.words.startswith("nothing of the kind yet; 8 of 8 of this sync")
    assert other.chance > 0.5  # it still orders the inbox
    assert confidence(hold(cause="anomaly: price"), known).shown is not None


def test_decisions_on_the_same_cause_count_more_than_those_on_others():
    same = [hold(state=YES)] * 6
    others = [hold("amount is at least 0", state=NO)] * 6
    found = confidence(hold(), record([*same, *others]))
    assert found.words == "6 of 6 like it were approved"
    assert found.chance > 0.6
    assert chance(hold("plan is one of a, b"), *same, *others) == 0.5
    assert chance(hold("amount is at least 0"), *same, *others) < 0.4


def test_a_new_cause_goes_by_the_sync_and_another_sync_teaches_nothing():
    known = record([hold("amount is at least 0", state=YES)] * 8)
    assert confidence(hold(), known).chance == pytest.approx(0.9)
    assert "none like it yet; 8 of 8 of this sync" in confidence(hold(), known).words
    assert confidence(hold(sync="invoices"), known).chance == 0.5


def test_only_what_people_decided_about_holds_teaches():
    machine = hold(state=ReviewState.EXPIRED)
    moot = hold(state=ReviewState.SUPERSEDED)
    waiver = hold(state=YES, kind=ReviewKind.WAIVER)
    assert chance(hold(), machine, moot, waiver) == 0.5
    assert confidence(waiver, record([])) is None


def test_figures_and_keys_do_not_make_another_cause():
    one = hold(summary="3 of 200 rows held: an invoice above 5,000.00, in 3 rows: in_1, in_2")
    other = hold(summary="7 of 90 rows held: an invoice above 5,000.00, in 7 rows: in_9")
    assert cause(one) == cause(other)
    assert cause(one) != cause(hold())


def test_impact_doubt_and_age_each_ask_for_attention():
    small, large = hold(), hold(summary="9,000 of 9,000 rows held: x")
    assert attention(large, 0.5, NOW) > attention(small, 0.5, NOW)
    assert attention(small, 0.1, NOW) > attention(small, 0.9, NOW)
    assert attention(small, 0.5, NOW + timedelta(days=2)) > attention(small, 0.5, NOW)


def test_it_is_calibrated_on_reviewers_who_approve_by_cause():
    chances = random.Random(7)
    rates = {f"cause {c}": chances.random() for c in "abcdefghijkl"}
    said, done, known, counted = [], [], [], record([])
    for n in range(700):
        why = chances.choice(sorted(rates))
        yes = chances.random() < rates[why]
        if n % 20 == 0:
            counted = record(known)
        if n >= 200:
            said.append(confidence(hold(why), counted).chance)
            done.append(yes)
        known.append(hold(why, state=YES if yes else NO))
    brier = sum((p - y) ** 2 for p, y in zip(said, done, strict=True)) / len(said)
    base = sum(done) / len(done)
    assert brier < 0.9 * base * (1 - base)
    for low in (0.0, 0.25, 0.5, 0.75):
        inside = [(p, y) for p, y in zip(said, done, strict=True) if low <= p < low + 0.25]
        if len(inside) >= 60:
            assert abs(sum(p - y for p, y in inside)) / len(inside) < 0.1


def decided_at(n, why, *, approved, by="ana"):
    state = YES if approved else NO
    at = NOW + timedelta(minutes=n)
    return hold(why, state=state, decided_at=at, decided_by=by, id=f"rv-{n:04}")


def test_shares_that_came_true_otherwise_are_corrected_and_say_so():
    """A sync whose causes are new each time and whose holds are nearly all approved in the end."""
    rng = random.Random(3)
    odd = [decided_at(n, f"rule {chr(97 + n % 20)} is met", approved=rng.random() < 0.8)
           for n in range(200)]  # fmt: skip
    known = record(odd)
    found = confidence(hold("rule new is met"), known)
    assert found.words.endswith("calibrated on 200 decisions")
    assert found.chance == pytest.approx(0.8, abs=0.07)
    few = record(odd[:29])
    assert "calibrated" not in confidence(hold("rule new is met"), few).words


def test_one_answer_only_bends_nothing():
    same = record([decided_at(n, "a", approved=True) for n in range(100)])
    assert "calibrated" not in confidence(hold("a"), same).words


def test_what_a_machine_decided_teaches_nothing():
    by_machine = [decided_at(n, "a", approved=True, by="machine:auto_release") for n in range(50)]
    assert confidence(hold("a"), record(by_machine)).words == "nothing was decided yet"


def test_the_order_in_which_decisions_are_given_does_not_matter():
    rng = random.Random(5)
    some = [decided_at(n, f"rule {'abc'[n % 3]} is met", approved=n % 4 > 0) for n in range(80)]
    shuffled = rng.sample(some, len(some))
    review = hold("rule a is met")
    assert confidence(review, record(some)) == confidence(review, record(shuffled))


def test_approvals_of_invoices_say_little_about_a_first_anomaly():
    routine = [hold(state=YES, cause="high_impact: an invoice above 5,000.00")] * 40
    first = hold(cause="anomaly: amount; anomaly: price")
    found = confidence(first, record(routine))
    assert found.words == (
        "nothing of the kind yet; 40 of 40 of this sync were approved, for other reasons"
    )
    assert found.chance == pytest.approx(0.75)
    kin = [hold(state=NO, cause="anomaly: stock")] * 4
    assert confidence(first, record([*routine, *kin])).chance < 0.4
