"""A source that knows a window but by the day answers again what it was not asked for."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from wfops_pipelines import Policy
from wfops_pipelines.core.reviews import Verb
from wfops_pipelines.reconciling.reconciliation import reconcile
from wfops_pipelines.staging import rereading
from wfops_pipelines.store import snapshots

pytestmark = pytest.mark.components

START = datetime(2026, 5, 1, 9, tzinfo=UTC)
REJECTED = [("2", 0, -1), ("3", 1, 1)]


def rows(*told):
    """(id, minutes after the start, amount) of each."""
    return [
        {"id": id, "name": "a name", "amount": amount, "updated_at": START + timedelta(minutes=at)}
        for id, at, amount in told
    ]


@pytest.fixture
def bench(make_bench):
    """Of its rows 2 and 3 were rejected, and are remembered no longer by now."""
    bench = make_bench(Policy(reviewers="team", scope="whole"))
    bench.source.windowed = True
    bench.run(rows(("1", 0, 1)))
    bench.release(bench.decide(bench.held(rows(*REJECTED)), Verb.REJECT))
    bench.run(rows(("4", 600, 1)))
    return bench


def names(bench):
    return [r[0] for r in bench.rows()]


def test_what_was_rejected_is_not_news_once_it_is_forgotten(bench):
    passed = bench.run(rows(("1", 0, 1), *REJECTED, ("4", 600, 1), ("5", 620, 1)))
    assert [j.snapshot.rows for j in passed.judged] == [1]
    assert names(bench) == ["1", "4", "5"]
    assert reconcile(bench.sync, bench.services).missing == 0


def test_where_the_file_is_lost_that_tells_what_was_rejected_such_rows_wait(bench):
    """No rule stands in their way any more: nothing but what a person decided."""
    suites = bench.project.suites
    suites["things"] = replace(suites["things"], expectations=())
    with bench.services.engine.connect() as conn:
        digest = snapshots.get(conn, "things", 2).digest
    (bench.folder / f"{digest}.parquet").unlink()
    (judged,) = bench.run(rows(("1", 0, 1), *REJECTED, ("4", 600, 1), ("5", 620, 1))).judged
    assert "put_away" in [f.check for f in judged.evidence.findings]
    assert names(bench) == ["1", "4"]


def test_a_file_that_is_lost_holds_nothing_that_it_cannot_have_told(bench):
    with bench.services.engine.connect() as conn:
        digest = snapshots.get(conn, "things", 2).digest
    (bench.folder / f"{digest}.parquet").unlink()
    days = 14400
    bench.run(rows(("5", days, 1)))
    (judged,) = bench.run(rows(("5", days, 1), ("6", days - 300, 1), ("7", days + 10, 1))).judged
    assert judged.review is None


def test_a_late_row_from_before_the_window_comes_once_and_so_does_a_change(bench):
    late, mended = ("6", 2, 1), ("3", 3, 7)
    assert bench.run(rows(late, mended)).judged[0].snapshot.rows == 2
    assert bench.run(rows(late, mended)).judged == ()
    assert names(bench) == ["1", "3", "4", "6"]


def test_what_it_goes_on_to_tell_stays_remembered(bench, monkeypatch):
    """Reading all snapshots of a day in each of its runs would cost more and more."""
    told = [("1", 0, 1), *REJECTED, ("4", 600, 1)]
    bench.run(rows(*told, ("5", 620, 1)))
    monkeypatch.setattr(rereading, "recall", lambda *_: pytest.fail("read again"))
    assert bench.run(rows(*told, ("5", 620, 1), ("6", 630, 1))).judged[0].snapshot.rows == 1
