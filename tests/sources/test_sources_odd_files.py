"""Whatever bytes a file holds: records, or a failure of ours that names the file."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wfops_pipelines.errors import SyncFailure
from wfops_pipelines.sources import Window, files

EASY = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
WINDOW = Window(None, datetime.now(UTC) + timedelta(hours=1))


def good(compression):
    table = pa.table(
        {
            "id": list(range(50)),
            "t": pa.array([f"text {i}" for i in range(50)]).dictionary_encode(),
            "at": pa.array([datetime(2026, 6, 1, tzinfo=UTC)] * 50),
            "in": [{"a": [i]} for i in range(50)],
        }
    )
    out = io.BytesIO()
    pq.write_table(table, out, row_group_size=10, compression=compression)
    return out.getvalue(), table.to_pylist()


def tried(folder, name, content, **how):
    (folder / name).write_bytes(content)
    source = files("shop", name, quiet=0, **how)
    try:
        pages = source.pages(WINDOW, source.connect({"WFOPS_SHOP_URL": str(folder)}))
        return [r for page in pages for r in page]
    except SyncFailure as failure:
        said = str(failure)
    assert f"shop: {name}" in said
    assert "Repair: " in said
    return None


@given(st.sampled_from(["x.csv", "x.jsonl", "x.parquet", "x.csv.gz", "x.jsonl.xz"]), st.binary())
@EASY
def test_no_bytes_escape_as_anything_but_records_or_our_failure(tmp_path, name, content):
    found = tried(tmp_path, name, content)
    assert found is None or all(isinstance(r, dict) for r in found)


TEXTS = st.text(st.sampled_from('ab",;\n\r\t {}[]:01.-eé\x00\ufeff\u2028'), max_size=60)


@given(st.sampled_from(["x.csv", "x.jsonl"]), TEXTS, st.sampled_from(["utf-8", "utf-16", "cp1252"]))
@EASY
def test_no_text_does_either(tmp_path, name, text, encoding):
    found = tried(tmp_path, name, text.encode(encoding, "replace"))
    assert found is None or all(isinstance(r, dict) for r in found)


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd"])
@given(st.data())
@EASY
def test_a_parquet_file_with_a_byte_changed_is_read_or_refused(tmp_path, compression, data):
    whole, _ = good(compression)
    at = data.draw(st.integers(0, len(whole) - 1))
    changed = bytearray(whole)
    changed[at] ^= data.draw(st.integers(1, 255))
    tried(tmp_path, "x.parquet", bytes(changed))


@given(st.data())
@EASY
def test_a_csv_file_cut_anywhere_has_whole_records_or_is_refused(tmp_path, data):
    rows = "id,name,note\n" + "".join(f'{i},"name, {i}",note {i}\n' for i in range(20))
    cut = data.draw(st.integers(1, len(rows)))
    found = tried(tmp_path, "x.csv", rows[:cut].encode())
    whole = [{"id": str(i), "name": f"name, {i}", "note": f"note {i}"} for i in range(20)]
    # Only the end of the very last cell cannot be told from a file without a last line break.
    assert found is None or found[:-1] == whole[: max(len(found) - 1, 0)]
