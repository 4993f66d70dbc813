"""One sync, from the source to the table: this product beside dlt, pandas and COPY, in one run.

    nice python bench/sync.py                 # 1,000,000 rows of Parquet, 100,000 over HTTP
    nice python bench/sync.py --rows 200000 --http 50000

Every contestant has a process and a database of its own on the same embedded PostgreSQL, and the
same fifteen columns; imports are done before. "Gated" is the whole way: extract, stage, examine (a
suite, the scorer with 12 snapshots of history, critical fields, high impact, the difference to the
destination), decide, publish, audit. The others load and examine nothing. Seconds are wall clock;
CPU seconds are those of the process and of PostgreSQL, which a busy machine sways less. Memory is
the peak of the process above what it had just before, in copies of the Arrow table.
"""

from __future__ import annotations

import argparse
import hashlib
import http.server
import io
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import wfops_pipelines  # noqa: F401, I001 - before Arrow, as in a code location

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
PAGE = 1000
PAST, PAST_ROWS = 12, 4000  # snapshots of history, and rows in each
SUITE = [
    {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "email"}},
    {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "external_ref"}},
    {
        "type": "expect_column_values_to_be_in_set",
        "kwargs": {"column": "status", "value_set": ["draft", "open", "paid", "void"]},
    },
    {
        "type": "expect_column_values_to_be_between",
        "kwargs": {"column": "amount_due", "min_value": 0, "max_value": 5_000_000},
    },
    {
        "type": "expect_column_values_to_match_regex",
        "kwargs": {"column": "email", "regex": "^[a-z0-9]+@[a-z0-9.]+$"},
    },
]


def made(rows: int, start: int, at: datetime, seed: int) -> pa.Table:
    """Fifteen columns of an invoice export, all within what the suite expects."""
    rng = np.random.default_rng(seed)
    ids = np.arange(start, start + rows)
    moment = int(at.timestamp() * 1e6)
    return pa.table(
        {
            "id": ids,
            "email": np.char.add(np.char.add("user", (ids % 50_000).astype(str)), "@example.com"),
            "name": np.char.add("Customer ", (ids % 9_000).astype(str)),
            "country": rng.choice(["DE", "FR", "US", "GB", "AT", "CH"], rows),
            "status": rng.choice(["draft", "open", "paid", "void"], rows),
            "amount_due": rng.integers(0, 5_000_000, rows),
            "amount_paid": rng.integers(0, 5_000_000, rows),
            "tax_rate": rng.choice([0.0, 0.07, 0.19], rows),
            "score": np.round(rng.normal(50, 10, rows), 3),
            "discount": pa.array(np.round(rng.random(rows), 3), mask=rng.random(rows) < 0.3),
            "created_at": pa.array(moment - rng.integers(0, 10**13, rows), pa.int64()).cast(
                pa.timestamp("us", "UTC")
            ),
            "updated_at": pa.array(moment - rng.integers(1, 86_400 * 10**6, rows), pa.int64()).cast(
                pa.timestamp("us", "UTC")
            ),
            "vip": rng.random(rows) < 0.1,
            "external_ref": np.char.add("R-", ids.astype(str)),
            "note": pa.array(
                np.char.add("note ", (ids % 777).astype(str)), mask=rng.random(rows) < 0.05
            ),
        }
    )


# --- what every contestant gets


@contextmanager
def timed(found: dict[str, Any], name: str) -> Iterator[None]:
    begun, used = time.perf_counter(), cpu()
    yield
    found[name] = time.perf_counter() - begun
    found[f"{name}_cpu"] = cpu() - used


def cpu() -> float:
    """CPU seconds of this process, its children, and PostgreSQL with all of its backends."""
    mine = sum(os.times()[:4])
    server, tick = os.environ.get("BENCH_POSTGRES"), os.sysconf("SC_CLK_TCK")
    if not server:
        return mine
    theirs = 0
    for place in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = place.read_text().rpartition(")")[2].split()
            if place.parent.name == server:
                theirs += sum(map(int, fields[11:15]))  # with those of backends that have ended
            elif fields[1] == server:
                theirs += sum(map(int, fields[11:13]))
    return mine + theirs / tick


def memory_now() -> int:
    """Resident memory in bytes; `memory_peak` begins anew."""
    pa.default_memory_pool().release_unused()
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def memory_peak() -> int:
    """The most resident memory since `memory_now`, in bytes."""
    return _status("VmHWM")


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


