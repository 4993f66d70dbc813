"""Files: exact values, page by page; what is broken is said with file, line, field and repair."""

from __future__ import annotations

import bz2
import functools
import gzip
import http.server
import json
import lzma
import os
import threading
import tracemalloc
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wfops_pipelines import Policy, flow, sync, table
from wfops_pipelines.core.reviews import Actor
from wfops_pipelines.errors import (
    SchemaRefused,
    SettingsError,
    SourceMalformed,
    SourceRefused,
    SourceUnreachable,
    SyncFailure,
)
from wfops_pipelines.sources import Window, files
from wfops_pipelines.store import rows as store_rows

ORDERS = b"id,amount,day,note\n007,1.10,2026-06-01,ok\n008,,2026-06-02,\n"
BIG = 2**63 + 11


def later(**by):
    """A window that ends after every file of the test has come to rest."""
    return Window(None, datetime.now(UTC) + timedelta(hours=1, **by))


def read(source, where, window=None):
    connection = source.connect({"WFOPS_SHOP_URL": str(where)})
    return [r for page in source.pages(window or later(), connection) for r in page]


def refused(source, where, kind=SourceMalformed):
    with pytest.raises(kind, match=r"Repair: ") as caught:
        read(source, where)
    return str(caught.value)


def put(folder, name, content):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_cells_of_csv_stay_text_unless_it_is_said_what_they_are(tmp_path):
    put(tmp_path, "orders.csv", ORDERS)
    assert read(files("shop", "*.csv"), tmp_path) == [
        {"id": "007", "amount": "1.10", "day": "2026-06-01", "note": "ok"},
        {"id": "008", "amount": None, "day": "2026-06-02", "note": None},
    ]
    typed = files("shop", "*.csv", types={"amount": Decimal, "day": date, "id": int})
    assert read(typed, tmp_path)[0] == {
        "id": 7, "amount": Decimal("1.10"), "day": date(2026, 6, 1), "note": "ok",
    }  # fmt: skip


CELLS = [
    (int, str(BIG), BIG),
    (int, " -5 ", -5),
    (Decimal, "0.10000000000000000555", Decimal("0.10000000000000000555")),
    (float, "1e3", 1000.0),
    (bool, "Yes", True),
    (bool, "0", False),
    (datetime, "2026-06-01 02:00:00+02:00", datetime(2026, 6, 1, tzinfo=UTC)),
    (datetime, "2026-06-01", datetime(2026, 6, 1, tzinfo=UTC)),
    (str, "007", "007"),
    (lambda cell: cell.strip("€"), "€5", "5"),
]


@pytest.mark.parametrize(("kind", "cell", "value"), CELLS)
def test_a_declared_cell_is_exact(tmp_path, kind, cell, value):
    put(tmp_path, "x.csv", f"a\n{cell}\n".encode())
    found = read(files("shop", "x.csv", types={"a": kind}), tmp_path)[0]["a"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("kind", "cell"),
    [
        (int, "12.5"), (int, "1O"), (int, "½"), (int, "0x10"), (int, "1_000"), (int, "9" * 5000),
        (Decimal, "1,234.50"), (Decimal, "NaN"), (Decimal, "Infinity"), (Decimal, "1e99999"),
        (float, "inf"), (bool, "maybe"), (date, "01/06/2026"), (date, "2026-13-01"),
        (datetime, "yesterday"), (lambda cell: 1 / 0, "5"),
    ],
)  # fmt: skip
def test_a_cell_that_does_not_fit_is_said_with_file_line_and_field_and_not_shown(
    tmp_path, kind, cell
):
    put(tmp_path, "in/x.csv", f'id,a\n1,\n2,"{cell}"\n'.encode())
    said = refused(files("shop", "in/*.csv", types={"a": kind}), tmp_path)
    assert "shop: in/x.csv, line 3, field a: is not" in said
    assert "declare the column as str" in said
    assert cell not in said.replace("letters as a", "") or not any(c.isalnum() for c in cell)


def test_a_secret_looking_cell_is_said_by_its_form(tmp_path):
    put(tmp_path, "x.csv", b"a\nAna 1985\n")
    assert "aaa 9999" in refused(files("shop", "x.csv", types={"a": int}), tmp_path)


