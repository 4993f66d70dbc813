"""One text among numbers makes its column text: every row is judged all the same, by its number."""

from dataclasses import replace
from decimal import Decimal

import pytest
import sqlalchemy as sa

from tests.destinations.contacts_api import contacts_api
from tests.flow.amounts import page
from tests.flow.test_undo_rest import crm
from wfops_pipelines import Above, Policy, flow, undoing
from wfops_pipelines.core.findings import findings_of
from wfops_pipelines.core.reviews import Actor, Edit, Verb
from wfops_pipelines.core.verdict import flagged
from wfops_pipelines.reconciling import proving
from wfops_pipelines.store import snapshots

pytestmark = pytest.mark.components
MACHINE = Actor("cli", "machine")

POLICY = Policy(
    reviewers="team", hold_rows_up_to=0.5, high_impact=(Above("amount", 50_000, "a large one"),)
)


def published(bench, *amounts):
    """The bench, when its sync has published three snapshots of numbers."""
    for number in range(3):
        assert bench.run(page(number, *amounts)).judged[-1].review is None
    return bench


def named(judged, check):
    """The rows that the findings of an examiner name, by their places in the page."""
    found = [f for f in judged.evidence.findings if f.check.startswith(check)]
    return sorted(int(key.partition("-")[2]) for f in found for key in f.keys)


def about_the_type(judged):
    (found,) = [f for f in judged.evidence.findings if f.check == "schema"]
    return found


def amounts(api):
    return {r["ref"]: r["amount"] for r in api.records.values()}


MIXED = page(9, 5, "ten", -7, 70_000, 11, 88_000, 12, 13, 14, 15, 16)


@pytest.mark.parametrize("at_once", [2**16, 2])
def test_one_word_among_amounts_leaves_every_other_row_judged(make_bench, at_once):
    bench = make_bench(POLICY)
    bench.services = replace(bench.services, at_once=at_once)
    (judged,) = published(bench).run(MIXED).judged
    assert "failed, so nobody knows" not in judged.review.summary
    assert not [f for f in judged.evidence.findings if "could not be told" in f.sentence]
    assert named(judged, "expectation:amount_is_in_range") == [2]
    assert named(judged, "high_impact") == [1, 3, 5]
    assert named(judged, "schema") == [1]
    assert judged.verdict.keys is None  # a change of the columns is about every row
    assert "1 value is no number (row 9-1: 'ten')" in about_the_type(judged).sentence
    (large,) = [f for f in judged.evidence.findings if f.check == "high_impact"]
    assert "amount is no number in 1 row, so nobody knows whether it is above " in large.sentence


def test_the_clean_rows_beside_a_word_are_those_that_no_number_flags(make_bench):
    bench = published(make_bench(POLICY))
    review = bench.held(MIXED)
    bench.release(bench.decide(review, Verb.APPROVE_CLEAN))
    out = [(key, amount) for key, _, amount in bench.rows() if key.startswith("9-")]
    assert sorted(out) == sorted(
        (f"9-{i}", a) for i, a in [(0, 5), (4, 11), *enumerate((12, 13, 14, 15, 16), 6)]
    )
    assert proving.prove(bench.sync, bench.services).misfits == ()
    (after,) = bench.run(page(10, 11, 12, 13)).judged
    assert after.review is None, after.review.summary  # the column is one of numbers as before


@pytest.mark.parametrize("wrong", ["ten", 10.5, "12"])
def test_what_the_overlap_tells_again_does_not_change_the_type_of_what_is_new(make_bench, wrong):
    bench = published(make_bench(POLICY))
    told = page(9, 5, wrong, 11)
    review = bench.held(told)
    bench.release(bench.decide(review, Verb.REJECT))
    for number in (10, 11):
        told += page(number, 11, 12, 13)
        (after,) = bench.run(told).judged
        assert after.review is None, after.review.summary
        assert proving.prove(bench.sync, bench.services).misfits == ()
    assert list(bench.run(told).judged) == []  # each row is known again as it was told
    assert len([key for key, *_ in bench.rows() if key.startswith("1")]) == 9


