"""The PostgreSQL destination, byte for byte."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
import sqlalchemy as sa

from wfops_pipelines.destinations import Parcel, table
from wfops_pipelines.errors import DestinationRefused

pytestmark = pytest.mark.components

MOMENT = datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=UTC)
EDGES = pa.table(
    {
        "id": pa.array(["1", "2", "3"]),
        "whole": pa.array([2**63 - 1, -(2**63), None], pa.int64()),
        "part": pa.array([0.1, 1e308, None], pa.float64()),
        "exact": pa.array([Decimal("12.30"), Decimal("-0.01"), None], pa.decimal128(12, 2)),
        "yes": pa.array([True, False, None]),
        "day": pa.array([date(1, 1, 1), date(9999, 12, 31), None]),
        "at": pa.array([MOMENT, None, None], pa.timestamp("us", "UTC")),
        "raw": pa.array([b"\x00\xff", b"", None], pa.binary()),
        'odd "%s" %(x)s :y': pa.array(['a"b,c\n\\N', "", None]),
        "select": pa.array(["äöü 漢字 🙂", "\\.", " "]),
    }
)


@pytest.fixture
def engine(database_url):
    return sa.create_engine(database_url, poolclass=sa.NullPool)


def publish(engine, rows, seq=1, name="edge.cases"):
    with engine.begin() as conn:
        return table(name).publish(conn, engine, Parcel("s", seq, "id", rows))


def stored(engine, name='"edge"."cases"'):
    with engine.connect() as conn:
        found = conn.exec_driver_sql(f"select * from {name} order by id").mappings()
        return [{k: v for k, v in row.items() if k != "_snapshot_seq"} for row in found]


def plain(row):
    return {k: bytes(v) if isinstance(v, memoryview) else v for k, v in row.items()}


def test_every_type_and_every_odd_name_arrives_unchanged(engine):
    publish(engine, EDGES)
    assert [plain(r) for r in stored(engine)] == EDGES.to_pylist()


def test_null_and_empty_text_stay_apart(engine):
    publish(engine, pa.table({"id": ["1", "2"], "t": pa.array(["", None], pa.string())}))
    assert [r["t"] for r in stored(engine)] == ["", None]


def test_an_older_snapshot_never_overwrites_a_newer_one(engine):
    publish(engine, pa.table({"id": ["1"], "v": ["new"]}), seq=5)
    written = publish(engine, pa.table({"id": ["1", "2"], "v": ["old", "old"]}), seq=4)
    assert (written.inserted, written.updated, written.stale) == (1, 0, 1)
    assert [r["v"] for r in stored(engine)] == ["new", "old"]


def test_the_diff_says_what_will_happen_and_publishing_does_it(engine):
    publish(engine, pa.table({"id": ["1", "2"], "v": ["a", "b"]}), seq=1)
    rows = pa.table({"id": ["1", "2", "3"], "v": ["a", "B", "c"]})
    with engine.connect() as conn:
        diff = table("edge.cases").diff(conn, Parcel("s", 2, "id", rows), ["v"])
    assert (diff.inserted, diff.updated, diff.unchanged) == (1, 1, 1)
    assert diff.changes == (("2", "v", "b", "B"),)
    assert publish(engine, rows, seq=2).inserted == 1


def test_a_refusal_of_the_database_is_one_sentence_and_leaves_nothing(engine):
    publish(engine, pa.table({"id": ["1"], "v": [1]}))
    with pytest.raises(DestinationRefused, match=r"table edge.cases refused the rows: .*bigint"):
        publish(engine, pa.table({"id": ["2"], "v": ["x"]}), seq=2)
    assert len(stored(engine)) == 1


def test_names_cannot_leave_their_quotes(engine):
    name = 'x"; drop table victim; --'
    with engine.begin() as conn:
        conn.execute(sa.text("create table victim (id text)"))
    publish(engine, pa.table({"id": ["1"], name: ["v"]}), name=name)
    with engine.connect() as conn:
        assert conn.execute(sa.text("select count(*) from victim")).scalar() == 0


@pytest.mark.parametrize("key", [["1", "1"], ["1", None], ["9", "9"]])
def test_rows_that_a_key_does_not_tell_apart_are_refused_as_a_whole(engine, key):
    publish(engine, pa.table({"id": ["1", "2"], "t": ["a", "b"]}))
    with pytest.raises(DestinationRefused, match="refused the rows"):
        publish(engine, pa.table({"id": pa.array(key, pa.string()), "t": ["c", "d"]}), seq=2)
    assert [r["t"] for r in stored(engine)] == ["a", "b"]


@pytest.mark.parametrize(
    ("change", "words"),
    [("alter table edge.t drop constraint t_pkey", "no unique index of its column id alone"),
     ("create table edge.kid () inherits (edge.t)", "tables that inherit from it")],
)  # fmt: skip
def test_a_table_that_could_hold_a_key_twice_is_refused(engine, change, words):
    publish(engine, pa.table({"id": ["1"], "v": ["a"]}), name="edge.t")
    with engine.begin() as conn:
        conn.exec_driver_sql(change)
    with pytest.raises(DestinationRefused, match=words):
        publish(engine, pa.table({"id": ["1", "2"], "v": ["b", "b"]}), seq=2, name="edge.t")
    assert [r["v"] for r in stored(engine, "edge.t")] == ["a"]


def test_a_table_that_is_partitioned_by_its_key_is_written(engine):
    with engine.begin() as conn:
        conn.exec_driver_sql(
            "create schema edge; create table edge.t (id bigint primary key, v text) "
            "partition by range (id); create table edge.low partition of edge.t "
            "for values from (0) to (2); create table edge.high partition of edge.t default"
        )
    publish(engine, pa.table({"id": [1, 2], "v": ["a", "a"]}), name="edge.t")
    publish(engine, pa.table({"id": [2, 3], "v": ["b", "b"]}), seq=2, name="edge.t")
    assert [r["v"] for r in stored(engine, "edge.t")] == ["a", "b", "b"]
