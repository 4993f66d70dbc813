"""A snapshot's file is whole, durable and what its name says, or it is not there."""

import hashlib
import os
import resource
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wfops_pipelines.core.parts import Rows
from wfops_pipelines.errors import SnapshotDamaged, StateUnwritable
from wfops_pipelines.store import files

LARGE = pa.table({"id": range(2000), "noise": [os.urandom(10_000) for _ in range(2000)]})


def files_in(folder):
    """All of them, unfinished ones too."""
    return [path for path in folder.rglob("*") if path.is_file()]


def written(folder, table, at_once=500):
    digest = files.write(folder, Rows.of(table), at_once)
    (found,) = files_in(folder)
    assert found.name == f"{digest}.parquet"
    return found


@pytest.mark.parametrize("rows", [0, 1, 2000])
def test_a_file_is_named_by_the_digest_of_its_bytes(tmp_path, rows):
    found = written(tmp_path, LARGE.slice(0, rows))
    assert hashlib.sha256(found.read_bytes()).hexdigest() == found.stem
    assert pq.read_table(found).equals(LARGE.slice(0, rows))
    assert pq.ParquetFile(found).num_row_groups == -(-rows // 500)


def test_the_last_byte_is_on_the_disk_before_the_file_has_its_name(tmp_path, monkeypatch):
    seen = []
    fsync, rename = os.fsync, Path.rename

    def synced(handle):
        at = os.readlink(f"/proc/self/fd/{handle}")
        fsync(handle)
        seen.append((at, os.fstat(handle).st_size))

    def renamed(path, target):
        seen.append("named")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "rename", renamed)
    size = written(tmp_path, LARGE).stat().st_size
    (at, before), named, (folder, _) = seen
    assert (Path(at).parent.parent, before, named) == (tmp_path, size, "named")
    assert folder == str(tmp_path)


def test_a_full_disk_leaves_nothing(tmp_path):
    """Whichever thread notices."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, hard))
    try:
        with pytest.raises(
            StateUnwritable, match=f"{tmp_path}: nothing more .*WFOPS_STATE"
        ) as full:
            files.write(tmp_path, Rows.of(LARGE), 500)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert full.value.transient
    assert files_in(tmp_path) == []


def test_a_disk_that_cannot_keep_what_it_took_leaves_nothing(tmp_path, monkeypatch):
    def lost(_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", lost)
    with pytest.raises(OSError, match="Input/output"):
        files.write(tmp_path, Rows.of(LARGE), 500)
    assert files_in(tmp_path) == []


def test_rows_that_cannot_be_read_to_the_end_leave_nothing(tmp_path):
    def read(_):
        yield LARGE
        raise RuntimeError("the source broke off")

    with pytest.raises(RuntimeError, match="broke off"):
        files.write(tmp_path, Rows(LARGE.schema, 4000, read), 500)
    assert files_in(tmp_path) == []


def test_only_values_that_come_again_get_a_dictionary(tmp_path):
    table = pa.table({"id": range(1000), "a.b": ["x", "y"] * 500})
    group = pq.ParquetFile(written(tmp_path, table)).metadata.row_group(1)
    found = {group.column(i).path_in_schema: group.column(i) for i in range(2)}
    assert {n: c.has_dictionary_page for n, c in found.items()} == {"id": False, "a.b": True}


def test_values_of_every_type_come_back(tmp_path):
    now = datetime(2026, 6, 15, 12, 0, 0, 1, UTC)
    values = {
        "whole": [2**63 - 1, None], "number": [float("nan"), 0.1], "yes": [True, None],
        "text": ["\0é", ""], "day": [date(1, 1, 1), None], "at": [now, None],
        "exact": [Decimal("1.20"), None], "bytes": [b"\0", None], "nested": [[{"a": 1}], None],
    }  # fmt: skip
    table = pa.table(values)
    again = files.read(tmp_path, written(tmp_path, table, 1).stem, 1).whole()
    assert str(again.to_pylist()) == str(table.to_pylist())
    assert again.schema == table.schema


def test_of_fewer_columns_more_rows_are_read_at_once(tmp_path):
    table = pa.table({f"c{i}": [f"{i}-{n}" for n in range(100)] for i in range(6)})
    rows = files.read(tmp_path, written(tmp_path, table, 10).stem, 10)
    for names, most in ((None, 10), (["c4", "c1"], 30), (["c2"], 40), (table.column_names, 10)):
        parts = list(rows.parts(names))
        assert {part.num_rows for part in parts[:-1]} == {most}
        assert pa.concat_tables(parts).equals(table if names is None else table.select(names))


@pytest.mark.parametrize("rows", [400, 2000])
def test_another_run_that_stages_the_same_rows_meanwhile_disturbs_no_reader(tmp_path, rows):
    table = LARGE.slice(0, rows)
    digest = written(tmp_path, table).stem
    being_read = files.read(tmp_path, digest, 500)
    assert written(tmp_path, table).stem == digest  # a new file of the same name and bytes
    assert being_read.whole().equals(table)
    assert pa.concat_tables(being_read.parts()).equals(table)


def test_a_file_that_is_replaced_by_another_is_damaged(tmp_path):
    path = written(tmp_path, LARGE)
    being_read = files.read(tmp_path, path.stem, 500)
    written(tmp_path / "other", LARGE.slice(1)).replace(path)
    with pytest.raises(SnapshotDamaged, match="replaced while it was read"):
        being_read.whole()
