"""What somebody else's table would refuse is said before anybody approves it."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
import sqlalchemy as sa

from wfops_pipelines.core.snapshot import DELETED
from wfops_pipelines.destinations import Parcel, database_table, table
from wfops_pipelines.errors import DestinationRefused

pytestmark = pytest.mark.components

THEIRS = """
create type mood as enum ('glad', 'sad');
create domain plz as text check (value ~ '^[0-9]+$');
create table things (
  id text primary key, mood mood, name varchar(5), amount numeric(6, 2), n smallint,
  who uuid, zip plz, doc jsonb, email text not null, size integer constraint fits check (size > 0),
  low integer, high integer, constraint ordered check (low < high),
  made text not null default 'x', note text
)
"""
GOOD = {
    "mood": "glad", "name": "short", "amount": Decimal("9999.99"), "n": 7,
    "who": "6f9619ff-8b86-d011-b42d-00c04fc964ff", "zip": "123", "doc": '{"a": 1}',
    "email": "a@b.example", "size": 1, "low": 1, "high": 2, "made": "m", "note": "n",
}  # fmt: skip
BAD = [
    ("mood", "meh", "mood is none of the labels of mood (glad, sad)"),
    ("name", "longer", "name is longer than the 5 characters of character varying(5)"),
    ("amount", Decimal("10000.00"), "amount is no number up to 9,999.99, as numeric(6,2) takes"),
    ("n", 40_000, "n is no whole number up to 32,767, as smallint takes"),
    ("who", "x", "who is not of the type uuid"),
    ("zip", "a1", "zip is not of the type plz"),
    ("doc", "{", "doc is not of the type jsonb"),
    ("note", "a\0b", "note has the character NUL, which PostgreSQL does not keep"),
    ("email", None, "email is empty, and takes no null"),
    ("made", None, "made is empty, and takes no null"),
    ("size", 0, "the table's check fits says no: (size > 0)"),
]


@pytest.fixture
def engine(database_url):
    engine = sa.create_engine(database_url, poolclass=sa.NullPool)
    with engine.begin() as conn:
        conn.exec_driver_sql(THEIRS)
    return engine


def foreseen(engine, rows, seq=1):
    with engine.connect() as conn:
        return table("things").foreseen(conn, Parcel("s", seq, "id", pa.table(rows)), ["mood"])


def columns(*rows):
    names = dict.fromkeys(name for row in rows for name in row)
    return {n: [row.get(n) for row in rows] for n in names}


def publish(engine, rows, seq=1):
    with engine.begin() as conn:
        return table("things").publish(conn, engine, Parcel("s", seq, "id", pa.table(rows)))


@pytest.mark.parametrize(("column", "value", "why"), BAD, ids=[b[0] for b in BAD])
def test_each_kind_of_refusal_is_foreseen_with_its_rows(engine, column, value, why):
    rows = columns({"id": "1", **GOOD}, {"id": "2", **GOOD, column: value}, {"id": "3", **GOOD})
    (found,) = foreseen(engine, rows).misfits
    assert (found.column, found.keys, found.why) == (column, ("2",), why)
    with pytest.raises(DestinationRefused):  # it would have been
        publish(engine, rows)


def test_all_of_them_are_told_at_once_and_the_difference_with_them(engine):
    rows = [{"id": str(i), **GOOD, column: value} for i, (column, value, _) in enumerate(BAD)]
    found = foreseen(engine, columns(*rows, {"id": "x", **GOOD, "low": 3}))
    said = {(m.column, m.why, m.keys) for m in found.misfits}
    expected = {(c, why, (str(i),)) for i, (c, _, why) in enumerate(BAD)}
    assert said == {*expected, (None, "the table's check ordered says no: (low < high)", ("x",))}
    assert found.diff.inserted == len(BAD) + 1


def test_what_the_table_takes_is_no_misfit(engine):
    odd = {"id": "2", "email": "", "made": "m", "name": "a    ", "amount": Decimal("1.555")}
    rows = columns({"id": "1", **GOOD}, odd)
    assert foreseen(engine, rows).misfits == ()
    publish(engine, rows)
    assert foreseen(engine, rows, 2).misfits == ()


def test_a_column_that_the_table_wants_and_the_rows_lack_stops_new_rows_only(engine):
    publish(engine, columns({"id": "1", **GOOD}))
    rows = {"id": ["1", "2"], "note": ["a", "b"]}
    (found,) = foreseen(engine, rows, 2).misfits
    assert (found.column, found.keys) == ("email", ("2",))
    assert "the rows have no email, which the table wants of each new row" in found.why


def test_what_a_trigger_may_fill_is_no_misfit(engine):
    with engine.begin() as conn:
        conn.exec_driver_sql(
            "create function fill() returns trigger language plpgsql as "
            "$$ begin new.email := 'x'; new.size := 1; return new; end $$; "
            "create trigger fill before insert on things for each row execute function fill()"
        )
    rows = {"id": ["1"], "size": [0]}
    assert foreseen(engine, rows).misfits == ()
    publish(engine, rows)
    (found,) = foreseen(engine, {"id": ["2"], "n": [40_000]}, 2).misfits
    assert found.column == "n"


def test_a_tombstone_that_the_table_cannot_keep_is_told(engine):
    publish(engine, columns({"id": "1", **GOOD}))
    gone = {"id": ["1", "9"], DELETED: [True, True], **{n: [None, None] for n in GOOD}}
    rows = {n: pa.array(v, pa.string() if n != DELETED else pa.bool_()) for n, v in gone.items()}
    (found,) = foreseen(engine, rows, 2).misfits
    assert found.keys == ("9",)
    assert "gone at the source and were never in the table, whose email takes no null" in found.why


def test_a_column_that_the_table_makes_is_told_about_all_rows(engine):
    with engine.begin() as conn:
        conn.exec_driver_sql(
            "alter table things add twice integer generated always as (n * 2) stored"
        )
    (found,) = foreseen(engine, columns({"id": "1", **GOOD, "twice": 14})).misfits
    assert (found.column, found.keys) == ("twice", ())
    assert "twice is made by the table itself" in found.why


def test_a_key_that_is_none_is_told_of_its_row(database_url):
    engine = sa.create_engine(database_url, poolclass=sa.NullPool)
    with engine.begin() as conn:
        conn.exec_driver_sql("create table things (id uuid primary key, at date)")
    rows = {"id": [GOOD["who"], "x"], "at": [datetime(2026, 5, 1, tzinfo=UTC)] * 2}
    (found,) = foreseen(engine, rows).misfits
    assert (found.keys, found.why) == (("x",), "id is not of the type uuid")


def test_where_postgresql_cannot_say_which_rows_all_of_them_wait(engine, monkeypatch):
    from wfops_pipelines.destinations import misfits

    monkeypatch.setattr(misfits, "_keys", lambda *_: ())  # as before PostgreSQL 16
    (found,) = foreseen(engine, columns({"id": "1", **GOOD, "mood": "s3cr3t"})).misfits
    assert (found.keys, found.why) == ((), "the table says: invalid input value for enum mood")


ELSEWHERE = [b for b in BAD if b[0] in ("mood", "name", "amount", "n", "who", "email", "made")]


def erp(engine, rows, seq=1):
    url = engine.url.render_as_string(hide_password=False)
    parcel = Parcel("s", seq, "id", pa.table(rows), {"WFOPS_ERP_URL": url})
    return database_table("erp", "things"), parcel


@pytest.mark.parametrize(("column", "value"), [b[:2] for b in ELSEWHERE], ids=lambda v: str(v))
def test_so_is_what_another_database_refuses(engine, column, value):
    rows = columns({"id": "1", **GOOD}, {"id": "2", **GOOD, column: value}, {"id": "3", **GOOD})
    del rows["doc"]
    to, parcel = erp(engine, rows)
    (found,) = to.foreseen(None, parcel, ["mood"]).misfits
    assert (found.column, found.keys) == (column, ("2",))
    with pytest.raises(DestinationRefused):
        to.publish(None, engine, parcel)
    fine, parcel = erp(engine, {n: v[:1] for n, v in rows.items()})
    assert fine.foreseen(None, parcel, []).misfits == ()
    fine.publish(None, engine, parcel)


def test_another_database_says_what_new_rows_and_tombstones_lack(engine):
    (to, parcel), note = erp(engine, {"id": ["1"], "note": ["a"]}), {"id": ["1"], "note": ["a"]}
    (found,) = to.foreseen(None, parcel, []).misfits
    assert (found.column, found.keys) == ("email", ("1",))
    to, parcel = erp(engine, {**note, DELETED: [True]})
    (found,) = to.foreseen(None, parcel, []).misfits
    assert (found.column, found.keys) == ("email", ("1",))
    assert "gone at the source" in found.why


def test_sqlite_keeps_any_value_but_no_null_where_it_wants_one(tmp_path):
    engine = sa.create_engine(f"sqlite:///{tmp_path}/a.db")
    with engine.begin() as conn:
        conn.exec_driver_sql(
            "create table things (id text primary key, n varchar(2), e text not null)"
        )
    to, parcel = erp(engine, {"id": ["1", "2"], "n": ["long", "b"], "e": ["x", None]})
    (found,) = to.foreseen(None, parcel, []).misfits
    assert (found.column, found.keys) == ("e", ("2",))
    engine.dispose()


def test_a_table_without_the_key_gets_no_second_one(engine):
    rows = {"idd": ["1"], "email": ["a"]}
    with engine.connect() as conn:
        seen = table("things").foreseen(conn, Parcel("s", 1, "idd", pa.table(rows)), [])
    url = engine.url.render_as_string(hide_password=False)
    parcel = Parcel("s", 1, "idd", pa.table(rows), {"WFOPS_ERP_URL": url})
    for found in (seen, database_table("erp", "things").foreseen(None, parcel, [])):
        (misfit,) = found.misfits
        assert (misfit.column, misfit.keys) == ("idd", ())
        assert "it has no column idd, by which rows are found again (it has amount, " in misfit.why


def test_a_fraction_over_there_is_not_compared_as_a_whole_number(engine):
    with engine.begin() as conn:
        conn.exec_driver_sql(
            "create table prices (id text primary key, v double precision, d timestamp)"
        )
        conn.exec_driver_sql(
            "insert into prices values ('1', 10.5, '2026-05-01 09:30'), ('2', 10, null)"
        )
    url = engine.url.render_as_string(hide_password=False)
    rows = pa.table({"id": ["1", "2"], "v": [10, 10], "d": [date(2026, 5, 1), None]})
    parcel = Parcel("s", 1, "id", rows, {"WFOPS_ERP_URL": url})
    found = database_table("erp", "prices").diff(None, parcel, ["v", "d"])
    assert [c[:3] for c in found.changes] == [("1", "v", "10.5"), ("1", "d", "2026-05-01 09:30:00")]


def test_fractions_of_a_whole_number_column_are_told_with_the_statement_that_makes_room(engine):
    rows = columns({"id": "1", **GOOD, "n": 7.0}, {"id": "2", **GOOD, "n": 1.5})
    (found,) = foreseen(engine, rows).misfits
    assert (found.column, found.keys) == ("n", ("2",))
    (statement,) = re.findall("`(.*?)`", found.why)
    with engine.begin() as conn:
        conn.exec_driver_sql(statement)
    assert foreseen(engine, rows).misfits == ()
    assert publish(engine, rows).inserted == 2