BROKEN = [
    ("x.csv", b"id,a\n1,2,3\n", "line 2, field a: has 3 fields where the header has 2"),
    ("x.csv", b"id,a,b\n1,2,3\n4,5\n", "line 3, field a: has 2 fields"),
    ("x.csv", b'id,a\n1,"two\nlines"\n2,"open\n', "line 4: is not CSV"),
    ("x.csv", b'id,a\n1,"x"y\n', "line 2: is not CSV"),
    ("x.csv", b"id,a\n1,caf\xe9\n", "line 2: is not utf-8 text"),
    ("x.csv", b"", "is empty (0 bytes)"),
    ("x.csv", b"\n\n", "has no header line"),
    ("x.csv.gz", gzip.compress(ORDERS)[:-9], "is compressed, and cut off"),
    ("x.csv.gz", b"no gzip at all", "READ|x.csv.gz"),
    ("x.csv.bz2", bz2.compress(ORDERS)[:-9], "is compressed, and cut off"),
    ("x.csv.xz", lzma.compress(ORDERS)[:-9], "is compressed, and cut off"),
    ("x.jsonl", b'{"id": 1}\n{"id": 2\n', "line 2: is not JSON, character"),
    ("x.jsonl", b'{"id": 1}\n[1]\n', "line 2: is JSON, but no object"),
    ("x.jsonl", b"", "is empty (0 bytes)"),
    ("x.jsonl", b'{"id": "\xff"}\n', "line 1: is not utf-8 text"),
    ("x.parquet", b"PAR1", "is no whole Parquet file"),
    ("x.parquet", b"no parquet", "is no whole Parquet file"),
]


@pytest.mark.parametrize(
    ("name", "content", "words"), BROKEN, ids=[f"{n}-{name}" for n, (name, *_) in enumerate(BROKEN)]
)
def test_a_broken_file_is_said_with_the_place(tmp_path, name, content, words):
    put(tmp_path, name, content)
    said = refused(files("shop", name), tmp_path, SyncFailure)
    assert said.startswith(f"shop: {name}")
    assert any(w in said for w in words.split("|"))


@pytest.mark.parametrize("header", [b"id,id", b"id,", b"id, id"])
def test_a_header_that_names_no_column_or_one_twice_is_a_matter_of_schema(tmp_path, header):
    put(tmp_path, "x.csv", header + b"\n1,2\n")
    assert "x.csv, line 1" in refused(files("shop", "x.csv"), tmp_path, SchemaRefused)


@pytest.mark.parametrize("source", [{"types": {"gone": int}}, {"cursor": "gone"}])
def test_a_declared_column_that_is_not_there_is_a_matter_of_schema(tmp_path, source):
    put(tmp_path, "x.csv", ORDERS)
    assert "'gone'" in refused(files("shop", "x.csv", **source), tmp_path, SchemaRefused)


def test_a_parquet_file_cut_or_damaged_anywhere_is_never_read_as_a_smaller_one(tmp_path):
    rows = pa.table({"id": list(range(5000)), "t": [f"text {i}" for i in range(5000)]})
    pq.write_table(rows, tmp_path / "x.parquet", row_group_size=1000)
    whole = (tmp_path / "x.parquet").read_bytes()
    source = files("shop", "x.parquet", rows=100)
    for cut in range(1, len(whole), 997):
        put(tmp_path, "x.parquet", whole[:cut])
        assert "is no whole Parquet file" in refused(source, tmp_path, SourceMalformed)


def test_csv_survives_what_csv_may_be(tmp_path):
    body = 'id;a\r\n1;"semi;colon, ""quoted""\nand a line"\r\n\r\n2; ü\r\n'.encode()
    put(tmp_path, "x.csv", b"\xef\xbb\xbf" + body)
    assert read(files("shop", "x.csv", delimiter=";"), tmp_path) == [
        {"id": "1", "a": 'semi;colon, "quoted"\nand a line'}, {"id": "2", "a": " ü"},
    ]  # fmt: skip
    put(tmp_path, "y.tsv", "id\ta\n1\tü\n".encode("utf-16"))
    assert read(files("shop", "y.tsv", encoding="utf-16"), tmp_path) == [{"id": "1", "a": "ü"}]
    put(tmp_path, "z.csv", "id,a\n1,NULL\n".encode("cp1252"))
    assert read(files("shop", "z.csv", nulls=("", "NULL")), tmp_path) == [{"id": "1", "a": None}]


