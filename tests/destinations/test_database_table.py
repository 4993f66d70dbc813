"""A table of another database: the same promises on SQLite and on a second PostgreSQL."""

import json
import math
import os
import subprocess
import sys
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.destinations.model import PARCELS, START, Keep, lives_as_the_model_says, parcel
from tests.destinations.test_table_types import COLUMNS, tables
from wfops_pipelines.core.parts import Rows
from wfops_pipelines.core.snapshot import CHANGED
from wfops_pipelines.destinations import (
    DatabaseTable,
    Listing,
    Parcel,
    Reverted,
    Written,
    database_table,
)
from wfops_pipelines.destinations.comparing import is_rounded
from wfops_pipelines.errors import (
    DestinationDenied,
    DestinationRefused,
    DestinationUnreachable,
    SettingsError,
)
from wfops_pipelines.undoing import Undoable

pytestmark = pytest.mark.components
KEEP = Keep("", 2, START)
CHILD = Path(__file__).with_name("database_child.py")


def in_parts(made, size):
    """The parcel, of whose rows only so many may be in memory."""
    table = made.rows

    def read(columns):
        for at in range(0, table.num_rows, size):
            part = table.slice(at, size)
            yield part if columns is None else part.select(list(columns))

    return replace(made, rows=Rows(table.schema, table.num_rows, read))


class There:
    """The other database, and what a test asks of it."""

    at_once = 10**9  # rows of a parcel in memory

    def __init__(self, url, name):
        self.to, self.environ = database_table("erp", name), {"WFOPS_ERP_URL": url}
        self.engine = sa.create_engine(url, poolclass=sa.NullPool)
        self.name = name

    def publish(self, rows, seq, **more):
        return self.to.publish(None, None, self.parcel(rows, seq, **more))

    def diff(self, rows, seq):
        return self.to.diff(None, self.parcel(rows, seq), ["v"])

    def parcel(self, rows, seq, **more):
        made = parcel(rows, seq, environ=self.environ, **more)
        return in_parts(made, self.at_once) if self.at_once < len(rows) else made

    def living(self):
        return self.to.living(None, "id", self.environ).to_pylist()

    def held(self):
        with self.engine.connect() as conn:
            found = conn.execute(sa.text(f"select * from {self.name} order by id")).mappings()
            return [(r["id"], r["v"], r["_snapshot_seq"], bool(r["_deleted_at"])) for r in found]

    def values(self):
        return {key: v for key, v, _, gone in self.held() if not gone}

    def clear(self):
        schema = f"{self.to.schema}." if self.to.schema else ""
        with self.engine.begin() as conn:
            for name in (self.to.name, "wfops_ledger", "wfops_replaced"):
                conn.execute(sa.text(f"drop table if exists {schema}{name}"))


