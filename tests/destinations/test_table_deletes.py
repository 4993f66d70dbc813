"""Soft deletes, the version guard and undo of the PostgreSQL table."""

from datetime import timedelta

import pyarrow as pa
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.destinations.model import PARCELS, START, Keep, lives_as_the_model_says, parcel
from wfops_pipelines.destinations import Listing, Parcel, Written, table

pytestmark = pytest.mark.components

CASES = table("edge.cases")


def publish(engine, rows, seq, **more):
    with engine.begin() as conn:
        return CASES.publish(conn, engine, parcel(rows, seq, **more))


def held(engine):
    with engine.connect() as conn:
        found = conn.execute(sa.text("select * from edge.cases order by id")).mappings()
        return [(r["id"], r["v"], r["_snapshot_seq"], r.get("_deleted_at")) for r in found]


def living(engine):
    with engine.connect() as conn:
        return CASES.living(conn, "id", {}).to_pylist()


def test_a_deleted_row_keeps_its_values_and_says_when(engine):
    publish(engine, {"a": 1, "b": 2}, 1)
    assert publish(engine, {"a": None}, 2) == Written(deleted=1)
    assert held(engine) == [("a", 1, 2, START + timedelta(hours=2)), ("b", 2, 1, None)]
    assert living(engine) == ["b"]


def test_a_row_that_lives_again_is_a_new_one(engine):
    publish(engine, {"a": 1}, 1)
    publish(engine, {"a": None}, 2)
    assert publish(engine, {"a": 5}, 3) == Written(inserted=1)
    assert held(engine) == [("a", 5, 3, None)]


def test_an_older_row_that_is_released_later_does_not_come_back(engine):
    publish(engine, {"x": 0}, 1)
    publish(engine, {"a": None}, 3)
    assert publish(engine, {"a": 5}, 2) == Written(stale=1)
    assert living(engine) == ["x"]


def test_a_tombstone_may_be_the_first_that_is_published(engine):
    assert publish(engine, {"a": None, "b": 1}, 1) == Written(inserted=1)
    assert living(engine) == ["b"]


def test_the_first_deletion_tells_the_time(engine):
    publish(engine, {"a": 1}, 1)
    publish(engine, {"a": None}, 2)
    assert publish(engine, {"a": None}, 3) == Written()
    assert held(engine) == [("a", 1, 3, START + timedelta(hours=2))]


def test_deleted_rows_are_not_there_for_whoever_asks(engine):
    publish(engine, {"a": 1, "b": 2}, 1)
    publish(engine, {"a": None}, 2)
    with engine.connect() as conn:
        found = CASES.existing(conn, parcel({"a": 1, "b": 2}, 3), ["v"])
    assert found.rows == {"b": {"id": "b", "v": 2}}


def test_a_mark_that_is_null_or_false_is_a_living_row(engine):
    marks = pa.array([None, False, True])
    rows = pa.table({"id": ["a", "b", "c"], "v": [1, 2, None], "_deleted": marks})
    with engine.begin() as conn:
        CASES.publish(conn, engine, Parcel("s", 1, "id", rows, at=START))
    assert living(engine) == ["a", "b"]


def test_what_lives_is_listed_in_the_type_that_the_table_has(engine):
    assert isinstance(CASES, Listing)
    assert len(living(engine)) == 0
    with engine.begin() as conn:
        rows = pa.table({"id": [1, 2**62]})
        table("edge.numbers").publish(conn, engine, Parcel("s", 1, "id", rows))
        found = table("edge.numbers").living(conn, "id", {})
    assert found.type == pa.int64()
    assert found.to_pylist() == [1, 2**62]


def test_a_table_of_somebody_else_gets_the_columns_that_it_lacks(engine):
    with engine.begin() as conn:
        conn.execute(sa.text("create schema edge"))
        conn.execute(sa.text("create table edge.cases (id text primary key, v int)"))
        conn.execute(sa.text("insert into edge.cases values ('a', 1), ('b', 2)"))
    with engine.connect() as conn:
        assert CASES.diff(conn, parcel({"a": 1, "b": 3}, 1), []).updated == 1
    assert publish(engine, {"a": 1, "b": None}, 1) == Written(updated=1, deleted=1)
    assert living(engine) == ["a"]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(parcels=PARCELS, data=st.data())
def test_any_rows_in_any_order_leave_what_the_model_says(engine, parcels, data):
    with engine.begin() as conn:
        conn.execute(sa.text("drop table if exists edge.cases"))
    order = data.draw(st.permutations(range(1, len(parcels) + 1)))

    def diff(one):
        with engine.connect() as conn:
            return CASES.diff(conn, one, ["v"])

    def publish(one):
        with engine.begin() as conn:
            return CASES.publish(conn, engine, one)

    def values():
        return {k: v for k, v, _, gone in held(engine) if gone is None}

    lives_as_the_model_says(parcels, order, publish, diff, lambda: living(engine), values)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(parcels=PARCELS, data=st.data())
def test_what_is_reverted_leaves_no_trace(engine, parcels, data):
    """In any order, as if it had never been published; deletions come back and go again."""
    undone = data.draw(st.sets(st.sampled_from(range(1, len(parcels) + 1)))) if parcels else set()
    order = data.draw(st.permutations(sorted(undone)))

    def fresh():
        with engine.begin() as conn:
            conn.execute(sa.text("drop table if exists edge.cases"))
            conn.execute(sa.text("truncate wfops.replaced_parts, wfops.replaced_rows"))
        publish(engine, {"z": 9}, 0, marked=True)

    def one(seq):
        keep = Keep("wfops.replaced", seq, START)
        return parcel(parcels[seq - 1], seq, keep=keep)

    fresh()
    with engine.begin() as conn:
        for seq in range(1, len(parcels) + 1):
            CASES.publish(conn, engine, one(seq))
        for seq in order:
            CASES.revert(conn, one(seq))
    reverted = held(engine)
    fresh()
    with engine.begin() as conn:
        for seq in range(1, len(parcels) + 1):
            if seq not in undone:
                CASES.publish(conn, engine, one(seq))
    assert [same(r) for r in reverted] == [same(r) for r in held(engine)]


def same(row):
    """Of a deleted row, that it is deleted; which of two deletions was the first is forgotten."""
    key, value, seq, gone = row
    return (key, seq, "deleted") if gone else (key, seq, value)
