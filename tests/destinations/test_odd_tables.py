"""Tables that somebody else made: what they change, refuse or leave out, and what we say of it."""

import pyarrow as pa
import pytest
import sqlalchemy as sa

from wfops_pipelines.core.snapshot import DELETED
from wfops_pipelines.destinations import Parcel, table
from wfops_pipelines.errors import DestinationRefused

pytestmark = pytest.mark.components

LEAVES_OUT = """
create function leave_out() returns trigger language plpgsql as $$
begin if new.v = 'odd' then return null; end if; return new; end $$;
create trigger leave_out before insert or update on {0} for each row execute function leave_out()
"""
HIDES = """
create role clerk_{1}; grant all on schema public to clerk_{1}; alter table {0} owner to clerk_{1};
alter table {0} enable row level security; alter table {0} force row level security;
create policy sees on {0} for select using (true);
create policy adds on {0} for insert with check (true);
create policy changes on {0} for update using (v <> 'theirs');
"""


@pytest.fixture
def engine(database_url):
    return sa.create_engine(database_url, poolclass=sa.NullPool)


def publish(engine, rows, seq=1, name="things", role=None):
    parcel = Parcel("s", seq, "id", pa.table(rows))
    with engine.begin() as conn:
        if role:
            conn.exec_driver_sql(f"set local role {role}")
        return table(name).publish(conn, engine, parcel)


def run(engine, sql):
    with engine.begin() as conn:
        return conn.exec_driver_sql(sql)


def held(engine, columns="id, v", name="things"):
    with engine.connect() as conn:
        return [tuple(r) for r in conn.exec_driver_sql(f"select {columns} from {name} order by id")]


def test_rows_that_a_trigger_leaves_out_are_not_taken_for_overtaken_ones(engine):
    publish(engine, {"id": ["1"], "v": ["a"]})
    run(engine, LEAVES_OUT.format("things"))
    with pytest.raises(DestinationRefused, match=r"2 rows did not become current in .*a trigger"):
        publish(engine, {"id": ["1", "2", "3"], "v": ["odd", "odd", "b"]}, 2)
    assert held(engine) == [("1", "a")]
    assert publish(engine, {"id": ["1", "3"], "v": ["b", "b"]}, 2).updated == 1
    assert publish(engine, {"id": ["1"], "v": ["odd"]}, 1).stale == 1


def test_nor_is_what_an_empty_table_leaves_out_taken_for_written(engine):
    run(engine, "create table things (id text primary key, v text)")
    run(engine, LEAVES_OUT.format("things"))
    with pytest.raises(DestinationRefused, match="1 row did not become current"):
        publish(engine, {"id": ["1", "2"], "v": ["odd", "b"]})
    assert held(engine) == []


def test_a_table_that_gets_triggers_as_it_is_made_has_its_key_before_its_rows(engine):
    run(
        engine,
        "create function watch() returns event_trigger language plpgsql as $x$ begin "
        "if to_regclass('things') is not null and to_regproc('leave_out') is null then "
        + LEAVES_OUT.format("things").replace("\n", " ")
        + "; end if; end $x$; "
        "create event trigger watch on ddl_command_end execute function watch()",
    )
    publish(engine, {"id": ["1", "2"], "v": ["a", "b"]})
    assert publish(engine, {"id": ["2", "3"], "v": ["c", "c"]}, 2).updated == 1
    assert held(engine) == [("1", "a"), ("2", "c"), ("3", "c")]
    with pytest.raises(DestinationRefused, match="1 row did not become current"):
        publish(engine, {"id": ["4"], "v": ["odd"]}, 3)


def test_a_trigger_that_gives_a_row_another_key_is_refused(engine):
    run(
        engine,
        "create table things (id text primary key, v text);"
        "create function upper_key() returns trigger language plpgsql as "
        "$$ begin new.id := upper(new.id); return new; end $$;"
        "create trigger t before insert on things for each row execute function upper_key()",
    )
    with pytest.raises(DestinationRefused, match="1 row did not become current"):
        publish(engine, {"id": ["a", "B"], "v": ["x", "y"]})
    assert held(engine) == []
    assert publish(engine, {"id": ["B"], "v": ["y"]}).inserted == 1


