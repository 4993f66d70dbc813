"""A key that does not name rows makes one row of many: a person is told before it is published."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from wfops_pipelines.core.reviews import Edit, ReviewKind, Verb

pytestmark = pytest.mark.components

START = datetime(2026, 5, 1, 9, tzinfo=UTC)


def row(n, country, minutes=0, **more):
    at = START + timedelta(minutes=minutes + n)
    row = {"id": str(n), "name": "a name", "amount": 10, "country": country, "updated_at": at}
    return {**row, **more}


PAGE = [row(n, "de" if n % 2 else "at") for n in range(20)]


@pytest.fixture
def wrong(bench):
    bench.project.syncs["things"] = replace(bench.sync, key="country")
    return bench


def findings(judged):
    return {f.check: f for f in judged.evidence.findings}


def test_a_key_that_repeats_holds_all_with_the_numbers_and_the_way_on(wrong):
    review = wrong.held(PAGE)
    assert review.kind is ReviewKind.WHOLE
    assert wrong.rows() == []
    said = review.summary
    assert "18 of 20 rows that the source gave are not among these, because a newer one has" in said
    assert "mend key= of the sync (as id, which names each row), reject these" in said
    assert "`wfops run things --since DATE` brings the others" in said
    assert "If they are older versions of the same rows, approve" in said


def test_an_edit_does_not_hide_it(wrong):
    from tests.conftest import MACHINE
    from wfops_pipelines import flow

    review = wrong.held(PAGE)
    wrong.decide(review, Verb.APPROVE, edits=(Edit("de", {"amount": 99}),))
    (judged,) = flow.judge_staged(wrong.project, wrong.sync, wrong.services, MACHINE)
    assert findings(judged)["overtaken"].measured == 18


def test_what_a_person_let_go_is_usual_from_then_on(wrong):
    review = wrong.held(PAGE)
    wrong.release(wrong.decide(review, Verb.APPROVE))
    assert len(wrong.rows("country")) == 2
    later = [row(n, "de" if n % 2 else "at", minutes=60) for n in range(20)]
    assert "overtaken" not in findings(wrong.run(later).judged[-1])


def test_a_rejection_makes_nothing_usual(wrong):
    wrong.release(wrong.decide(wrong.held(PAGE), Verb.REJECT))
    later = [row(n, "de" if n % 2 else "at", minutes=60) for n in range(20)]
    assert "overtaken" in findings(wrong.run(later).judged[-1])


def test_versions_that_came_before_and_pages_that_shift_are_nothing_new(bench):
    page = [row(n, "de") for n in range(50)]
    shifted = [row(n, "de", minutes=90) for n in (3, 4)]
    assert findings(bench.run(page, shifted).judged[-1]).keys() <= {"anomaly"}
    assert bench.run([*page, row(51, "de")]).judged[-1].snapshot.overtaken == 0
