"""A disk that is full is told with its folder; what a killed writer left is swept, nothing else."""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pytest

from wfops_pipelines.core.disk import sweep, writing
from wfops_pipelines.core.parts import Rows
from wfops_pipelines.destinations import beside
from wfops_pipelines.errors import StateUnwritable
from wfops_pipelines.store import files
from wfops_pipelines.store.spool import Spool

WRITER = """
import sys
from pathlib import Path
from wfops_pipelines.store.sealing import sealing
with sealing(Path(sys.argv[1])) as file:
    print("open", flush=True)
    sys.stdin.read()
"""
LONG_AGO = 1_000_000_000


@pytest.fixture
def small_disk():
    """No file of this process gets larger than 64 kB, by the kernel's own word."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def random_rows(count=4000):
    return pa.table({"id": pa.array([os.urandom(64).hex() for _ in range(count)])})


def left(folder, name="a" * 32, suffix=".tmp"):
    path = folder / f".{name}{suffix}"
    path.write_bytes(b"half")
    os.utime(path, (LONG_AGO, LONG_AGO))
    return path


@pytest.mark.usefixtures("small_disk")
def test_an_extraction_that_finds_no_room_to_wait_in_names_the_folder(tmp_path):
    with pytest.raises(StateUnwritable, match=f"{tmp_path}: nothing more"):
        Spool(tmp_path, in_memory=0).add(random_rows())


@pytest.mark.usefixtures("small_disk")
def test_so_does_what_a_destination_puts_aside_there(tmp_path, monkeypatch):
    monkeypatch.setattr(beside, "IN_MEMORY", 0)
    rows = random_rows()
    with pytest.raises(StateUnwritable, match=f"{tmp_path}: nothing more"):
        beside._Slots(str(tmp_path)).sort(rows, pa.array([0] * len(rows)).to_numpy())


def test_another_error_of_the_disk_stays_what_it_is(tmp_path):
    with pytest.raises(IsADirectoryError), writing(tmp_path):
        tmp_path.open("wb")


def test_what_a_killed_writer_left_is_swept_by_the_next_one_and_not_before(tmp_path):
    files.write(tmp_path, Rows.of(random_rows(2)), 10)
    path = tmp_path / ".unfinished" / f".{'b' * 32}.tmp"
    child = subprocess.Popen(
        [sys.executable, "-c", WRITER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with child:
        child.stdout.readline()
        os.utime(path, (LONG_AGO, LONG_AGO))
        files.write(tmp_path, Rows.of(random_rows(2)), 10)
        assert path.exists()  # its writer lives
        child.kill()
    files.write(tmp_path, Rows.of(random_rows(2)), 10)
    assert not path.exists()
    assert len([*tmp_path.glob("*.parquet")]) == 3


def test_a_write_looks_at_no_snapshot_that_is_there(tmp_path, monkeypatch):
    old = left(tmp_path)  # as versions before left it
    files.write(tmp_path, Rows.of(random_rows(2)), 10)
    assert not old.exists()
    seen = []
    listed = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda path: seen.append(path) or listed(path))
    files.write(tmp_path, Rows.of(random_rows(2)), 10)
    assert seen == [tmp_path / ".unfinished"]
    assert [*listed(seen[0])] == []


def test_nothing_new_and_nothing_of_another_name_is_swept(tmp_path):
    fresh = left(tmp_path, "c" * 32)
    os.utime(fresh)
    mine = left(tmp_path, "d" * 32, ".part")
    others = [left(tmp_path, "notes"), left(tmp_path, "e" * 32, ".parquet")]
    sweep(tmp_path, time.time() - 60)
    assert not mine.exists()
    assert all(p.exists() for p in [fresh, *others])
    sweep(tmp_path / "nowhere", time.time())
