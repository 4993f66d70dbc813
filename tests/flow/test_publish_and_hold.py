"""A snapshot's life on the real database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from wfops_pipelines import Above, Policy
from wfops_pipelines.core.reviews import ReviewKind, ReviewState, Verb
from wfops_pipelines.core.snapshot import SnapshotState
from wfops_pipelines.errors import (
    DestinationRefused,
    SchemaRefused,
    SnapshotDamaged,
    SourceMalformed,
)
from wfops_pipelines.publishing import OutOfTurn, Paused
from wfops_pipelines.reconciling.reconciliation import reconcile
from wfops_pipelines.staging import rereading
from wfops_pipelines.store import audit, reviews, snapshots

pytestmark = pytest.mark.components

START = datetime(2026, 5, 1, 9, tzinfo=UTC)


def row(id, name="a name", amount=10, minutes=0, **more):
    moment = START + timedelta(minutes=minutes)
    return {"id": id, "name": name, "amount": amount, "updated_at": moment, **more}


def state_of(bench, seq):
    with bench.services.engine.connect() as conn:
        return snapshots.get(conn, "things", seq).state


def test_clean_rows_are_published_and_every_step_is_in_the_trail(bench):
    passed = bench.run([row("1"), row("2")], [row("3")])
    assert passed.publications[0].rows == 3
    assert bench.rows() == [("1", "a name", 10), ("2", "a name", 10), ("3", "a name", 10)]
    with bench.services.engine.connect() as conn:
        actions = [e["action"] for e in audit.trail(conn, "things #1")]
    assert actions == ["snapshot.staged", "snapshot.examined", "rows.published"]


def test_a_failed_expectation_holds_its_rows_and_lets_the_others_go(bench):
    review = bench.held([row("1"), row("2", name=None), row("3"), row("4")])
    assert review.kind is ReviewKind.ROWS
    assert review.keys == ("2",)
    assert "name is never empty" in review.summary
    assert [r[0] for r in bench.rows()] == ["1", "3", "4"]


def test_too_many_failing_rows_hold_the_whole_snapshot(bench):
    review = bench.held([row("1", amount=-1), row("2", amount=-1), row("3")])
    assert review.kind is ReviewKind.WHOLE
    assert bench.rows() == []
    assert state_of(bench, 1) is SnapshotState.HELD


def test_what_is_approved_is_published_byte_for_byte_as_it_was_staged(bench):
    exact = 2**53 + 1
    review = bench.held(
        [row("1"), row("2", name="  \"q\", 'x';\n\\.", amount=exact), row("3", None)]
    )
    bench.release(bench.decide(review, Verb.APPROVE))
    with bench.services.engine.connect() as conn:
        digest = snapshots.get(conn, "things", 1).digest
    staged = pq.read_table(bench.folder / f"{digest}.parquet").select(["id", "name", "amount"])
    assert bench.rows() == [tuple(r.values()) for r in staged.to_pylist()]
    assert ("2", "  \"q\", 'x';\n\\.", exact) in bench.rows()


def test_what_is_rejected_is_quarantined_and_never_published(bench):
    review = bench.held([row("1"), row("2", amount=-5), row("3")])
    assert bench.release(bench.decide(review, Verb.REJECT)) is None
    assert [r[0] for r in bench.rows()] == ["1", "3"]
    found = reconcile(bench.sync, bench.services)
    assert (found.published, found.quarantined, found.held, found.missing) == (2, 1, 0, 0)


def test_approve_clean_publishes_what_is_not_flagged_and_quarantines_the_rest(make_bench):
    bench = make_bench(Policy(reviewers="team", scope="whole"))
    review = bench.held([row("1"), row("2", amount=-5), row("3")])
    published = bench.release(bench.decide(review, Verb.APPROVE_CLEAN))
    assert published.rows == 2
    assert [r[0] for r in bench.rows()] == ["1", "3"]
    assert reconcile(bench.sync, bench.services).missing == 0


def test_a_release_happens_once(bench):
    review = bench.held([row("1", amount=-5), row("2"), row("3")])
    taken = bench.decide(review, Verb.APPROVE)
    assert bench.release(taken).rows == 1
    assert bench.release(taken) is None
    with bench.services.engine.connect() as conn:
        parts = conn.execute(sa.text("select part from wfops.publications order by part")).all()
    assert parts == [("clean",), ("held",)]


def test_a_held_snapshot_delays_no_later_one_and_does_not_undo_it_when_released(bench):
    review = bench.held([row("1", "old", -5), row("2"), row("3")])
    bench.run([row("1", "new", 7, minutes=30)])
    assert ("1", "new", 7) in bench.rows()
    late = bench.release(bench.decide(review, Verb.APPROVE))
    assert late.stale == 1
    assert ("1", "new", 7) in bench.rows()


def test_a_queue_keeps_its_order(make_bench):
    bench = make_bench(Policy(reviewers="team", scope="whole", while_held="queue"))
    first = bench.held([row("1", amount=-5)])
    second = bench.held([row("1", amount=-7, minutes=30)])
    taken = bench.decide(second, Verb.APPROVE)
    with pytest.raises(OutOfTurn, match="an earlier snapshot still waits"):
        bench.release(taken)
    bench.run([row("9", minutes=60)])
    assert bench.rows() == []
    bench.release(bench.decide(first, Verb.APPROVE))
    bench.release(taken)
    bench.run()
    assert bench.rows("id, amount") == [("1", -7), ("9", 10)]


def test_rows_read_again_in_the_overlap_window_are_dropped_and_late_ones_are_not(bench):
    bench.run([row("1"), row("2", minutes=50)])
    passed = bench.run([row("2", minutes=50), row("1", "late", minutes=20)])
    assert passed.judged[0].snapshot.rows == 1
    assert bench.source.windows[1].start == START + timedelta(minutes=50 - 60)
    assert bench.rows("id, name") == [("1", "late"), ("2", "a name")]


def test_a_source_that_answers_everything_each_time_is_staged_once(bench):
    """Many APIs cannot be asked for what changed since; old rows come again for ever."""
    old, new = [row(str(n), minutes=n * 100) for n in range(5)], row("9", minutes=100_000)
    bench.run(old)
    assert bench.run([*old, new]).judged[0].snapshot.rows == 1
    assert bench.run([*old, new]).judged == ()


@pytest.mark.parametrize("overlap", [0, 60])
def test_a_source_with_windows_is_remembered_as_far_as_it_can_repeat_itself(make_bench, overlap):
    bench = make_bench(Policy(reviewers="team", overlap_minutes=overlap))
    bench.source.windowed = True
    bench.run([row("1"), row("2", minutes=1000), row("3", minutes=1001), row("4", minutes=1001)])
    again = [row("3", minutes=1001), row("4", minutes=1001), row("5", minutes=1001)]
    assert bench.run(again).judged[0].snapshot.rows == 1
    with bench.services.engine.connect() as conn:
        kept = conn.exec_driver_sql("select key from wfops.staged_rows").scalars().all()
    assert set(kept) == {"2", "3", "4", "5"}


def test_a_lagging_replica_does_not_bring_an_older_version_back(bench):
    bench.run([row("1", amount=1, minutes=5)])
    bench.run([row("1", amount=2, minutes=10), row("2")])
    assert bench.run([row("1", amount=1, minutes=5), row("3", minutes=6)]).publications[0].rows == 1
    assert bench.rows("id, amount")[0] == ("1", 2)


def test_a_row_from_the_future_does_not_carry_the_cursor_there(bench):
    ahead = 60 * 24 * 365
    bench.run([row("1"), row("2", minutes=ahead)])
    bench.run([row("3", minutes=20)])
    asked = bench.source.windows[-1]
    assert asked.start < asked.end < START + timedelta(minutes=ahead)
    assert [r[0] for r in bench.rows()] == ["1", "2", "3"]


def test_a_run_without_news_stages_nothing(bench):
    bench.run([row("1")])
    assert bench.run().judged == ()


def test_a_source_that_breaks_off_stages_nothing_and_loses_nothing(bench):
    bench.source.pages_, bench.source.error = ([row("1")],), SourceMalformed("cut off")
    with pytest.raises(SourceMalformed):
        bench.run()
    assert bench.run([row("1")]).publications[0].rows == 1


def test_a_key_that_comes_twice_counts_once_with_its_newest_version(bench):
    bench.run([row("1", "old"), row("1", "new", minutes=5)], [row("1", "old")])
    assert bench.rows("id, name") == [("1", "new")]


def test_rows_without_a_key_hold_everything(bench):
    review = bench.held([row(None), row("1")])
    assert review.kind is ReviewKind.WHOLE
    assert "1 of 2 rows have no id" in review.summary


def test_a_cursor_that_is_no_time_is_named_with_its_row(bench):
    with pytest.raises(SchemaRefused, match="cursor updated_at of row 7 is no time: 'yesterday'"):
        bench.run([{**row("7"), "updated_at": "yesterday"}])


@pytest.mark.parametrize(("masked", "named"), [((), r" \(id 7\)"), (("id",), "")])
def test_a_function_that_fails_names_the_record(make_bench, masked, named):
    bench = make_bench(Policy(reviewers="team", masked=masked))
    fails = replace(bench.sync, rows=lambda page: [{**r, "n": float(r["amount"])} for r in page])
    bench.project.syncs["things"] = fails
    said = rf"could not read record 2{named} of a page of 2 records \(ValueError: .*'n/a'"
    with pytest.raises(SchemaRefused, match=said):
        bench.run([row("6"), row("7", amount="n/a")])


def test_a_column_that_changes_its_type_holds_the_snapshot(bench):
    bench.run([row("1"), row("2")])
    review = bench.held([row("3", amount="ten", minutes=30)])
    assert review.kind is ReviewKind.WHOLE
    assert "amount" in review.summary


@pytest.mark.parametrize("beside", [10.5, "ten", True, [1], 2**70, START.date()])
def test_a_value_rejected_beside_one_of_another_type_does_not_come_again(bench, beside):
    bench.run([row("1", amount=10), row("2", amount=20)])
    review = bench.held([row("2", amount=beside, minutes=30), row("3", amount=33, minutes=31)])
    bench.release(bench.decide(review, Verb.REJECT))
    assert bench.run([row("3", amount=33, minutes=31)]).judged == ()
    assert bench.run([row("1", amount=10)]).judged == ()
    again = bench.run([row("3", amount=33, minutes=31), row("4", amount="four", minutes=32)])
    assert [judged.snapshot.rows for judged in again.judged] == [1]
    assert len(bench.rows()) == 2


@pytest.mark.parametrize(
    ("came", "at_once"), [([33, 10.5], 2), ([33.0, float("nan")], 2), ([33, 10.5], 1)]
)
def test_a_row_rejected_beside_a_key_of_another_type_does_not_come_again(bench, came, at_once):
    bench.services = replace(bench.services, at_once=at_once)
    bench.run([row(1), row(2)])
    told = [row(key, minutes=30 + n) for n, key in enumerate(came)]
    bench.release(bench.decide(bench.held(told[:1], told[1:]), Verb.REJECT))
    again = [row(33, minutes=30)]
    assert bench.run(again).judged == ()
    with bench.services.engine.begin() as conn:
        conn.exec_driver_sql("delete from wfops.staged_rows")
    rereading.recall(bench.sync, START - timedelta(days=1), bench.services)
    assert bench.run(again).judged == ()
    assert [key for key, *_ in bench.rows()] == [1, 2]


def test_a_text_that_the_source_mends_to_the_number_it_spells_comes_again(bench):
    bench.run([row("1", amount=10), row("2", amount=20)])
    review = bench.held([row("2", amount="33", minutes=30), row("3", amount=34, minutes=31)])
    bench.release(bench.decide(review, Verb.REJECT))
    mended = bench.run([row("2", amount=33, minutes=30), row("3", amount=34, minutes=31)])
    assert mended.judged[0].snapshot.rows == 1
    assert bench.rows("id, amount") == [("1", 10), ("2", 33)]


def test_rows_over_a_limit_wait_for_a_person_whatever_their_quality(make_bench):
    rule = Above("amount", 1000, "an amount above 1,000")
    bench = make_bench(Policy(reviewers="team", high_impact=(rule,), hold_rows_up_to=0.5))
    review = bench.held([row("1"), row("2", amount=1000), row("3", amount=1001)])
    assert review.keys == ("3",)
    assert "an amount above 1,000" in review.summary


def test_a_row_whose_limit_cannot_be_told_waits_as_well(make_bench):
    rule = Above("amount", 1000)
    bench = make_bench(Policy(reviewers="team", high_impact=(rule,), hold_rows_up_to=0.5))
    review = bench.held([row("1"), row("2"), row("3", amount=None)])
    assert review.keys == ("3",)
    said = (
        "amount is above 1,000? amount is empty in 1 row, so nobody knows whether it is above 1,000"
    )
    assert said in review.summary
    (found,) = [f for f in bench.evidence(review).findings if f.check == "high_impact"]
    assert [found.reasons_of(key) for key in found.keys].count([]) == len(found.keys) - 1
    assert [("amount", f"{found.details['rule']}? amount is empty")] in [
        found.reasons_of(key) for key in found.keys
    ]


def test_a_policy_about_a_column_that_is_not_there_holds_everything(make_bench):
    policy = Policy(
        reviewers="team",
        critical_fields=("emial",),
        masked=("nmae",),
        high_impact=(Above("amuont", 1),),
    )
    review = make_bench(policy).held([row("1"), row("2")])
    assert review.kind is ReviewKind.WHOLE
    assert "policy.critical_fields names the column 'emial'" in review.summary


def test_a_row_without_the_cursors_column_is_refused(bench):
    with pytest.raises(SchemaRefused, match="row 1 has no column 'updated_at', the cursor"):
        bench.run([{"id": "1", "name": "n", "amount": 1}])


def test_a_key_column_that_is_not_there_is_said_once(bench):
    bench.project.syncs["things"] = replace(bench.sync, key="uid")
    review = bench.held([row("1")])
    assert "there is no key column 'uid'" in review.summary
    assert "failed, so nobody knows" not in review.summary


def test_a_changed_critical_field_is_shown_with_old_and_new(make_bench):
    bench = make_bench(Policy(reviewers="team", critical_fields=("name",), hold_rows_up_to=0.5))
    bench.run([row("1", "Ann"), row("2", "Bob")])
    review = bench.held(
        [row("1", "Eve", minutes=30), row("2", "Bob", 11, 31), row("4", minutes=31)]
    )
    with bench.services.engine.connect() as conn:
        _, body = snapshots.evidence(conn, "things", 2)
    assert review.keys == ("1",)
    assert body["diff"]["changes"] == [["1", "name", "Ann", "Eve"]]
    assert (body["diff"]["inserted"], body["diff"]["updated"]) == (1, 2)


def test_an_examiner_that_crashes_holds(bench, monkeypatch):
    def crash(*_, **__):
        raise MemoryError("too big")

    monkeypatch.setattr("wfops_pipelines.examining.scoring.score", crash)
    review = bench.held([row("1")])
    assert review.kind is ReviewKind.WHOLE
    assert "the examiner 'anomaly' failed" in review.summary


@pytest.mark.parametrize(("broken", "said"), [("_past", "history"), ("parcel_of", "destination")])
def test_a_history_or_a_destination_that_cannot_be_read_holds(bench, monkeypatch, broken, said):
    def crash(*_, **__):
        raise ConnectionError("gone")

    monkeypatch.setattr(f"wfops_pipelines.examining.history.{broken}", crash)
    assert f"the examiner '{said}' failed" in bench.held([row("1")]).summary


def test_a_snapshot_file_that_was_touched_is_not_published(bench):
    review = bench.held([row("1", amount=-5), row("2", amount=-5)])
    with bench.services.engine.connect() as conn:
        digest = snapshots.get(conn, "things", 1).digest
    path = bench.folder / f"{digest}.parquet"
    path.chmod(0o600)
    pq.write_table(pa.table({"id": ["666"], "name": ["evil"], "amount": [1]}), path)
    taken = bench.decide(review, Verb.APPROVE)
    with pytest.raises(SnapshotDamaged, match="not what was staged"):
        bench.release(taken)
    assert bench.rows() == []
    with bench.services.engine.connect() as conn:
        assert [e.decision for e in reviews.waiting(conn, bench.clock.now)] == []
        assert reviews.errand(conn, taken.id).done_at is None


def test_nothing_is_published_while_paused(bench):
    from wfops_pipelines.core.audit import Action, AuditEvent
    from wfops_pipelines.core.reviews import Actor
    from wfops_pipelines.store import controls

    def event(action):
        return AuditEvent(bench.clock(), Actor("ana"), action, "things", "a look first")

    with bench.services.engine.begin() as conn:
        controls.pause(conn, event(Action.PAUSED))
    review = bench.held([row("1"), row("2", amount=-5), row("3")])
    taken = bench.decide(review, Verb.APPROVE)
    with pytest.raises(Paused, match="a look first"):
        bench.release(taken)
    assert bench.rows() == []
    with bench.services.engine.begin() as conn:
        assert controls.resume(conn, event(Action.RESUMED))
    bench.run()
    bench.release(taken)
    assert [r[0] for r in bench.rows()] == ["1", "2", "3"]


def test_a_crash_between_staging_and_examining_loses_nothing(bench, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr("wfops_pipelines.flow.judge", lambda *_: (_ for _ in ()).throw(SystemExit))
        with pytest.raises(SystemExit):
            bench.run([row("1")])
    assert bench.rows() == []
    bench.run([row("2", minutes=9)])
    assert [r[0] for r in bench.rows()] == ["1", "2"]


def test_a_crash_in_the_publishing_transaction_publishes_nothing(bench, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr("wfops_pipelines.store.audit.append", _crash_on("rows.published"))
        with pytest.raises(SystemExit):
            bench.run([row("1")])
    assert bench.rows() == []
    bench.run()
    assert [r[0] for r in bench.rows()] == ["1"]


def _crash_on(action):
    original = audit.append

    def append(conn, event):
        if event.action.value == action:
            raise SystemExit
        return original(conn, event)

    return append


def test_every_row_is_accounted_for_through_all_of_it(bench):
    review = bench.held([row("1"), row("2", amount=-5), row("3")])
    assert reconcile(bench.sync, bench.services).held == 1
    taken = bench.decide(review, Verb.APPROVE)
    assert reconcile(bench.sync, bench.services).waiting == 1
    bench.release(taken)
    found = reconcile(bench.sync, bench.services)
    assert (found.staged, found.published, found.missing) == (3, 3, 0)


def test_the_first_load_is_no_yardstick_for_what_comes_after(bench):
    bench.run([row(str(i), minutes=i % 50) for i in range(500)])
    passed = bench.run([row("500", minutes=55), row("501", minutes=56)])
    assert passed.judged[0].evidence.anomaly["history"] == 0
    again = bench.run([row("502", minutes=90), row("503", minutes=91)])
    assert again.judged[0].evidence.anomaly["history"] == 1


def test_a_new_column_holds_and_joins_the_table_once_approved(bench):
    bench.run([row("1"), row("2")])
    review = bench.held([row("3", extra="news", minutes=30)])
    assert "extra" in review.summary
    bench.release(bench.decide(review, Verb.APPROVE))
    assert bench.rows("id, extra") == [("1", None), ("2", None), ("3", "news")]


def test_a_decided_review_stays_as_it_was_decided(bench):
    review = bench.held([row("1", amount=-5), row("2"), row("3")])
    bench.decide(review, Verb.REJECT)
    assert bench.review(review.id).state is ReviewState.REJECTED
    assert bench.review(review.id).decided_by == "ana (unverified)"


def test_what_a_destination_quotes_of_a_masked_column_stays_masked(make_bench):
    bench = make_bench(Policy(reviewers="team", masked=("name",)))
    bench.run([row("1", name="Ada")])
    with bench.services.engine.begin() as conn:
        conn.execute(sa.text("alter table shop.things alter column name type int using 0"))
    review = bench.held([row("2", name="Ada", minutes=5)])
    assert "name is no whole number" in review.summary
    assert "Ada" not in review.summary
    with pytest.raises(DestinationRefused, match="redacted") as refused:
        bench.release(bench.decide(review, Verb.APPROVE))
    assert "Ada" not in f"{refused.value} {refused.value.exchange}"
    assert refused.value.__cause__ is None


def test_fractions_that_a_person_let_into_a_whole_column_are_usual_from_then_on(bench):
    def amounts(n, *values):
        at = START + timedelta(minutes=n)
        return [
            {"id": f"{n}-{k}", "name": "a name", "amount": v, "updated_at": at}
            for k, v in enumerate(values)
        ]

    assert bench.run(amounts(1, 10, 12)).judged[0].review is None
    with bench.services.engine.begin() as conn:
        conn.execute(sa.text("alter table shop.things alter column amount type numeric"))
    review = bench.held(amounts(2, 10.5, 12))
    assert "column amount changed its type from int64 to double" in review.summary
    bench.release(bench.decide(review, Verb.APPROVE))
    for n, values in enumerate([(10, 12), (10.5, 12), (10, 12)], 3):
        assert bench.run(amounts(n, *values)).judged[0].review is None
    assert len(bench.rows()) == 10
