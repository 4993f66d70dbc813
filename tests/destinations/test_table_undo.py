"""What is put back into a table that others changed as well, or whose sessions spell otherwise."""

import random
from datetime import UTC, datetime

import pyarrow as pa
import pytest
import sqlalchemy as sa

from wfops_pipelines.core.snapshot import DELETED
from wfops_pipelines.destinations import Keep, Parcel, Reverted, table
from wfops_pipelines.errors import DestinationRefused
from wfops_pipelines.store.database import set_up

pytestmark = pytest.mark.components

AT = datetime(2026, 1, 1, tzinfo=UTC)
TO = table("edge.rows")


class Edge:
    """One table, and what is published to it."""

    def __init__(self, url):
        self.engine = sa.create_engine(url, poolclass=sa.NullPool)
        set_up(self.engine)

    def publish(self, seq, *rows):
        keep = Keep("wfops.replaced", seq, AT)
        parcel = Parcel("s", seq, "id", pa.Table.from_pylist(list(rows)), keep=keep)
        with self.engine.begin() as conn:
            TO.publish(conn, self.engine, parcel)
        return parcel

    def revert(self, parcel):
        with self.engine.begin() as conn:
            return TO.revert(conn, parcel)

    def run(self, *queries):
        with self.engine.begin() as conn:
            for query in queries:
                conn.exec_driver_sql(query)

    def rows(self, columns="*"):
        with self.engine.begin() as conn:
            return conn.exec_driver_sql(f"select {columns} from edge.rows order by id").all()

    def each_session(self, **settings):
        name = self.engine.url.database
        self.run(*(f"alter database {name} set {k} = '{v}'" for k, v in settings.items()))


@pytest.fixture
def edge(database_url):
    return Edge(database_url)


def one(v, **more):
    return {"id": 1, "v": v, **more}


def test_columns_that_the_sync_does_not_write_stay_as_people_left_them(edge):
    edge.publish(1, one("a"))
    edge.run("alter table edge.rows add note text")
    second = edge.publish(2, one("b"))
    edge.run(
        "update edge.rows set note = 'called'",
        "alter table edge.rows add owner text not null default 'ana'",
    )
    edge.revert(second)
    assert edge.rows("v, note, owner") == [("a", "called", "ana")]


@pytest.mark.parametrize(
    "made", ["text generated always as (v || '!') stored", "bigint generated always as identity"]
)
def test_columns_that_the_database_makes_are_no_hindrance(edge, made):
    edge.publish(1, one("a"))
    edge.run(f"alter table edge.rows add made {made}")
    before = edge.rows()
    edge.revert(edge.publish(2, one("b")))
    assert edge.rows() == before


@pytest.mark.parametrize(
    ("kind", "value"),
    [("json", '{"b": 1,  "a": [null]}'), ("jsonb", "null"), ("text[]", '[0:1]={NULL,"a,b"}'),
     ("interval", "-1 days +02:00:00"), ("timestamptz[]", '{"2026-02-01 10:00:00+00"}'),
     ("date", "2026-02-01"), ("char(5)", "a"), ("numeric(20,4)", "1.5"), ("bytea", r"\x00ff"),
     ("double precision", "0.30000000000000004"), ("real", "NaN"), ("time", "10:00:00.000001"),
     ("daterange", "[2026-02-01,2026-03-01)"), ("timestamp", "infinity"), ("inet", "10.0.0.1")],
)  # fmt: skip
def test_values_of_types_that_somebody_gave_a_column_come_back(edge, kind, value):
    edge.publish(1, one("x", w=None), {"id": 2, "v": "x", "w": value})
    edge.run(f"alter table edge.rows alter w type {kind} using w::{kind}")
    before = edge.rows("id, v, w is null, w::text")
    edge.each_session(
        datestyle="SQL, DMY", intervalstyle="sql_standard", timezone="Asia/Kathmandu",
        extra_float_digits=0, bytea_output="escape",
    )  # fmt: skip
    second = edge.publish(2, one("y", w=value), {"id": 2, "v": "y", "w": None})
    edge.each_session(
        datestyle="ISO, MDY", intervalstyle="postgres", timezone="UTC", bytea_output="hex",
        extra_float_digits=1,
    )  # fmt: skip
    assert edge.revert(second) == Reverted(2, 0, 0)
    assert edge.rows("id, v, w is null, w::text") == before