@pytest.fixture(params=["sqlite", "sqlite in parts", "postgresql"])
def there(request, tmp_path, postgres):
    if request.param.startswith("sqlite"):
        found = There(f"sqlite:///{tmp_path / 'erp.db'}", "orders")
        found.at_once = 2 if "parts" in request.param else found.at_once
        yield found
        return
    name = f"erp{uuid.uuid4().hex[:12]}"
    admin = sa.create_engine(postgres, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with admin.connect() as conn:
        conn.execute(sa.text(f"create database {name}"))
    url = sa.make_url(postgres).set(database=name)
    yield There(url.render_as_string(hide_password=False), "sales.orders")
    with admin.connect() as conn:
        conn.execute(sa.text(f"drop database {name} with (force)"))


def test_it_is_undoable_and_lists_what_lives(there):
    assert isinstance(there.to, Listing)
    assert isinstance(there.to, Undoable)
    assert there.living() == []
    assert there.diff({"a": 1}, 1).inserted == 1


def test_rows_are_inserted_updated_deleted_and_live_again(there):
    assert there.publish({"a": 1, "b": 2}, 1) == Written(inserted=2)
    assert there.publish({"a": 5, "b": None, "c": 3}, 2) == Written(1, 1, 0, 1)
    assert there.held() == [("a", 5, 2, False), ("b", 2, 2, True), ("c", 3, 2, False)]
    assert there.publish({"b": 7}, 3) == Written(inserted=1)
    assert sorted(there.living()) == ["a", "b", "c"]


def test_a_parcel_that_arrived_is_not_written_again_and_tells_the_same(there):
    """The crash between the commit over there and our own."""
    first = there.publish({"a": 1, "b": 2}, 1)
    with there.engine.begin() as conn:
        conn.execute(sa.text(f"update {there.name} set v = 99 where id = 'a'"))
    assert there.publish({"a": 1, "b": 2}, 1) == first == Written(inserted=2)
    assert there.values() == {"a": 99, "b": 2}


def test_another_part_of_the_same_snapshot_is_another_parcel(there):
    there.publish({"a": 1}, 1)
    assert there.publish({"b": 2}, 1) == Written(inserted=1)


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(parcels=PARCELS, data=st.data())
def test_any_rows_in_any_order_leave_what_the_model_says(there, parcels, data):
    there.clear()
    order = data.draw(st.permutations(range(1, len(parcels) + 1)))

    def with_environ(one):
        return Parcel(one.sync, one.seq, one.key, one.rows, there.environ, one.keep, one.at)

    lives_as_the_model_says(
        parcels, order,
        lambda one: there.to.publish(None, None, with_environ(one)),
        lambda one: there.to.diff(None, with_environ(one), ["v"]),
        there.living,
        lambda: there.values() if there.living() else {},
    )  # fmt: skip


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(parcels=PARCELS, data=st.data())
def test_what_is_reverted_leaves_no_trace(there, parcels, data):
    undone = data.draw(st.sets(st.sampled_from(range(1, len(parcels) + 1)))) if parcels else set()
    order = data.draw(st.permutations(sorted(undone)))

    def one(seq):
        return parcel(parcels[seq - 1], seq, Keep("", seq, START), there.environ)

    def left(without):
        there.clear()
        there.publish({"z": 9}, 0)
        for seq in range(1, len(parcels) + 1):
            if seq not in without:
                there.to.publish(None, None, one(seq))

    left(())
    for seq in order:
        done = there.to.revert(None, one(seq))
        assert there.to.revert(None, one(seq)) == done  # the crash before our own commit
    reverted = there.held()
    left(undone)
    assert [r if not r[3] else (r[0], *r[2:]) for r in reverted] == [
        r if not r[3] else (r[0], *r[2:]) for r in there.held()
    ]


def test_what_was_reverted_may_be_published_again(there):
    one = parcel({"a": 1}, 1, Keep("", 1, START), there.environ)
    there.to.publish(None, None, one)
    assert there.to.revert(None, one) == Reverted(deleted=1)
    assert there.to.publish(None, None, one) == Written(inserted=1)
    assert there.values() == {"a": 1}


def test_what_somebody_changed_since_stays_when_the_publication_is_taken_back(there):
    there.publish({"a": 1, "b": 2, "d": 4, "e": 5}, 1)
    changed = there.parcel({"a": 11, "b": 12, "c": 13, "d": None, "e": None}, 2, keep=KEEP)
    there.to.publish(None, None, changed)
    with there.engine.begin() as conn:
        conn.execute(sa.text(f"update {there.name} set v = 99 where id in ('b', 'c')"))
        conn.execute(sa.text(f"update {there.name} set _deleted_at = null where id = 'e'"))
    done = there.to.revert(None, changed)
    assert done == Reverted(restored=2, newer=3)
    assert done.stayed == dict.fromkeys("bce", CHANGED)
    assert there.values() == {"a": 1, "b": 99, "c": 99, "d": 4, "e": 5}


@pytest.mark.parametrize(
    ("new", "kept", "same"),
    [
        (12.345, Decimal("12.35"), True),
        (12.345, Decimal("12.36"), False),
        (12.345, 12, True),
        (12, 13, False),
        (Decimal("NaN"), Decimal(1), False),
        (START.replace(microsecond=9), START, True),
        (START, START + timedelta(seconds=1), False),
        ("ab", "ab  ", True),
        ("ab", "AB", False),
        ('{"a": [1, null]}', "{'a': [1, None]}", True),
        ('{"a": 1}', '{"a": 2}', False),
        ("{", "{ ", True),
        (True, 1, False),
        (None, 0, False),
    ],
)
def test_what_a_column_of_less_precision_keeps_was_not_changed_by_anybody(new, kept, same):
    assert is_rounded(new, kept) is same


def test_what_was_replaced_is_forgotten_in_time(there):
    there.publish({"a": 1}, 1)
    for seq in (2, 3):
        at = START + timedelta(days=seq)
        there.publish({"a": seq}, seq, keep=Keep("", seq, at, at - timedelta(hours=1)))
    name = "sales.wfops_replaced" if there.to.schema else "wfops_replaced"
    with there.engine.connect() as conn:
        assert set(conn.execute(sa.text(f"select seq from {name}")).scalars()) == {3}


def test_what_is_kept_no_longer_is_not_taken_for_new_rows(there):
    """Rows that were changed looked as if they had been added, and were deleted."""
    there.publish({"a": 1, "b": 1}, 1)
    kept = [Keep("", seq, START + timedelta(days=seq), START + timedelta(days=4)) for seq in (2, 9)]
    there.publish({"a": 2, "b": 2}, 2, keep=kept[0])
    there.publish({"z": 9}, 9, keep=kept[1])
    with pytest.raises(DestinationRefused, match="kept no longer"):
        there.to.revert(None, there.parcel({"a": 2, "b": 2}, 2, keep=kept[0]))
    with pytest.raises(DestinationRefused, match="was not kept"):
        there.to.revert(None, there.parcel({"a": 1, "b": 1}, 1, keep=Keep("", 1, START)))
    assert there.values() == {"a": 2, "b": 2, "z": 9}


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=tables(), more=tables())
def test_every_value_comes_back_as_it_was_and_shows_no_difference(there, rows, more):
    there.clear()
    rows, more = unlike_nan(rows, there), unlike_nan(more, there)
    to = there.to
    to.publish(None, None, Parcel("s", 1, "id", rows, there.environ))
    to.publish(None, None, Parcel("s", 2, "id", rows, there.environ))
    found = to.diff(None, Parcel("s", 3, "id", rows, there.environ), list(COLUMNS))
    assert (found.inserted, found.updated, found.changes) == (0, 0, ())
    keep = Keep("", 4, START)
    before = raw(there)
    to.publish(None, None, Parcel("s", 4, "id", more, there.environ, keep))
    to.revert(None, Parcel("s", 4, "id", more, there.environ, keep))
    assert raw(there) == before