def test_a_number_that_came_as_a_text_is_mended_by_saying_that_it_is_one(make_bench):
    bench = published(make_bench(POLICY))
    review = bench.held(page(9, 5, "12", 11))
    edits = (Edit("9-1", {"amount": 12}),)
    bench.decide(review, Verb.APPROVE, actor=Actor("ana", verified=True), edits=edits)
    (edited,) = flow.judge_staged(bench.project, bench.sync, bench.services, flow.Run(MACHINE))
    assert not [f for f in edited.evidence.findings if f.check == "schema"]
    bench.release(bench.decide(edited.review, Verb.APPROVE, actor=Actor("bob", verified=True)))
    assert ("9-1", 12) in [(key, amount) for key, _, amount in bench.rows()]
    (after,) = bench.run(page(10, 11, 12, 13)).judged
    assert after.review is None, after.review.summary


@pytest.mark.parametrize("how", [Verb.APPROVE_CLEAN, Verb.APPROVE])
def test_an_api_is_sent_numbers_as_numbers_and_can_give_them_back(make_bench, how):
    """Whatever answer leaves the word out; and what is sent is what is accounted for."""
    with contacts_api() as api:
        body = {"email": "{id}@example.com", "ref": "{id}", "amount": "{amount}"}
        bench = published(make_bench(POLICY, crm(body=body), api.environ))
        first = page(9, 5, "ten", 7)
        for row, id in zip(first, ("0-0", "9-1", "9-2"), strict=True):
            row["id"] = id
        leaves = {"exclude": ("9-1",)} if how is Verb.APPROVE else {}
        bench.release(bench.decide(bench.held(first), how, **leaves))
        assert amounts(api) | {"0-0": 5, "9-2": 7} == amounts(api)
        assert "9-1" not in amounts(api)
        assert proving.prove(bench.sync, bench.services).misfits == ()
        asked = undoing.ask("things", 4, "wrong", Actor("ana"), bench.project, bench.services)
        bench.release(bench.decide(asked, Verb.APPROVE, "bob"))
        assert amounts(api)["0-0"] == 10
        assert "9-2" not in amounts(api)
        assert proving.prove(bench.sync, bench.services).misfits == ()


def test_a_word_that_was_let_go_keeps_its_neighbours_texts_once_it_is_replaced(make_bench):
    with contacts_api() as api:
        body = {"email": "{id}@example.com", "ref": "{id}", "amount": "{amount}"}
        bench = published(make_bench(POLICY, crm(body=body), api.environ))
        bench.release(bench.decide(bench.held(page(9, 5, "ten", 7)), Verb.APPROVE))
        mended = {**page(10, 8)[0], "id": "9-1"}
        bench.release(bench.decide(bench.held([mended]), Verb.APPROVE))
        assert amounts(api) | {"9-0": "5", "9-1": 8, "9-2": "7"} == amounts(api)
        assert proving.prove(bench.sync, bench.services).misfits == ()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("usual", "word", "mixed"),
    [
        (range(10, 90), "ten", range(12, 80)),
        ([i + 0.5 for i in range(90)], "ten", [i / 2 for i in range(80)]),
        ([Decimal(i) / 4 + Decimal("0.00") for i in range(90)], "1.5", [Decimal("1.25")] * 9),
    ],
)
def test_rows_that_were_let_go_without_the_word_are_numbers_to_the_scorer(
    make_bench, usual, word, mixed
):
    bench = make_bench(replace(POLICY, false_holds=1e-6))
    for number in range(3):
        assert bench.run(page(number, *usual)).judged[-1].review is None
    review = bench.held(page(9, word, *mixed))
    bench.release(bench.decide(review, Verb.APPROVE_CLEAN))
    (judged,) = bench.run(page(10, *usual)).judged
    said = [f.sentence for f in judged.evidence.findings if f.severity.value == "critical"]
    assert not [s for s in said if "type" in s or "nobody knows" in s]


@pytest.mark.slow
def test_numbers_that_come_after_texts_that_were_let_go_break_no_examiner(make_bench):
    bench = published(make_bench(replace(POLICY, false_holds=1e-6)), *range(10, 120))
    with bench.services.engine.begin() as conn:
        conn.execute(sa.text("alter table shop.things alter column amount type text"))
    bench.release(bench.decide(bench.held(page(9, "ten", *range(11, 99))), Verb.APPROVE))
    (judged,) = bench.run(page(10, *range(10, 90))).judged
    assert "from string to int64" in about_the_type(judged).sentence
    assert not [f for f in judged.evidence.findings if f.details.get("crashed")]


