"""Parquet files whose pages are tables: staged, deduplicated and published as rows are."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wfops_pipelines.errors import SchemaRefused
from wfops_pipelines.sources import Window, files

pytestmark = pytest.mark.components

START = datetime(2026, 5, 1, 9, tzinfo=UTC)


def table(rows, unit="us", zone="UTC"):
    """Rows of (id, name, amount, minutes)."""
    ids, names, amounts, minutes = (list(column) for column in zip(*rows, strict=True))
    moments = [START + timedelta(minutes=m) for m in minutes]
    return pa.table(
        {
            "id": pa.array(ids, pa.string()),
            "name": pa.array(names, pa.string()),
            "amount": pa.array(amounts, pa.int32()),
            "updated_at": pa.array(moments, pa.timestamp("us", "UTC")).cast(
                pa.timestamp(unit, zone)
            ),
            "price": pa.array([Decimal("1.20")] * len(ids), pa.decimal128(10, 2)),
        }
    )


@pytest.fixture
def lake(make_bench, tmp_path):
    folder = tmp_path / "lake"
    folder.mkdir()
    bench = make_bench(environ={"WFOPS_LAKE_URL": str(folder)})
    source = files("lake", "*.parquet", cursor="updated_at", tables=True, quiet=0, rows=2)
    bench.project.syncs["things"] = replace(bench.sync, source=source)
    return bench, folder


def test_tables_go_the_way_of_rows(lake):
    bench, folder = lake
    pq.write_table(
        table([("1", "a", 1, 0), ("2", "b", 2, 0), ("3", "c", 3, 0)]), folder / "1.parquet"
    )
    bench.run()
    assert bench.rows("id, amount, price") == [
        ("1", 1, Decimal("1.20")), ("2", 2, Decimal("1.20")), ("3", 3, Decimal("1.20")),
    ]  # fmt: skip
    pq.write_table(table([("2", "b", 2, 0), ("3", "c", 7, 9)], "ms"), folder / "2.parquet")
    passed = bench.run()
    assert passed.judged[0].snapshot.rows == 1
    assert [r[0] for r in bench.rows("amount")] == [1, 2, 7]


def test_rows_and_tables_of_the_same_values_are_the_same_version(lake):
    bench, folder = lake
    rows = [("1", "a", 1, 0), ("2", None, 2, 5)]
    pq.write_table(table(rows), folder / "1.parquet")
    bench.run()
    bench.project.syncs["things"] = replace(
        bench.sync, source=files("lake", "*.parquet", cursor="updated_at", quiet=0)
    )
    assert bench.run().judged == ()


def test_a_cursor_that_is_no_time_is_refused_in_words(lake):
    bench, folder = lake
    broken = table([("1", "a", 1, 0)])
    broken = broken.set_column(3, "updated_at", pa.array(["2026-05-01"]))
    pq.write_table(broken, folder / "1.parquet")
    with pytest.raises(Exception, match=r"1\.parquet, field updated_at: is string, not a time"):
        bench.run()
    pq.write_table(table([("1", "a", 1, 0)]).drop_columns(["updated_at"]), folder / "1.parquet")
    with pytest.raises(SchemaRefused, match="no column 'updated_at', the cursor"):
        bench.run()


def test_only_the_windows_rows_are_read_and_a_row_without_a_time_is_kept(lake):
    bench, folder = lake
    found = table([("1", "a", 1, 0), ("2", "b", 2, 10), ("3", "c", 3, 20)])
    moments = pa.array([None, *found["updated_at"].to_pylist()[1:]], pa.timestamp("us", "UTC"))
    pq.write_table(found.set_column(3, "updated_at", moments), folder / "1.parquet")
    source = bench.sync.source
    window = Window(START + timedelta(minutes=10), START + timedelta(minutes=20))
    pages = source.pages(window, source.connect(bench.services.environ))
    assert [k for page in pages for k in page["id"].to_pylist()] == ["1", "2"]


def test_the_snapshot_has_the_types_that_rows_would_have(lake):
    bench, folder = lake
    pq.write_table(table([("1", "a", 1, 0)], "ns", None), folder / "1.parquet")
    staged = bench.run().judged[0].snapshot
    read = bench.services.rows(staged).whole()
    assert read.schema.field("amount").type == pa.int64()
    assert read.schema.field("updated_at").type == pa.timestamp("us", "UTC")


@pytest.mark.parametrize("wrong", [{"pattern": "*.csv"}, {"types": {"id": int}}])
def test_tables_are_of_parquet_and_typed_by_the_file(wrong):
    with pytest.raises(ValueError, match="tables=True is for Parquet"):
        files("lake", wrong.get("pattern", "*.parquet"), tables=True, types=wrong.get("types"))
