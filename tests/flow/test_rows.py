"""Rows as a table: a shortcut changes nothing but the time that it takes."""

from datetime import UTC, datetime, time, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wfops_pipelines import instant, table
from wfops_pipelines.core.snapshot import DELETED
from wfops_pipelines.errors import SchemaRefused
from wfops_pipelines.sources.answers import parse
from wfops_pipelines.staging import telling
from wfops_pipelines.store import rows, snapshots
from wfops_pipelines.store.versions import versions
from wfops_pipelines.sync import Sync, sync
from wfops_pipelines.testing import FakeSource

CELLS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.just("\ud800"),
    st.binary(max_size=3), st.dates(), st.datetimes(), st.decimals(allow_nan=False, places=2),
    st.lists(st.integers(), max_size=2), st.dictionaries(st.text("ab"), st.none(), max_size=1),
)  # fmt: skip
TYPES = ("int64", "double", "string", "bool", "date32[day]", "timestamp[us, tz=UTC]",
         "decimal128(12, 2)", "binary")  # fmt: skip

NOW = datetime(2026, 5, 1, 9, tzinfo=UTC)
NAIVE = NOW.replace(tzinfo=None)
TIMES = "timestamp[us, tz=UTC]"


def declared(**more) -> Sync:
    @sync(source=FakeSource(), key="id", destination=table("a.b"), **more)
    def things(page):
        return page

    return things


def gathered(things, page, held=None):
    if isinstance(page, pa.Table):
        return telling.of_table(things, page, held)[0]
    return telling.of_rows(things, page, held)[0]


@settings(deadline=None)
@given(
    st.lists(st.dictionaries(st.sampled_from("abc"), CELLS, max_size=3), min_size=1, max_size=4),
    st.dictionaries(st.sampled_from("abc"), st.sampled_from(TYPES)),
)
def test_columns_read_at_once_are_those_read_one_by_one(found, held):
    def built():
        return rows.to_table(found, held)

    quick = built()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "_at_once", lambda *_: {})
        slow = built()
    assert quick.schema == slow.schema
    assert str(quick.to_pylist()) == str(slow.to_pylist())  # NaN is NaN here


@settings(deadline=None)
@given(st.datetimes(), st.sampled_from([None, 0, 90, -330]), st.sampled_from("T "), st.integers())
def test_a_cursor_that_arrow_reads_is_the_time_that_python_reads(moment, minutes, between, digits):
    zone = None if minutes is None else timezone(timedelta(minutes=minutes))
    said = moment.replace(tzinfo=zone).isoformat(between, ("auto", "seconds")[digits % 2])
    said = said.replace("+00:00", "Z") if digits % 3 else said
    try:
        expected = instant(said)
    except OverflowError:
        return
    found = gathered(declared(cursor="at"), [{"id": 1, "at": said}])
    assert found["at"].to_pylist() == [expected]


def test_a_cursor_may_change_its_format_within_a_page():
    at = datetime(2026, 5, 1, 9, tzinfo=UTC)
    values = [at.isoformat(), "2026-05-01", int(at.timestamp()), at, None, at.replace(tzinfo=None)]
    page = [{"id": n, "at": value} for n, value in enumerate(values)]
    found = gathered(declared(cursor="at"), page, {"at": "timestamp[us, tz=UTC]"})
    assert found["at"].to_pylist() == [at, at.replace(hour=0), at, at, None, at]


def test_the_row_that_lacks_the_cursor_is_named():
    page = [{"id": 1, "at": "2026-05-01"}, {"id": 2, "on": "x"}]
    with pytest.raises(SchemaRefused, match=r"row 2 has no column 'at'.*must name one of id, on"):
        gathered(declared(cursor="at"), page)


@pytest.mark.parametrize("as_table", [False, True])
def test_a_row_says_that_it_is_gone_in_many_ways(as_table):
    said = [True, "yes", "0.0", False, "no", " NULL ", 0, None, 0.0, float("nan"), "false", 2]
    gone = [True, True, True, *[None] * 8, True]
    page = [{"id": n, "gone": value} for n, value in enumerate(said)]
    if as_table:
        page = pa.table({"id": range(12), "gone": [str(s) for s in said]})
        gone = [True, True, True, None, None, None, None, None, True, True, None, True]
    found = gathered(declared(deleted="gone"), page)
    assert found.column_names == ["id", DELETED]
    assert found[DELETED].to_pylist() == gone


