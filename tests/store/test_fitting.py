"""Parts of an extraction become rows of one schema, as if all had been there at once."""

import random
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wfops_pipelines.core.parts import Rows, batches
from wfops_pipelines.store.fitting import Fitting, followed_by, refitted
from wfops_pipelines.store.rows import to_table
from wfops_pipelines.store.spool import Spool

KINDS = [
    st.integers(-(2**70), 2**70),
    st.integers(-5, 5),
    st.floats(allow_nan=False, allow_infinity=False, width=32).filter(lambda v: v != int(v)),
    st.text(max_size=5),
    st.booleans(),
    st.dates(date(2000, 1, 1), date(2030, 1, 1)),
    st.integers(0, 10**9).map(lambda s: datetime.fromtimestamp(s, UTC)),
    st.decimals(-1000, 1000, places=2),
    st.decimals(-10, 10, places=4),
]
columns = st.sampled_from(KINDS).flatmap(lambda k: st.lists(st.none() | k, min_size=1, max_size=4))
parts_of_rows = st.lists(
    st.dictionaries(st.sampled_from("abc"), columns, min_size=1).map(
        lambda c: [{n: v[i] for n, v in c.items()} for i in range(min(len(v) for v in c.values()))]
    ),
    min_size=1,
    max_size=4,
)


def fitted(parts, held=None):
    fitting = Fitting()
    for part in parts:
        fitting.see(part)

    def read(names):
        for part in parts:
            yield (
                part if names is None else part.select([n for n in names if n in part.schema.names])
            )

    return refitted(read, fitting.schema(held, read), sum(p.num_rows for p in parts))


def joined(parts, held=None):
    return fitted(parts, held).whole()


@pytest.mark.slow
@settings(deadline=None)
@given(parts_of_rows, st.sampled_from([None, {"a": "string"}]))
def test_in_parts_or_at_once_rows_have_the_same_types_and_values(parts, held):
    """Held numbers are left out: a part in which 0.00 fits a held int64 has it as 0."""
    at_once = to_table([row for part in parts for row in part], held)
    rows = fitted([to_table(part, held) for part in parts], held)
    assert rows.whole().equals(at_once)
    assert rows.num_rows == at_once.num_rows
    for name in rows.column_names:
        assert rows.whole([name]).equals(at_once.select([name]))


def test_parts_that_agree_are_joined_as_they_are():
    found = joined([to_table([{"a": 1, "b": None}]), to_table([{"a": 2, "b": "x", "c": 1.5}])])
    assert found.to_pylist() == [{"a": 1, "b": None, "c": None}, {"a": 2, "b": "x", "c": 1.5}]


def test_parts_that_disagree_lose_no_value():
    found = joined([to_table([{"a": 2**53 + 1}]), to_table([{"a": 0.5}])])
    assert found["a"].to_pylist() == ["9007199254740993", "0.5"]
    mixed = joined(
        [to_table([{"a": 1}]), to_table([{"a": "x"}]), to_table([{"a": Decimal("1.20")}])]
    )
    assert mixed["a"].to_pylist() == ["1", "x", "1.20"]


def test_a_few_rows_more_have_the_columns_of_both():
    rows = Rows.of(pa.table({"id": [1, 2], "name": ["x", "y"]}))
    both = followed_by(rows, pa.table({"id": ["3"], "gone": [True]}))
    assert both.whole().to_pylist() == [
        {"id": "1", "name": "x", "gone": None},
        {"id": "2", "name": "y", "gone": None},
        {"id": "3", "name": None, "gone": True},
    ]
    assert [p.column_names for p in both.parts(["gone"])] == [["gone"], ["gone"]]


@pytest.mark.parametrize("in_memory", [0, 200, 10**9])
def test_what_is_put_aside_comes_back_in_order_from_memory_or_disk(tmp_path, in_memory):
    dice = random.Random(1)
    tables = [
        to_table([{"n": i, dice.choice("xy"): "v" * dice.randrange(9)} for i in range(a, a + 5)])
        for a in range(0, 40, 5)
    ]
    spool = Spool(tmp_path, in_memory)
    for table in tables:
        spool.add(table)
    for _ in range(2):
        assert [t.equals(u) for t, u in zip(spool, tables, strict=True)] == [True] * 8
    assert [t["n"].to_pylist() for t in spool.read(["n", "zzz"])] == [
        t["n"].to_pylist() for t in tables
    ]
    assert list(tmp_path.iterdir()) == []  # nobody finds it, and nothing is left behind


@pytest.mark.parametrize("group", [1, 3, 7, 100])
def test_a_file_is_read_in_order_whatever_its_row_groups(tmp_path, group):
    table = pa.table({"n": range(50), "v": [str(i) for i in range(50)]})
    pq.write_table(table, tmp_path / "f.parquet", row_group_size=group)
    with pq.ParquetFile(tmp_path / "f.parquet") as file:
        found = list(batches(file, 7, ["n"]))
    assert max(b.num_rows for b in found) <= 7
    assert [n for b in found for n in b["n"].to_pylist()] == list(range(50))
    assert {tuple(b.schema.names) for b in found} == {("n",)}


def test_decimals_that_no_decimal_holds_together_are_texts():
    parts = [to_table([{"a": Decimal("1E+60")}]), to_table([{"a": Decimal("1E-60")}])]
    assert joined(parts)["a"].to_pylist() == ["1" + "0" * 60, "1E-60"]