def test_rows_that_row_level_security_keeps_back_are_told(engine):
    publish(engine, {"id": ["1", "2"], "v": ["a", "theirs"]})
    role = f"clerk_{engine.url.database}"
    run(engine, HIDES.format("things", engine.url.database))
    try:
        rows = {"id": ["1", "2"], "v": ["b", "b"]}
        with pytest.raises(DestinationRefused, match="1 row did not become current"):
            publish(engine, rows, 2, role=role)
        assert held(engine) == [("1", "a"), ("2", "theirs")]
    finally:
        run(engine, f"drop owned by {role}; drop role {role}")


def test_what_is_checked_at_the_end_only_is_said_as_any_refusal_without_values(engine):
    run(
        engine,
        "create table people (id text primary key);"
        "create table things (id text primary key, v text references people "
        "deferrable initially deferred)",
    )
    with pytest.raises(DestinationRefused, match="violates foreign key") as refused:
        publish(engine, {"id": ["1"], "v": ["s3cr3t"]})
    assert "s3cr3t" not in str(refused.value)
    assert held(engine) == []


@pytest.mark.parametrize("what", ["view", "materialized view"])
def test_a_view_is_called_one(engine, what):
    run(engine, f"create table t (id text, v text); create {what} things as select * from t")
    with pytest.raises(DestinationRefused, match="is a view"):
        publish(engine, {"id": ["1"], "v": ["a"]})


KEYS = {  # as the table has it, and two spellings of it by the source
    "citext": ("abc", "abc", "ABC"),
    "uuid": (
        "6f9619ff-8b86-d011-b42d-00c04fc964ff",
        "6f9619ff-8b86-d011-b42d-00c04fc964ff",
        "6F9619FF-8B86-D011-B42D-00C04FC964FF",
    ),
    "character(5)": ("1    ", "1", "1"),
    "public.size": ("small", "small", "small"),
    "numeric(6,2)": ("7.00", "7", "07.0"),
}


@pytest.mark.parametrize("kind", KEYS)
def test_a_row_is_known_again_however_its_key_is_spelt(engine, kind):
    """A row that seemed to be new changed a critical field without a person."""
    stored, first, second = KEYS[kind]
    run(
        engine,
        "create extension citext schema public; create type public.size as enum ('small', 'big');"
        f"create table things (id {kind} primary key, v public.size, n numeric(6, 2), "
        "j jsonb, at timestamp, b boolean)",
    )
    rows = {"id": [first], "v": ["small"], "n": [1.555], "j": ['{"b":1, "a":2}'], "b": ["t"]}
    publish(engine, rows)
    assert held(engine, "id::char(40), v") == [(stored.ljust(40), "small")]
    same = Parcel("s", 2, "id", pa.table({**rows, "id": [second]}))
    other = Parcel("s", 2, "id", pa.table({**rows, "id": [second], "v": ["big"]}))
    unfit = Parcel("s", 2, "id", pa.table({**rows, "id": [first], "v": ["huge"]}))
    gone = Parcel("s", 2, "id", pa.table({"id": [second], DELETED: [True]}))
    with engine.connect() as conn:
        to = table("things")
        assert to.existing(conn, same, ["v"]).rows[second]["v"] == "small"
        assert to.diff(conn, same, ["v"]).unchanged == 1
        assert to.diff(conn, other, ["v"]).changes == ((second, "v", "small", "big"),)
        assert to.diff(conn, unfit, ["v"]).changes == ((first, "v", "small", "huge"),)
        assert to.diff(conn, gone, []).deleted == 1
        assert to.living(conn, "id", {}).to_pylist() != []
    publish(engine, {"id": [second], "v": ["big"]}, 2)
    assert held(engine, "v") == [("big",)]
    with engine.connect() as conn:
        strange = Parcel("s", 3, "id", pa.table({**rows, "id": ["no such key"]}))
        assert to.diff(conn, strange, ["v"]).inserted == 1