# --- this product


def gated(url: str, folder: Path, rows: int, kind: str) -> dict[str, Any]:
    """History first, then the measured snapshot: into an empty table, or onto the same rows."""
    from wfops_pipelines import flow
    from wfops_pipelines.core.reviews import Actor

    run = flow.Run(Actor("bench", "machine"))
    _warm(url, folder, kind, run)
    project, sync, services = _product(url, folder, kind)
    source = sync.source
    if kind != "fresh":
        for n in range(PAST):
            day = NOW - timedelta(days=PAST + 1 - n)
            source.answer(made(PAST_ROWS, n * PAST_ROWS, day, 100 + n))
            _gone_through(project, sync, services, run, day)
    if kind in ("update", "bare"):
        first = replace(sync, source=_lake("first.parquet"))
        _gone_through(project, first, services, run, NOW - timedelta(days=1))
    if kind == "http":
        sync = replace(sync, source=_rest(), rows=_from_json)
        project.syncs["orders"] = sync
    return _measured(project, sync, services, run, kind, rows)


def _gone_through(project: Any, sync: Any, services: Any, run: Any, day: datetime) -> None:
    """One run, all of whose rows are published at its end: what is held is approved."""
    from wfops_pipelines import flow

    for judged in flow.run_sync(project, sync, services, run, day).judged:
        if judged.review is not None:
            _approved(project, sync, services, judged.review)


def _warm(url: str, folder: Path, kind: str, run: Any) -> None:
    """Imports, which a served code location has behind it, on a few rows in a database apart."""
    from dlt.sources.helpers.rest_client import client  # noqa: F401

    from wfops_pipelines import flow

    own = database_of(url, f"warm_{kind}")
    project, sync, services = _product(own, folder / "warm", kind)
    sync.source.answer(made(100, 0, NOW, 9))
    flow.run_sync(project, sync, services, run, NOW)


def _measured(
    project: Any, sync: Any, services: Any, run: Any, kind: str, rows: int
) -> dict[str, Any]:
    from wfops_pipelines import flow, publishing
    from wfops_pipelines.staging.extraction import stage

    if kind != "http":
        sync = replace(sync, source=_lake())
    found: dict[str, Any] = {}
    before = memory_now()
    with timed(found, "seconds"):
        with timed(found, "stage"):
            snapshot = stage(sync, services, run.actor, None, NOW)
        assert snapshot is not None
        with timed(found, "judge"):
            (judged,) = flow.judge_staged(project, sync, services, run)
        with timed(found, "publish"):
            publications = publishing.publish_cleared(sync, services, run.actor)
            if judged.review is not None:  # so many rows are unlike the days before: let them go
                publications = (*publications, _approved(project, sync, services, judged.review))
    most = memory_peak() - before
    found["held"] = 0 if judged.review is None else len(judged.review.keys) or snapshot.rows
    found["published"] = sum(p.rows for p in publications if p is not None)
    found["copies"] = most / services.rows(snapshot).whole().nbytes
    assert found["published"] == rows
    if kind in ("update", "bare"):
        assert sum(p.updated for p in publications if p is not None) == rows
    return found


def _approved(project: Any, sync: Any, services: Any, review: Any) -> Any:
    """What a person's answer sets in motion, without the person's time."""
    from wfops_pipelines import publishing
    from wfops_pipelines.core.reviews import Actor, Decision, Verb
    from wfops_pipelines.deciding import gate

    said = Decision(review.id, review.evidence_hash, Verb.APPROVE, "a bench", Actor("ana"))
    taken = gate.decide(said, project, services, "bench")
    return publishing.release(sync, taken.id, services, Actor("gate", "machine"))


