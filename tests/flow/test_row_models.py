"""The row model is kept with the publication it was fitted after, and serves until it is stale."""

import hashlib
import random
from datetime import UTC, datetime, timedelta

import pytest

from wfops_pipelines import Policy, anomaly
from wfops_pipelines.core.reviews import ReviewKind, Verb
from wfops_pipelines.examining import history
from wfops_pipelines.examining.history import serves, sources
from wfops_pipelines.store import row_models, snapshots
from wfops_pipelines.store.row_models import Source, Stored

START = datetime(2026, 5, 1, 9, tzinfo=UTC)


def day(at):
    rng = random.Random(at)
    moment = START + timedelta(days=at)
    return [
        {
            "id": f"{at}-{i}",
            "name": rng.choice(["Ann", "Ben", "Carla"]),
            "amount": rng.randint(2000, 9000),
            "updated_at": moment + timedelta(minutes=rng.randint(0, 600)),
        }
        for i in range(60)
    ]


def kept(bench, seq):
    with bench.services.engine.connect() as conn:
        return snapshots.evidences(conn, "things", seq, 1)[-1][1].anomaly["rows"]


def publish_day(bench, at):
    judged = bench.run(day(at)).judged[-1]
    assert judged.review is None, judged.review.summary
    return kept(bench, judged.snapshot.seq)


@pytest.mark.components
def test_a_model_serves_until_a_fifth_of_its_sources_is_new(bench):
    models = [publish_day(bench, at) for at in range(8)]
    assert models[4] is None  # 240 rows are too few to learn from
    assert models[5]["model"] == models[6]["model"] != models[7]["model"]
    assert [s[0] for s in models[6]["sources"]] == [1, 2, 3, 4, 5]
    assert models[6]["version"] == anomaly.ROWS_VERSION


@pytest.mark.components
def test_a_stored_model_can_be_fitted_again_to_the_bit_from_what_the_evidence_names(bench):
    for at in range(7):
        said = publish_day(bench, at)
    with bench.services.engine.connect() as conn:
        stored = row_models.newest(conn, "things")
        tables = dict(history.published_tables(conn, bench.sync, bench.services, limit=20))
    again = anomaly.fit_rows([tables[seq] for seq, *_ in said["sources"]], key="id").to_json()
    assert again == stored.body
    assert hashlib.sha256(again.encode()).hexdigest() == said["model"]


def odd(at):
    """A day with one row that the suite holds."""
    first, *others = day(at)
    return [{**first, "name": None}, *others]


@pytest.mark.components
def test_an_approved_odd_row_is_learned_at_once_and_a_rejected_one_never(make_bench):
    bench = make_bench(Policy(reviewers="team", false_holds=0.001))  # the suite holds, no score
    for at in range(7):
        publish_day(bench, at)
    review = bench.held(odd(7))
    assert review.kind is ReviewKind.ROWS
    bench.release(bench.decide(review, Verb.APPROVE))
    learned = publish_day(bench, 8)["sources"]
    assert learned[-1][2] == ["clean", "held"]
    review = bench.held(odd(9))
    bench.release(bench.decide(review, Verb.REJECT))
    publish_day(bench, 10)
    with bench.services.engine.connect() as conn:
        last = sources(conn, bench.sync, limit=3)[-2]
    assert (last.parts, last.refused) == (("clean",), 1)


def source(seq, *parts, refused=0):
    return Source(seq, f"d{seq}", parts or ("clean",), refused)


def test_a_model_serves_no_more_when_what_it_learned_is_taken_back_or_its_version_is_old():
    ten = tuple(source(at) for at in range(1, 11))
    model = Stored(anomaly.ROWS_VERSION, ten, "{}")
    assert serves(model, ten)
    assert serves(model, (*ten[2:], source(11), source(12)))
    assert not serves(model, (*ten[3:], source(11), source(12), source(13)))
    assert not serves(model, ten[:4] + ten[5:])
    assert not serves(model, (*ten[:9], source(10, refused=2)))
    assert not serves(model, (*ten, source(11, "clean", "held")))
    assert not serves(Stored(0, ten, "{}"), ten)
    assert not serves(model, ())