def test_what_came_as_a_text_or_does_not_fit_is_judged_and_named(make_bench):
    (judged,) = (
        published(make_bench(POLICY))
        .run(page(9, 5, "60000", "-3", 10.5, 11, float("nan"), True, None, "007"))
        .judged
    )
    assert named(judged, "schema") == [1, 2, 3, 5, 6, 8]
    assert named(judged, "high_impact") == [1, 5, 6, 7, 8]
    assert named(judged, "expectation:amount_is_in_range") == [2]
    said = about_the_type(judged)
    assert "3 values are no numbers (row 9-5: 'NaN', row 9-6: 'true', row 9-8: '007')" in (
        said.sentence
    )
    assert "2 values are numbers that came as texts (row 9-1: '60000'" in said.sentence
    assert "1 value is a number that int64 does not hold (row 9-3: '10.5')" in said.sentence
    assert said.reasons_of("9-1") == [("amount", "amount is a number that came as a text: '60000'")]


def test_where_all_amounts_come_as_texts_no_row_is_the_wrong_one(make_bench):
    bench = published(make_bench(POLICY), 10.5, 11.5, 12.5)
    (judged,) = bench.run(page(9, "5.25", "-7.5", "70000.00", "11", "12")).judged
    assert about_the_type(judged).keys == ()
    assert "its numbers came as texts" in about_the_type(judged).sentence
    assert named(judged, "expectation:amount_is_in_range") == [1]
    assert named(judged, "high_impact") == [2]


def test_a_column_that_never_was_of_numbers_is_above_by_the_numbers_that_it_spells(make_bench):
    (judged,) = make_bench(POLICY).run(page(0, "10", "60000", "ten", None, 11)).judged
    assert named(judged, "high_impact") == [1, 2, 3]
    assert flagged(judged.evidence.findings, POLICY) >= {"0-1", "0-2", "0-3"}


@pytest.mark.parametrize("amounts", [(True, False), ("a", "b"), (b"a", b"b")])
def test_what_has_no_amount_waits_as_a_large_one_does(make_bench, amounts):
    (judged,) = make_bench(POLICY).run(page(0, *amounts)).judged
    assert named(judged, "high_impact") == [0, 1]


@pytest.mark.parametrize(
    ("masked", "told", "hidden"),
    [
        (("amount",), "1 value is no number (row 9-1)", "ten"),
        (("id",), "1 value is no number ('ten')", "9-1"),
        (("amount", "id"), "1 value is no number. Once", "ten"),
    ],
)
def test_of_masked_columns_no_value_is_told(make_bench, masked, told, hidden):
    (judged,) = published(make_bench(replace(POLICY, masked=masked))).run(MIXED).judged
    said = about_the_type(judged)
    assert told in said.sentence
    assert hidden not in said.sentence
    if "amount" in masked:
        assert hidden not in str(said.details)


def test_a_key_that_is_no_number_changes_no_other_key(make_bench):
    bench = make_bench(POLICY)
    for number in range(2):
        rows = [{**r, "id": 10 * number + i} for i, r in enumerate(page(number))]
        assert bench.run(rows).judged[-1].review is None
    rows = [{**r, "id": key} for r, key in zip(page(9, -1, -2), (33, "ten"), strict=True)]
    (judged,) = bench.run(rows).judged
    (below,) = [f for f in judged.evidence.findings if f.check.startswith("expectation")]
    assert below.keys == ("33", "ten")


def test_a_number_that_a_fraction_does_not_hold_is_named_and_never_published_as_another(make_bench):
    bench = published(make_bench(POLICY), 1.5, 2.5, 3.5, 4.5)
    held = bench.held(page(9, 9_007_199_254_740_993, "ten", 10.5, 0.1, 1e21, 2.5))
    with bench.services.engine.connect() as conn:
        stored = snapshots.evidence(conn, "things", held.seq)
    (found,) = [f for f in findings_of(stored[1]) if f.check == "schema"]
    assert found.keys == ("9-1", "9-0")
    assert "is a number that double does not hold (row 9-0: '9007199254740993')" in found.sentence
