"""Files in a bucket, against moto: an S3 server that nobody here wrote, in a process of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import requests
import s3fs

from wfops_pipelines.errors import SourceMalformed, SourceRefused, SourceUnreachable
from wfops_pipelines.sources import Window, files

ROOT = Path(__file__).resolve().parents[2]
SECRET = "s3cret-of-the-bucket"
ORDERS = b"id,amount\n007,1.10\n008,\n"


@dataclass
class Bucket:
    url: str
    options: dict[str, Any]

    @property
    def environ(self) -> dict[str, str]:
        return {
            "WFOPS_SHOP_URL": "s3://exports/daily",
            "WFOPS_SHOP_CREDENTIALS": json.dumps(self.options),
        }

    def put(self, name: str, content: bytes) -> None:
        store = s3fs.S3FileSystem(skip_instance_cache=True, **self.options)
        if not store.exists("exports"):
            store.mkdir("exports")
        store.pipe_file(f"exports/daily/{name}", content)

    def read(self, source: Any, window: Window | None = None) -> list[Any]:
        window = window or Window(None, datetime.now(UTC) + timedelta(hours=1))
        connection = source.connect(self.environ)
        assert SECRET not in repr(connection)
        return [r for page in source.pages(window, connection) for r in page]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    made = subprocess.run(
        [ROOT / "scripts/peer", "moto"], stdout=subprocess.PIPE, text=True, check=True
    )
    command = [made.stdout.strip(), "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    ) as process:
        assert process.stderr is not None
        found = None
        while found is None:
            line = process.stderr.readline()
            assert line, "moto did not come up"
            found = re.search(r"Running on (http://127\.0\.0\.1:\d+)", line)
        yield found[1]
        process.terminate()


@pytest.fixture
def bucket(server: str) -> Bucket:
    requests.post(f"{server}/moto-api/reset", timeout=10).raise_for_status()
    options = {"key": "AKIA-of-nobody", "secret": SECRET, "endpoint_url": server}
    return Bucket(server, {**options, "client_kwargs": {"region_name": "eu-central-1"}})


def test_files_of_a_bucket_are_read_and_new_ones_the_next_time(bucket):
    source = files("shop", "*.csv", arrived="came")
    bucket.put("a.csv", ORDERS)
    first = bucket.read(source)
    assert [r["id"] for r in first] == ["007", "008"]
    came = first[0]["came"]
    assert abs((came - datetime.now(UTC)).total_seconds()) < 60
    bucket.put("b.csv", b"id,amount\n009,3\n")
    assert len(bucket.read(source)) == 3
    after = Window(came + timedelta(hours=1), came + timedelta(hours=2))
    assert bucket.read(source, after) == []


def test_a_parquet_file_of_a_bucket_streams_through_ranges(bucket, tmp_path):
    pq.write_table(
        pa.table({"id": list(range(50_000))}), tmp_path / "x.parquet", row_group_size=999
    )
    bucket.put("x.parquet", (tmp_path / "x.parquet").read_bytes())
    found = bucket.read(files("shop", "*.parquet"))
    assert [r["id"] for r in found] == list(range(50_000))


def test_a_file_that_changes_while_it_is_read_is_a_failure_that_passes(bucket):
    bucket.put("a.csv", b"id\n" + b"1\n" * 50_000)
    source = files("shop", "*.csv", rows=10)
    window = Window(None, datetime.now(UTC) + timedelta(hours=1))
    pages = source.pages(window, source.connect(bucket.environ))
    next(pages)
    bucket.put("a.csv", ORDERS)
    with pytest.raises(SourceUnreachable) as caught:
        list(pages)
    assert caught.value.transient


def test_an_empty_file_no_file_and_no_bucket_are_told_apart(bucket):
    source = files("shop", "*.csv")
    with pytest.raises(SourceUnreachable, match="WFOPS_SHOP_URL"):
        bucket.read(source)
    bucket.put("a.txt", b"x")
    with pytest.raises(SourceMalformed, match="matches no file"):
        bucket.read(source)
    bucket.put("a.csv", b"")
    with pytest.raises(SourceMalformed, match="is empty"):
        bucket.read(source)


def test_credentials_that_are_refused_name_their_variable_and_are_not_shown(bucket):
    bucket.put("a.csv", ORDERS)
    requests.post(f"{bucket.url}/moto-api/reset-auth", data=b"0", timeout=10).raise_for_status()
    try:
        with pytest.raises(SourceRefused, match="WFOPS_SHOP_CREDENTIALS") as caught:
            bucket.read(files("shop", "*.csv"))
    finally:
        endless = b"inf"
        requests.post(f"{bucket.url}/moto-api/reset-auth", data=endless, timeout=10)
    assert SECRET not in str(caught.value) + json.dumps(caught.value.exchange)
