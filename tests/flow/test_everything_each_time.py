"""A sync without a cursor reads everything each time; what people settled does not come with it."""

from dataclasses import replace

import pytest

from tests.conftest import MACHINE
from wfops_pipelines import Policy, flow, publishing, undoing
from wfops_pipelines.core.reviews import Actor, Edit, Verb
from wfops_pipelines.deciding import steering
from wfops_pipelines.reconciling.proving import prove
from wfops_pipelines.reconciling.stories import versions_of
from wfops_pipelines.staging.extraction import stage
from wfops_pipelines.store import snapshots

pytestmark = pytest.mark.components

ANA, BOB = Actor("ana", verified=True), Actor("bob", verified=True)
POLICY = Policy(reviewers="team", scope="whole", delete_rows_up_to=0.9)


def row(id, amount=10, name="n"):
    return {"id": id, "name": name, "amount": amount}


@pytest.fixture
def whole(make_bench):
    """A sync without a cursor, whose deletions are seen by comparison."""

    def make(policy=POLICY, missing="delete"):
        bench = make_bench(policy)
        bench.project.syncs["things"] = replace(bench.sync, cursor=None, missing=missing)
        return bench

    return make


def settled(bench):
    proof = prove(bench.sync, bench.services)
    assert proof.misfits == ()
    assert proof.account.missing == 0


PAGE = [row("1"), row("2", -5), row("3")]


@pytest.mark.parametrize("missing", ["keep", "delete"])
@pytest.mark.parametrize("verb", [Verb.APPROVE_CLEAN, Verb.APPROVE])
def test_a_row_that_was_left_in_quarantine_stays_there_until_it_changes(whole, verb, missing):
    bench = whole(missing=missing)
    review = bench.held([row("1"), row("2", -5), row("3")])
    exclude = ("2",) if verb is Verb.APPROVE else ()
    bench.release(bench.decide(review, verb, exclude=exclude))
    # the rule that held it is none any more: nothing but the decision stands in its way
    bench.project.suites["things"] = replace(bench.project.suites["things"], expectations=())
    for _ in range(2):
        assert [j.review for j in bench.run(PAGE).judged] in ([None], [])
        assert [r[0] for r in bench.rows()] == ["1", "3"]
        settled(bench)
    bench.run([row("1"), row("2", -6), row("3")])
    assert bench.rows("id, amount") == [("1", 10), ("2", -6), ("3", 10)]
    settled(bench)


def test_what_comes_as_before_after_another_version_is_a_change_of_the_source(whole):
    bench = whole()
    review = bench.held(PAGE)
    bench.release(bench.decide(review, Verb.APPROVE_CLEAN))
    bench.run([row("1"), row("2", 5), row("3")])
    held = bench.held(PAGE)
    assert held.keys == ("2",) or held.kind.value == "whole"
    settled(bench)


@pytest.mark.parametrize("verb", [Verb.APPROVE, Verb.REJECT])
def test_what_was_put_away_waits_where_it_comes_again_after_what_nobody_let_go(whole, verb):
    """Of what came in between nothing was published: nobody has said yet that it may go now."""
    bench = whole(missing="keep")
    bench.run([row("1"), row("2"), row("3")])
    wrong = [row("1", -1), row("2", 20), row("3", -3)]
    bench.release(bench.decide(bench.held(wrong), Verb.REJECT))
    between = [row("1", -1), row("2", -20), row("3", -3)]
    assert bench.held(between)
    for _ in range(2):  # a newer extraction asks in place of the one before
        review = bench.held([row("1"), row("2", 20), row("3")])
        (found,) = [f for f in bench.evidence(review).findings if f.check == "put_away"]
        assert found.keys == ("2",)
        assert "came again as a person had put it away" in found.sentence
        assert bench.rows("id, amount")[1] == ("2", 10)
    bench.release(bench.decide(review, verb))
    there = 20 if verb is Verb.APPROVE else 10
    assert all(j.review is None for j in bench.run([row("1"), row("2", 20), row("3")]).judged)
    assert bench.rows("id, amount") == [("1", 10), ("2", there), ("3", 10)]
    settled(bench)


