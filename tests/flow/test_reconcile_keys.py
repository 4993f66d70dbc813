"""`wfops reconcile`: what became of every row, by key, and what does not fit."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from wfops_pipelines import Policy, cli, undoing
from wfops_pipelines.core.reviews import Actor, Edit, Verb
from wfops_pipelines.errors import WfopsError
from wfops_pipelines.reconciling.fates import Fate
from wfops_pipelines.reconciling.proving import prove
from wfops_pipelines.reconciling.reconciliation import reconcile
from wfops_pipelines.reconciling.stories import versions_of

pytestmark = pytest.mark.components

START = datetime(2026, 5, 1, 9, tzinfo=UTC)
ANA, BOB = Actor("ana", verified=True), Actor("bob", verified=True)


def row(id, name="a name", amount=10, minutes=0):
    return {
        "id": id, "name": name, "amount": amount, "updated_at": START + timedelta(minutes=minutes),
    }  # fmt: skip


def told(bench, key):
    return [(v.seq, v.told.fate) for v in versions_of(bench.sync, key, bench.services)]


def misfits(bench):
    return [(m.key, m.seq, m.words) for m in prove(bench.sync, bench.services).misfits]


def sql(bench, text):
    with bench.services.engine.begin() as conn:
        return conn.execute(sa.text(text))


def test_each_version_of_a_key_tells_where_it_was_staged_and_what_became_of_it(bench):
    held = bench.held([row("1", amount=-5), row("2"), row("3")])
    bench.run([row("1", amount=7, minutes=30)])
    assert told(bench, "1") == [(1, Fate.HELD), (2, Fate.PUBLISHED)]
    assert held.id in versions_of(bench.sync, "1", bench.services)[0].words
    bench.clock.advance(minutes=1)
    bench.release(bench.decide(held, Verb.APPROVE))
    first, second = versions_of(bench.sync, "1", bench.services)
    assert (first.told.fate, first.overtaken) == (Fate.PUBLISHED, 2)
    assert first.words.startswith("let go by decision dc")
    assert first.words.endswith(", but not written: #2 was there already, a newer one")
    assert (second.overtaken, second.cursor) == (None, START + timedelta(minutes=30))


def test_a_rejected_row_is_quarantined_and_a_decided_one_waits_for_its_release(bench):
    review = bench.held([row("1", amount=-5), row("2"), row("3")])
    taken = bench.decide(review, Verb.REJECT)
    assert told(bench, "1") == [(1, Fate.WAITING)]
    bench.release(taken)
    assert told(bench, "1") == [(1, Fate.QUARANTINED)]
    assert versions_of(bench.sync, "1", bench.services)[0].words == (
        f"quarantined by decision {taken.id} on review {review.id}; `wfops reopen {review.id}` "
        "asks again about it as it is"
    )
    assert told(bench, "2") == [(1, Fate.PUBLISHED)]


def test_an_excluded_row_is_quarantined_among_approved_ones(make_bench):
    bench = make_bench(Policy(reviewers="team", scope="whole"))
    review = bench.held([row("1", amount=-5), row("2", amount=-5), row("3")])
    bench.release(bench.decide(review, Verb.APPROVE, exclude=("2",)))
    assert told(bench, "1") == told(bench, "3") == [(1, Fate.PUBLISHED)]
    assert told(bench, "2") == [(1, Fate.QUARANTINED)]
    assert misfits(bench) == []
    said = versions_of(bench.sync, "2", bench.services)[0].words
    assert f" on review {review.id}, which let others go; `wfops reopen {review.id}` asks" in said
    bench.run([row("2", amount=5, minutes=30)])
    assert told(bench, "2") == [(1, Fate.QUARANTINED), (2, Fate.PUBLISHED)]


def test_an_edit_supersedes_the_row_that_it_repairs(bench):
    review = bench.held([row("1", amount=-5), row("2"), row("3")])
    bench.decide(review, Verb.APPROVE, actor=ANA, edits=(Edit("1", {"amount": 5}),))
    assert told(bench, "1") == [(1, Fate.SUPERSEDED), (2, Fate.WAITING)]
    first, second = versions_of(bench.sync, "1", bench.services)
    assert first.words == "goes on as #2, its edit, which counts in its place"
    assert second.by == "edited by ana"
    assert reconcile(bench.sync, bench.services).superseded == 0
    assert misfits(bench) == []


def test_of_a_row_that_was_beside_an_edited_one_nobody_says_that_it_was_edited(make_bench):
    bench = make_bench(Policy(reviewers="team", scope="whole"))
    review = bench.held([row("1", amount=-5), row("2"), row("3")])
    bench.decide(review, Verb.APPROVE, actor=ANA, edits=(Edit("1", {"amount": 5}),))
    assert [versions_of(bench.sync, key, bench.services)[1].by for key in ("1", "2")] == [
        "edited by ana",
        "as it was, beside what was edited by ana",
    ]


def test_a_reverted_row_says_so_and_the_destination_may_hold_what_was_before(bench):
    bench.run([row("1"), row("2")])
    bench.run([row("1", amount=11, minutes=30)])
    asked = undoing.ask("things", 2, "wrong", ANA, bench.project, bench.services)
    bench.release(bench.decide(asked, Verb.APPROVE, actor=BOB))
    assert told(bench, "1") == [(1, Fate.PUBLISHED), (2, Fate.QUARANTINED)]
    assert "reverted" in versions_of(bench.sync, "1", bench.services)[1].words
    assert misfits(bench) == []


def test_a_re_opened_row_is_held_again(bench):
    review = bench.held([row("1", amount=-5), row("2"), row("3")])
    bench.release(bench.decide(review, Verb.REJECT))
    bench.reopen(review, ANA)
    assert told(bench, "1") == [(1, Fate.HELD)]
    assert misfits(bench) == []


def test_a_key_that_was_never_staged_is_an_error(bench):
    bench.run([row("1")])
    with pytest.raises(WfopsError, match="no staged snapshot has a row with the key '9'"):
        versions_of(bench.sync, "9", bench.services)


def test_overtaken_rows_are_counted_apart(bench):
    review = bench.held([row("1", amount=-5), row("2"), row("3")])
    bench.run([row("1", amount=7, minutes=30)])
    bench.release(bench.decide(review, Verb.APPROVE))
    found = reconcile(bench.sync, bench.services)
    assert (found.published, found.stale, found.missing) == (4, 1, 0)
    assert misfits(bench) == []


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("delete from shop.things where id = '1'", "the destination does not hold it"),
        ("update shop.things set amount = 1 where id = '1'", "other values of amount"),
        ("update shop.things set _snapshot_seq = 0 where id = '1'", "the older row of #0"),
        ("update shop.things set _snapshot_seq = 9 where id = '1'", "#9 that was not published"),
        ("update wfops.staged_rows set key = '7' where key = '1'", "not in the snapshot's file"),
        ("update wfops.staged_rows set seq = 7 where key = '1'", "there is no such snapshot"),
        ("update wfops.staged_rows set cursor = '2026-01-01' where key = '1'", "another version"),
    ],
)
def test_a_key_that_does_not_fit_is_named_with_the_reason(bench, damage, said):
    bench.run([row("1"), row("2")])
    assert misfits(bench) == []
    sql(bench, damage)
    ((key, seq, words),) = misfits(bench)
    assert (key in ("1", "7"), seq in (1, 7)) == (True, True)
    assert said in words


def test_a_ledger_that_lost_a_publication_does_not_fit(bench):
    bench.run([row("1"), row("2")])
    sql(bench, "delete from wfops.publications")
    assert any("2 rows are waiting by key, 0 by count" in words for _, _, words in misfits(bench))


def test_a_lost_file_is_named_and_everything_else_is_still_proven(bench):
    bench.run([row("1"), row("2")])
    bench.run([row("3", minutes=30)])
    first, _ = sorted(bench.folder.glob("*.parquet"), key=lambda p: p.stat().st_mtime)
    first.unlink()
    ((key, seq, words),) = misfits(bench)
    assert (key, seq) == ("*", 1)
    assert "cannot be read" in words


def test_neither_values_nor_masked_keys_are_said(make_bench):
    bench = make_bench(Policy(reviewers="team", masked=("id", "name")))
    bench.run([row("secret-7", name="Jane")])
    sql(bench, "update shop.things set name = 'Joan'")
    ((key, _, words),) = misfits(bench)
    assert key.startswith("sha256:")
    assert "secret" not in key + words
    assert words == "the destination holds other values of name"


def test_the_command_exits_with_1_and_names_the_keys(bench, monkeypatch):
    opened = (None, bench.project, bench.services)
    monkeypatch.setattr("wfops_pipelines.commands.reconcile.open_all", lambda: opened)
    bench.run([row("1"), row("2")])
    fine = CliRunner().invoke(cli.app, ["reconcile", "things"])
    assert (fine.exit_code, "every row of 2 keys is accounted for" in fine.output) == (0, True)
    story = CliRunner().invoke(cli.app, ["reconcile", "things", "1"])
    assert "#1 staged" in story.output
    assert "published" in story.output
    sql(bench, "delete from shop.things where id = '1'")
    wrong = CliRunner().invoke(cli.app, ["reconcile", "things"])
    assert wrong.exit_code == 1
    assert "✗ 1: #1: published, but the destination does not hold it" in wrong.output


def test_a_row_that_changes_to_and_fro_within_one_second_is_extracted_again(bench):
    bench.run([row("1", amount=1)])
    bench.run([row("1", amount=2)])
    bench.run([row("1", amount=1)])
    assert bench.rows() == [("1", "a name", 1)]
    assert bench.run([row("1", amount=1)]).judged == ()


def test_rows_without_a_key_do_not_come_again_for_each_other(bench):
    review = bench.held([row(None, name="a")])
    second = bench.held([row(None, name="b")])
    assert bench.run([row(None, name="a")], [row(None, name="b")]).judged == ()
    assert {review.seq, second.seq} == {1, 2}


@pytest.mark.parametrize("key", ["None", "\\None", "None "])
def test_a_row_whose_key_is_the_text_none_is_a_row_like_others(bench, key):
    bench.run([row(key, amount=1)])
    assert bench.run([row(key, amount=1)]).judged == ()
    for amount in (2, 1):
        bench.run([row(key, amount=amount)])
        assert bench.rows() == [(key, "a name", amount)]
    assert misfits(bench) == []


def test_a_row_without_a_time_is_not_staged_again_and_again(bench):
    bench.run([row("1"), {**row("2"), "updated_at": None}])
    assert bench.run([{**row("2"), "updated_at": None}]).judged == ()
