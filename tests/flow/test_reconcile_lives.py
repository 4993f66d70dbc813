"""Random lives of a sync at a misbehaving source, judged by the source's own record.

`bench/reconcile.py` lives thousands of them; and a life in which the product is broken on purpose
must be called faulty.
"""

import contextlib
from dataclasses import replace

import pytest

from bench.reconcile import live, lives
from bench.reconcile_world import ground, quick
from wfops_pipelines import publishing
from wfops_pipelines.destinations import staging
from wfops_pipelines.examining import examination
from wfops_pipelines.reconciling import reconciliation
from wfops_pipelines.staging import gathering, put_away, recalling, rereading
from wfops_pipelines.store import remembered, snapshots
from wfops_pipelines.store.versions import versions

pytestmark = [pytest.mark.components, pytest.mark.slow]

LIVES = 100  # of each of two lots
FEW = 100  # of a broken product, until one is found faulty


@pytest.mark.parametrize("first", [1, 1 + LIVES])
def test_no_life_loses_doubles_leaks_or_miscounts_a_row_or_puts_an_old_one_over_a_new(
    database_url, first
):
    found = lives(range(first, first + LIVES), database_url)
    assert found.faults == {}
    for accident in (
        "crash",
        "late",
        "head moved",
        "cut",
        "lagging",
        "behind",
        "edited",
        "reverted",
        "read since a date",
        "from before the window",
        "of other types",
    ):
        assert found.did[accident], f"no life met {accident!r}"


def no_guard(patch):
    original = staging.run
    guard = f't."{staging.SEQ}" < '
    patch.setattr(staging, "run", lambda c, sql: original(c, sql.replace(guard, "0 < ")))


def no_memory(patch):
    patch.setattr(remembered.Recall, "of", lambda *_: remembered.Came())


def no_order(patch):
    original = remembered.Recall.of
    forgetful = {"cursors": {}, "reached": {}}
    patch.setattr(remembered.Recall, "of", lambda *a: replace(original(*a), **forgetful))


def no_doubt(patch):
    patch.setattr(examination, "order_findings", lambda *_: [])


def no_hold(patch):
    patch.setattr(publishing.snapshots, "held_keys", lambda *_: None)


def no_overlap(patch):
    patch.setattr(rereading, "begins", lambda sync, cursor: cursor)


def no_kinds(patch):
    patch.setattr(gathering, "versions", lambda part, _: versions(part))


def no_recall(patch):
    patch.setattr(rereading, "recall", lambda *_: None)


def no_reach(patch):
    original = recalling.of_all

    def between(sync, services, ahead, cursor):
        since = rereading.begins(sync, cursor) if sync.source.windowed else None
        return recalling.between(sync, services, ahead, since)

    patch.setattr(
        recalling, "of_all", lambda *a: original(*a) if a[0].cursor is None else between(*a)
    )


def no_learning(patch):
    patch.setattr(put_away, "learn", lambda *_, **__: None)


def no_queue(patch):
    patch.setattr(snapshots, "unsettled_before", lambda *_: False)


def no_count(patch):
    patch.setattr(reconciliation, "_unpublished", lambda *_: 0)


@pytest.mark.parametrize(
    ("broken", "fault", "first"),  # the first life: shortly before one that is found faulty
    [
        (no_guard, "stale", 1),
        (no_order, "stale", 6),
        (no_doubt, "leaked", 6),
        (no_memory, "doubled", 1),
        (no_hold, "leaked", 1),
        (no_overlap, "lost", 36),
        (no_kinds, "doubled", 195),
        (no_recall, "doubled", 33),
        (no_reach, "doubled", 1),
        (no_learning, "leaked", 56),
        (no_queue, "out of turn", 30),
        (no_count, "miscounted", 13),
    ],
)
def test_a_product_without_one_of_its_guards_is_found_out(
    database_url, monkeypatch, broken, fault, first
):
    broken(monkeypatch)
    with contextlib.ExitStack() as stack:
        stack.enter_context(quick())
        on = stack.enter_context(ground(database_url))
        for seed in range(first, first + FEW):
            kinds = {f.kind for found in live(seed, on).faults.values() for f in found}
            if fault in kinds:
                return
    pytest.fail(f"{FEW} lives, and none was found to have {fault!r} rows")
