"""Files as a destination: immutable, the newest row counts, on a real folder and in memory."""

import os
import random
import subprocess
import sys
import uuid
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import fsspec
import pyarrow as pa
import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from tests.destinations.model import PARCELS, START, Keep, lives_as_the_model_says, parcel
from tests.destinations.test_table_types import COLUMNS, tables
from wfops_pipelines.core.parts import Rows
from wfops_pipelines.core.snapshot import DELETED
from wfops_pipelines.destinations import (
    Listing,
    Parcel,
    Reverted,
    Written,
    file_table,
)
from wfops_pipelines.destinations.folder import Folder
from wfops_pipelines.errors import DestinationRefused, DestinationUnreachable, SettingsError
from wfops_pipelines.undoing import Undoable

CHILD = Path(__file__).with_name("files_child.py")


class Lake:
    """A place for files, and what a test asks of it."""

    def __init__(self, url, format_):
        self.url, self.format, self.path = url, format_, "crm/contacts"
        self.environ = {"WFOPS_LAKE_URL": url}
        self.to = file_table("lake", self.path, format=format_)

    def with_environ(self, one):
        return Parcel(one.sync, one.seq, one.key, one.rows, self.environ, one.keep, one.at)

    def publish(self, rows, seq):
        return self.to.publish(None, None, parcel(rows, seq, environ=self.environ))

    def revert(self, rows, seq):
        return self.to.revert(None, parcel(rows, seq, Keep("", seq, START), self.environ))

    def diff(self, one):
        return self.to.diff(None, self.with_environ(one), ["v"])

    def living(self):
        return self.to.living(None, "id", self.environ).to_pylist()

    def values(self):
        every = dict.fromkeys("abcdefz", 0)
        found = self.to.existing(None, parcel(every, 10**6, environ=self.environ), ["v"])
        return {key: row["v"] for key, row in found.rows.items()}

    def files(self):
        system, root = fsspec.core.url_to_fs(f"{self.url}/{self.path}")
        return sorted(system.ls(root, detail=False)) if system.exists(root) else []

    def move(self):
        """Another folder, as empty as a new one."""
        self.path = f"crm/{uuid.uuid4().hex}"
        self.to = file_table("lake", self.path, format=self.format)


@pytest.fixture(params=["folder parquet", "folder csv", "memory parquet"])
def lake(request, tmp_path):
    where, format_ = request.param.split()
    return Lake(
        str(tmp_path / "lake") if where == "folder" else f"memory://{uuid.uuid4()}", format_
    )


def test_it_is_undoable_and_lists_what_lives(lake):
    assert isinstance(lake.to, Listing)
    assert isinstance(lake.to, Undoable)
    assert lake.living() == []


def test_each_publication_is_one_file_with_its_number(lake):
    lake.publish({"a": 1, "b": 2}, 1)
    assert lake.publish({"a": 5, "b": None, "c": 3}, 2) == Written(1, 1, 0, 1)
    names = [f.rpartition("/")[2] for f in lake.files()]
    assert [n.split("-")[0].lstrip("0") for n in names] == ["1", "2"]
    assert all(n.endswith(lake.format) for n in names)
    assert lake.values() == {"a": 5, "c": 3}
    assert sorted(lake.living()) == ["a", "c"]


def test_published_twice_is_one_file_and_tells_the_same(lake):
    assert lake.publish({"a": 1}, 1) == lake.publish({"a": 1}, 1) == Written(inserted=1)
    assert len(lake.files()) == 1


def test_a_file_is_never_overwritten_with_other_rows(lake):
    lake.publish({"a": 1}, 1)
    with pytest.raises(DestinationRefused, match="never overwritten"):
        lake.publish({"a": 2}, 1)
    assert lake.values() == {"a": 1}


