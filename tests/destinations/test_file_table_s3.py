"""Files of a table in a bucket, against moto: an S3 server that nobody here wrote."""

import json
import os
import subprocess
import sys
import uuid

import pytest
import s3fs

from tests.destinations.test_file_table import CHILD, Lake
from tests.sources.test_sources_s3 import server
from wfops_pipelines.destinations import Reverted, Written
from wfops_pipelines.errors import DestinationRefused

pytestmark = pytest.mark.components
__all__ = ["server"]


@pytest.mark.parametrize("how", ["the variable", "the library's own"])
def test_credentials_are_read_as_a_source_reads_them(server, monkeypatch, how):
    bucket = f"lake-{uuid.uuid4().hex}"
    given = {"key": "AKIA-of-nobody", "secret": "of-nobody"}
    options = {**given, "endpoint_url": server}
    s3fs.S3FileSystem(**options).mkdir(bucket)
    lake = Lake(f"s3://{bucket}", "parquet")
    if how == "the variable":
        lake.environ["WFOPS_LAKE_CREDENTIALS"] = json.dumps(options)
    else:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", given["key"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", given["secret"])
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    assert lake.publish({"a": 1}, 1) == Written(inserted=1)
    assert lake.values() == {"a": 1}
    s3fs.S3FileSystem.clear_instance_cache()


def test_a_bucket_that_is_not_there_is_named_and_not_made(lake):
    lake.environ["WFOPS_LAKE_URL"] = "s3://lakee/deep"
    for ask in (lake.living, lambda: lake.publish({"a": 1}, 1), lambda: lake.values()):
        with pytest.raises(DestinationRefused, match="there is no bucket lakee") as refused:
            ask()
        assert "Correct WFOPS_LAKE_URL, or make the bucket (none is made here)" in str(
            refused.value
        )
        assert not refused.value.transient
    assert "lakee" not in s3fs.S3FileSystem().ls("")


@pytest.fixture
def lake(server, monkeypatch):
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIA-of-nobody",
        "AWS_SECRET_ACCESS_KEY": "of-nobody",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": server,
    }.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    bucket = f"lake-{uuid.uuid4().hex}"
    s3fs.S3FileSystem().mkdir(bucket)
    yield Lake(f"s3://{bucket}/deep", "parquet")
    s3fs.S3FileSystem.clear_instance_cache()


def test_a_bucket_keeps_what_a_folder_keeps(lake):
    assert lake.living() == []
    assert lake.publish({"a": 1, "b": 1}, 1) == Written(inserted=2)
    assert lake.publish({"a": 2, "b": None, "c": 2}, 2) == Written(1, 1, 0, 1)
    assert lake.publish({"a": 1, "b": 1}, 1) == Written(stale=2)  # it is there, and overtaken
    assert lake.values() == {"a": 2, "c": 2}
    for _ in range(2):
        assert lake.revert({"a": 2, "b": None, "c": 2}, 2) == Reverted(restored=2, deleted=1)
    assert lake.values() == {"a": 1, "b": 1}
    assert [f.rpartition("/")[2][:19] for f in lake.files()] == ["0000000000000000001"]


def test_a_process_that_is_killed_leaves_a_whole_object_or_none(lake):
    environ = {**os.environ, **lake.environ, "PYTHONPATH": str(CHILD.parents[2])}
    for when, there in (("writing", 0), ("written", 3)):
        done = subprocess.run([sys.executable, str(CHILD), when], env=environ, check=False)
        assert done.returncode == -9
        assert len(lake.living()) == there
    rows = {"a": 1, "b": 2, "c": 3}
    assert lake.publish(rows, 1) == Written(inserted=3)
    assert lake.values() == rows