@pytest.mark.parametrize("others", [3, 70])
def test_what_was_put_away_as_the_destination_holds_it_is_nothing_to_ask_about(whole, others):
    """A whole snapshot was rejected for a few of its rows; the others were as published."""
    bench = whole(replace(POLICY, scope="rows", hold_rows_up_to=0.4), missing="keep")
    good = [row(f"g{n}") for n in range(others)]
    bench.run([row("1"), *good])
    for amount in (-1, -2):  # all of it is rejected, twice
        wrong = [row("1", 20 if amount == -1 else 30)]
        wrong += [row(f"g{n}", amount if amount == -2 or n else 10) for n in range(others)]
        bench.release(bench.decide(bench.held(wrong), Verb.REJECT))
    review = bench.held([row("1", 20), *good])
    assert review.keys == ("1",)
    settled(bench)


FIVE = [row(f"g{n}") for n in range(5)]


def staged(bench, page):
    return [j.snapshot.rows for j in bench.run(page).judged]


@pytest.mark.parametrize("edited", [False, True])
def test_rows_that_had_gone_out_stay_when_a_whole_snapshot_is_rejected(whole, edited):
    """The rest would be judged as if it were all that the source has."""
    bench = whole()
    bench.run([row("1"), *FIVE])
    review = bench.held([row("1", -5), row("new", 7), *FIVE])
    if edited:
        bench.decide(review, Verb.APPROVE, actor=ANA, edits=(Edit("1", {"amount": 5}),))
        judged = flow.judge_staged(bench.project, bench.sync, bench.services, MACHINE)
        (review,) = (j.review for j in judged)
    bench.release(bench.decide(review, Verb.REJECT, actor=BOB))
    assert staged(bench, [row("1", 11), row("new", 7), *FIVE]) == [6]
    assert [r[0] for r in bench.rows()] == ["1", *(r["id"] for r in FIVE)]
    assert bench.rows("amount")[0] == (11,)
    settled(bench)


def test_so_they_do_while_a_rejection_waits_to_be_carried_out(whole):
    bench = whole()
    bench.run([row("1"), *FIVE])
    review = bench.held([row("1", -5), row("new", 7), *FIVE])
    steering.pause("things", "wait", ANA, bench.project, bench.services)
    taken = bench.decide(review, Verb.REJECT, actor=BOB)
    second = [row("1", 11), row("new", 7), *FIVE]
    assert staged(bench, second) == [6]
    steering.resume("things", "go", ANA, bench.project, bench.services)
    bench.release(taken)
    assert staged(bench, [row("1", 12), *second[1:]]) == [6]
    assert [r[0] for r in bench.rows()] == ["1", *(r["id"] for r in FIVE)]
    settled(bench)


@pytest.mark.parametrize("verb", [Verb.REJECT, Verb.APPROVE, None])
def test_so_they_do_where_somebody_asks_about_the_rejection_again(whole, verb):
    bench = whole()
    bench.run([row("1"), *FIVE])
    review = bench.held([row("1", -5), row("new", 7), *FIVE])
    bench.release(bench.decide(review, Verb.REJECT, actor=BOB))
    again = bench.reopen(review, ANA)
    if verb is Verb.REJECT:
        bench.release(bench.decide(again, verb, actor=BOB))
    assert staged(bench, [row("1", 11), row("new", 7), *FIVE]) == [6]
    if verb is Verb.APPROVE:
        bench.release(bench.decide(again, verb, actor=BOB))
    assert bench.rows("amount")[0] == (11,)
    assert ("new" in [r[0] for r in bench.rows()]) is (verb is Verb.APPROVE)
    settled(bench)