@settings(deadline=None)
@given(st.lists(st.integers() | st.text("0123456789a", max_size=40)))
def test_whole_numbers_of_any_length_stay_exact(values):
    import json

    assert parse(json.dumps({"v": values}).encode()) == {"v": values}


def test_a_decimal_without_end_becomes_a_text():
    page = [{"m": Decimal("Infinity")}, {"m": Decimal("1.20")}, {"m": None}]
    assert rows.to_table(page)["m"].to_pylist() == ["Infinity", "1.20", None]


@pytest.mark.parametrize(
    ("held", "value", "kind"),
    [
        ("int64", 1.5, "double"),
        ("int64", -0.25, "double"),
        ("int64", Decimal("1.0"), "decimal128(2, 1)"),
        ("int64", 2.0, "int64"),
        ("int64", True, "bool"),
        ("double", True, "bool"),
        ("double", 3, "double"),
        ("date32[day]", 20_000, "int64"),
        ("date32[day]", datetime(2026, 5, 1, 9, 30, tzinfo=UTC), "timestamp[us, tz=UTC]"),
        ("timestamp[us, tz=UTC]", 1_700_000_000, "int64"),
    ],
)
@pytest.mark.parametrize("beside", [None, "x"])
def test_no_value_is_taken_for_another_because_of_what_the_column_held(held, value, kind, beside):
    found = rows.to_table([{"v": value, "w": beside}], {"v": held, "w": "string"})
    assert str(found["v"].type) == kind
    assert found["v"].to_pylist() == [value]


def test_what_arrow_has_no_type_for_is_written_as_itself():
    one = UUID("6f9619ff-8b86-d011-b42d-00c04fc964ff")
    page = [{"m": one, "at": time(9, 30), "some": [one]}, {"m": None, "at": None, "some": None}]
    found = rows.to_table(page).to_pylist()[0]
    assert found == {"m": str(one), "at": "09:30:00", "some": f'["{one}"]'}


@pytest.mark.components
def test_an_amount_that_gets_cents_is_not_cut_to_whole_numbers(bench):
    at = datetime(2026, 5, 1, 9, tzinfo=UTC)
    first = {"id": "1", "name": "a", "amount": 10, "updated_at": at}
    bench.run([first])
    bench.run([{**first, "id": "2", "amount": 10.5, "updated_at": at + timedelta(minutes=20)}])
    snapshot = bench.run([{**first, "id": "3"}]).judged[0].snapshot
    assert snapshot.seq == 3
    with bench.services.engine.connect() as conn:
        held = snapshots.get(conn, "things", 2)
    assert bench.services.rows(held).whole(["amount"]).to_pylist() == [{"amount": 10.5}]


@pytest.mark.parametrize("beside", [10.5, "x", 2**60, Decimal("1.255"), True, None, NOW])
@pytest.mark.parametrize(
    ("held", "key"),
    [
        ("int64", 33), ("int64", 33.0), ("double", 33), ("double", Decimal("1.50")), ("string", 7),
        ("decimal128(3, 1)", Decimal("1.7")), ("decimal128(3, 1)", 2), (TIMES, NAIVE),
        ("bool", True), ("string", Decimal("1.70")), ("date32[day]", NOW.date()),
    ],
)  # fmt: skip
def test_a_key_is_spelled_as_it_is_alone_whatever_stands_beside_it(held, key, beside):
    """Else a row that was rejected comes again as another."""
    things, types = declared(), {"id": held}

    def known(*keys):
        table, mixed = telling.of_rows(things, [{"id": k, "n": 1} for k in keys], types)
        return rows.keys_of(table["id"])[0], versions(table, mixed)[0]

    assert known(key, beside) == known(key)


def test_a_key_of_a_table_is_spelled_as_it_is_where_none_is_missing():
    """pandas makes fractions of whole numbers where one is missing."""
    found = gathered(declared(), pa.table({"id": [33.0, float("nan")]}), {"id": "int64"})
    assert found["id"].to_pylist() == [33, None]