def _product(url: str, folder: Path, kind: str) -> Any:
    from wfops_pipelines import Above, Policy, sync, table
    from wfops_pipelines.checks.suite import read_suite
    from wfops_pipelines.core.people import People, Role
    from wfops_pipelines.project import Project
    from wfops_pipelines.services import open_services
    from wfops_pipelines.settings import Settings
    from wfops_pipelines.testing import FakeSource

    suite = folder / kind / "orders.json"
    suite.parent.mkdir(parents=True)
    suite.write_text(json.dumps({"name": "orders", "expectations": SUITE}))

    @sync(
        source=FakeSource(),
        key="id",
        cursor="updated_at",
        destination=table(f"ours_{kind}.orders"),
        policy=Policy(
            critical_fields=("external_ref",),
            high_impact=(Above("amount_due", 5_000_000),),
            reviewers="team",
            hold_rows_up_to=1.0,
            undo_hours=None if kind == "bare" else 24,
        ),
    )
    def orders(page: Any) -> Any:
        return page

    people = People({"team": frozenset({"ana"})}, {r: frozenset({"ana"}) for r in Role})
    project = Project(folder, {"orders": orders}, {"orders": read_suite(suite)}, people)
    environ = {**orders.source.connection(), **_shop(), "WFOPS_LAKE_URL": str(folder)}  # type: ignore[attr-defined]
    settings = Settings(folder, folder / f"state-{kind}", url, environ)
    return project, orders, open_services(settings, people)


def _lake(name: str = "rows.parquet") -> Any:
    """The measured rows, as a user would declare them."""
    from wfops_pipelines.sources import files

    return files("lake", name, cursor="updated_at", tables=True, quiet=0)


def _rest() -> Any:
    from wfops_pipelines import rest_api
    from wfops_pipelines.sources import CursorPaging

    return rest_api(
        "shop",
        "/orders",
        records="data",
        paging=CursorPaging("next", "cursor"),
        updated_after="since",
    )


def _shop() -> dict[str, str]:
    url = os.environ.get("BENCH_HTTP", "http://127.0.0.1:9")
    return {"WFOPS_SHOP_URL": url, "WFOPS_SHOP_TOKEN": "not-a-secret"}


def _from_json(page: list[dict[str, Any]]) -> list[dict[str, Any]]:
    from wfops_pipelines import instant

    return [{**r, "created_at": instant(r["created_at"])} for r in page]


# --- the peers


def dlt_load(url: str, folder: Path, rows: int, kind: str) -> dict[str, Any]:
    import dlt
    import sqlalchemy as sa

    found: dict[str, Any] = {}
    before = memory_now()
    data = pq.read_table(folder / "rows.parquet") if kind != "http" else None
    # dlt insists on a host; the one in the query, a socket's folder, counts for libpq
    address = sa.make_url(url).set(drivername="postgresql", host="localhost")
    destination = dlt.destinations.postgres(address.render_as_string(hide_password=False))
    pipeline = dlt.pipeline(
        f"bench_{kind}", destination=destination, dataset_name=f"dlt_{kind}",
        pipelines_dir=str(folder / f"dlt-{kind}"), dev_mode=False,
    )  # fmt: skip
    if kind == "update":
        first = pq.read_table(folder / "first.parquet")
        pipeline.run(first, table_name="orders", write_disposition="merge", primary_key="id")
    disposition = "merge" if kind == "update" else "append"
    with timed(found, "seconds"):
        source = _dlt_pages() if kind == "http" else data
        pipeline.run(source, table_name="orders", write_disposition=disposition, primary_key="id")
    with pipeline.sql_client() as client:
        counted = client.execute_sql("select count(*) from orders")
    assert counted is not None
    assert counted[0][0] == rows
    found["copies"] = (memory_peak() - before) / pq.read_table(folder / "rows.parquet").nbytes
    return found


def _dlt_pages() -> Any:
    from dlt.sources.helpers.rest_client import RESTClient
    from dlt.sources.helpers.rest_client.paginators import JSONResponseCursorPaginator

    client = RESTClient(
        os.environ["BENCH_HTTP"],
        paginator=JSONResponseCursorPaginator("next", "cursor"),
        data_selector="data",
    )
    return client.paginate("/orders")


def to_sql(url: str, folder: Path, rows: int, kind: str) -> dict[str, Any]:
    import sqlalchemy as sa

    found: dict[str, Any] = {}
    frame = pq.read_table(folder / "rows.parquet").to_pandas()
    engine = sa.create_engine(url)
    with timed(found, "seconds"), engine.begin() as conn:
        frame.to_sql("to_sql", conn, index=False, if_exists="replace")
    assert len(frame) == rows
    return found


