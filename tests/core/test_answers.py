"""What a reviewer can do is said for each kind of request, with its command."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from wfops_pipelines.core.answers import Weighed, answers
from wfops_pipelines.core.causes import cause_of_findings
from wfops_pipelines.core.findings import Finding, Severity
from wfops_pipelines.core.reviews import Review, ReviewKind, ReviewState, Verb

HELD = Review(
    "rv-1", "things", 3, ReviewKind.WHOLE, ReviewState.PENDING, "e" * 64, "held", "team",
    datetime(2026, 6, 1, tzinfo=UTC), "",
)  # fmt: skip

PLAIN = Weighed()


def test_a_held_snapshot_can_be_approved_in_part_edited_and_rejected():
    found = answers(HELD, PLAIN)
    assert [a.name for a in found] == ["approve", "approve clean", "edit", "reject"]
    assert [a.command for a in found] == [
        "wfops decide rv-1 approve --reason …",
        "wfops decide rv-1 approve_clean --reason …",
        "wfops decide rv-1 approve --set KEY.COLUMN=VALUE --reason …",
        "wfops decide rv-1 reject --reason …",
    ]


def test_of_held_rows_it_says_how_many_would_go():
    one, two = (replace(HELD, kind=ReviewKind.ROWS, keys=keys) for keys in (("1",), ("1", "2")))
    assert answers(one, PLAIN)[0].does == "publishes the 1 held row as it is"
    assert answers(two, PLAIN)[0].does == "publishes the 2 held rows as they are"


def test_that_more_than_one_must_approve_is_said_of_each_answer_that_lets_go():
    for kind in (ReviewKind.ROWS, ReviewKind.WHOLE, ReviewKind.REVERT):
        found = answers(replace(HELD, kind=kind, keys=("1",), approvals_needed=2), PLAIN)
        told = {a.name: "; 2 people must say so" in a.does for a in found}
        assert told.pop("approve")
        assert told.pop("approve clean", True)
        assert not any(told.values())


def test_where_the_key_names_no_row_only_a_rejection_is_offered():
    found = (Finding("key", Severity.CRITICAL, "there is no key column 'uid'", "uid", 0, 0),)
    others = tuple(Finding(f"a{n}", Severity.CRITICAL, "", "c") for n in range(20))
    held = replace(HELD, cause=cause_of_findings((*others, *found)))
    (reject,) = answers(held, PLAIN)
    assert reject.command == "wfops decide rv-1 reject --reason …"
    assert "then `wfops run things --since DATE` brings its rows" in reject.does
    some = (replace(found[0], details={"nameless": True}),)
    assert len(answers(replace(HELD, cause=cause_of_findings(some)), PLAIN)) == 4


@pytest.mark.parametrize("kind", ReviewKind)
def test_every_answer_of_every_kind_says_what_it_does(kind):
    found = answers(replace(HELD, kind=kind, keys=("1",)), PLAIN)
    assert found[-1].name == "reject"
    assert all(a.does != a.name.replace(" ", "_") for a in found)
    assert ("retry" in [a.name for a in found]) == (kind is ReviewKind.FAILURE)


def test_what_is_an_override_says_so_and_what_would_publish_nothing_is_not_offered():
    weighed = Weighed({Verb.APPROVE: ("a", "b")}, frozenset({Verb.APPROVE_CLEAN}))
    approve, edit, reject = answers(HELD, weighed)
    assert "that is an override of the failed critical checks a, b" in approve.does
    assert "override" not in edit.does + reject.does
