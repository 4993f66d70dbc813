"""`wfops reconcile` a part at a time says what it says of everything at once, in the same words."""

import random
from dataclasses import replace
from datetime import timedelta

import pyarrow as pa
import pytest
import sqlalchemy as sa

from wfops_pipelines import Policy
from wfops_pipelines.core.reviews import Edit, Verb
from wfops_pipelines.destinations import file_table, table
from wfops_pipelines.reconciling.fates import Fate
from wfops_pipelines.reconciling.proving import prove
from wfops_pipelines.reconciling.stories import versions_of
from wfops_pipelines.reconciling.walked import Walked

pytestmark = pytest.mark.components

DAMAGE = (
    "delete from shop.things where id in ('3', '40')",
    "update shop.things set amount = amount + 1 where id in ('7', '33', '51')",
    "update shop.things set _snapshot_seq = 0 where id = '8'",
    "update shop.things set _snapshot_seq = 99 where id = '44'",
    "update wfops.staged_rows set key = 'x' || key where key in ('9', '35')",
    "update wfops.staged_rows set cursor = '2026-01-01' where key in ('10', '52')",
)


def rows(dice, clock, first, count):
    return [
        {
            "id": str(i),
            "name": dice.choice(["a", "b", "c"]),
            "amount": dice.choice([-1, *range(20)]),
            "updated_at": clock() - timedelta(seconds=dice.randrange(300)),
        }
        for i in range(first, first + count)
    ]


def live(bench, dice):
    """Snapshots with rows that are published, approved, refused and edited."""
    for n in range(3):
        review = bench.held(rows(dice, bench.clock, n * 15, 40))
        match n:
            case 0:
                bench.release(bench.decide(review, Verb.APPROVE))
            case 1:
                bench.release(bench.decide(review, Verb.REJECT))
            case 2:
                bench.decide(review, Verb.APPROVE, edits=(Edit(review.keys[0], {"amount": 5}),))


def told(bench, at_once):
    services = replace(bench.services, at_once=at_once)
    stories = [versions_of(bench.sync, key, services) for key in ("3", "20", "41")]
    return prove(bench.sync, services), stories


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("where", ["table", "files"])
def test_in_parts_of_seven_or_at_once_the_account_is_the_same(make_bench, tmp_path, where, seed):
    to = table("shop.things") if where == "table" else file_table("lake", "things")
    policy = Policy(reviewers="team", hold_rows_up_to=0.9)
    bench = make_bench(policy, to, {"WFOPS_LAKE_URL": str(tmp_path / "lake")})
    live(bench, random.Random(seed))
    proof, stories = told(bench, 7)
    assert (proof, stories) == told(bench, 10**6)
    assert proof.misfits == ()
    assert {Fate.PUBLISHED, Fate.QUARANTINED} <= set(proof.fates)
    if where == "table":
        with bench.services.engine.begin() as conn:
            for statement in DAMAGE:
                conn.execute(sa.text(statement))
        damaged, _ = told(bench, 7)
        assert damaged == told(bench, 10**6)[0]
        assert len({m.words for m in damaged.misfits}) > 3


def test_what_a_snapshot_was_walked_by_takes_no_room_beside_the_next(bench):
    keys, none = [str(i) for i in range(500)], pa.nulls(500, pa.timestamp("us", "UTC"))
    with bench.services.engine.begin() as conn:
        walked, sizes = Walked.begin(conn), set()
        for seq in (3, 2, 1):
            walked.begin_snapshot()
            walked.add(0, keys, none, [True] * 500, [False] * 500)
            walked.finish(seq, 500)
            size = "select pg_relation_size('pg_temp.wfops_file')"
            sizes.add(conn.exec_driver_sql(size).scalar_one())
    assert len(sizes) == 1
