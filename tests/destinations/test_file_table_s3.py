"""Files of a table in a bucket, against moto: an S3 server that nobody here wrote."""

import os
import subprocess
import sys
import uuid

import pytest
import s3fs

from tests.destinations.test_file_table import CHILD, Lake
from tests.sources.test_sources_s3 import server
from wfops_pipelines.destinations import Reverted, Written

pytestmark = pytest.mark.components
__all__ = ["server"]


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
