"""What docs/destinations.md shows is run, on real systems."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
import sqlalchemy as sa

from tests.destinations.contacts_api import contacts_api
from wfops_pipelines import destinations
from wfops_pipelines.destinations import Parcel, Written
from wfops_pipelines.store import database
from wfops_pipelines.undoing import can_undo

pytestmark = pytest.mark.components

TEXT = (Path(__file__).parent.parent / "docs/destinations.md").read_text("utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.M | re.S)


def declared():
    found = {}
    exec(blocks("python")[0], found)
    return {n: v for n, v in found.items() if n.isupper()}


@pytest.fixture
def publish(database_url, tmp_path, monkeypatch):
    """Publish to a destination of the page: key -> e-mail, or None where a row is gone."""
    monkeypatch.chdir(tmp_path)
    engine = database.connect(database_url)
    database.set_up(engine)
    with contacts_api() as api:
        environ = {
            **api.environ, "WFOPS_ERP_URL": f"sqlite:///{tmp_path / 'erp.db'}",
            "WFOPS_LAKE_URL": str(tmp_path / "lake"),
        }  # fmt: skip

        def do(destination, emails, seq):
            gone = [e is None for e in emails.values()]
            columns = {"id": list(emails), "email": list(emails.values()), "_deleted": gone}
            at = datetime(2026, 5, 1, tzinfo=UTC)
            one = Parcel("contacts", seq, "id", pa.table(columns), environ, at=at)
            with engine.begin() as conn:
                return destination.publish(conn, engine, one)

        do.engine = engine
        yield do


@pytest.mark.parametrize("name", sorted(declared()))
def test_each_destination_of_the_page_takes_rows_changes_and_deletions(publish, name):
    to = declared()[name]
    assert publish(to, {"a": "a@x", "b": "b@x"}, 1) == Written(inserted=2)
    assert publish(to, {"a": "new@x", "b": None}, 2) == Written(updated=1, deleted=1)
    told_again = Written(inserted=1)  # the API has this row of this snapshot already
    late = publish(to, {"a": "old@x"}, 1)
    assert late == (told_again if name == "CRM" else Written(stale=1))


def test_forms_and_archiving_are_declared_as_the_page_says():
    found = {}
    exec(blocks("python")[1], found)
    assert found["BILLING"].manners.form
    assert dict(found["WIKI"].delete_body) == {"archived": True}
    assert can_undo(found["BILLING"], "id")
    assert can_undo(found["WIKI"], "id")


def test_the_view_of_the_page_shows_what_lives(publish):
    publish(declared()["WAREHOUSE"], {"a": "a@x", "b": "b@x"}, 1)
    publish(declared()["WAREHOUSE"], {"b": None}, 2)
    with publish.engine.begin() as conn:
        conn.execute(sa.text(blocks("sql")[0]))
        assert conn.execute(sa.text("select id from crm.contacts_now")).scalars().all() == ["a"]


def test_the_files_are_read_as_the_page_says(publish):
    publish(declared()["LAKE"], {"a": "a@x", "b": "b@x"}, 1)
    publish(declared()["LAKE"], {"b": None, "c": "c@x"}, 2)
    found = {}
    exec(blocks("python")[-1], found)
    assert sorted(found["contacts"]["id"].to_list()) == ["a", "c"]


def test_the_table_of_the_page_says_what_can_be_taken_back():
    header, *rows = [line.split(" | ") for line in TEXT.splitlines() if line.startswith("| ")]
    assert len(header) == len(declared()) + 1
    (undo,) = [r for r in rows if r[0] == "| can be taken back"]
    order = [declared()[n] for n in ("WAREHOUSE", "ERP", "CRM", "LAKE")]
    assert [c.strip(" |") == "yes" for c in undo[1:]] == [can_undo(d, "id") for d in order]


def test_every_name_of_the_page_is_there():
    names = {*re.findall(r"`(\w+_table|rest_destination|table)[`(]", TEXT)}
    assert names == {"table", "database_table", "rest_destination", "file_table"}
    assert names <= set(destinations.__all__)