def test_json_lines_keep_numbers_exact_and_what_is_nested(tmp_path):
    line = f'{{"id": {BIG}, "x": 0.10000000000000000555, "in": {{"a": [1, null]}}}}\n\n'
    put(tmp_path, "x.jsonl.gz", gzip.compress(line.encode()))
    source = files("shop", "*.jsonl.gz", types={"x": Decimal})
    assert read(source, tmp_path) == [
        {"id": BIG, "x": Decimal("0.10000000000000000555"), "in": {"a": [1, None]}}
    ]


def test_parquet_keeps_what_arrow_knows(tmp_path):
    at = datetime(2026, 6, 1, 12, 30, 0, 123456, tzinfo=UTC)
    whole = pa.table(
        {
            "big": pa.array([2**62 + 1, None]),
            "huge": pa.array([BIG, None], pa.uint64()),
            "money": pa.array([Decimal("1.10"), None], pa.decimal128(38, 2)),
            "day": pa.array([date(2026, 6, 1), None]),
            "at": pa.array([at, None], pa.timestamp("ns", "UTC")),
            "zip": pa.array(["01234", None]).dictionary_encode(),
            "in": pa.array([{"a": [1]}, None]),
        }
    )
    pq.write_table(whole, tmp_path / "x.parquet")
    first, second = read(files("shop", "x.parquet"), tmp_path)
    assert first == {
        "big": 2**62 + 1, "huge": BIG, "money": Decimal("1.10"), "day": date(2026, 6, 1),
        "at": at, "zip": "01234", "in": {"a": [1]},
    }  # fmt: skip
    assert set(second.values()) == {None}
    staged = store_rows.to_table([first, second])
    assert staged["big"].to_pylist() == [2**62 + 1, None]
    assert staged["money"].to_pylist() == [Decimal("1.10"), None]


def test_times_finer_than_a_microsecond_are_not_rounded(tmp_path):
    pq.write_table(pa.table({"at": pa.array([1], pa.timestamp("ns"))}), tmp_path / "x.parquet")
    assert "field at" in refused(files("shop", "x.parquet"), tmp_path)
    as_text = files("shop", "x.parquet", types={"at": str})
    assert read(as_text, tmp_path) == [{"at": "1970-01-01 00:00:00.000000001"}]


@pytest.mark.parametrize("kind", [pa.timestamp("us"), pa.timestamp("s"), pa.date64()])
def test_times_beyond_what_python_knows_are_said_and_can_be_read_as_text(tmp_path, kind):
    far = 253_402_300_800 * {"us": 10**6, "s": 1}.get(getattr(kind, "unit", ""), 1000)
    moments = pa.array([0, far], pa.int64()).cast(kind)
    pq.write_table(pa.table({"id": [1, 2], "at": moments}), tmp_path / "x.parquet")
    said = refused(files("shop", "x.parquet"), tmp_path)
    assert "x.parquet, from row 1 on, field at: holds times that Python cannot express" in said
    as_text = read(files("shop", "x.parquet", types={"at": str}), tmp_path)
    assert as_text[1]["at"].startswith("10000-01-01")


