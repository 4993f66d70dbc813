"""A snapshot read in parts is judged as at once, to the bit of the evidence's hash."""

import json
import os
import random
from dataclasses import replace
from datetime import timedelta

import pytest

from wfops_pipelines import Above, Always, NewRow, Policy
from wfops_pipelines.checks.suite import read_suite
from wfops_pipelines.core.reviews import Verb
from wfops_pipelines.examining.examination import examine
from wfops_pipelines.examining.history import read_past, read_there
from wfops_pipelines.publishing import publish_cleared
from wfops_pipelines.staging.extraction import stage
from wfops_pipelines.store import files
from wfops_pipelines.testing import FrozenClock

from ..conftest import MACHINE

pytestmark = [pytest.mark.components, pytest.mark.slow]

COLUMN = {"column": "amount"}
EXPECTED = [
    ("column_values_to_not_be_null", {"column": "name"}),
    ("column_values_to_be_between", {**COLUMN, "min_value": 0, "mostly": 0.9}),
    ("column_values_to_match_regex", {"column": "name", "regex": "^[a-m]"}),
    ("column_values_to_be_unique", {"column": "name", "mostly": 0.2}),
    ("column_mean_to_be_between", {**COLUMN, "min_value": 0, "max_value": 10}),
]


def dirty(dice, at, first, count, *, bad):
    """Rows as they come: some without a name, out of range, gone or twice where they are `bad`."""
    rows = []
    for i in range(first, first + count):
        row = {
            "id": str(i),
            "name": dice.choice("abcdefgh") + str(dice.randrange(60)),
            "amount": dice.randrange(100),
            "updated_at": at - timedelta(seconds=dice.randrange(500)),
            "gone": False,
        }
        if bad and dice.random() < 0.2:
            wrong = (
                {"name": None},
                {"amount": -1},
                {"amount": 10**6},
                {"gone": True},
                {"name": "z!"},
            )
            row |= dice.choice(wrong)
            rows += [row] * dice.choice([0, 0, 1])
        rows.append(row)
    return rows


@pytest.fixture
def things(make_bench, tmp_path):
    rules = (Above("amount", 90), NewRow(), Always("a message"))
    bench = make_bench(
        Policy(
            reviewers="team",
            critical_fields=("name",),
            high_impact=rules,
            hold_rows_up_to=1.0,
            delete_rows_up_to=0.001,
            false_holds=0.9,
        )
    )
    entries = [{"type": f"expect_{n}", "kwargs": kwargs} for n, kwargs in EXPECTED]
    path = tmp_path / "expectations" / "things.json"
    path.write_text(json.dumps({"name": "things", "expectations": entries}))
    bench.project.syncs["things"] = replace(bench.sync, deleted="gone")
    bench.project.suites["things"] = read_suite(path)
    return bench


def live(bench, dice):
    """Six clean snapshots, all approved."""
    for n in range(6):
        review = bench.held(dirty(dice, bench.clock(), n * 40, 80, bad=False))
        bench.release(bench.decide(review, Verb.APPROVE))


@pytest.mark.parametrize("seed", range(3))
def test_in_parts_of_seven_or_at_once_the_evidence_has_the_same_hash(things, seed):
    dice = random.Random(seed)
    live(things, dice)
    rows = dirty(dice, things.clock() + timedelta(minutes=15), 150, 160, bad=True)
    things.source.answer(*[rows[at : at + 13] for at in range(0, len(rows), 13)])
    things.clock.advance(minutes=15)
    services = replace(things.services, at_once=7)
    snapshot = stage(things.sync, services, MACHINE.actor, None)
    found = {}
    for at_once in (7, 10**6):
        staged = replace(services, at_once=at_once).rows(snapshot)
        assert len(list(staged.parts())) == (1 if at_once > 7 else -(-snapshot.rows // 7))
        past = read_past(things.sync, snapshot, services)
        there = read_there(things.sync, snapshot, staged, services)
        suite = things.project.suites["things"]
        examined = examine(things.sync, suite, snapshot, staged, past, lambda t=there: t)
        found[at_once] = (examined.evidence.hash, examined.evidence, examined.profile)
    assert found[7] == found[10**6]
    checks = {f.check for f in found[7][1].findings}
    assert {"anomaly", "anomaly:row", "critical_changes", "deletes", "high_impact"} <= checks
    assert sum(c.startswith("expectation:") for c in checks) > 2


def test_pages_of_any_size_are_staged_as_the_same_rows(make_bench):
    dice = random.Random(3)
    rows = dirty(dice, FrozenClock().now, 0, 120, bad=True)
    rows += dirty(dice, FrozenClock().now, 60, 40, bad=True)  # newer and older versions
    bench, staged = make_bench(), []
    for n, size in enumerate((7, 50, 1000)):
        sync = replace(bench.sync, name=f"things_{n}", deleted="gone")
        bench.source.answer(*[rows[at : at + size] for at in range(0, len(rows), size)])
        staged.append(stage(sync, bench.services, MACHINE.actor, None))
    assert len({(s.digest, s.rows, s.duplicates, s.cursor_to) for s in staged}) == 1
    assert staged[0].duplicates
    assert staged[0].rows == 120


def test_what_is_published_in_parts_is_what_is_published_at_once(things):
    dice = random.Random(4)
    rows = dirty(dice, things.clock(), 0, 100, bad=True)
    table = []
    for at_once in (7, 10**6):
        things.services = replace(things.services, at_once=at_once)
        review = things.held(rows)
        keys = frozenset(r["id"] for r in rows[::3])
        things.release(things.decide(review, Verb.APPROVE, exclude=tuple(keys)))
        table.append(things.rows("id, name, amount, _deleted_at is null"))
        with things.services.engine.begin() as conn:
            conn.exec_driver_sql("drop table shop.things")
            conn.exec_driver_sql("delete from wfops.staged_rows")
    assert table[0] == table[1] != []


def test_a_file_that_changed_unseen_while_it_was_published_publishes_nothing(things, monkeypatch):
    """Its size and its times are what they were: only the digest can tell."""
    things.services = replace(things.services, at_once=7)
    rows = dirty(random.Random(6), things.clock(), 0, 60, bad=False)
    taken = things.decide(things.held(rows), Verb.APPROVE)
    publish = type(things.sync.destination).publish

    def and_change(*args):
        done = publish(*args)
        (path,) = things.folder.glob("*.parquet")
        times = path.stat()
        path.chmod(0o640)
        path.write_bytes(path.read_bytes()[:-1] + b"X")
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        return done

    monkeypatch.setattr(type(things.sync.destination), "publish", and_change)
    with pytest.raises(files.SnapshotDamaged, match="SHA-256 differs"):
        things.release(taken)
    assert things.rows() == []


def test_a_file_that_changes_while_it_is_read_stops_the_reading(things):
    things.services = replace(things.services, at_once=7)
    things.source.answer(dirty(random.Random(5), things.clock(), 0, 60, bad=False))
    snapshot = stage(things.sync, things.services, MACHINE.actor, None)
    path = things.folder / f"{snapshot.digest}.parquet"
    parts = things.services.rows(snapshot).parts()
    assert next(parts).num_rows == 7
    path.chmod(0o640)
    path.write_bytes(path.read_bytes()[:-1] + b"X")
    with pytest.raises(files.SnapshotDamaged, match="changed while it was read"):
        list(parts)
    assert publish_cleared(things.sync, things.services, MACHINE.actor) == ()
