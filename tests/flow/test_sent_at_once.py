"""A late release and a new publication of the same row, at one moment."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from tests.destinations.contacts_api import contacts_api
from tests.flow.test_undo_rest import crm, emails
from wfops_pipelines import Policy
from wfops_pipelines.core.reviews import Verb
from wfops_pipelines.destinations import database_table
from wfops_pipelines.reconciling.proving import prove

pytestmark = pytest.mark.components

START = datetime(2026, 5, 1, 9, tzinfo=UTC)
LOOSE = Policy(reviewers="team", hold_rows_up_to=1)


def row(id, name, minutes, amount=1):
    moment = START + timedelta(minutes=minutes)
    return {"id": id, "name": name, "amount": amount, "updated_at": moment}


def waits_or_is_done(bench, future):
    """Until the other one waits for its turn, or went through without."""
    query = sa.text("select count(*) from pg_locks where locktype = 'advisory' and not granted")
    with bench.services.engine.connect() as conn:
        while not (future.done() or conn.execute(query).scalar_one()):
            threading.Event().wait(0.01)


@pytest.mark.parametrize("known", [True, False])
def test_an_api_gets_the_newer_version_last_and_a_new_row_once(make_bench, monkeypatch, known):
    monkeypatch.setattr("wfops_pipelines.destinations.calling.BACKOFF", 0.001)
    with contacts_api() as api, ThreadPoolExecutor() as pool:
        bench = make_bench(LOOSE, crm(), api.environ)
        if known:
            bench.run([row("k", "first@x", 0)])
        held = bench.held([row("a", "a@x", 30, -1), row("k", "old@x", 30, -1)])
        taken = bench.decide(held, Verb.APPROVE)
        api.faults = [None, "hang"] if known else ["hang"]  # while the row before is sent
        late = pool.submit(bench.release, taken)
        assert api.reached.wait(60)
        new = pool.submit(bench.run, [row("k", "new@x", 60)])
        waits_or_is_done(bench, new)
        api.free.set()
        assert (late.result().rows, new.result().publications[0].rows) == (2, 1)
        assert prove(bench.sync, bench.services).misfits == ()
    assert sorted(r["email"] for r in api.records.values()) == ["a@x", "new@x"]
    assert emails(api)["k"] == "new@x"


def test_a_database_is_not_told_of_one_new_row_twice(make_bench, database_url):
    environ = {"WFOPS_ERP_URL": database_url}
    bench = make_bench(LOOSE, database_table("erp", "there"), environ)
    bench.run([row("0", "zero", 0)])
    keys = [str(n) for n in range(1, 9)]
    held = [bench.held([row(k, f"v{n}", 10 + n, -1) for k in keys]) for n in range(4)]
    taken = [bench.decide(one, Verb.APPROVE) for one in held]
    with ThreadPoolExecutor() as pool:
        done = [*pool.map(bench.release, reversed(taken))]  # raised DestinationRefused
    assert all(done)
    with bench.services.engine.connect() as conn:
        names = conn.execute(sa.text("select distinct name from there where id <> '0'")).scalars()
        assert [*names] == ["v3"]
