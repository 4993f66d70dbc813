"""Deletions: tombstones, and rows that a whole extraction no longer has."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest

from tests.conftest import MACHINE
from wfops_pipelines import Always, Policy, flow, undoing
from wfops_pipelines.core.reviews import Actor, Edit, ReviewKind, ReviewState, Verb
from wfops_pipelines.destinations import database_table
from wfops_pipelines.errors import BadDecision, SchemaRefused
from wfops_pipelines.reconciling.proving import prove
from wfops_pipelines.reconciling.reconciliation import reconcile
from wfops_pipelines.store import audit, snapshots
from wfops_pipelines.sync import Day

pytestmark = pytest.mark.components

ANA = Actor("ana", verified=True)
START = datetime(2026, 5, 1, 9, tzinfo=UTC)
FREE = Policy(reviewers="team", hold_rows_up_to=0.5, delete_rows_up_to=1.0)
CAREFUL = Policy(reviewers="team", hold_rows_up_to=0.9, delete_rows_up_to=0.25)


def row(id, name="a name", amount=10, minutes=0, **more):
    moment = START + timedelta(minutes=minutes)
    return {"id": id, "name": name, "amount": amount, "updated_at": moment, **more}


def marking(sync, column):
    """The sync, whose function says of every row whether it is gone."""
    return replace(sync, deleted=column, rows=lambda page: [{column: None, **r} for r in page])


def gone(id, minutes=0, **more):
    return {"id": id, "archived": True, "updated_at": START + timedelta(minutes=minutes), **more}


def alive(bench):
    with bench.services.engine.connect() as conn:
        keys = bench.sync.destination.living(conn, "id", bench.services.environ)
    return sorted(keys.to_pylist())


@pytest.fixture
def tombstoned(make_bench):
    """`tombstoned(policy)`: rows of the column `archived` are deletions."""

    def make(policy=FREE):
        bench = make_bench(policy)
        bench.project.syncs["things"] = marking(bench.sync, "archived")
        return bench

    return make


@pytest.fixture
def whole(make_bench):
    """`whole(policy)`: every extraction has everything, and what it lacks is gone."""

    def make(policy=FREE):
        bench = make_bench(policy)
        bench.project.syncs["things"] = replace(bench.sync, cursor=None, missing="delete")
        return bench

    return make


def fits(bench):
    proof = prove(bench.sync, bench.services)
    assert proof.misfits == ()
    assert proof.account.missing == 0


def test_a_tombstone_deletes_its_row_and_no_check_looks_at_it(tombstoned):
    bench = tombstoned()
    bench.run([row("1"), row("2"), row("3", archived=False)])
    passed = bench.run([gone("1", 5), row("2", amount=7, minutes=5)])
    assert passed.judged[0].evidence.diff.deleted == 1
    (done,) = passed.publications
    assert (done.updated, done.deleted) == (1, 1)
    assert alive(bench) == ["2", "3"]
    fits(bench)


def test_an_extraction_of_nothing_but_tombstones_passes(tombstoned):
    bench = tombstoned()
    bench.run([row("1"), row("2")])
    assert bench.run([gone("1", 5)]).publications[0].deleted == 1
    assert alive(bench) == ["2"]
    bench.run([row("1", amount=3, minutes=9)])
    assert alive(bench) == ["1", "2"]


def test_a_held_row_that_is_released_late_does_not_bring_back_a_deleted_one(tombstoned):
    bench = tombstoned()
    bench.run([row("2"), row("3"), row("4")])
    held = bench.held([row("1", amount=-1, minutes=1), row("2", minutes=1), row("3", minutes=1)])
    bench.run([gone("1", 5)])
    bench.release(bench.decide(held, Verb.APPROVE))
    assert alive(bench) == ["2", "3", "4"]
    fits(bench)


def test_more_deletions_than_the_policy_allows_wait_for_a_person(tombstoned):
    bench = tombstoned(CAREFUL)
    bench.run([row(str(n)) for n in range(8)])
    review = bench.held([gone("1", 5), gone("2", 5), gone("3", 5), row("4", amount=7, minutes=5)])
    assert review.kind is ReviewKind.ROWS
    assert review.keys == ("1", "2", "3")
    assert "3 rows would be deleted of 8 rows that the destination holds" in review.summary
    assert len(alive(bench)) == 8
    bench.release(bench.decide(review, Verb.APPROVE))
    assert alive(bench) == ["0", "4", "5", "6", "7"]
    fits(bench)


def test_what_is_not_there_is_no_deletion(tombstoned):
    """A first load tells of rows that went long ago, a later one of some that came and went."""
    bench = tombstoned(CAREFUL)
    bench.run([row("1"), row("2"), gone("8", 1), gone("9", 1)])
    assert alive(bench) == ["1", "2"]
    assert bench.run([gone("5", 5), gone("6", 5), gone("1", 5)]).judged[0].review is None
    assert alive(bench) == ["2"]
    fits(bench)


def test_only_what_is_there_is_counted_as_deleted(tombstoned):
    bench = tombstoned(CAREFUL)
    bench.run([row(str(n)) for n in range(8)])
    review = bench.held([*(gone(n, 5) for n in ("1", "2", "3", "8", "9")), row("4", minutes=5)])
    assert "3 rows would be deleted of 8 rows that the destination holds" in review.summary


def test_few_deletions_pass(tombstoned):
    bench = tombstoned(CAREFUL)
    bench.run([row(str(n)) for n in range(8)])
    assert bench.run([gone("1", 5), gone("2", 5)]).publications[0].deleted == 2


def test_where_everything_waits_for_a_person_deletions_do_as_well(tombstoned):
    bench = tombstoned(replace(FREE, high_impact=(Always("a message to a customer"),)))
    first = bench.held([row("1"), row("2")])
    bench.release(bench.decide(first, Verb.APPROVE))
    bench.held([gone("1", 5)])
    assert alive(bench) == ["1", "2"]


def test_the_next_snapshot_is_compared_with_rows_that_live(tombstoned):
    bench = tombstoned()
    bench.run([row("1"), row("2")])
    bench.run([gone("1", 5)])
    assert bench.run([row("3", minutes=9)]).judged[0].review is None


def test_what_a_whole_extraction_lacks_is_deleted_with_it(whole):
    bench = whole()
    bench.run([row("1"), row("2"), row("3")])
    passed = bench.run([row("1"), row("3", amount=4)])
    assert passed.judged[0].snapshot.rows == 3
    assert passed.publications[0].deleted == 1
    assert alive(bench) == ["1", "3"]
    with bench.services.engine.connect() as conn:
        events = audit.trail(conn, "things #2")
    assert next(e for e in events if e["action"] == "rows.published")["details"]["deleted"] == 1
    fits(bench)


def test_a_source_that_suddenly_answers_nothing_deletes_nothing_by_itself(whole):
    bench = whole(CAREFUL)
    bench.run([row(str(n)) for n in range(8)])
    review = bench.held([])
    assert review.kind is ReviewKind.WHOLE
    assert len(alive(bench)) == 8
    bench.decide(review, Verb.REJECT)
    assert len(alive(bench)) == 8


def test_a_row_that_comes_back_lives_again(whole):
    bench = whole()
    bench.run([row("1"), row("2")])
    bench.run([row("2")])
    bench.run([row("1", amount=5), row("2")])
    assert alive(bench) == ["1", "2"]
    assert bench.rows("id, amount")[0] == ("1", 5)


def test_a_newer_whole_extraction_supersedes_what_older_ones_held(whole):
    bench = whole()
    first = bench.held([row("1", amount=-1), row("2", amount=-1), row("3")])
    second = bench.held([row("1", amount=-1), row("2"), row("3"), row("4")])
    assert bench.review(first.id).state is ReviewState.SUPERSEDED
    assert bench.review(second.id).state is ReviewState.PENDING
    account = reconcile(bench.sync, bench.services)
    assert (account.superseded, account.held, account.missing) == (3, 1, 0)
    with bench.services.engine.connect() as conn:
        actions = [e["action"] for e in audit.trail(conn, "things #1")]
        assert snapshots.get(conn, "things", 1).state.value == "settled"
    assert actions[-1] == "review.superseded"
    fits(bench)


def test_superseded_rows_are_counted_though_one_of_two_people_had_approved_them(whole):
    bench = whole(Policy(reviewers="team", approvals=2))
    bench.decide(bench.held([row("1", amount=-1)]), Verb.APPROVE)
    bench.held([row("1", amount=-1), row("2", amount=-1)])
    account = reconcile(bench.sync, bench.services)
    assert (account.superseded, account.held, account.missing) == (1, 2, 0)
    fits(bench)


def test_what_an_incremental_sync_holds_stays_when_newer_rows_come(bench):
    held = bench.held([row("1", amount=-1), row("2")])
    bench.run([row("3", minutes=5)])
    assert bench.review(held.id).state is ReviewState.PENDING


def test_a_queue_keeps_older_whole_extractions(whole):
    bench = whole(replace(FREE, while_held="queue"))
    first = bench.held([row("1", amount=-1), row("2")])
    bench.run([row("1"), row("2")])
    assert bench.review(first.id).state is ReviewState.PENDING


@pytest.mark.parametrize("word", ["false", "False ", "0", "no", "N", "null", float("nan")])
def test_a_text_that_says_no_deletes_nothing(tombstoned, word):
    """Cells of CSV are text; "false" is not an empty cell."""
    bench = tombstoned()
    bench.run([row("1", archived=word), row("2", archived="true")])
    assert alive(bench) == ["1"]


@pytest.mark.parametrize("name", ["_deleted", "_deleted_at", "_snapshot_seq"])
def test_a_source_cannot_use_the_products_own_columns(make_bench, name):
    bench = make_bench(FREE)
    bench.run([row("1"), row("2")])
    with pytest.raises(SchemaRefused, match=f"have a column {name}"):
        bench.run([row("1", minutes=5, **{name: True}), row("2", amount=3, minutes=5)])
    bench.project.syncs["things"] = replace(bench.sync, rows=pa.Table.from_pylist)
    with pytest.raises(SchemaRefused, match=f"have a column {name}"):
        bench.run([row("1", minutes=5, **{name: True})])
    assert alive(bench) == ["1", "2"]


@pytest.mark.parametrize("name", ["_deleted", "_deleted_at"])
def test_a_source_whose_mark_is_called_as_the_products_can_be_declared(make_bench, name):
    bench = make_bench(FREE)
    bench.project.syncs["things"] = marking(bench.sync, name)
    bench.run([row("1"), row("2")])
    bench.run([row("1", minutes=5, **{name: True})])
    assert alive(bench) == ["2"]


def test_a_row_without_a_key_may_be_any_so_none_is_missing(whole):
    bench = whole()
    bench.run([row("1"), row("2")])
    review = bench.held([row(None), row("1", amount=3)])
    assert review.kind is ReviewKind.WHOLE
    with bench.services.engine.connect() as conn:
        assert snapshots.get(conn, "things", review.seq).rows == 2
    assert alive(bench) == ["1", "2"]


def test_a_key_that_is_spelled_otherwise_is_not_missing(whole):
    bench = whole()
    bench.run([row(Decimal("1.50")), row(Decimal("2.25"))])
    (judged,) = bench.run([row(Decimal("1.5")), row(Decimal("22.5"))]).judged
    assert judged.snapshot.rows == 3  # 2.25 is gone


UNLIKE = {"citext": 1, "numeric(6,2)": 2}  # where not all three are
SPELT = {
    "citext": (["abc", "b", "c", "d"], ["ABC", "b", "c"]),
    "uuid": ([f"6f9619ff-8b86-d011-b42d-00c04fc964f{d}" for d in "abcd"], None),
    "character(5)": (["1", "2", "3", "4"], ["1 ", "2", "3"]),
    "numeric(6,2)": (["7", "2", "3", "4"], ["7.0", "2.00", "3"]),
}


@pytest.mark.parametrize("elsewhere", [False, True], ids=["table", "database_table"])
@pytest.mark.parametrize("kind", SPELT)
def test_what_the_table_spells_otherwise_is_not_missing(whole, kind, elsewhere, database_url):
    first, then = SPELT[kind]
    then = then or [k.upper() for k in first[:3]]
    bench = whole()
    with bench.services.engine.begin() as conn:
        conn.exec_driver_sql(
            "create schema shop; create extension citext schema public; create table shop.things "
            f"(id {kind} primary key, name text, amount bigint, updated_at timestamptz)"
        )
    if elsewhere:
        to = database_table("erp", "shop.things")
        bench.project.syncs["things"] = replace(bench.sync, destination=to)
        env = {**bench.services.environ, "WFOPS_ERP_URL": database_url}
        bench.services = replace(bench.services, environ=env)
    bench.run([row(k) for k in first])
    judged = bench.run([row(k, amount=11) for k in then]).judged[-1]
    rows = bench.services.rows(judged.snapshot).whole(["id", "_deleted"]).to_pylist()
    assert [short(r["id"]) for r in rows if r["_deleted"]] == [first[3]]
    if not elsewhere:
        assert [short(k) for k in alive(bench)] == sorted(first[:3])
        return
    said = f"it takes {UNLIKE.get(kind, 3)} of their keys for those of rows that it spells"
    assert said in judged.review.summary


def short(key):
    return str(key).strip().removesuffix(".00")


def test_a_key_of_bytes_is_refused(whole):
    bench = whole()
    with pytest.raises(SchemaRefused, match=r"the key id holds bytes.*hex"):
        bench.run([row(b"\x01\xc8")])


def test_a_tombstone_cannot_be_edited_into_a_row(whole):
    """Its values are null, and would overwrite those of the row that a person wants to keep."""
    bench = whole(CAREFUL)
    bench.run([row(str(n)) for n in range(8)])
    review = bench.held([row(str(n)) for n in range(5)])
    with pytest.raises(BadDecision, match=r"exclude: \[6\]"):
        bench.decide(review, Verb.APPROVE, edits=(Edit("6", {"_deleted": False}),))
    bench.release(bench.decide(review, Verb.APPROVE, exclude=("6",)))
    assert alive(bench) == ["0", "1", "2", "3", "4", "6"]
    fits(bench)


def test_a_row_whose_deletion_was_taken_back_lives_until_the_source_has_and_lacks_it_again(
    whole,
):
    bench = whole()
    bench.run([row(str(n), amount=n) for n in range(6)])
    bench.run([row("0", amount=7), *(row(str(n), amount=n) for n in range(1, 4))])
    asked = undoing.ask("things", 2, "too many", ANA, bench.project, bench.services)
    assert "2 rows that it deleted live again" in asked.summary
    bench.release(bench.decide(asked, Verb.APPROVE, who="bob"))
    assert bench.rows("id, amount") == [(str(n), n) for n in range(6)]
    assert alive(bench) == list("012345")
    fits(bench)
    bench.run([row(str(n), amount=8) for n in range(4)])
    assert alive(bench) == list("012345")  # as a person said
    bench.run([row(str(n), amount=8) for n in range(6)])
    bench.run([row(str(n), amount=9) for n in range(4)])
    assert alive(bench) == list("0123")
    fits(bench)


def test_a_row_that_is_deleted_on_another_day_than_it_came(tombstoned):
    bench = tombstoned()
    first, second = Day(START.date()), Day(START.date() + timedelta(days=1))
    bench.project.syncs["things"] = replace(bench.sync, days_from=first.date)

    def day(which, *page):
        bench.source.answer(list(page))
        bench.clock.advance(minutes=15)
        flow.run_sync(bench.project, bench.sync, bench.services, MACHINE, day=which)
        fits(bench)

    day(second, gone("1", 1440), row("2", minutes=1441))
    day(first, row("1"), row("2"), row("3"))  # backfilled late: it brings nothing back
    assert alive(bench) == ["2", "3"]
    day(second, gone("1", 1440), row("2", minutes=1441), row("1", amount=4, minutes=1450))
    assert alive(bench) == ["1", "2", "3"]
    day(second, row("2", minutes=1441), gone("1", 1460), gone("3", 1460))
    day(first, row("1"), row("2", amount=11, minutes=30), row("3"))
    assert alive(bench) == ["2"]


def test_a_row_that_was_rejected_and_is_asked_about_again_after_its_deletion_stays_gone(tombstoned):
    bench = tombstoned()
    bench.run([row("2"), row("3"), row("4")])
    held = bench.held([row("1", amount=-1, minutes=1), row("2", minutes=1), row("3", minutes=1)])
    bench.release(bench.decide(held, Verb.REJECT))
    bench.run([gone("1", 5)])
    fits(bench)
    again = bench.reopen(held, ANA)
    bench.release(bench.decide(again, Verb.APPROVE, who="bob"))
    assert alive(bench) == ["2", "3", "4"]
    fits(bench)
