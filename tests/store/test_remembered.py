"""What was staged before is the same, read as a whole or asked for by the rows that are told."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wfops_pipelines.store import database, remembered
from wfops_pipelines.store.remembered import NO_KEY, Recall

pytestmark = pytest.mark.components

START = datetime(2026, 5, 1, tzinfo=UTC)
hours = st.none() | st.integers(-2, 12)
keys = st.sampled_from(["a", "b", "c", "b'; --", NO_KEY])
versions = st.sampled_from([f"{n:016x}" for n in range(4)])
snapshots = st.lists(st.dictionaries(keys, st.tuples(versions, hours), max_size=4), max_size=6)


def moment(hour):
    return None if hour is None else START + timedelta(hours=hour)


def table(rows, **more):
    names, told = [k for k, _ in rows], [v for _, v in rows]
    columns = {"key": pa.array(names, pa.string()), "version": pa.array(told, pa.string())}
    return pa.table(columns | more)


@pytest.fixture
def engine(database_url):
    engine = database.connect(database_url)
    database.set_up(engine)
    return engine


def fill(conn, staged):
    for table_ in ("staged_rows", "streams"):
        conn.exec_driver_sql(f"delete from wfops.{table_}")
    conn.exec_driver_sql(
        "insert into wfops.streams (sync, seq, schema_json) values ('s', 0, '{}'), ('o', 9, '{}')"
    )
    for rows in staged:
        conn.exec_driver_sql("update wfops.streams set seq = seq + 1 where sync = 's'")
        cursors = pa.array([moment(h) for _, h in rows.values()], pa.timestamp("us", "UTC"))
        named = table([(k, v) for k, (v, _) in rows.items()], cursor=cursors)
        for sync in ("s", "o"):
            remembered.remember(conn, sync, named)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(snapshots, st.lists(st.tuples(keys, versions), min_size=1, max_size=8), hours, hours, hours)
def test_it_is_the_same_read_as_a_whole_and_asked_for(engine, staged, told, ahead, since, until):
    with engine.begin() as conn:
        fill(conn, staged)
    ends = moment(ahead or 0), moment(since), moment(until)
    whole = Recall(engine, "s", *ends).of(10**6, lambda: pytest.fail("asked"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Recall, "_more_than", lambda *_: True)
        asked = Recall(engine, "s", *ends).of(len(told), lambda: table(told))
    names, pairs = {k for k, _ in told}, set(told)
    for kind in ("versions", "cursors", "reached"):
        kept = {k: v for k, v in getattr(whole, kind).items() if k in names - {NO_KEY}}
        assert getattr(asked, kind) == kept
    assert asked.earlier == whole.earlier & pairs
    assert asked.loose == {v for k, v in pairs if k == NO_KEY} & whole.loose


def test_few_rows_ask_and_many_read_all(engine, monkeypatch):
    monkeypatch.setattr(remembered, "FEW", 2)
    monkeypatch.setattr(remembered, "CHEAPER", 2)
    with engine.begin() as conn:
        fill(conn, [{"a": ("1", 0), "b": ("1", 0), "c": ("1", 0)}])
    few, many = Recall(engine, "s", START), Recall(engine, "s", START)
    assert set(few.of(1, lambda: table([("b", "1")])).versions) == {"b"}
    assert set(few.of(1, lambda: table([("c", "2")])).versions) == {"c"}
    assert set(few.of(1, lambda: pytest.fail("asked")).versions) == {"a", "b", "c"}
    assert set(many.of(3, lambda: pytest.fail("asked")).versions) == {"a", "b", "c"}
    assert set(many.of(1, lambda: pytest.fail("asked")).versions) == {"a", "b", "c"}
