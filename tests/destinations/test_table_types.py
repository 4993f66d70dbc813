"""What was staged is what is read back, for every type, by either way into the table."""

import json
import math
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wfops_pipelines.core.parts import Rows
from wfops_pipelines.destinations import Keep, Parcel, table
from wfops_pipelines.errors import DestinationRefused, FailureKind
from wfops_pipelines.postgres import copying
from wfops_pipelines.store.database import set_up

pytestmark = pytest.mark.components

MIN, MAX = datetime(1, 1, 2), datetime(9999, 12, 30)  # noqa: DTZ001
MOMENTS = st.datetimes(MIN, MAX)
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)))
ODD_TEXTS = st.sampled_from(
    ["", " ", '"', '""', "\\.", "\\N", "\n\\.\n", "a,b", "\r\n", "'", "NULL", "%s", "🙂"]
)
DECIMALS = st.decimals(-(10**28), 10**28, places=9).filter(lambda d: len(d.as_tuple().digits) <= 38)
COLUMNS = {
    "whole": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "small": (pa.int16(), st.integers(-(2**15), 2**15 - 1)),
    "huge": (pa.uint64(), st.integers(0, 2**64 - 1)),
    "part": (pa.float64(), st.floats()),
    "single": (pa.float32(), st.floats(width=32)),
    "exact": (pa.decimal128(38, 9), DECIMALS),
    "yes": (pa.bool_(), st.booleans()),
    "day": (pa.date32(), st.dates(date(1, 1, 1), date(9999, 12, 31))),
    "at": (pa.timestamp("us", "UTC"), MOMENTS.map(lambda d: d.replace(tzinfo=UTC))),
    "there": (pa.timestamp("ms", "UTC"), MOMENTS.map(
        lambda d: d.replace(tzinfo=UTC, microsecond=d.microsecond // 1000 * 1000))),
    "naive": (pa.timestamp("us"), MOMENTS),
    "clock": (pa.time64("us"), st.times()),
    "raw": (pa.binary(), st.binary()),
    "text": (pa.string(), TEXTS | ODD_TEXTS),
    "long": (pa.large_string(), ODD_TEXTS),
    "word": (pa.dictionary(pa.int32(), pa.string()), ODD_TEXTS),
    "list": (pa.list_(pa.int64()), st.lists(st.integers(-5, 5), max_size=3)),
}  # fmt: skip


@st.composite
def tables(draw):
    n = draw(st.integers(1, 6))
    columns = {"id": pa.array(range(n), pa.int64())}
    for name, (type_, values) in COLUMNS.items():
        found = draw(st.lists(st.none() | values, min_size=n, max_size=n))
        columns[name] = pa.array(found, type_)
    return pa.table(columns)


@pytest.fixture
def engine(database_url):
    return sa.create_engine(database_url, poolclass=sa.NullPool)


def publish(engine, rows, seq=1):
    with engine.begin() as conn:
        return table("edge.types").publish(conn, engine, Parcel("s", seq, "id", rows))


def stored(engine):
    with engine.begin() as conn:
        conn.execute(sa.text("set local time zone 'Pacific/Apia'"))  # a session like no other
        found = conn.execute(sa.text("select * from edge.types order by id")).mappings()
        return [{c: plain(v) for c, v in row.items() if c[0] != "_"} for row in found]


def plain(value):
    if isinstance(value, memoryview):
        return bytes(value)
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    if isinstance(value, datetime) and value.tzinfo:
        return value.astimezone(UTC)
    return json.dumps(value) if isinstance(value, list) else value


def drop(engine):
    with engine.begin() as conn:
        conn.execute(sa.text("drop table if exists edge.types"))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=tables())
def test_every_value_arrives_unchanged_by_either_way_and_shows_no_difference(engine, rows):
    expected = [{c: plain(v) for c, v in r.items()} for r in rows.to_pylist()]
    drop(engine)
    publish(engine, rows)  # straight into an empty table
    assert stored(engine) == expected
    publish(engine, rows, 2)  # over what is there
    assert stored(engine) == expected
    with engine.connect() as conn:
        found = table("edge.types").diff(conn, Parcel("s", 3, "id", rows), list(COLUMNS))
    assert (found.inserted, found.updated, found.changes) == (0, 0, ())


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(one=tables(), two=tables())
def test_a_revert_brings_every_value_back_and_those_of_columns_that_people_added(engine, one, two):
    set_up(engine)
    drop(engine)
    publish(engine, one)
    with engine.begin() as conn:
        conn.exec_driver_sql("truncate wfops.replaced_parts, wfops.replaced_rows")
        conn.exec_driver_sql(
            'alter table edge.types add column own jsonb default \'{"a": [1, "x"]}\', '
            'add column tags text[] default \'{"a,b",null,"\\\\"}\', '
            'add column "100%%\'s \\ ""x""" text default \'of %%s\''
        )
    before = stored(engine)
    keep = Keep("wfops.replaced", 2, datetime(2026, 5, 1, tzinfo=UTC))
    parcel = Parcel("s", 2, "id", two, keep=keep)
    with engine.begin() as conn:
        conn.exec_driver_sql("set local extra_float_digits = 0")
        table("edge.types").publish(conn, engine, parcel)
    with engine.begin() as conn:
        table("edge.types").revert(conn, parcel)
    assert stored(engine) == before


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(one=tables(), two=tables())
def test_the_diff_finds_each_changed_cell(engine, one, two):
    drop(engine)
    publish(engine, one)
    with engine.connect() as conn:
        found = table("edge.types").diff(conn, Parcel("s", 2, "id", two), list(COLUMNS))
    old = {r["id"]: r for r in one.to_pylist()}
    cells = {
        (str(r["id"]), c)
        for r in two.to_pylist() if r["id"] in old
        for c in COLUMNS if plain(r[c]) != plain(old[r["id"]][c])
    }  # fmt: skip
    assert {(key, column) for key, column, _, _ in found.changes} == cells
    assert found.inserted == max(0, len(two) - len(one))
    assert found.updated == len({key for key, _ in cells})


def test_times_that_do_not_fit_are_refused_by_name(engine):
    rows = pa.table({"id": [1], "t": pa.array([1], pa.timestamp("ns", "UTC"))})
    with pytest.raises(DestinationRefused, match="would lose data"):
        publish(engine, rows)


def test_a_nul_character_is_refused_with_row_and_column(engine):
    with pytest.raises(DestinationRefused, match=r"note of row 2 holds a NUL character") as refused:
        publish(engine, pa.table({"id": [1, 2], "note": ["fine", "a\0b"]}))
    assert refused.value.kind is FailureKind.DESTINATION_REFUSED
    assert refused.value.exchange["table"] == "edge.types"
    assert refused.value.exchange["sqlstate"] == "22021"


def test_a_changed_type_is_compared_as_text_and_refused_by_the_table(engine):
    publish(engine, pa.table({"id": [1], "v": [7]}))
    for value, updated in (("7", 0), ("x", 1)):
        rows = pa.table({"id": [1], "v": [value]})
        with engine.connect() as conn:
            found = table("edge.types").diff(conn, Parcel("s", 2, "id", rows), ["v"])
        assert found.updated == updated
    with pytest.raises(DestinationRefused, match="bigint"):
        publish(engine, rows, 2)


def test_the_stream_never_holds_more_than_its_batches():
    """What COPY reads is written while it reads: two batches at most are there at once."""
    from concurrent.futures import ThreadPoolExecutor

    rows = pa.table({"id": range(copying.BATCH * 5)})
    written = []
    with ThreadPoolExecutor(1) as ahead:
        reader = copying._Reader(ahead, Rows.of(rows))
        write = reader._write
        reader._write = lambda: written.append(1) or write()
        reads = [len(written) for _ in iter(lambda: reader.read(1), b"")]
    assert len(reads) == 5
    assert all(ahead_of <= n + 1 for n, ahead_of in enumerate(reads, 1))


def test_durations_are_microseconds(engine):
    rows = pa.table({"id": [1], "d": pa.array([timedelta(days=1)], pa.duration("us"))})
    publish(engine, rows)
    assert stored(engine) == [{"id": 1, "d": 86_400_000_000}]


def test_a_decimal_keeps_its_value(engine):
    rows = pa.table({"id": [1], "d": pa.array([Decimal("1.10")], pa.decimal256(60, 2))})
    publish(engine, rows)
    assert stored(engine) == [{"id": 1, "d": Decimal("1.10")}]


def test_a_time_of_day_is_one(engine):
    publish(engine, pa.table({"id": [1], "t": pa.array([time(1, 2, 3)], pa.time32("s"))}))
    assert stored(engine) == [{"id": 1, "t": time(1, 2, 3)}]