@given(
    st.lists(
        st.fixed_dictionaries(
            {"id": st.text(min_size=1, max_size=5), "a": st.text(max_size=8)}
        ),
        min_size=1, max_size=8,
    )
)  # fmt: skip
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_what_is_written_comes_back_whatever_the_text(tmp_path, rows):
    clean = [
        {k: "".join(c for c in v if c.isprintable()) or "x" for k, v in row.items()} for row in rows
    ]
    put(tmp_path, "x.jsonl", "\n".join(map(json.dumps, clean)).encode())
    pq.write_table(pa.Table.from_pylist(clean), tmp_path / "x.parquet")
    import csv

    with (tmp_path / "x.csv").open("w", newline="", encoding="utf-8") as file:
        out = csv.DictWriter(file, ["id", "a"], quoting=csv.QUOTE_ALL)
        out.writeheader()
        out.writerows(clean)
    for name in ("x.jsonl", "x.parquet", "x.csv"):
        assert read(files("shop", name), tmp_path) == clean


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_pages_come_by_file_and_by_chunk_and_a_file_larger_than_memory_streams(tmp_path, ending):
    number, text = 20_000, "x" * 200
    whole = pa.table({"id": list(range(number)), "t": [f"{i} {text}" for i in range(number)]})
    for name in "ab":
        path = tmp_path / f"{name}.{ending}"
        if ending == "parquet":
            pq.write_table(whole, path, row_group_size=1000, compression=None, use_dictionary=False)
        elif ending == "csv":
            body = "".join(f"{i},{i} {text}\n" for i in range(number))
            path.write_text(f"id,t\n{body}")
        else:
            path.write_text("".join(f'{{"id": {i}, "t": "{i} {text}"}}\n' for i in range(number)))
    del whole
    source = files("shop", f"*.{ending}", rows=700)
    pages = source.pages(later(), source.connect({"WFOPS_SHOP_URL": str(tmp_path)}))
    tracemalloc.start()
    held = pa.total_allocated_bytes()
    sizes, most = [], 0
    for page in pages:
        sizes.append(len(page))
        most = max(most, pa.total_allocated_bytes() - held)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    each = [700] * 28 + [400]
    assert sizes == each + each
    assert peak + most < tmp_path.joinpath(f"a.{ending}").stat().st_size


def test_a_file_that_was_changed_a_moment_ago_is_a_failure_that_passes(tmp_path):
    put(tmp_path, "x.csv", ORDERS)
    now = Window(None, datetime.now(UTC))
    source = files("shop", "*.csv")
    with pytest.raises(SourceUnreachable, match="may still be written") as caught:
        read(source, tmp_path, now)
    assert caught.value.transient
    assert len(read(replace(source, quiet=0), tmp_path, now)) == 2


@pytest.mark.parametrize("change", ["grow", "shrink", "replace", "remove"])
def test_a_file_that_changes_while_it_is_read_is_a_failure_that_passes(tmp_path, change):
    path = put(tmp_path, "x.csv", b"id\n" + b"1\n" * 50_000)
    source = files("shop", "*.csv", rows=10)
    pages = source.pages(later(), source.connect({"WFOPS_SHOP_URL": str(tmp_path)}))
    next(pages)
    match change:
        case "grow":
            with path.open("ab") as file:
                file.write(b"2\n")
        case "shrink":
            os.truncate(path, 4)
        case "replace":
            put(tmp_path, "y", path.read_bytes()).rename(path)
        case "remove":
            path.unlink()
    with pytest.raises(SourceUnreachable) as caught:
        list(pages)
    assert caught.value.transient


def test_no_file_and_an_empty_one_are_failures_unless_they_are_expected(tmp_path):
    assert "matches no file" in refused(files("shop", "*.csv"), tmp_path)
    calm = files("shop", "*.csv", may_be_empty=True)
    assert read(calm, tmp_path) == []
    put(tmp_path, "x.csv", b"")
    assert read(calm, tmp_path) == []
    put(tmp_path, "x.csv", b"id,a\n")
    assert read(files("shop", "*.csv"), tmp_path) == []


def test_a_folder_that_is_not_there_is_unreachable_and_not_empty(tmp_path):
    said = refused(files("shop", "*.csv", may_be_empty=True), tmp_path / "gone", SourceUnreachable)
    assert "WFOPS_SHOP_URL" in said


def test_only_files_that_came_since_are_read_even_when_a_copy_kept_their_old_time(tmp_path):
    source = files("shop", "**/*.csv", arrived="came", quiet=1)
    old = put(tmp_path, "2026/01.csv", ORDERS)
    os.utime(old, (0, 0))
    first = read(source, tmp_path)
    assert len(first) == 2
    came = first[0]["came"]
    assert abs((came - datetime.now(UTC)).total_seconds()) < 60
    after = Window(came + timedelta(microseconds=1), later().end)
    assert read(source, tmp_path, after) == []
    put(tmp_path, "2026/02.csv", b"id,amount,day,note\n009,,,\n")
    assert [r["id"] for r in read(source, tmp_path, after)] == ["009"]


