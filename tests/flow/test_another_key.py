"""The project names another key while rows wait: what was decided about names stays about them."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from tests.conftest import MACHINE
from tests.destinations.contacts_api import contacts_api
from tests.flow.test_undo_rest import crm
from wfops_pipelines import Policy, flow, publishing, undoing
from wfops_pipelines.core.reviews import Actor, Edit, Verb
from wfops_pipelines.destinations import database_table
from wfops_pipelines.errors import BadDecision, DestinationRefused
from wfops_pipelines.ledger import publications_of
from wfops_pipelines.reconciling.proving import prove
from wfops_pipelines.store import snapshots
from wfops_pipelines.web.reverting import reverting

pytestmark = pytest.mark.components

ANA, BOB = Actor("ana", verified=True), Actor("bob", verified=True)
WHOLE = Policy(reviewers="team", scope="whole")


def row(id, code, amount=10, name="n"):
    at = datetime(2026, 5, 1, 9, tzinfo=UTC)
    return {"id": id, "name": name, "amount": amount, "code": code, "updated_at": at}


# the texts of one key are the other's, of other rows: nothing fails of itself
PAGE = [row("1", "2"), row("2", "3", -5), row("3", "1")]


def rekeyed(bench, key="code"):
    bench.project.syncs["things"] = replace(bench.sync, key=key)


def accounted(bench):
    proof = prove(bench.sync, bench.services)
    assert proof.misfits == ()
    assert proof.account.missing == 0
    return [r[0] for r in bench.rows("id")]


def test_rows_that_wait_to_be_published_go_without_those_that_are_held(make_bench):
    bench = make_bench(Policy(reviewers="team", hold_rows_up_to=0.9))
    bench.source.answer(PAGE)
    (judged,) = flow.stage_and_judge(bench.project, bench.sync, bench.services, MACHINE)
    rekeyed(bench)
    publishing.publish_cleared(bench.sync, bench.services, MACHINE.actor)
    assert accounted(bench) == ["1", "3"]
    bench.release(bench.decide(judged.review, Verb.APPROVE))
    assert accounted(bench) == ["1", "2", "3"]


@pytest.mark.parametrize("verb", [Verb.APPROVE, Verb.APPROVE_CLEAN])
def test_what_a_decision_left_out_is_left_out_by_the_name_that_it_had(make_bench, verb):
    bench = make_bench(WHOLE)
    review = bench.held(PAGE)
    rekeyed(bench)
    exclude = ("2",) if verb is Verb.APPROVE else ()
    bench.release(bench.decide(review, verb, exclude=exclude))
    assert accounted(bench) == ["1", "3"]
    again = bench.reopen(review, ANA)
    bench.release(bench.decide(again, Verb.APPROVE, actor=BOB))
    assert accounted(bench) == ["1", "2", "3"]


def test_an_edit_is_refused_with_both_keys(make_bench):
    bench = make_bench(WHOLE)
    review = bench.held(PAGE)
    rekeyed(bench)
    with pytest.raises(BadDecision, match=r"with the key 'id'.*'code' now"):
        bench.decide(review, Verb.APPROVE, edits=(Edit("2", {"amount": 5}),))


ROWS = Policy(reviewers="team", hold_rows_up_to=0.9)
RENAMED = (
    r"things #2 was published with the key 'id', and the sync's key is 'code' now, .*nothing is "
    r"taken back\. Declare key='id' again .*, or change the rows at the source\."
)


# row 1 is there before, and changes; row 4 comes new
FIRST = [row("1", "2", name="one@x"), row("2", "3", name="two@x")]
SECOND = [row("1", "2", 99, "uno@x"), row("4", "1", name="four@x")]


def ask(bench):
    return undoing.ask("things", 2, "wrong", ANA, bench.project, bench.services)


def undone(bench):
    """Which parts of snapshot 2 were noted as taken back."""
    with bench.services.engine.connect() as conn:
        assert undoing.done_by(conn, "things #2") == ""
        return [p.part for p in publications_of(conn, "things", 2) if p.reverted_at]


@pytest.fixture
def places(make_bench, tmp_path):
    """`places(where)`: a bench that publishes there, and what lives there by now."""
    with contacts_api() as api:

        def make(where):
            if where == "table":
                bench = make_bench(ROWS)
                return bench, lambda: bench.rows("id, amount")
            if where == "api":
                return make_bench(ROWS, crm(), api.environ), lambda: [
                    *map(dict, api.records.values())
                ]
            url = f"sqlite:///{tmp_path}/erp.db"
            there = sa.text("select id, amount from things order by id")

            def held():
                with sa.create_engine(url).connect() as conn:
                    return [tuple(r) for r in conn.execute(there)]

            return make_bench(ROWS, database_table("erp", "things"), {"WFOPS_ERP_URL": url}), held

        yield make


@pytest.mark.parametrize("where", ["table", "database", "api"])
def test_what_went_by_another_key_is_not_taken_back_and_says_so(places, where):
    bench, held = places(where)
    bench.run(FIRST)
    bench.run(SECOND)
    before = held()
    rekeyed(bench)
    with pytest.raises(BadDecision, match=RENAMED):
        ask(bench)
    assert (undone(bench), held()) == ([], before)


@pytest.mark.parametrize("where", ["table", "database", "api"])
def test_a_revert_that_was_asked_for_waits_until_the_key_is_declared_again(places, where):
    bench, held = places(where)
    bench.run(FIRST)
    first = held()
    bench.run(SECOND)
    second = held()
    asked = ask(bench)
    rekeyed(bench)
    with bench.services.engine.connect() as conn:
        snapshot = snapshots.get(conn, "things", 2)
        shown = reverting(conn, bench.sync, asked, snapshot, bench.services)
    assert re.match(RENAMED, shown["note"])
    taken = bench.decide(asked, Verb.APPROVE, actor=BOB)
    with pytest.raises(DestinationRefused, match=RENAMED):
        bench.release(taken)
    assert (undone(bench), held()) == ([], second)
    rekeyed(bench, "id")
    bench.release(taken)
    assert held() == first


@pytest.mark.parametrize("now", ["id", "code"])
def test_what_was_examined_by_one_key_and_published_by_another_stays(make_bench, now):
    bench = make_bench(ROWS)
    bench.source.answer(PAGE)
    flow.stage_and_judge(bench.project, bench.sync, bench.services, MACHINE)
    rekeyed(bench)
    publishing.publish_cleared(bench.sync, bench.services, MACHINE.actor)
    rekeyed(bench, now)
    with pytest.raises(BadDecision, match=r"with the key 'code', and examined with 'id'"):
        undoing.ask("things", 1, "wrong", ANA, bench.project, bench.services)
    assert accounted(bench) == ["1", "3"]