@pytest.mark.parametrize("retype", [None, "numeric(20, 4)"])
def test_a_key_whose_text_is_not_what_it_was_still_finds_its_row(edge, retype):
    edge.each_session(extra_float_digits=0)
    keys = [0.1 + 0.2, 1.5, 2.0]
    edge.publish(1, *({"id": k, "v": "a"} for k in keys))
    second = edge.publish(2, *({"id": k, "v": "b"} for k in keys))
    edge.run(f"alter table edge.rows alter id type {retype}" if retype else "select 1")
    third = edge.publish(3, {"id": 1.5, "v": "c"})
    assert edge.revert(second) == Reverted(2, 0, 1)
    assert edge.revert(third) == Reverted(1, 0, 0)
    assert edge.rows("v") == [("a",)] * 3


def test_a_row_that_cannot_go_back_is_not_deleted(edge):
    edge.publish(1, one("a"))
    second = edge.publish(2, one("b"), {"id": 2, "v": "b"})
    edge.run(
        "create function edge.no() returns trigger language plpgsql as 'begin return null; end'",
        "create trigger no before update on edge.rows for each row execute function edge.no()",
    )
    with pytest.raises(DestinationRefused, match="a trigger or a rule of the table keeps them so"):
        edge.revert(second)
    assert edge.rows("v") == [("b",), ("b",)]


def test_what_does_not_fit_the_table_any_more_is_refused_without_saying_what_it_was(edge):
    edge.publish(1, one("secret"))
    second = edge.publish(2, one("2026-01-01"))
    edge.run("alter table edge.rows alter v type date using v::date")
    with pytest.raises(DestinationRefused, match="invalid input syntax for type date") as refused:
        edge.revert(second)
    chain = [refused.value, refused.value.__cause__]
    assert not any("secret" in f"{error} {getattr(error, 'exchange', '')}" for error in chain)
    edge.run("drop table edge.rows")
    with pytest.raises(DestinationRefused, match="does not exist"):
        edge.revert(second)


@pytest.mark.parametrize("first", [2, 3])
def test_columns_that_come_and_go_come_back_in_any_order(edge, first):
    edge.publish(1, one("a", w="a"))
    parcels = {2: edge.publish(2, one("b", w="b", x="b")), 3: edge.publish(3, one("c", y="c"))}
    edge.revert(parcels.pop(first))
    edge.revert(*parcels.values())
    assert edge.rows("v, w, x, y") == [("a", "a", None, None)]


COLUMNS = ("a", "b", "c")


def some_rows(dice, seq):
    """A few rows with some of the columns, some of them tombstones."""
    columns, dying = dice.sample(COLUMNS, dice.randrange(1, 4)), dice.random() < 0.5
    for key in dice.sample(range(5), dice.randrange(1, 5)):
        gone = dying and dice.random() < 0.3
        values = {c: None if gone or dice.random() < 0.2 else f"{seq}{c}" for c in columns}
        yield {"id": key, **values, **({DELETED: gone} if dying else {})}


def replayed(live):
    """What the table holds of each key after these publications alone."""
    held = {}
    for seq, rows in live.items():
        for row in rows:
            values = {} if row.get(DELETED) else {c: row[c] for c in COLUMNS if c in row}
            known = held.get(row["id"], dict.fromkeys(COLUMNS))
            held[row["id"]] = {**known, **values, "seq": seq, "gone": row.get(DELETED, False)}
    return held


def in_the_table(edge):
    with edge.engine.begin() as conn:
        return {
            row["id"]: {
                **{c: row.get(c) for c in COLUMNS},
                "seq": row["_snapshot_seq"],
                "gone": row.get("_deleted_at") is not None,
            }
            for row in conn.exec_driver_sql("select * from edge.rows").mappings()
        }


def test_reverts_in_any_order_leave_what_the_others_published(edge):
    for seed in range(6):
        dice = random.Random(seed)
        rows = {seq: [*some_rows(dice, seq)] for seq in range(1, dice.randrange(4, 8))}
        edge.run("drop table if exists edge.rows", "delete from wfops.replaced_parts")
        parcels = {seq: edge.publish(seq, *some) for seq, some in rows.items()}
        live = dict(rows)
        assert in_the_table(edge) == replayed(live)
        for seq in dice.sample([*rows], len(rows)):
            edge.revert(parcels[seq])
            del live[seq]
            found, expected = in_the_table(edge), replayed(live)
            assert {k: v["seq"] for k, v in found.items()} == {
                k: v["seq"] for k, v in expected.items()
            }
            for key in found:
                of_key = [s for s, some in rows.items() if key in [r["id"] for r in some]]
                still = [s for s in of_key if s in live]
                if still == of_key[: len(still)]:  # nothing newer of it stays
                    assert found[key] == expected[key], (seed, seq, key)
