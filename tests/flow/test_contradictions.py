"""Two versions of one row with the same time, in one extraction: nobody can tell which is newer."""

import random
from dataclasses import replace
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from tests.conftest import MACHINE
from wfops_pipelines import Policy, flow, sync, table
from wfops_pipelines.core.findings import Severity
from wfops_pipelines.core.reviews import Edit, ReviewKind, Verb
from wfops_pipelines.core.snapshot import Snapshot
from wfops_pipelines.examining.contradictions import contradicted_findings
from wfops_pipelines.staging.gathering import Memory, gather
from wfops_pipelines.store.remembered import Came
from wfops_pipelines.testing import FakeSource

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
POLICY = Policy(reviewers="team", critical_fields=("name",), hold_rows_up_to=0.9)


def row(id, name="a name", amount=10, at=NOON):
    return {"id": id, "name": name, "amount": amount, "updated_at": at}


def declared(cursor="updated_at", **more):
    made = sync(source=FakeSource(), key="id", destination=table("shop.things"), cursor=cursor)
    return replace(made(lambda page: page), **more)


@pytest.fixture
def found(tmp_path):
    """`found(*pages)`: what an extraction says contradicts itself, and its rows."""

    def run(*pages, made=None, at_once=2, came=lambda *_: Came()):
        return gather(made or declared(), pages, None, Memory(came), None, tmp_path, at_once)

    return run


def test_two_versions_with_one_time_are_told_with_column_and_both_values(found):
    gathered = found([row("1", amount=1), row("2")], [row("3"), row("1", amount=2)])
    assert gathered.contradicted == (("1", "amount", "1", "2"),)
    assert gathered.rows.whole()["amount"].to_pylist() == [10, 10, 2]  # what came last counts


def test_a_page_that_is_a_table_comes_after_the_rows_that_were_told_before_it(found):
    gathered = found([row("1", amount=1)], pa.Table.from_pylist([row("1", amount=2)]), at_once=9)
    assert gathered.contradicted == (("1", "amount", "1", "2"),)
    assert gathered.rows.whole()["amount"].to_pylist() == [2]


def test_a_later_time_tells_which_is_newer_and_a_repeat_is_none(found):
    late = NOON.replace(hour=13)
    assert found([row("1", amount=1), row("1", amount=2, at=late)]).contradicted == ()
    assert found([row("1", amount=1)] * 3).contradicted == ()


def test_older_versions_that_contradict_each_other_do_not_matter(found):
    late = NOON.replace(hour=13)
    pages = [row("1", amount=1), row("1", amount=2), row("1", amount=3, at=late)]
    assert found(pages).contradicted == ()


def test_rows_without_a_time_contradict_each_other_as_well(found):
    pages = [[row("1", amount=1)], [row("1", amount=2)]]
    assert len(found(*pages, made=declared(cursor=None)).contradicted) == 1
    nowhen = [row("1", amount=1, at=None), row("1", amount=2, at=None), row("2")]
    assert len(found(nowhen).contradicted) == 1


def test_what_stays_away_is_not_told(found):
    pages = [row("1", amount=1), row("1", amount=2), row("2")]
    known = found(pages)
    taken = {"1": f"{known.version[0]:016x}"}
    again = found(pages, came=lambda *_: Came(versions=taken, cursors={"1": NOON}, ahead=NOON))
    assert again.rows.num_rows == 1
    assert again.contradicted == ()


def test_of_many_versions_each_column_is_told_once(found):
    pages = [row("1", amount=1), row("1", name="b"), row("1", amount=3), row("1")]
    told = found(pages).contradicted
    assert [cell[:2] for cell in told] == [("1", "name"), ("1", "amount")]
    assert all(cell[3] in ("a name", "10") for cell in told)


def test_it_is_the_same_in_parts_of_any_size(found):
    dice = random.Random(5)
    rows = [row(str(dice.randrange(40)), dice.choice("ab"), dice.randrange(3)) for _ in range(200)]
    at_once = [found(rows, at_once=n).contradicted for n in (1, 7, 1000)]
    assert at_once[0]
    assert at_once[0] == at_once[1] == at_once[2]


def told(contradicted, policy=POLICY, cursor="updated_at"):
    made = declared(cursor=cursor, policy=policy)
    snapshot = Snapshot("things", 1, "d", 4, NOON, contradicted=contradicted)
    return contradicted_findings(snapshot, made)


def test_a_critical_field_holds_and_another_column_warns():
    cells = (("1", "name", "a", "b"), ("1", "amount", "1", "2"), ("2", "amount", "3", "4"))
    name, amount = told(cells)
    assert (name.severity, name.keys) == (Severity.CRITICAL, ("1",))
    assert (amount.severity, amount.keys) == (Severity.WARNING, ("1", "2"))
    assert "name" in name.sentence
    assert "same updated_at" in name.sentence
    assert name.reasons_of("1") == [("name", "name: “a” or “b”, both with the same updated_at")]


def test_a_masked_column_shows_neither_value_and_a_masked_key_is_not_named():
    hidden = replace(POLICY, masked=("name", "id"))
    (finding,) = told((("secret-key", "name", "ann", "bob"),), hidden)
    assert "ann" not in finding.sentence
    assert "secret-key" not in finding.sentence
    assert finding.details == {}


@pytest.mark.components
def test_only_the_rows_in_question_wait(make_bench):
    bench = make_bench(POLICY)
    bench.run([row("0")])
    review = bench.held([row("1", name="ann"), row("2"), row("1", name="bob"), row("3")])
    assert (review.kind, review.keys) == (ReviewKind.ROWS, ("1",))
    assert [r[0] for r in bench.rows()] == ["0", "2", "3"]


@pytest.mark.components
@pytest.mark.parametrize(("edit", "left"), [({"amount": 3}, {"name"}), ({"name": "bob"}, set())])
def test_an_edit_answers_what_it_is_about_and_no_more(make_bench, edit, left):
    bench = make_bench(POLICY)
    bench.run([row("0")])
    review = bench.held([row("1", name="bob"), row("2"), row("1", name="ann"), row("3")])
    bench.decide(review, Verb.APPROVE, edits=(Edit("1", edit),))
    (judged,) = flow.judge_staged(bench.project, bench.sync, bench.services, MACHINE)
    found = judged.evidence.findings
    assert {f.column for f in found if f.check == "versions"} == left


@pytest.mark.components
def test_a_warning_lets_them_go_and_stays_in_the_evidence(make_bench):
    bench = make_bench(POLICY)
    passed = bench.run([row("1", amount=1), row("1", amount=2)])
    assert bench.rows() == [("1", "a name", 2)]
    assert [f.check for f in passed.judged[0].evidence.findings] == ["versions"]
    assert bench.run([row("1", amount=1), row("1", amount=2)]).judged == ()