def raw(there):
    with there.engine.connect() as conn:
        rows = conn.execute(sa.text(f"select * from {there.name} order by id")).all()
        return [tuple(plain(v) for v in row) for row in rows]


def plain(value):
    if isinstance(value, memoryview):
        return bytes(value)
    return "NaN" if isinstance(value, float) and math.isnan(value) else value


def unlike_nan(rows, there):
    """SQLite knows no NaN; that it is refused is another test."""
    if there.to.schema:
        return rows
    columns = {
        c: pa.array([None if isinstance(v, float) and math.isnan(v) else v
                     for v in rows[c].to_pylist()], rows[c].type)
        for c in rows.column_names
    }  # fmt: skip
    return pa.table(columns)


def test_sqlite_refuses_what_it_would_lose(tmp_path):
    environ = {"WFOPS_ERP_URL": f"sqlite:///{tmp_path / 'erp.db'}"}
    rows = pa.table({"id": [1], "x": [float("nan")]})
    with pytest.raises(DestinationRefused, match="x holds NaN, which sqlite does not"):
        database_table("erp", "t").publish(None, None, Parcel("s", 1, "id", rows, environ))


def test_new_columns_are_added_and_odd_names_stay_in_their_quotes(there):
    there.publish({"a": 1}, 1)
    name = 'x"; drop table orders; -- %s %(y)s'
    rows = pa.table({"id": ["a"], "v": [2], name: ["t"]})
    there.to.publish(None, None, Parcel("s", 2, "id", rows, there.environ))
    assert there.values() == {"a": 2}
    found = there.to.diff(None, Parcel("s", 3, "id", rows, there.environ), [])
    assert (found.updated, found.unchanged) == (0, 1)


def test_a_table_of_somebody_else_gets_the_columns_that_it_lacks(there):
    with there.engine.begin() as conn:
        if there.to.schema:
            conn.execute(sa.text(f"create schema {there.to.schema}"))
        conn.execute(sa.text(f"create table {there.name} (id varchar(9) primary key, v integer)"))
        conn.execute(sa.text(f"insert into {there.name} values ('a', 1), ('b', 2)"))
    assert there.diff({"a": 1, "b": 3}, 1).updated == 1
    assert there.publish({"a": 4, "b": None}, 1) == Written(updated=1, deleted=1)
    assert there.values() == {"a": 4}


def test_more_rows_than_one_question_takes(there):
    there.at_once = max(there.at_once, 1000)
    many = {f"k{i:05}": i for i in range(2500)}
    assert there.publish(many, 1) == Written(inserted=2500)
    assert there.diff(many, 2).unchanged == 2500
    assert there.diff({**many, "new": 1}, 2).inserted == 1
    assert there.publish(many, 2) == Written(updated=2500)
    assert there.values() == many