def test_a_reverted_publication_leaves_no_file(lake):
    lake.publish({"a": 1, "b": 1}, 1)
    lake.publish({"a": 2, "c": 2}, 2)
    lake.publish({"c": 3}, 3)
    for _ in range(2):  # a crash after the file was removed
        assert lake.revert({"a": 2, "c": 2}, 2) == Reverted(restored=1, deleted=0, newer=1)
    assert lake.values() == {"a": 1, "b": 1, "c": 3}
    assert len(lake.files()) == 2


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(parcels=PARCELS, data=st.data())
def test_any_rows_in_any_order_leave_what_the_model_says(lake, parcels, data):
    lake.move()
    order = data.draw(st.permutations(range(1, len(parcels) + 1)))
    lives_as_the_model_says(
        parcels, order,
        lambda one: lake.to.publish(None, None, lake.with_environ(one)),
        lake.diff, lake.living, lake.values,
    )  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(parcels=PARCELS, data=st.data())
def test_what_is_reverted_leaves_no_trace(lake, parcels, data):
    undone = data.draw(st.sets(st.sampled_from(range(1, len(parcels) + 1)))) if parcels else set()

    def left(without):
        lake.move()
        for seq, rows in enumerate(parcels, 1):
            if seq not in without:
                lake.publish(rows, seq)

    left(())
    for seq in data.draw(st.permutations(sorted(undone))):
        lake.revert(parcels[seq - 1], seq)
    reverted = lake.values()
    left(undone)
    assert reverted == lake.values()


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=tables())
def test_every_value_comes_back_and_shows_no_difference(lake, rows):
    lake.move()
    lake.to.publish(None, None, Parcel("s", 1, "id", rows, lake.environ))
    found = lake.to.diff(None, Parcel("s", 2, "id", rows, lake.environ), list(COLUMNS))
    assert (found.inserted, found.updated, found.changes) == (0, 0, ())


def test_a_file_says_which_snapshot_and_which_rows_are_gone(tmp_path):
    lake = Lake(str(tmp_path), "parquet")
    lake.publish({"a": 1, "b": None}, 7)
    rows = parquet.read_table(lake.files()[0]).to_pylist()
    assert rows == [
        {"id": "a", "v": 1, "_snapshot_seq": 7, "_deleted": False},
        {"id": "b", "v": None, "_snapshot_seq": 7, "_deleted": True},
    ]


def test_a_column_that_changes_its_type_is_compared_as_text(lake):
    lake.publish({"a": 1}, 1)
    for value, updated in (("1", 0), ("x", 1)):
        rows = pa.table({"id": ["a"], "v": [value]})
        assert lake.to.diff(None, Parcel("s", 2, "id", rows, lake.environ), []).updated == updated
    lake.to.publish(None, None, Parcel("s", 2, "id", rows, lake.environ))
    assert lake.diff(parcel({"a": 1}, 3)).updated == 1


def in_parts(table, size):
    """Rows that are read in parts."""

    def read(columns):
        for at in range(0, len(table), size):
            part = table.slice(at, size)
            yield part if columns is None else part.select(list(columns))

    return Rows(table.schema, len(table), read)


def things(dice):
    """Some rows of forty, some of them gone, in a column of which the type changes."""
    keys = [str(k) for k in dice.sample(range(40), dice.randrange(30))]
    values = [dice.choice([0, 1, 2, None]) for _ in keys]
    other = [dice.choice([1.0, 1.5, float("nan"), None]) for _ in keys]
    v = dice.choice([values, [None if x is None else f"{x}" for x in values], ["x"] * len(keys)])
    gone = [dice.random() < 0.2 for _ in keys]
    text = v and isinstance(next((x for x in v if x is not None), 0), str)
    columns = {"id": keys, "v": pa.array(v, pa.string() if text else pa.int64())}
    columns |= {"w": pa.array(other, pa.float64()), DELETED: pa.array(gone, pa.bool_())}
    return pa.table(columns)


