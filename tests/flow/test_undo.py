"""A publication taken back: asked for, approved by somebody else, exact, and safe in any order."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wfops_pipelines import Policy, flow, publishing, rest_destination, undoing
from wfops_pipelines.core.reviews import Actor, Edit, ReviewKind, ReviewState, Verb
from wfops_pipelines.deciding import steering
from wfops_pipelines.destinations import database_table, file_table
from wfops_pipelines.destinations.table import TableDestination
from wfops_pipelines.errors import AlreadyDecided, BadDecision, DestinationRefused, NotAllowed
from wfops_pipelines.examining.history import published_tables
from wfops_pipelines.reconciling.proving import prove
from wfops_pipelines.reconciling.reconciliation import reconcile
from wfops_pipelines.reconciling.stories import versions_of
from wfops_pipelines.store import audit, reviews, snapshots

pytestmark = pytest.mark.components

START = datetime(2026, 5, 1, 9, tzinfo=UTC)
ANA, BOB = Actor("ana", verified=True), Actor("bob", verified=True)


def row(id, amount=10, minutes=0, name="n", **more):
    moment = START + timedelta(minutes=minutes)
    return {"id": id, "name": name, "amount": amount, "updated_at": moment, **more}


def ask(bench, seq, who=ANA):
    return undoing.ask("things", seq, "wrong data", who, bench.project, bench.services)


def undo(bench, seq):
    bench.release(bench.decide(ask(bench, seq), Verb.APPROVE, actor=BOB))


def whole(bench):
    with bench.services.engine.connect() as conn:
        return conn.execute(sa.text("select * from shop.things order by id")).all()


def accounted(bench):
    found = reconcile(bench.sync, bench.services)
    assert found.missing == 0, found
    return found.published, found.quarantined


def test_changed_rows_get_their_values_back_and_new_ones_go(bench):
    bench.run([row("1"), row("2")])
    before = whole(bench)
    bench.run([row("2", 99, 30), row("3", 5, 31)])
    assert bench.rows() == [("1", "n", 10), ("2", "n", 99), ("3", "n", 5)]
    undo(bench, 2)
    assert whole(bench) == before
    assert accounted(bench) == (2, 2)
    with bench.services.engine.connect() as conn:
        last = audit.trail(conn, "things #2")[-1]
    assert (last["action"], last["details"]["restored"], last["details"]["deleted"]) == (
        "rows.reverted", 1, 1,
    )  # fmt: skip


def test_rows_that_somebody_changed_in_the_table_since_stay_and_it_is_said(bench):
    bench.run([row("1"), row("2"), row("3")])
    bench.run([row(id, 99, 30) for id in ("2", "3", "4", "5")])
    with bench.services.engine.begin() as conn:
        conn.execute(sa.text("update shop.things set name = 'by hand' where id in ('2', '5')"))
    undo(bench, 2)
    assert bench.rows() == [
        ("1", "n", 10), ("2", "by hand", 99), ("3", "n", 10), ("5", "by hand", 99),
    ]  # fmt: skip
    assert prove(bench.sync, bench.services).misfits == ()
    words = versions_of(bench.sync, "2", bench.services)[1].words
    assert "it stays: somebody changed it at the destination since" in words
    with bench.services.engine.connect() as conn:
        assert "somebody changed" in undoing.done_by(conn, "things #2")


def test_values_come_back_to_the_bit(bench):
    odd = {"price": Decimal("12345678901234567890.123456789"), "ratio": 0.1 + 0.2,
           "big": 2**62 + 1, "flag": True, "raw": b"\x00\xff", "text": "ü%s:at\n'\"\\ €",
           "none": None, "at": datetime(2026, 1, 1, 0, 0, 0, 123456, UTC)}  # fmt: skip
    bench.run([row("1", **odd)])
    before = whole(bench)
    assert before[0].big == 2**62 + 1
    plain = dict.fromkeys(odd) | {"big": 1, "text": "other"}
    bench.run([row("1", minutes=30, **plain)])
    assert whole(bench) != before
    undo(bench, 2)
    assert whole(bench) == before


def test_rows_that_are_newer_by_now_stay(bench):
    bench.run([row("1"), row("2")])
    bench.run([row("1", 50, 30), row("2", 60, 31)])
    bench.run([row("1", 70, 60)])
    undo(bench, 2)
    assert bench.rows() == [("1", "n", 70), ("2", "n", 10)]


@pytest.mark.parametrize("where", ["table", "database", "files"])
def test_what_stays_says_so_by_row_wherever_it_went(make_bench, database_url, tmp_path, where):
    there = {
        "table": None, "database": database_table("erp", "things"),
        "files": file_table("lake", "things"),
    }[where]  # fmt: skip
    environ = {"WFOPS_ERP_URL": database_url, "WFOPS_LAKE_URL": str(tmp_path)}
    bench = make_bench(Policy(reviewers="team", hold_rows_up_to=0.5), there, environ)
    bench.run([row("1"), row("2"), row("007")])
    bench.run([row("1", 50, 30), row("2", 60, 31), row("007", 70, 32), row("4", 1, 33)])
    bench.run([row("007", 71, 60)])
    undo(bench, 2)
    told = {k: versions_of(bench.sync, k, bench.services)[-1].words for k in ("1", "2", "4")}
    assert all(
        re.fullmatch(r"reverted by decision \S+; only a change at the source brings it back", words)
        for words in told.values()
    )
    stays = versions_of(bench.sync, "007", bench.services)[1].words
    assert re.fullmatch(
        r"to be reverted by decision \S+, but the destination held a newer version by then, "
        "which stays",
        stays,
    )
    with bench.services.engine.connect() as conn:
        said = undoing.done_by(conn, "things #2")
    assert said == "2 of 4 restored, 1 deleted; 1 stays, for a newer version is there"
    assert prove(bench.sync, bench.services).misfits == ()


def test_what_was_reverted_does_not_come_back_with_a_later_revert(bench):
    bench.run([row("1", 1)])
    bench.run([row("1", 2, 30), row("2", 2, 30)])
    bench.run([row("1", 3, 60), row("2", 3, 60)])
    undo(bench, 2)
    assert bench.rows() == [("1", "n", 3), ("2", "n", 3)]
    undo(bench, 3)
    assert bench.rows() == [("1", "n", 1)]


def test_one_in_another_order_gives_the_same(bench):
    bench.run([row("1", 1)])
    bench.run([row("1", 2, 30)])
    bench.run([row("1", 3, 60)])
    undo(bench, 3)
    assert bench.rows() == [("1", "n", 2)]
    undo(bench, 2)
    assert bench.rows() == [("1", "n", 1)]
    undo(bench, 1)
    assert bench.rows() == []
    assert accounted(bench) == (0, 3)


def test_clean_and_released_rows_of_a_snapshot_go_together_and_edited_ones_are_another(bench):
    review = bench.held([row("1"), row("2", -5), row("3"), row("4")])
    bench.release(bench.decide(review, Verb.APPROVE))
    undo(bench, 1)
    assert bench.rows() == []
    assert accounted(bench) == (0, 4)


def test_it_is_asked_for_by_one_and_approved_by_another(bench):
    bench.run([row("1")])
    request = ask(bench, 1)
    assert request.kind is ReviewKind.REVERT
    assert "1 row that it added is deleted" in request.summary
    assert bench.rows() == [("1", "n", 10)]
    with pytest.raises(NotAllowed, match="four eyes"):
        bench.decide(request, Verb.APPROVE, actor=ANA)
    with pytest.raises(BadDecision, match="asked for already"):
        ask(bench, 1, BOB)
    bench.decide(request, Verb.REJECT, actor=BOB)
    assert bench.rows() == [("1", "n", 10)]
    assert accounted(bench) == (1, 0)
    again = ask(bench, 1)
    taken = bench.decide(again, Verb.APPROVE, actor=BOB)
    bench.release(taken)
    bench.release(taken)
    assert bench.rows() == []
    with pytest.raises(AlreadyDecided):
        bench.decide(again, Verb.APPROVE, actor=BOB)
    with pytest.raises(BadDecision, match="was reverted already"):
        ask(bench, 1)
    assert bench.review(again.id).state is ReviewState.APPROVED


def test_an_approved_revert_that_is_not_carried_out_yet_is_accounted_for(bench):
    bench.run([row("1")])
    bench.decide(ask(bench, 1), Verb.APPROVE, actor=BOB)
    assert accounted(bench) == (1, 0)


def test_what_a_destination_says_of_a_revert_is_masked(make_bench, monkeypatch):
    bench = make_bench(Policy(reviewers="team", masked=("name",)))
    bench.run([row("1", name="Secret")])
    taken = bench.decide(ask(bench, 1), Verb.APPROVE, actor=BOB)

    def refuse(*_):
        raise DestinationRefused("the record Secret is locked", {"body": "Secret"})

    monkeypatch.setattr(TableDestination, "revert", refuse)
    with pytest.raises(DestinationRefused, match="is locked") as refused:
        bench.release(taken)
    assert "Secret" not in f"{refused.value} {refused.value.exchange}"


def test_an_approved_revert_is_tried_again_though_the_sync_is_paused(bench):
    bench.run([row("1")])
    taken = bench.decide(ask(bench, 1), Verb.APPROVE, actor=BOB)
    steering.pause("things", "stop the damage", ANA, bench.project, bench.services)
    with bench.services.engine.connect() as conn:
        errand = reviews.errand(conn, taken.id)
        assert publishing.may_release(conn, bench.sync, errand, bench.services.clock())
    bench.release(taken)
    assert bench.rows() == []


def test_after_its_window_nothing_is_reverted_and_nothing_is_kept(make_bench):
    bench = make_bench(Policy(reviewers="team", undo_hours=2))
    bench.run([row("1")])
    bench.run([row("1", 20, 30)])
    bench.clock.advance(hours=2, minutes=1)
    with pytest.raises(BadDecision, match="more than 2 hours ago"):
        ask(bench, 2)
    bench.clock.advance(hours=3)
    bench.run([row("9", 1, 300)])
    with bench.services.engine.connect() as conn:
        kept = "select count(*) from wfops.replaced_rows"
        assert conn.execute(sa.text(kept)).scalar_one() == 0
        parts = conn.execute(sa.text("select seq from wfops.replaced_parts")).scalars().all()
    assert parts == [3]


@pytest.mark.parametrize(
    ("seq", "who", "error", "words"),
    [
        (9, ANA, BadDecision, "nothing of things #9 was published"),
        (1, Actor("eve", verified=True), NotAllowed, "eve is not a member"),
    ],
)
def test_a_wrong_request_is_refused(bench, seq, who, error, words):
    bench.run([row("1")])
    with pytest.raises(error, match=words):
        ask(bench, seq, who)


def test_what_went_as_it_was_edited_is_named_where_its_origin_is_to_be_taken_back(bench):
    review = bench.held([row("1", -5)])
    bench.decide(review, Verb.APPROVE, actor=ANA, edits=(Edit("1", {"amount": 5}),))
    (edited,) = flow.judge_staged(bench.project, bench.sync, bench.services, flow.Run(ANA))
    bench.release(bench.decide(edited.review, Verb.APPROVE, actor=BOB))
    with pytest.raises(BadDecision, match=r"as they were edited.*`wfops revert things 2 --reason"):
        ask(bench, 1)


def test_a_policy_that_keeps_nothing_and_a_message_that_is_sent_say_so(make_bench):
    bench = make_bench(Policy(reviewers="team", undo_hours=None))
    bench.run([row("1")])
    bench.run([row("1", 20, 30)])
    with pytest.raises(BadDecision, match="keeps nothing to revert to"):
        ask(bench, 2)
    sent = replace(bench.sync, destination=rest_destination("support", "POST /x", body={}))
    project = replace(bench.project, syncs={"things": sent})
    with pytest.raises(BadDecision, match="cannot be taken back"):
        undoing.ask("things", 2, "x", ANA, project, bench.services)


def test_what_was_reverted_trains_nothing(bench):
    bench.run([row("1")])
    bench.run([row("2", 20, 30)])
    undo(bench, 2)
    with bench.services.engine.connect() as conn:
        seqs = [seq for seq, _ in published_tables(conn, bench.sync, bench.services, limit=9)]
        known = snapshots.published_profiles(conn, "things", 9, incremental=False)
    assert seqs == [1]
    assert list(known) == [1]


def test_odd_column_names_are_only_names(make_bench):
    odd = {'a "b" %s :at ; drop': "x", "rank": 1, "before": "y", "%(sync)s": "z"}
    bench = make_bench()
    bench.run([row("1", **odd)])
    before = whole(bench)
    bench.run([row("1", 2, 30, **dict.fromkeys(odd) | {"rank": 2})])
    undo(bench, 2)
    assert whole(bench) == before


KEYS = st.sampled_from("abcd")
PAGES = st.lists(st.dictionaries(KEYS, st.integers(0, 9), min_size=1), min_size=2, max_size=5)


@pytest.mark.slow
@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(pages=PAGES, data=st.data())
def test_any_reverts_in_any_order_leave_what_would_be_without_them(make_bench, pages, data):
    bench = make_bench()
    with bench.services.engine.begin() as conn:
        conn.execute(sa.text("drop schema if exists shop cascade"))
    names = (
        "streams staged_rows evidence profiles reviews decisions outbox publications quarantine "
        "replaced replaced_parts replaced_rows notifications waivers drafts row_models snapshots"
    )
    tables = ", ".join(f"wfops.{n}" for n in names.split())
    with bench.services.engine.begin() as conn:
        conn.execute(sa.text(f"truncate {tables}"))
    for i, page in enumerate(pages):
        for judged in bench.run([row(k, v, 30 * i) for k, v in page.items()]).judged:
            if judged.review is not None:  # so short a history looks odd to the scorer
                bench.release(bench.decide(judged.review, Verb.APPROVE))
    gone = data.draw(st.permutations(range(len(pages))))[: data.draw(st.integers(0, len(pages)))]
    for i in gone:
        undo(bench, i + 1)
    expected = {}
    for i, page in enumerate(pages):
        if i not in gone:
            expected |= page
    assert {id: amount for id, _, amount in bench.rows()} == expected
    accounted(bench)


def test_a_publication_of_which_nothing_was_kept_is_not_taken_for_one_of_new_rows(bench):
    bench.run([row("1")])
    bench.run([row("1", 20, 30)])
    before = whole(bench)
    with bench.services.engine.begin() as conn:  # as a version before this one left it
        conn.execute(sa.text("truncate wfops.replaced_parts, wfops.replaced_rows"))
    with pytest.raises(DestinationRefused, match=r"things #2 replaced in the table was not kept"):
        undo(bench, 2)
    assert whole(bench) == before


def late(bench, asked):
    """Publishes when what was kept twice the window ago is forgotten, and approves then."""
    bench.clock.advance(hours=40)
    kept = bench.run([row(str(n), 10, 33) for n in (7, 8, 9)]).publications
    assert kept
    bench.release(bench.decide(asked, Verb.APPROVE, actor=BOB))


@pytest.mark.parametrize("where", ["here", "elsewhere"])
def test_what_was_asked_for_in_time_is_kept_until_it_is_done(make_bench, tmp_path, where):
    """The clean rows were published 20 hours before the held ones, and forgotten before them."""
    policy, url = Policy(reviewers="team", hold_rows_up_to=0.5), f"sqlite:///{tmp_path / 'erp'}"
    there = None if where == "here" else database_table("erp", "things")
    bench = make_bench(policy, there, {"WFOPS_ERP_URL": url})
    bench.run([row("1"), row("2"), row("3")])
    review = bench.held([row("1", 99, 30), row("2", 98, 31), row("3", -5, 32)])
    bench.clock.advance(hours=20)
    bench.release(bench.decide(review, Verb.APPROVE))
    late(bench, ask(bench, 2))
    engine = bench.services.engine if there is None else sa.create_engine(url)
    name = "shop.things" if there is None else "things"
    with engine.connect() as conn:
        found = conn.execute(sa.text(f"select id, amount from {name} order by id")).all()
    assert found == [(n, 10) for n in "123789"]
    if there is None:  # nobody waits for it any more
        bench.clock.advance(hours=49)
        bench.run([row("7", 11, 60)])
        with engine.connect() as conn:
            left = conn.execute(sa.text("select distinct seq from wfops.replaced_parts"))
            assert left.scalars().all() == [4]


def test_of_two_publications_of_a_snapshot_each_must_have_been_kept(bench):
    """The policy kept nothing when the clean rows were published."""
    policy = bench.sync.policy
    bench.run([row("1"), row("2")])
    bench.project.syncs["things"] = replace(bench.sync, policy=replace(policy, undo_hours=None))
    review = bench.held([row("1", 99, 30), row("2", -5, 32)])
    bench.project.syncs["things"] = replace(bench.sync, policy=policy)
    bench.release(bench.decide(review, Verb.APPROVE))
    with pytest.raises(DestinationRefused, match="was not kept"):
        undo(bench, 2)
    assert bench.rows("id, amount") == [("1", 99), ("2", -5)]