def test_rows_that_are_read_in_parts_are_never_in_memory_at_once(there, monkeypatch):
    there.at_once = 7
    rows = {f"k{i:02}": i for i in range(30)}
    changed = {**rows, "k03": None, "k20": 99, "new": 1}
    whole = Rows.whole

    def few(rows, columns=None):
        assert rows.table is not None, "all parts were read into one table"
        return whole(rows, columns)

    monkeypatch.setattr(Rows, "whole", few)
    keep = Keep("ours", 2, START)
    assert there.publish(rows, 1) == Written(inserted=30)
    diff = there.diff(changed, 2)
    assert (diff.inserted, diff.updated, diff.deleted) == (1, 1, 1)
    assert diff.changes == (("k20", "v", "20", "99"),)
    existing = there.to.existing(None, there.parcel(changed, 2), ["v"]).rows
    assert {k: row["v"] for k, row in existing.items()} == rows
    assert there.publish(changed, 2, keep=keep) == Written(1, 29, 0, 1)
    assert there.publish(changed, 2, keep=keep) == Written(1, 29, 0, 1)  # it arrived already
    undone = there.to.revert(None, there.parcel(changed, 2, keep=keep))
    assert undone == Reverted(restored=30, deleted=1)
    assert there.values() == rows
    assert there.parcel(rows, 3).digest == parcel(rows, 3).digest


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_process_that_is_killed_around_its_commit_leaves_all_or_nothing(there, when):
    there.publish({"k1": 7}, 1)
    environ = {**os.environ, **there.environ, "PYTHONPATH": str(CHILD.parents[2])}
    args = [sys.executable, str(CHILD), json.dumps([there.to.schema, there.to.name]), when]
    assert subprocess.run(args, env=environ, check=False).returncode == -9
    assert len(there.living()) == (1 if when == "before" else 5)
    rows = {f"k{i}": i for i in range(5)}
    assert there.publish(rows, 2) == Written(inserted=4, updated=1)
    assert there.values() == rows


def test_wrong_credentials_and_wrong_addresses_are_told_apart_and_show_no_password(database_url):
    good = sa.make_url(database_url)
    for url, kind in (
        (good.set(password="s3cr3t-wrong"), DestinationDenied),
        (good.set(database="nowhere", password=good.password), DestinationUnreachable),
    ):
        environ = {"WFOPS_ERP_URL": url.render_as_string(hide_password=False)}
        with pytest.raises(kind, match="WFOPS_ERP_URL") as refused:
            database_table("erp", "sales.orders").diff(
                None, parcel({"a": 1}, 1, environ=environ), []
            )
        assert url.password not in str(refused.value) + str(refused.value.exchange)


@pytest.mark.parametrize("url", ["", "nonsense"])
def test_the_address_is_a_setting_to_repair(url):
    with pytest.raises(SettingsError, match="WFOPS_ERP_URL"):
        database_table("erp", "t").diff(
            None, parcel({"a": 1}, 1, environ={"WFOPS_ERP_URL": url}), []
        )


def test_it_says_where_rows_go():
    assert database_table("erp", "sales.orders").words == "table sales.orders of erp"
    assert DatabaseTable("erp", None, "orders").words == "table orders of erp"


def test_times_are_instants_whatever_the_zone(there):
    at = datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=UTC)
    rows = pa.table({"id": ["a"], "at": pa.array([at], pa.timestamp("us", "UTC"))})
    one = Parcel("s", 1, "id", rows, there.environ)
    there.to.publish(None, None, one)
    assert there.to.existing(None, one, ["at"]).rows["a"]["at"] == at


def test_rows_that_a_trigger_over_there_leaves_out_are_told(there):
    there.publish({"a": 1, "b": 1}, 1)
    sqlite = there.engine.dialect.name == "sqlite"
    leaves_out = (
        "create trigger t before update on orders when new.id = 'b' begin select raise(ignore); end"
        if sqlite
        else "create function t() returns trigger language plpgsql as "
        "$$ begin if new.id = 'b' then return null; end if; return new; end $$;"
        "create trigger t before update on sales.orders for each row execute function t()"
    )
    with there.engine.begin() as conn:
        conn.exec_driver_sql(leaves_out)
    with pytest.raises(DestinationRefused, match="1 row did not become current"):
        there.publish({"a": 2, "b": 2}, 2)
    assert there.values() == {"a": 1, "b": 1}
    assert there.publish({"a": 2}, 2) == Written(updated=1)


def test_a_publication_of_no_rows_is_taken_back_as_any(there):
    one = there.parcel({}, 1, keep=Keep("", 1, START))
    assert there.to.publish(None, None, one) == Written()
    assert there.to.revert(None, one) == Reverted()
