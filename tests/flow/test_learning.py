"""What reviewers decide about holds of the anomaly scorer teaches it, visibly and undoably."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from wfops_pipelines import anomaly, cli, learning
from wfops_pipelines.anomaly import Profile
from wfops_pipelines.core.reviews import Actor, ReviewKind, Verb
from wfops_pipelines.errors import NotAllowed, WfopsError
from wfops_pipelines.store import audit, snapshots

pytestmark = pytest.mark.components

START = datetime(2026, 5, 1, 9, tzinfo=UTC)
ANA = Actor("ana", verified=True)


def day(at, factor=1):
    rng = random.Random(at)
    moment = START + timedelta(days=at)
    return [
        {
            "id": f"{at}-{i}",
            "name": rng.choice(["Ann", "Ben", "Carla"]),
            "amount": factor * rng.randint(2000, 9000),
            "updated_at": moment + timedelta(minutes=rng.randint(0, 600)),
        }
        for i in range(60)
    ]


def publish_days(bench, days):
    for at in days:
        review = bench.run(day(at)).judged[-1].review
        assert review is None, review.summary


@pytest.fixture
def held(bench):
    """A bench with nine ordinary days, and the review request of a tenth in another unit."""
    publish_days(bench, range(9))
    review = bench.held(day(9, factor=100))
    assert review.kind is ReviewKind.WHOLE
    return bench, review


def summary(bench, seq):
    with bench.services.engine.connect() as conn:
        return snapshots.evidences(conn, "things", seq, 1)[-1][1].anomaly


def test_a_score_can_be_computed_again_to_the_bit_from_what_the_evidence_says(held):
    bench, review = held
    kept = summary(bench, review.seq)
    with bench.services.engine.connect() as conn:
        snapshot = snapshots.get(conn, "things", review.seq)
        known = snapshots.published_profiles(conn, "things", review.seq, incremental=True)
    assert kept["scorer"] == anomaly.VERSION
    again = anomaly.score_snapshot(
        [Profile.from_json(known[seq]) for seq in kept["snapshots"]],
        anomaly.profile(
            bench.services.rows(snapshot).whole(),
            key="id",
            cursor="updated_at",
            window=snapshot.asked,
        ),
        false_holds=kept["false_holds"],
        weights=kept["weights"],
    )
    assert (again.score, again.p_value) == (kept["score"], kept["p_value"])


def test_an_approval_damps_what_caused_the_hold_and_the_next_evidence_says_so(held):
    bench, review = held
    bench.release(bench.decide(review, Verb.APPROVE))
    weights = learning.learned(bench.sync, bench.services).weights
    assert weights["numbers"] == pytest.approx(2 / 3)
    assert set(weights.values()) == {2 / 3}
    judged = bench.run(day(10, factor=100)).judged[-1]
    assert judged.evidence.anomaly["weights"] == weights


def test_a_rejection_leaves_the_kind_in_full_and_the_snapshot_out_of_the_history(held):
    bench, review = held
    before = learning.learned(bench.sync, bench.services).history
    bench.release(bench.decide(review, Verb.REJECT))
    after = learning.learned(bench.sync, bench.services)
    assert after.history == before
    assert after.weights["numbers"] == 1.0
    assert after.decided["numbers"] == (1, 0)


def test_after_an_approved_shift_the_second_snapshot_is_held_no_more(held):
    bench, review = held
    bench.release(bench.decide(review, Verb.APPROVE))
    second = bench.run(day(10, factor=100)).judged[-1].review
    if second is not None:
        bench.release(bench.decide(second, Verb.APPROVE))
    assert bench.run(day(11, factor=100)).judged[-1].review is None


def test_a_reset_lets_every_kind_count_in_full_and_is_in_the_trail(held):
    bench, review = held
    bench.release(bench.decide(review, Verb.APPROVE))
    bench.clock.advance(minutes=1)
    learning.forget(bench.sync, "the sync changed hands", ANA, bench.services)
    known = learning.learned(bench.sync, bench.services)
    assert known.weights == {}
    assert known.since == bench.services.clock()
    with bench.services.engine.connect() as conn:
        event = audit.trail(conn, "things")[-1]
    assert (event["action"], event["reason"]) == ("anomaly.reset", "the sync changed hands")
    assert event["details"]["weights"]["numbers"] == pytest.approx(2 / 3)


def test_a_reset_needs_a_reason_and_the_role(held):
    bench, _ = held
    with pytest.raises(WfopsError, match="reason: is empty"):
        learning.forget(bench.sync, " ", ANA, bench.services)
    with pytest.raises(NotAllowed):
        learning.forget(bench.sync, "for fun", Actor("eve", verified=True), bench.services)


def test_what_else_held_a_snapshot_teaches_the_scorer_nothing(bench):
    publish_days(bench, range(7))
    rows = [{**row, "amount": -row["amount"] if i % 2 else 1} for i, row in enumerate(day(7))]
    review = bench.held([{**r, "name": None} for r in rows])
    kept = summary(bench, review.seq)
    bench.release(bench.decide(review, Verb.APPROVE, break_glass=True))
    assert bool(learning.learned(bench.sync, bench.services).decided) == kept["held"]


def test_the_command_shows_history_basis_and_weights_and_resets_them(held, monkeypatch):
    bench, review = held
    bench.release(bench.decide(review, Verb.APPROVE))
    bench.clock.advance(minutes=1)
    monkeypatch.setattr(cli, "_open", lambda: (None, bench.project, bench.services))
    monkeypatch.setattr(cli, "_me", lambda services: ANA)
    shown = CliRunner().invoke(cli.app, ["anomaly", "things"]).output
    assert "9 published snapshots are the history" in shown
    assert "calibrated to hold at most" in shown
    assert "numbers     counts 0.67 (1 approved, 0 rejected)" in shown
    reset = CliRunner().invoke(cli.app, ["anomaly", "things", "--reset", "--reason", "new owner"])
    assert reset.exit_code == 0
    assert "every kind of finding counts in full" in reset.output