@pytest.mark.parametrize("seed", range(6))
def test_in_parts_of_seven_or_at_once_it_does_the_same(lake, seed):
    told = []
    for size in (7, 10**6):
        lake.move()
        dice = random.Random(seed)
        for _ in range(8):
            rows, seq = things(dice), dice.randrange(1, 9)
            some = rows if size > len(rows) else in_parts(rows, size)
            one = Parcel("s", seq, "id", some, lake.environ, at_once=size)
            told.append((size, lake.to.diff(None, one, ["v", "w"])))
            told.append((size, str(lake.to.existing(None, one, ["v", "w", "_snapshot_seq"]))))
            act = lake.to.publish if dice.random() < 0.7 else lambda _, *a: lake.to.revert(*a)
            try:
                told.append((size, act(None, None, one)))
            except DestinationRefused as refused:
                told.append((size, str(refused).partition(" is there ")[2]))
            told.append((size, lake.living()))
    assert [what for size, what in told if size == 7] == [what for size, what in told if size > 7]


def test_a_file_of_rows_with_another_key_is_refused_by_its_name(lake):
    lake.publish({"a": 1}, 1)
    other = Parcel("s", 2, "v", pa.table({"v": [1]}), lake.environ)
    assert lake.to.diff(None, other, []).updated == 0
    other = Parcel("s", 2, "number", pa.table({"number": [1]}), lake.environ)
    for act in (lambda: lake.to.publish(None, None, other), lambda: lake.to.diff(None, other, [])):
        with pytest.raises(DestinationRefused, match="has no column number"):
            act()


def test_what_was_written_in_larger_parts_is_there_already(lake):
    rows = pa.table({"id": [str(i) for i in range(20)], "v": [float("nan"), *range(1, 20)]})
    for size in (10**6, 7):
        one = Parcel("s", 1, "id", in_parts(rows, size), lake.environ, at_once=size)
        assert lake.to.publish(None, None, one) == Written(inserted=20)
    assert len(lake.files()) == 1
    (file,) = lake.files()
    system, _ = fsspec.core.url_to_fs(lake.url)
    assert [f for f in system.ls(file.rpartition("/")[0], detail=False) if "part" in f[-5:]] == []


def test_a_column_is_compared_as_text_in_every_part_or_in_none(tmp_path):
    """ "01" is the number 1, but not where another row says "x"."""
    lake = Lake(str(tmp_path), "parquet")
    keys = [str(i) for i in range(14)]
    for last, updated in (("1", 0), ("x", 14)):
        lake.move()
        old = pa.table({"id": keys, "v": ["01"] * 13 + [last]})
        lake.to.publish(None, None, Parcel("s", 1, "id", old, lake.environ))
        new = pa.table({"id": keys, "v": [1] * 14})
        found = lake.to.diff(None, Parcel("s", 2, "id", new, lake.environ, at_once=7), ["v"])
        assert found.updated == updated
        assert {c[3] for c in found.changes} <= {"1"}


def test_keys_of_csv_stay_text(tmp_path):
    lake = Lake(str(tmp_path), "csv")
    rows = pa.table({"id": ["007", ""], "v": [1, 2]})
    lake.to.publish(None, None, Parcel("s", 1, "id", rows, lake.environ))
    assert sorted(lake.living()) == ["", "007"]


@pytest.mark.parametrize("when", ["writing", "written"])
def test_a_process_that_is_killed_leaves_a_whole_file_or_none(tmp_path, when):
    lake = Lake(str(tmp_path), "parquet")
    environ = {**os.environ, **lake.environ, "PYTHONPATH": str(CHILD.parents[2])}
    args = [sys.executable, str(CHILD), when]
    assert subprocess.run(args, env=environ, check=False).returncode == -9
    assert len(lake.living()) == (0 if when == "writing" else 3)
    left = [*tmp_path.rglob(".*.part")]
    assert len(left) == (when == "writing")
    for path in left:
        os.utime(path, (0, 0))
    rows = {"a": 1, "b": 2, "c": 3}
    assert lake.publish(rows, 1) == Written(inserted=3)
    assert lake.values() == rows
    assert [*tmp_path.rglob(".*.part")] == []