def copy(url: str, folder: Path, rows: int, kind: str) -> dict[str, Any]:
    """COPY of a CSV that is there already, into an empty table with the same primary key."""
    import sqlalchemy as sa
    from pyarrow import csv

    from wfops_pipelines.postgres.copying import postgres_type

    found: dict[str, Any] = {}
    data = pq.read_table(folder / "rows.parquet")
    body = io.BytesIO()
    csv.write_csv(data, body, csv.WriteOptions(include_header=False))
    body.seek(0)
    columns = ", ".join(f'"{f.name}" {postgres_type(f.type)}' for f in data.schema)
    engine = sa.create_engine(url)
    with engine.begin() as conn:
        conn.exec_driver_sql(f"create table raw_{kind} ({columns}, primary key (id))")
    with timed(found, "seconds"), engine.begin() as conn:
        raw: Any = conn.connection.cursor()
        raw.copy_expert(f"copy raw_{kind} from stdin with (format csv)", body)
    return found


def snapshot_write(url: str, folder: Path, rows: int, kind: str) -> dict[str, Any]:
    """A snapshot (written, fsynced, hashed, renamed) beside the bare Parquet file, in turns."""
    from wfops_pipelines.core.parts import AT_ONCE, Rows
    from wfops_pipelines.store import files

    data = pq.read_table(folder / "rows.parquet")
    best = dict.fromkeys(("ours", "ours_cpu", "bare", "bare_cpu"), float("inf"))
    for n in range(5):
        found: dict[str, float] = {}
        with timed(found, "bare"):
            pq.write_table(data, folder / "bare.parquet", compression="zstd")
        with timed(found, "ours"):
            digest = files.write(folder / f"snapshots{n}", Rows.of(data), AT_ONCE)
        assert len(digest) == hashlib.sha256().digest_size * 2
        best = {k: min(v, found[k]) for k, v in best.items()}
    return {**part(best, "ours"), "bare": part(best, "bare")}


def extract_only(url: str, folder: Path, rows: int, kind: str) -> dict[str, Any]:
    """JSON pages from the local server to a staged snapshot, without the rest."""
    from wfops_pipelines import flow
    from wfops_pipelines.core.reviews import Actor
    from wfops_pipelines.staging.extraction import stage

    _warm(url, folder, "extract", flow.Run(Actor("bench", "machine")))
    _, sync, services = _product(url, folder, "extract")
    sync = replace(sync, source=_rest(), rows=_from_json)
    found: dict[str, Any] = {}
    with timed(found, "seconds"):
        snapshot = stage(sync, services, Actor("bench", "machine"), None, NOW)
    assert snapshot is not None
    assert snapshot.rows == rows
    return found


CONTESTANTS: Mapping[str, Callable[[str, Path, int, str], dict[str, Any]]] = {
    "gated": gated, "dlt": dlt_load, "to_sql": to_sql, "copy": copy,
    "snapshot": snapshot_write, "extract": extract_only,
}  # fmt: skip


# --- the local API


class _Pages(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    pages: tuple[bytes, ...] = ()

    def do_GET(self) -> None:
        at = int(parse_qs(urlsplit(self.path).query).get("cursor", ["0"])[0])
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(self.pages[at])))
        self.end_headers()
        self.wfile.write(self.pages[at])

    def log_message(self, *_: Any) -> None:
        pass


