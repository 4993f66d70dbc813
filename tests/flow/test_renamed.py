"""A sync of another name, or another installation, meets the rows of one that wrote there before.

It counts its snapshots from #1, so that its rows would pass for older than those that are there.
"""

import re
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from tests.conftest import MACHINE
from wfops_pipelines import Above, Policy, publishing, retrying, table, undoing
from wfops_pipelines.core.reviews import Actor, Verb
from wfops_pipelines.core.snapshot import SnapshotState
from wfops_pipelines.destinations import database_table, file_table
from wfops_pipelines.errors import DestinationRefused
from wfops_pipelines.ledger import publications_of
from wfops_pipelines.reconciling.proving import prove
from wfops_pipelines.store import reviews, snapshots

pytestmark = pytest.mark.components

ROWS = Policy(reviewers="team", hold_rows_up_to=0.9)
ANA, BOB = Actor("ana", verified=True), Actor("bob", verified=True)
OURS, THEIRS, FILES = "table shop.things", "table things of erp", "files things in lake"
GIVE_UP = "update things set _snapshot_seq = 0"


def row(id, amount=10, days=0):
    moment = datetime(2026, 5, 1, 9, tzinfo=UTC) + timedelta(days=days)
    return {"id": id, "name": "n@x", "amount": amount, "updated_at": moment}


def renamed(bench, name="stuff", **changes):
    """From now on, the bench's sync has this name."""
    things = bench.project.syncs.pop(bench.name)
    bench.project.suites[name] = bench.project.suites.pop(bench.name)
    bench.project.syncs[name] = replace(things, name=name, **changes)
    bench.name = name


def sent_to(bench, destination):
    bench.project.syncs[bench.name] = replace(bench.sync, destination=destination)


def sql(bench, statement):
    with bench.services.engine.begin() as conn:
        conn.exec_driver_sql(statement)


def published(bench):
    """The rows that went out with each publication of the sync, and how many of them did not."""
    with bench.services.engine.connect() as conn:
        numbers = [s.seq for s in snapshots.in_state(conn, bench.name, *SnapshotState)]
        found = [p for seq in numbers for p in publications_of(conn, bench.name, seq)]
    return [(p.seq, p.rows, p.updated, p.stale) for p in found]


def revert(bench, seq):
    asked = undoing.ask(bench.name, seq, "wrong", ANA, bench.project, bench.services)
    bench.release(bench.decide(asked, Verb.APPROVE, actor=BOB))


def misfits(bench):
    return prove(bench.sync, bench.services).misfits


@pytest.fixture
def filled(make_bench, tmp_path):
    """`filled(words)`: a bench whose sync has filled that destination with #1 to #3.

    `.give_up()` does what the refusal names; `.held()` is what is there of each row.
    """
    erp, lake = f"sqlite:///{tmp_path}/erp.db", tmp_path / "lake"
    places = {
        OURS: (table("shop.things"), None),
        THEIRS: (database_table("erp", "things"), {"WFOPS_ERP_URL": erp}),
        FILES: (file_table("lake", "things"), {"WFOPS_LAKE_URL": str(lake)}),
    }

    def make(words, policy=ROWS):
        bench = make_bench(policy, *places[words])
        for n in range(3):
            bench.run([row("1", 10 + n, n), row("2", 20 + n, n), row("gone", 30 + n, n)])
        engine = sa.create_engine(erp, poolclass=sa.NullPool)

        def give_up(statements=GIVE_UP):
            if words == OURS:
                sql(bench, GIVE_UP.replace("things", "shop.things"))
            elif words == THEIRS:
                with engine.begin() as there:
                    for statement in statements.split("; "):
                        there.exec_driver_sql(statement)
            else:
                shutil.move(lake / "things", lake / "before")

        def held():
            if words == OURS:
                return bench.rows("id, amount")
            if words == THEIRS:
                with engine.connect() as there:
                    found = there.exec_driver_sql("select id, amount from things order by id")
                    return [tuple(r) for r in found]
            import polars as pl

            rows = pl.read_parquet(lake / "things/*.parquet").sort("_snapshot_seq")
            return rows.unique("id", keep="last").sort("id").select("id", "amount").rows()

        bench.give_up, bench.held = give_up, held
        return bench

    return make


