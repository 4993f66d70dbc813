"""Rows that a table would refuse for another row's sake are told before anybody approves them."""

import pyarrow as pa
import pytest
import sqlalchemy as sa

from wfops_pipelines.destinations import Parcel, table
from wfops_pipelines.errors import DestinationRefused

pytestmark = pytest.mark.components

THEIRS = """
create table things (
  id text primary key, parent text references things, email text unique, slot int, room text,
  constraint one_slot unique (slot, room)
);
create unique index only_some on things (email) where room = 'x';
insert into things (id, email, slot, room)
values ('old', 'a@x.example', 1, 'r'), ('new', 'b', 2, 'r')
"""


@pytest.fixture
def engine(database_url):
    engine = sa.create_engine(database_url, poolclass=sa.NullPool)
    with engine.begin() as conn:
        conn.exec_driver_sql(THEIRS)
    return engine


def parcel(*rows):
    names = ("id", "parent", "email", "slot", "room")
    kinds = dict.fromkeys(names, pa.string()) | {"slot": pa.int64()}
    columns = {n: pa.array([r.get(n) for r in rows], kinds[n]) for n in names}
    return Parcel("s", 1, "id", pa.table(columns))


def told(engine, *rows):
    """(keys, why) of each refusal that is foreseen."""
    with engine.connect() as conn:
        found = table("things").foreseen(conn, parcel(*rows), []).misfits
    return [(m.keys, m.why) for m in found]


def publish(engine, *rows):
    with engine.begin() as conn:
        return table("things").publish(conn, engine, parcel(*rows))


REFUSED = [
    (
        [{"id": "1", "email": "a@x.example"}, {"id": "2", "email": "c"}],
        ("1",),
        "another row has the same email, of which the table's things_email_key takes one",
    ),
    (
        [{"id": "1", "slot": 5, "room": "q"}, {"id": "2", "slot": 5, "room": "q"}],
        ("1", "2"),
        "another row has the same slot, room, of which the table's one_slot takes one",
    ),
]


@pytest.mark.parametrize(("rows", "keys", "why"), REFUSED, ids=["held", "twice"])
def test_what_another_row_is_in_the_way_of_is_foreseen(engine, rows, keys, why):
    ((found, said),) = told(engine, *rows)
    assert sorted(found) == sorted(keys)
    assert said.startswith(why)
    with pytest.raises(DestinationRefused):  # it would have been
        publish(engine, *rows)


@pytest.mark.parametrize(
    "rows",
    [
        [{"id": "1", "email": None}, {"id": "2", "email": None}],
        [{"id": "1", "parent": "2"}, {"id": "2", "parent": "1"}],
        [{"id": "old", "email": "a@x.example", "slot": 1, "room": "r"}],
        [{"id": "1", "slot": 1, "room": "other"}, {"id": "2", "slot": 1, "room": None}],
    ],
)
def test_nothing_is_foreseen_that_the_table_takes(engine, rows):
    assert told(engine, *rows) == []
    publish(engine, *rows)


def test_a_value_that_the_snapshot_itself_makes_free_is_left_to_the_publication(engine):
    assert told(engine, {"id": "old", "email": "z"}, {"id": "1", "email": "a@x.example"}) == []


def test_a_row_that_another_one_names_may_come_with_the_next_run(engine):
    assert told(engine, {"id": "1", "parent": "9"}) == []
    with pytest.raises(DestinationRefused, match="things_parent_fkey"):
        publish(engine, {"id": "1", "parent": "9"})