def test_so_they_do_where_the_next_run_comes_at_once(whole):
    bench = whole()
    bench.run([row("1"), *FIVE])
    review = bench.held([row("1", -5), *FIVE])
    bench.release(bench.decide(review, Verb.REJECT))
    bench.source.answer([row("1", 11), row("g0", 11), *FIVE[1:]])
    bench.clock.advance(minutes=1)
    done = flow.run_sync(bench.project, bench.sync, bench.services, MACHINE)
    assert [p.rows for p in done.publications] == [6]
    assert bench.rows("id, amount")[:2] == [("1", 11), ("g0", 11)]
    settled(bench)


def test_rows_that_a_finding_names_are_put_away_though_they_had_gone_out(whole):
    bench = whole()
    things = bench.project.suites["things"]
    bench.project.suites["things"] = replace(things, expectations=())
    bench.run([row("1", -5), row("2", 1), *FIVE])
    bench.project.suites["things"] = things
    bench.release(bench.decide(bench.held([row("1", -5), row("2", 2), *FIVE]), Verb.REJECT))
    assert staged(bench, [row("1", -5), row("2", 3), *FIVE]) == [6]
    settled(bench)


def test_rows_that_had_gone_out_before_stay_when_what_came_after_is_taken_back(whole):
    bench = whole()
    bench.run([row("1"), *FIVE])
    bench.run([row("1", 11), *FIVE])
    bench.release(
        bench.decide(
            undoing.ask("things", 2, "wrong", ANA, bench.project, bench.services),
            Verb.APPROVE,
            actor=BOB,
        )
    )
    assert staged(bench, [row("1", 11), row("g0", 9), *FIVE[1:]]) == [5]
    assert bench.rows("id, amount")[:2] == [("1", 10), ("g0", 9)]
    settled(bench)


def by_hand(bench, id, amount):
    with bench.services.engine.begin() as conn:
        table = bench.sync.destination.quoted
        conn.exec_driver_sql(f"update {table} set amount = {amount} where id = '{id}'")


def test_what_somebody_changed_by_hand_is_not_overwritten_after_a_rejection(whole):
    """It had gone out as it is again, and the destination holds something else."""
    bench = whole()
    bench.run([row("1"), *FIVE])
    by_hand(bench, "1", 99)
    review = bench.held([row("1"), row("g0", -5), *FIVE[1:]])
    bench.release(bench.decide(review, Verb.REJECT, actor=BOB))
    assert staged(bench, [row("1"), row("g0", 12), *FIVE[1:]]) == [5]
    assert bench.rows("id, amount")[:2] == [("1", 99), ("g0", 12)]


def test_what_a_revert_brought_back_that_was_changed_by_hand_stays(whole):
    bench = whole()
    bench.run([row("1"), *FIVE])
    by_hand(bench, "1", 99)
    second = [row("1"), row("g0", 11), *FIVE[1:]]
    bench.run(second)
    asked = undoing.ask("things", 2, "overwrote 99", ANA, bench.project, bench.services)
    bench.release(bench.decide(asked, Verb.APPROVE, actor=BOB))
    bench.run(second)
    bench.run([row("1"), row("g0", 12), *FIVE[1:]])
    assert bench.rows("id, amount")[:2] == [("1", 99), ("g0", 12)]


def test_what_had_gone_somewhere_else_is_put_away_with_the_rest(whole):
    bench = whole(missing="keep")
    bench.run([row("1"), *FIVE])
    to = replace(bench.sync.destination, name="elsewhere")
    bench.project.syncs["things"] = replace(bench.sync, destination=to)
    review = bench.held([row("1", -5), *FIVE])
    bench.release(bench.decide(review, Verb.REJECT, actor=BOB))
    assert staged(bench, [row("1", 5), *FIVE]) == [1]


def test_what_was_put_away_is_news_again_once_something_newer_was_published(whole):
    bench = whole(missing="keep")
    bench.run([row("1"), row("2")])
    review = bench.held([row("1", -1), row("2", 20)])
    bench.release(bench.decide(review, Verb.REJECT))
    bench.run([row("1"), row("2", 30)])
    bench.run([row("1"), row("2", 20)])
    assert bench.rows("id, amount") == [("1", 10), ("2", 20)]
    settled(bench)