@pytest.mark.parametrize(
    ("words", "repair"),
    [
        (OURS, r"`update shop\.things set _snapshot_seq = 0`"),
        (THEIRS, r"`update things set _snapshot_seq = 0`"),
        (FILES, "move its files away"),
    ],
)
def test_it_writes_nothing_until_somebody_gives_those_rows_up_and_then_what_waited(
    filled, words, repair
):
    bench = filled(words)
    before = bench.held()
    renamed(bench)
    with pytest.raises(
        DestinationRefused,
        match=f"{words} holds rows of the sync things, up to #3.*{repair}; else give stuff a dest",
    ):
        bench.run([row("1", 99, 5), row("2", 22, 2)])
    assert (bench.held(), published(bench), misfits(bench)) == (before, [], ())
    bench.give_up()
    bench.run()
    ((_, rows, updated, stale),) = published(bench)
    assert (rows, updated, stale) == (2, 0 if words == FILES else 2, 0)
    kept = [] if words == FILES else [("gone", 32)]
    assert bench.held() == [("1", 99), ("2", 22), *kept]
    assert misfits(bench) == ()
    bench.run([row("1", 100, 6)])
    assert bench.held()[0] == ("1", 100)
    revert(bench, 2)
    assert bench.held()[0] == ("1", 99)
    if words != FILES:  # where nothing stands any more of what was there before
        revert(bench, 1)
        assert bench.held() == before
    assert misfits(bench) == ()


def test_a_person_answers_the_failure_and_the_retry_publishes_what_waited(filled):
    bench = filled(OURS)
    renamed(bench)
    bench.source.answer([row("1", 99, 5)])
    tried = retrying.run(bench.project, bench.sync, bench.services, MACHINE)
    assert (tried.review.cause, published(bench)) == ("extraction failed: destination_refused", [])
    bench.give_up()
    bench.decide(tried.review, Verb.RETRY)
    bench.source.answer([])
    again = retrying.retry(bench.project, bench.sync, bench.services, MACHINE)
    assert (again.error, published(bench)) == (None, [(1, 1, 1, 0)])
    with bench.services.engine.connect() as conn:
        assert reviews.listed(conn) == []


def test_what_it_changes_is_compared_with_the_rows_that_it_writes_over(filled):
    bench = filled(OURS)
    renamed(bench, policy=replace(ROWS, critical_fields=("amount",)))
    with pytest.raises(DestinationRefused):
        bench.run([row("1", 99, 5), row("2", 22, 2)])
    bench.give_up()
    (judged,) = bench.run().judged
    assert judged.review.keys == ("1",)
    assert [c[1:] for c in judged.evidence.diff.changes] == [("amount", "12", "99")]


def test_another_installation_gives_up_what_the_first_one_noted_there_as_well(filled):
    bench = filled(THEIRS)
    forget = "set local session_replication_role = replica; "
    for name in ("owners", "publications", "evidence", "snapshots", "staged_rows", "streams"):
        forget += f"delete from wfops.{name}; "
    sql(bench, forget)
    first = [row("1", 10), row("2", 20), row("gone", 30)]  # the very rows of the other's #1
    with pytest.raises(DestinationRefused, match="of another sync or installation, up to #3"):
        bench.run(first)
    bench.give_up()
    with pytest.raises(DestinationRefused, match="give them up with `delete from") as refused:
        bench.run()
    bench.give_up(*re.findall("`(.*)`", str(refused.value)))
    bench.run()
    assert bench.held() == [("1", 10), ("2", 20), ("gone", 30)]
    assert (published(bench), misfits(bench)) == ([(1, 3, 3, 0)], ())
    revert(bench, 1)
    assert bench.held() == [("1", 12), ("2", 22), ("gone", 32)]