def serve(path: Path) -> None:
    """Serve the rows of a Parquet file as JSON pages; prints its address and waits."""
    import orjson

    rows = pq.read_table(path).to_pylist()
    bodies = []
    for at in range(0, len(rows), PAGE):
        more = at + PAGE < len(rows)
        body = {"data": rows[at : at + PAGE], "next": str(at // PAGE + 1) if more else None}
        bodies.append(orjson.dumps(body))
    handler = type("Handler", (_Pages,), {"pages": tuple(bodies)})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


# --- the run


def child(name: str, url: str, folder: Path, rows: int, kind: str) -> dict[str, Any]:
    command = [sys.executable, __file__, "--child", name, url, str(folder), str(rows), kind]
    environ = {**os.environ, "RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR"}
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False, env=environ)
    if done.returncode:
        raise SystemExit(f"{name} {kind} failed")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def database_of(url: str, name: str) -> str:
    import sqlalchemy as sa

    admin = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with admin.connect() as conn:
        conn.exec_driver_sql(f'create database "{name}"')
        conn.exec_driver_sql("checkpoint")  # nobody writes what others before it left in memory
    return sa.make_url(url).set(database=name).render_as_string(hide_password=False)


def table_of(lines: list[tuple[str, int, dict[str, Any], dict[str, Any]]]) -> None:
    print(f"{'':36}{'rows/s':>10}{'seconds':>9}{'ratio':>7}{'CPU':>7}{'ratio':>7}{'copies':>8}")
    for words, rows, found, against in lines:
        wall, used = found["seconds"], found["seconds_cpu"]
        copies = f"{found['copies']:8.1f}" if "copies" in found else ""
        print(
            f"{words:36}{rows / wall:10,.0f}{wall:9.2f}{wall / against['seconds']:7.2f}"
            f"{used:7.2f}{used / against['seconds_cpu']:7.2f}{copies}"
        )


def part(found: dict[str, Any], name: str) -> dict[str, Any]:
    return {"seconds": found[name], "seconds_cpu": found[f"{name}_cpu"]}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--http", type=int, default=100_000)
    parser.add_argument("--child", nargs=5)
    parser.add_argument("--serve", type=Path)
    asked = parser.parse_args()
    if asked.serve:
        return serve(asked.serve)
    if asked.child:
        name, url, folder, rows, kind = asked.child
        own = database_of(url, f"{name}_{kind}")
        print(json.dumps(CONTESTANTS[name](own, Path(folder), int(rows), kind)))
        return None
    from wfops_pipelines.dev.cluster import remove
    from wfops_pipelines.dev.postgres import EmbeddedPostgres

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        state = Path(place) / "server"
        with EmbeddedPostgres(state) as server:
            os.environ["BENCH_POSTGRES"] = str(server.pid)
            compare(server.url, Path(place), asked.rows, asked.http)
        remove(state)
    return None


def compare(url: str, place: Path, rows: int, http_rows: int) -> None:
    files, web = place / "files", place / "web"
    for folder, count in ((files, rows), (web, http_rows)):
        folder.mkdir()
        pq.write_table(made(count, 0, NOW - timedelta(days=1), 1), folder / "first.parquet")
        pq.write_table(made(count, 0, NOW, 2), folder / "rows.parquet")
    raw = child("copy", url, files, rows, "fresh")
    fresh = child("gated", url, files, rows, "fresh")
    update = child("gated", url, files, rows, "update")
    bare = child("gated", url, files, rows, "bare")
    plain = child("dlt", url, files, rows, "fresh")
    merged = child("dlt", url, files, rows, "update")
    snapshot = child("snapshot", url, files, rows, "fresh")
    print(f"{rows:,} rows x 15 columns of Parquet; ratio: time against dlt, ungated")
    table_of(
        [
            ("gated, into an empty table", rows, fresh, plain),
            ("dlt, ungated, append", rows, plain, plain),
            ("gated, onto the same rows", rows, update, merged),
            ("  without what undo needs", rows, bare, merged),
            ("dlt, ungated, merge", rows, merged, merged),
        ]
    )
    print("\nits parts; ratio: time against COPY of the same rows as text")
    parts = [(f"gated, {n}, {k}", rows, part(f, n), raw)
             for k, f in (("empty", fresh), ("same rows", update), ("same, no undo", bare))
             for n in ("stage", "judge", "publish")]  # fmt: skip
    table_of([*parts, ("COPY", rows, raw, raw)])
    print("\na snapshot; ratio: time against the bare Parquet file")
    table_of([("written, fsynced, hashed, renamed", rows, snapshot, snapshot["bare"])])
    small = child("to_sql", url, web, http_rows, "fresh")
    command = [sys.executable, __file__, "--serve", str(web / "rows.parquet")]
    api = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert api.stdout is not None
    os.environ["BENCH_HTTP"] = api.stdout.readline().strip()
    try:
        ours = child("gated", url, web, http_rows, "http")
        theirs = child("dlt", url, web, http_rows, "http")
        extract = child("extract", url, web, http_rows, "http")
    finally:
        api.communicate("")
    print(f"\n{http_rows:,} rows x 15 columns over HTTP; ratio: time against dlt, ungated")
    table_of(
        [
            ("gated", http_rows, ours, theirs),
            ("  of that to stage", http_rows, part(ours, "stage"), theirs),
            ("extract and stage alone", http_rows, extract, theirs),
            ("dlt, ungated", http_rows, theirs, theirs),
            ("pandas to_sql, from memory", http_rows, small, theirs),
        ]
    )
    held = f"{update['held']:,} of {rows:,} rows, and {ours['held']:,} of {http_rows:,}"
    print(f"\nheld, and approved at once: {held}")


if __name__ == "__main__":
    main()
