"""`wfops reconcile` beside what is being published: nobody is accused of what is under way."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from wfops_pipelines import Policy
from wfops_pipelines.destinations import database_table, file_table
from wfops_pipelines.reconciling import proving
from wfops_pipelines.reconciling.proving import prove

pytestmark = pytest.mark.components

START = datetime(2026, 5, 1, 9, tzinfo=UTC)
FREE = Policy(reviewers="team", delete_rows_up_to=1.0)


def row(id, amount=10, minutes=0, gone=False):
    at = START + timedelta(minutes=minutes)
    return {"id": id, "name": "n", "amount": amount, "updated_at": at, "gone": gone}


FIRST = [row("1"), row("2"), row("3"), row("4")]
THEN = [row("1", 11, 5), row("2", minutes=5, gone=True), row("5", minutes=5)]


@pytest.fixture(params=["files", "database"])
def bench(request, make_bench, tmp_path):
    there = {"WFOPS_LAKE_URL": str(tmp_path / "lake")}
    to = file_table("lake", "things")
    if request.param == "database":
        there, to = {"WFOPS_LAKE_URL": f"sqlite:///{tmp_path}/there.db"}, None
        to = database_table("lake", "things")
    bench = make_bench(FREE, to, there)
    bench.project.syncs["things"] = replace(bench.sync, deleted="gone")
    bench.run(FIRST)
    return bench


def misfits(bench):
    return prove(bench.sync, bench.services).misfits


def test_what_is_there_before_the_ledger_says_so_is_no_misfit(bench, monkeypatch):
    publish, seen = type(bench.sync.destination).publish, []

    def publish_slowly(self, *args):
        done = publish(self, *args)
        seen.append(misfits(bench))
        return done

    monkeypatch.setattr(type(bench.sync.destination), "publish", publish_slowly)
    bench.run(THEN)
    assert seen == [()]
    assert misfits(bench) == ()


def test_nor_is_what_is_published_while_rows_are_accounted_for(bench, monkeypatch):
    read, runs = proving.read_written, []

    def read_and_wait(*args):
        found = read(*args)
        if not runs:
            runs.append(bench.run(THEN))
        return found

    monkeypatch.setattr(proving, "read_written", read_and_wait)
    assert misfits(bench) == ()
    assert len(runs) == 1


def test_what_nobody_published_is_one_while_others_are_under_way(bench):
    to, services = bench.sync.destination, bench.services
    strange = bench.services.rows(bench.run(THEN).judged[-1].snapshot).whole()
    from wfops_pipelines.destinations import Parcel

    to.publish(None, None, Parcel("things", 9, "id", strange, services.environ))
    assert {m.key for m in misfits(bench)} == {"1", "5"}
    assert all("was not published" in m.words for m in misfits(bench))