@pytest.mark.parametrize("wrong", ["ten", "11", None, 10.5])
def test_a_cell_that_was_put_away_does_not_hold_the_rows_beside_it_in_each_run(whole, wrong):
    """It is told again, beside the numbers that it makes texts of, and does not stay."""
    bench = whole(Policy(reviewers="team"), missing="keep")
    for amount in (10, 11, 12):
        bench.run([row("1", amount), row("2"), row("3")])
    review = bench.held([row("1", -1), row("2", wrong), row("3")])
    bench.release(bench.decide(review, Verb.REJECT))
    for amount in (20, 21):
        (judged,) = bench.run([row("1", amount), row("2", wrong), row("3")]).judged
        assert judged.review is None, judged.review.summary
    assert bench.rows("id, amount") == [("1", 21), ("2", 10), ("3", 10)]
    settled(bench)
    texts = bench.held([row("1", "22"), row("2", wrong), row("3")])  # what stays came as a text
    assert "amount changed its type" in texts.summary


def test_rejected_rows_do_not_come_again_and_are_not_deleted_either(whole):
    bench = whole()
    bench.run([row("1"), row("2"), row("3")])
    review = bench.held([row("1", -1), row("2", -2), row("3", -3)])
    bench.release(bench.decide(review, Verb.REJECT))
    assert bench.run([row("1", -1), row("2", -2), row("3", -3)]).judged == ()
    assert bench.rows("id, amount") == [("1", 10), ("2", 10), ("3", 10)]
    settled(bench)


def test_a_deletion_that_was_put_away_is_not_asked_about_again(whole):
    bench = whole(Policy(reviewers="team", scope="whole", delete_rows_up_to=0))
    bench.run([row("1"), row("2"), row("3")])
    review = bench.held([row("1"), row("2")])
    bench.release(bench.decide(review, Verb.APPROVE, exclude=("3",)))
    for _ in range(2):
        assert all(j.review is None for j in bench.run([row("1"), row("2")]).judged)
    bench.run([row("1"), row("2"), row("3")])
    assert bench.held([row("1"), row("2")])
    settled(bench)


def test_what_was_taken_back_does_not_come_again_by_itself(whole):
    bench = whole()
    bench.run([row("1"), row("2"), row("3")])
    bench.run([row("1"), row("2", 20), row("3")])
    asked = undoing.ask("things", 2, "wrong", ANA, bench.project, bench.services)
    bench.release(bench.decide(asked, Verb.APPROVE, actor=BOB))
    bench.run([row("1"), row("2", 20), row("3")])
    assert bench.rows("id, amount")[1] == ("2", 10)
    settled(bench)


def test_an_edit_is_not_overwritten_by_what_it_mended(whole):
    bench = whole()
    review = bench.held(PAGE)
    bench.decide(review, Verb.APPROVE, actor=ANA, edits=(Edit("2", {"amount": 5}),))
    (judged,) = flow.judge_staged(bench.project, bench.sync, bench.services, flow.Run(ANA))
    bench.run([row("1"), row("2", -5), row("3"), row("4")])  # it does not supersede the edit
    bench.release(bench.decide(judged.review, Verb.APPROVE, actor=BOB))
    assert bench.rows("id, amount") == [("1", 10), ("2", 5), ("3", 10), ("4", 10)]
    bench.run([row("1"), row("2", -5), row("3"), row("4")])
    assert bench.rows("id, amount")[1] == ("2", 5)
    settled(bench)