def test_a_young_file_waits_for_the_next_extraction(tmp_path):
    source = files("shop", "*.csv", arrived="came")
    put(tmp_path, "x.csv", ORDERS)
    assert read(source, tmp_path, Window(None, datetime.now(UTC))) == []
    assert len(read(source, tmp_path)) == 2


def test_a_cursor_takes_the_rows_of_the_window_and_does_not_open_older_files(tmp_path):
    source = files("shop", "*.jsonl", cursor="at")
    rows = [{"id": i, "at": f"2026-06-0{i}T00:00:00Z"} for i in range(1, 6)] + [
        {"id": 9, "at": None}
    ]
    path = put(tmp_path, "x.jsonl", "\n".join(map(json.dumps, rows)).encode())
    window = Window(datetime(2026, 6, 2, tzinfo=UTC), datetime(2026, 6, 4, tzinfo=UTC))
    assert [r["id"] for r in read(source, tmp_path, window)] == [2, 3, 9]
    path.write_bytes(b"broken")
    future = Window(datetime.now(UTC) + timedelta(days=3), datetime.now(UTC) + timedelta(days=4))
    assert read(source, tmp_path, future) == []


@pytest.mark.parametrize("value", ["never", [], True, 1e300, {"a": 1}])
def test_a_cursor_that_is_no_time_is_said(tmp_path, value):
    put(tmp_path, "x.jsonl", json.dumps({"id": 1, "at": value}).encode())
    said = refused(files("shop", "x.jsonl", cursor="at"), tmp_path)
    assert "x.jsonl, line 1, field at: is no time" in said


@pytest.fixture
def memory():
    store = fsspec.filesystem("memory")
    store.pipe_file("/exports/a.csv", ORDERS)
    yield store
    store.store.clear()
    store.pseudo_dirs[:] = [""]


def test_an_object_store_is_read_as_it_is_now(memory):
    source = files("shop", "*.csv", arrived="came")
    assert [r["id"] for r in read(source, "memory://exports")] == ["007", "008"]
    memory.pipe_file("/exports/b.csv", b"id\n1\n")
    assert len(read(source, "memory://exports")) == 3
    memory.rm("/exports/a.csv")
    assert [r["id"] for r in read(source, "memory://exports")] == ["1"]


class Web(http.server.SimpleHTTPRequestHandler):
    """Python's own file server: lists folders, knows no ranges."""

    seen: list[str]

    def do_GET(self):
        wanted = self.server.password
        if wanted and self.headers.get("Authorization") != wanted:
            return self.send_error(401)
        if self.path in self.server.cut:
            self.send_response(200)
            self.send_header("Content-Length", "9999")
            self.end_headers()
            self.wfile.write(b"id,a\n1,2\n")
            return None
        return super().do_GET()

    def do_HEAD(self):
        wanted = self.server.password
        if wanted and self.headers.get("Authorization") != wanted:
            return self.send_error(401)
        return super().do_HEAD()

    def log_message(self, *_):
        pass


@pytest.fixture
def web(tmp_path):
    handler = functools.partial(Web, directory=str(tmp_path))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.password, server.cut = None, set()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_web_server_is_read_like_a_folder(web, tmp_path):
    put(tmp_path, "in/x.csv", ORDERS)
    put(tmp_path, "in/y.csv.gz", gzip.compress(ORDERS))
    pq.write_table(pa.table({"id": list(range(10_000))}), tmp_path / "in/z.parquet")
    at = f"{web.url}/in"
    assert len(read(files("shop", "*.csv"), at)) == 2
    assert len(read(files("shop", "y.csv.gz", format="csv"), at)) == 2
    assert len(read(files("shop", "*.parquet"), at)) == 10_000
    (came,) = {r["came"] for r in read(files("shop", "x.csv", arrived="came"), at)}
    assert came == datetime.fromtimestamp(int((tmp_path / "in/x.csv").stat().st_mtime), UTC)