def test_a_decision_taken_before_the_project_named_that_table_waits_too(filled):
    bench = filled(OURS)
    large = replace(ROWS, high_impact=(Above("amount", 50, "a large one"),))
    renamed(bench, destination=table("shop.own"), policy=large)
    (judged,) = bench.run([row("1", 99, 5), row("2", 40, 5)]).judged
    sent_to(bench, table("shop.things"))
    taken = bench.decide(judged.review, Verb.APPROVE)
    with pytest.raises(DestinationRefused, match=r"shop\.things holds rows of the sync things"):
        bench.release(taken)
    assert bench.held()[0] == ("1", 12)
    bench.give_up()
    assert bench.release(taken).stale == 0
    assert bench.held()[0] == ("1", 99)


def test_a_sync_that_published_before_anybody_noted_where_to_goes_on(filled):
    bench = filled(OURS)
    sql(bench, "delete from wfops.owners")
    bench.run([row("1", 99, 5)])
    assert bench.held()[0] == ("1", 99)
    renamed(bench)
    with pytest.raises(DestinationRefused, match="rows of the sync things, up to #4"):
        bench.run([row("1", 100, 6)])


@pytest.mark.parametrize("words", [THEIRS, FILES])
def test_what_it_wrote_itself_before_something_broke_off_is_no_stranger(filled, monkeypatch, words):
    bench = filled(words)
    bench.give_up()
    renamed(bench)
    with monkeypatch.context() as broken:
        broken.setattr(publishing, "_enter", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            bench.run([row("1", 99, 5)])
    assert (bench.held()[0], published(bench)) == (("1", 99), [])
    bench.run()
    assert [p[:2] for p in published(bench)] == [(1, 1)]
    assert misfits(bench) == ()


def test_a_sync_that_returns_to_a_destination_of_its_own_finds_its_rows_there(filled):
    bench = filled(OURS)
    sent_to(bench, table("shop.others"))
    bench.run([row("1", 50, 4)])
    sent_to(bench, table("shop.things"))
    bench.run([row("1", 99, 5)])
    assert bench.held()[0] == ("1", 99)


def test_nor_are_its_rows_strangers_in_a_table_that_was_renamed(filled):
    bench = filled(OURS)
    sql(bench, "alter table shop.things rename to items")
    sent_to(bench, table("shop.items"))
    bench.run([row("1", 99, 5)])
    assert (published(bench)[-1], misfits(bench)) == ((4, 1, 1, 0), ())
    sent_to(bench, table("shop.later"))
    sql(bench, "create table shop.later as select * from shop.items")
    sql(bench, "alter table shop.later add primary key (id)")
    sql(bench, "update shop.later set _snapshot_seq = 5")
    with pytest.raises(DestinationRefused, match="rows of another sync or installation, up to #5"):
        bench.run([row("1", 100, 6)])


def test_nor_does_it_take_back_or_write_over_rows_of_one_that_came_between(filled):
    bench = filled(OURS)
    bench.give_up()
    renamed(bench)
    for n in range(3):
        bench.run([row("1", 12, 5 + n), row("2", 22, 5 + n)])
    renamed(bench, "things")
    before = bench.held()
    with pytest.raises(DestinationRefused, match="holds rows of the sync stuff, up to #3"):
        revert(bench, 3)
    with pytest.raises(DestinationRefused, match="holds rows of the sync stuff, up to #3"):
        bench.run([row("1", 99, 9)])
    assert bench.held() == before
    bench.give_up()
    bench.run()
    assert bench.held()[0] == ("1", 99)


def test_rows_that_no_sync_wrote_are_nobodys(make_bench):
    bench = make_bench(ROWS)
    sql(
        bench,
        "create schema shop; create table shop.things (id text primary key, name text, "
        "amount bigint, updated_at timestamptz); insert into shop.things values ('1', 'x', 5)",
    )
    bench.run([row("1", 99)])
    assert bench.rows("id, amount") == [("1", 99)]


def test_who_has_published_there_asks_the_destination_no_more(filled, monkeypatch):
    bench = filled(OURS)
    monkeypatch.setattr(type(bench.sync.destination), "numbers", lambda *_: 1 / 0)
    bench.run([row("1", 99, 5)])
    assert bench.held()[0] == ("1", 99)
