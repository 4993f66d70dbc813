from dataclasses import replace
from datetime import UTC, datetime

import pytest

from wfops_pipelines.core.reviews import (
    OUTCOME_OF,
    VERBS_OF,
    Actor,
    Decision,
    Review,
    ReviewKind,
    ReviewState,
    Verb,
    check_decision,
    check_eligible,
    parse_verb,
)
from wfops_pipelines.errors import AlreadyDecided, BadDecision, EvidenceChanged, NotAllowed

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
ANA = Actor("ana", verified=True)


def review(**changes):
    base = Review(
        id="rv-1",
        sync="crm",
        seq=3,
        kind=ReviewKind.WHOLE,
        state=ReviewState.PENDING,
        evidence_hash="e" * 64,
        summary="odd",
        group="revops",
        opened_at=NOON,
        requested_by="",
    )
    return replace(base, **changes)


def decision(**changes):
    base = Decision("rv-1", "e" * 64, Verb.APPROVE, "looks right", ANA)
    return replace(base, **changes)


def test_a_sound_decision_passes():
    check_decision(decision(), review())


def test_a_second_decision_is_told_who_was_first():
    done = review(state=ReviewState.REJECTED, decided_by="bob", decided_at=NOON)
    with pytest.raises(AlreadyDecided, match="already rejected by bob at 2026-06-01 12:00:00"):
        check_decision(decision(), done)


def test_a_decision_about_other_evidence_is_refused_and_says_where_to_look():
    with pytest.raises(EvidenceChanged, match="/wfops/r/rv-1"):
        check_decision(decision(evidence="f" * 64), review())


@pytest.mark.parametrize("reason", ["", "  \n"])
def test_a_decision_needs_a_reason(reason):
    with pytest.raises(BadDecision, match="reason: is empty"):
        check_decision(decision(reason=reason), review())


def test_a_machine_decides_nothing():
    with pytest.raises(NotAllowed, match="not a person"):
        check_decision(decision(actor=Actor("schedule", "machine")), review())


@pytest.mark.parametrize("kind", ReviewKind)
def test_only_the_verbs_that_fit_are_taken(kind):
    for verb in Verb:
        if verb in VERBS_OF[kind]:
            check_decision(decision(verb=verb), review(kind=kind))
        else:
            with pytest.raises(BadDecision, match="does not fit here"):
                check_decision(decision(verb=verb), review(kind=kind))


def test_every_verb_leads_to_a_decided_state():
    assert set(OUTCOME_OF) == set(Verb)
    assert ReviewState.PENDING not in OUTCOME_OF.values()


def test_somebody_outside_the_group_may_not_decide():
    with pytest.raises(NotAllowed, match="ana is not a member of the reviewer group 'revops'"):
        check_eligible(decision(), review(), frozenset({"bob"}))


def test_nobody_approves_what_they_requested():
    with pytest.raises(NotAllowed, match="four eyes"):
        check_eligible(decision(), review(requested_by="ana"), frozenset({"ana"}))


def test_a_misspelt_decision_names_the_choices():
    with pytest.raises(BadDecision, match="approve, approve_clean, reject, retry"):
        parse_verb("aprove")


def test_an_unverified_person_is_shown_as_such():
    assert str(Actor("dev")) == "dev (unverified)"
    assert str(ANA) == "ana"
    assert str(Actor("gate", "machine")) == "machine:gate"