def test_a_web_server_that_asks_for_a_password_gets_it_and_nothing_shows_it(web, tmp_path):
    put(tmp_path, "x.csv", ORDERS)
    web.password = "Bearer s3cret-of-the-server"
    source = files("shop", "x.csv")
    environ = {
        "WFOPS_SHOP_URL": web.url,
        "WFOPS_SHOP_CREDENTIALS": json.dumps({"headers": {"Authorization": web.password}}),
    }
    connection = source.connect(environ)
    assert sum(len(p) for p in source.pages(later(), connection)) == 2
    assert "s3cret" not in repr(connection)
    with pytest.raises(SourceRefused, match="WFOPS_SHOP_CREDENTIALS") as caught:
        read(files("shop", "*.csv"), web.url)
    assert caught.value.exchange["status"] == 401


def test_an_answer_that_is_cut_off_is_not_a_short_file(web, tmp_path):
    put(tmp_path, "x.csv", ORDERS)
    web.cut.add("/x.csv")
    assert "x.csv" in refused(files("shop", "x.csv"), web.url, SourceUnreachable)


def test_a_web_server_that_is_not_there_is_unreachable():
    refused(files("shop", "*.csv"), "http://127.0.0.1:9", SourceUnreachable)


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({}, "WFOPS_SHOP_URL is not set"),
        ({"WFOPS_SHOP_URL": "exports"}, "not an absolute path"),
        ({"WFOPS_SHOP_URL": "/x/*"}, "patterns belong into the sync"),
        ({"WFOPS_SHOP_URL": "/x", "WFOPS_SHOP_CREDENTIALS": "s3cret"}, "not a JSON object"),
        ({"WFOPS_SHOP_URL": "/x", "WFOPS_SHOP_CREDENTIALS": "[1]"}, "not a JSON object"),
    ],
)
def test_a_wrong_setting_is_said_with_its_repair(environ, words):
    with pytest.raises(SettingsError, match=rf"{words}.*Repair: ") as caught:
        files("shop", "*.csv").connect(environ)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "words"), [("gs://bucket/x", "gcsfs"), ("nope://x", "no such kind")]
)
def test_a_store_that_needs_another_package_says_which(url, words):
    with pytest.raises(SettingsError, match=words):
        read(files("shop", "*.csv"), url)


@pytest.mark.parametrize(
    "wrong",
    [
        {"pattern": "/etc/*.csv"}, {"pattern": "../*.csv"}, {"pattern": "a/../../*.csv"},
        {"pattern": "http://x/*.csv"}, {"pattern": ""}, {"pattern": "*.xlsx"}, {"pattern": "*"},
        {"pattern": "*.csv", "cursor": "a", "arrived": "b"},
    ],
)  # fmt: skip
def test_a_wrong_declaration_is_refused_when_it_is_made(wrong):
    with pytest.raises(ValueError, match=r"must lie below|pass "):
        files("shop", **wrong)


def test_a_sync_from_dropped_files_stages_each_file_once_and_a_changed_one_again(
    make_bench, tmp_path
):
    bench = make_bench()
    inbox = tmp_path / "inbox"

    @sync(
        source=files("shop", "*.csv", arrived="updated_at", types={"amount": Decimal}),
        key="id", cursor="updated_at", destination=table("shop.things"),
        policy=Policy(reviewers="team"),
    )  # fmt: skip
    def things(page):
        return [{"name": "n", **r} for r in page]

    environ = {**bench.services.environ, "WFOPS_SHOP_URL": str(inbox)}
    services = replace(bench.services, environ=environ)
    project = replace(bench.project, syncs={"things": things})

    def run():
        bench.clock.now = datetime.now(UTC) + timedelta(minutes=1)
        judged = flow.run_sync(project, things, services, flow.Run(Actor("t", "machine"))).judged
        return judged[-1].snapshot.rows if judged else 0

    put(inbox, "a.csv", b"id,amount\n1,1.10\n2,5\n")
    assert (run(), run()) == (2, 0)
    put(inbox, "b.csv", b"id,amount\n3,7\n")
    assert (run(), run()) == (1, 0)
    put(inbox, "a.csv", b"id,amount\n1,1.20\n2,5\n")
    assert (run(), run()) == (2, 0)