def test_rows_that_are_asked_about_again_wait_whatever_is_extracted_meanwhile(whole):
    bench = whole()
    review = bench.held(PAGE)
    bench.release(bench.decide(review, Verb.REJECT))
    again = bench.reopen(review, ANA)
    bench.run([*PAGE, row("4")])
    assert [r[0] for r in bench.rows()] == ["4"]
    bench.release(bench.decide(again, Verb.APPROVE, actor=BOB))
    assert [r[0] for r in bench.rows()] == ["1", "2", "3", "4"]
    bench.run([*PAGE, row("4")])
    settled(bench)


def test_what_was_put_away_while_it_was_extracted_is_held(whole):
    """The decision comes after the extraction has told its rows, and before they are judged."""
    bench = whole()
    bench.run([row("1"), row("3")])
    review = bench.held(PAGE)
    bench.project.suites["things"] = replace(bench.project.suites["things"], expectations=())
    bench.source.answer(PAGE)
    bench.clock.advance(minutes=15)
    stage(bench.sync, bench.services, ANA, None)
    bench.clock.advance(minutes=1)
    bench.release(bench.decide(review, Verb.APPROVE_CLEAN))
    (judged,) = flow.judge_staged(bench.project, bench.sync, bench.services, flow.Run(ANA))
    assert judged.review is not None
    assert [f.check for f in judged.evidence.findings if f.keys == ("2",)] == ["put_away"]


QUEUE = replace(POLICY, while_held="queue")
HELD = [row("1"), row("2", -5), row("3"), row("x", 7)]
MENDED = [row("1"), row("2", 5), row("3"), row("x", 7)]


@pytest.mark.parametrize(
    ("verb", "exclude", "left"),
    [
        (Verb.APPROVE, ("x",), [("1", 10), ("2", 5), ("3", 10)]),
        (Verb.REJECT, (), [("2", 5)]),  # the one that is another by now
    ],
)
def test_what_waits_its_turn_goes_without_what_was_put_away_meanwhile(whole, verb, exclude, left):
    """In a queue, extractions wait behind a hold, and tell the same rows that are decided there."""
    bench = whole(QUEUE)
    review = bench.held(HELD)
    assert bench.run(MENDED).judged[0].review is None
    bench.clock.advance(minutes=1)
    bench.release(bench.decide(review, verb, exclude=exclude))
    publishing.publish_cleared(bench.sync, bench.services, ANA)
    assert bench.rows("id, amount") == left
    settled(bench)
    told = versions_of(bench.sync, "x", bench.services)
    assert told[1].words.startswith("not published: people settled it otherwise as it was in #1")
    bench.run(MENDED)
    assert bench.rows("id, amount") == left
    settled(bench)


def test_what_waits_its_turn_does_not_go_over_an_edit(whole):
    bench = whole(QUEUE)
    review = bench.held(HELD)
    bench.run(MENDED)
    edits = (Edit("x", {"amount": 700}), Edit("2", {"amount": 1}))
    bench.decide(review, Verb.APPROVE, actor=ANA, edits=edits)
    (judged,) = flow.judge_staged(bench.project, bench.sync, bench.services, flow.Run(ANA))
    bench.release(bench.decide(judged.review, Verb.APPROVE, actor=BOB))
    publishing.publish_cleared(bench.sync, bench.services, ANA)
    assert bench.rows("id, amount") == [("1", 10), ("2", 5), ("3", 10), ("x", 700)]
    settled(bench)


def test_what_was_taken_back_while_the_sync_is_paused_does_not_come_with_what_waited(whole):
    bench = whole()
    bench.run([row("1"), row("2")])
    bench.run([row("1"), row("2", 20)])
    steering.pause("things", "wrong rows", ANA, bench.project, bench.services)
    bench.run([row("1", 11), row("2", 20)])
    asked = undoing.ask("things", 2, "wrong", ANA, bench.project, bench.services)
    bench.release(bench.decide(asked, Verb.APPROVE, actor=BOB))
    steering.resume("things", "mended", ANA, bench.project, bench.services)
    bench.run([row("1", 11), row("2", 20)])
    assert bench.rows("id, amount") == [("1", 11), ("2", 10)]
    settled(bench)