def test_a_place_that_is_none_is_refused_in_words(tmp_path):
    (tmp_path / "file").write_text("x")
    environ = {"WFOPS_LAKE_URL": str(tmp_path / "file")}
    with pytest.raises(DestinationRefused, match="WFOPS_LAKE_URL"):
        file_table("lake", "x").publish(None, None, parcel({"a": 1}, 1, environ=environ))
    with pytest.raises(SettingsError, match="WFOPS_LAKE_URL"):
        file_table("lake", "x").publish(None, None, parcel({"a": 1}, 1))
    secret = {"WFOPS_LAKE_URL": "nosuch://user:s3cr3t@host/x"}
    with pytest.raises(SettingsError, match="WFOPS_LAKE_URL: fsspec knows no such") as refused:
        file_table("lake", "x").diff(None, parcel({"a": 1}, 1, environ=secret), [])
    assert "s3cr3t" not in str(refused.value)


@pytest.mark.parametrize(
    ("path", "format_"), [("../x", "csv"), ("", "csv"), ("/x", "csv"), ("x", "orc")]
)
def test_a_path_that_leaves_the_folder_is_refused_where_it_is_declared(path, format_):
    with pytest.raises(ValueError, match="is no"):
        file_table("lake", path, format=format_)


def test_a_row_that_csv_could_not_be_read_with_is_refused_before_it_is_there(tmp_path):
    lake = Lake(str(tmp_path / "lake"), "csv")
    lake.publish({"a": 1}, 1)
    rows = pa.table({"id": ["b"], "v": ['"' * (9 * 2**20)]})
    with pytest.raises(DestinationRefused, match="too long for CSV"):
        lake.to.publish(None, None, Parcel("s", 2, "id", rows, lake.environ))
    assert len(lake.files()) == 1
    wide = pa.table({"id": ["b"], "v": ["x" * (15 * 2**20)]})
    lake.to.publish(None, None, Parcel("s", 2, "id", wide, lake.environ))
    assert sorted(lake.living()) == ["a", "b"]


def test_a_file_that_is_taken_back_while_others_read_is_a_failure_that_passes(
    tmp_path, monkeypatch
):
    lake = Lake(str(tmp_path), "parquet")
    lake.publish({"a": 1}, 1)
    names = Folder.names

    def revert_meanwhile(folder):
        found = names(folder)
        folder.remove(found[0])
        return found

    monkeypatch.setattr(Folder, "names", revert_meanwhile)
    with pytest.raises(DestinationUnreachable) as caught:
        lake.publish({"a": 2}, 2)
    assert caught.value.transient


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (EndpointConnectionError(endpoint_url="http://lake.invalid"), True),
        (NoCredentialsError(), False),
    ],
)
def test_what_the_library_of_an_object_store_says_is_no_bug_of_ours(
    tmp_path, monkeypatch, error, passes
):
    def fail(_):
        raise error

    monkeypatch.setattr(Folder, "names", fail)
    with pytest.raises(DestinationRefused, match="WFOPS_LAKE_URL") as caught:
        Lake(str(tmp_path), "parquet").publish({"a": 1}, 1)
    assert isinstance(caught.value, DestinationUnreachable) == passes


def test_a_type_that_changed_hides_no_difference(tmp_path):
    environ = {"WFOPS_LAKE_URL": str(tmp_path)}
    noon, price = datetime(2026, 5, 1, 12), 10.555  # noqa: DTZ001
    before = pa.table({"id": ["a"], "d": [noon], "v": [price], "w": [1.5]})
    to = file_table("lake", "x")
    to.publish(None, None, Parcel("s", 1, "id", before, environ))
    types = {"d": pa.date32(), "v": pa.decimal128(12, 2), "w": pa.int64()}
    after = {"id": ["a"], "d": [noon.date()], "v": [Decimal("10.56")], "w": [1]}
    rows = pa.table({n: pa.array(v, types.get(n)) for n, v in after.items()})
    found = to.diff(None, Parcel("s", 2, "id", rows, environ), ["d", "v", "w"])
    assert [c[1] for c in found.changes] == ["d", "v", "w"]