def test_what_was_edited_and_rejected_while_it_was_extracted_is_held(whole):
    """The rejected rows are of a snapshot that is younger than the extraction."""
    bench = whole()
    bench.run([row("0")])
    review = bench.held([*PAGE, row("0")])
    bench.source.answer([*PAGE, row("0")])
    bench.clock.advance(minutes=15)
    stage(bench.sync, bench.services, ANA, None)
    bench.decide(review, Verb.APPROVE, actor=ANA, edits=(Edit("2", {"amount": -4}),))
    bench.project.suites["things"] = replace(bench.project.suites["things"], expectations=())
    with bench.services.engine.connect() as conn:
        extracted, edited = (snapshots.get(conn, "things", seq) for seq in (3, 4))
    judged = flow.judge(bench.project, bench.sync, edited, bench.services, flow.Run(ANA))
    bench.release(bench.decide(judged.review, Verb.REJECT, actor=BOB))
    held = flow.judge(bench.project, bench.sync, extracted, bench.services, flow.Run(ANA))
    assert held.review is not None
    assert "put_away" in [f.check for f in held.evidence.findings]


@pytest.mark.parametrize("rejected", [True, False])
def test_what_was_put_away_after_other_values_had_come_waits_when_it_returns(whole, rejected):
    """The decision comes after another version was extracted, which nobody lets go."""
    bench = whole()
    bench.run([row("1"), row("3")])
    review = bench.held(PAGE)
    bench.source.answer([row("1"), row("2", -6), row("3")])
    bench.clock.advance(minutes=15)
    stage(bench.sync, bench.services, ANA, None)
    bench.release(bench.decide(review, Verb.APPROVE_CLEAN))
    (judged,) = flow.judge_staged(bench.project, bench.sync, bench.services, flow.Run(BOB))
    if rejected:
        bench.release(bench.decide(judged.review, Verb.REJECT))
    bench.project.suites["things"] = replace(bench.project.suites["things"], expectations=())
    held = bench.held(PAGE)
    assert "put_away" in [f.check for f in bench.evidence(held).findings]
    assert [r[0] for r in bench.rows()] == ["1", "3"]
    settled(bench)


def test_a_value_that_was_another_by_the_time_it_was_taken_back_is_news_when_it_returns(whole):
    bench = whole()
    bench.run([row("1"), row("2", 20)])
    bench.run([row("1"), row("2", 30)])
    asked = undoing.ask("things", 1, "wrong", ANA, bench.project, bench.services)
    bench.release(bench.decide(asked, Verb.APPROVE, actor=BOB))
    assert bench.rows("id, amount") == [("1", 10), ("2", 30)]  # they are newer by now
    bench.run([row("1", 11), row("2", 20)])
    assert bench.rows("id, amount") == [("1", 11), ("2", 20)]
    settled(bench)


def test_an_extraction_without_news_is_no_replay(whole):
    bench = whole()
    page = [row(str(n), n, f"name {n}") for n in range(1, 30)]
    for _ in range(4):
        assert all(j.review is None for j in bench.run(page).judged)
    changed = [row(str(n), n + 1, f"name {n}") for n in range(1, 30)]
    bench.run(changed)
    stale = bench.held(page)  # what was there before what there was
    assert "are exactly those of" in stale.summary


def test_where_the_file_is_lost_that_tells_what_was_put_away_such_rows_wait(whole):
    bench = whole()
    bench.run([row("1"), row("3")])
    review = bench.held([*PAGE, row("4")])
    bench.release(bench.decide(review, Verb.APPROVE_CLEAN))
    bench.project.suites["things"] = replace(bench.project.suites["things"], expectations=())
    with bench.services.engine.connect() as conn:
        digest = snapshots.get(conn, "things", 2).digest
    (bench.services.folder("things") / f"{digest}.parquet").unlink()
    again = bench.held([*PAGE, row("4", 11)])
    assert [f.keys for f in bench.evidence(again).findings if f.check == "put_away"] == [("2",)]
