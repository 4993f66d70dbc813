"""A table of an internal database as a source, on PostgreSQL and SQLite."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from wfops_pipelines import Policy, flow, sql_table, sync, table
from wfops_pipelines.core.reviews import Actor
from wfops_pipelines.destinations import comparing, database_table
from wfops_pipelines.errors import (
    SettingsError,
    SourceMalformed,
    SourceRefused,
    SourceUnreachable,
)
from wfops_pipelines.sources import Window
from wfops_pipelines.sources.sql import Database
from wfops_pipelines.staging import telling
from wfops_pipelines.store.database import connect

START = datetime(2026, 5, 1, tzinfo=UTC)
EVERYTHING = Window(None, START + timedelta(days=99))
ROWS = """
create schema sales;
create table sales."Odd %orders" (id text, amount numeric, "updated at" timestamptz);
insert into sales."Odd %orders"
select 'o' || i, i * 1.1, timestamptz '2026-05-01 00:00+00' + i * interval '1 hour'
from generate_series(0, 99) i
"""
ORDERS = sql_table("erp", "sales.Odd %orders", cursor="updated at", rows=30)


@pytest.fixture
def erp(database_url):
    with connect(database_url).begin() as conn:
        conn.exec_driver_sql(ROWS.replace("%", "%%"))
    return ORDERS.connect({"WFOPS_ERP_URL": database_url})


def ids(source, window, connection):
    return [row["id"] for page in source.pages(window, connection) for row in page]


def test_all_rows_come_page_by_page_oldest_first(erp):
    pages = list(ORDERS.pages(EVERYTHING, erp))
    assert [len(p) for p in pages] == [30, 30, 30, 10]
    assert [r["id"] for p in pages for r in p] == [f"o{i}" for i in range(100)]
    assert pages[0][1]["updated at"] == START + timedelta(hours=1)


@pytest.mark.parametrize("elsewhere", [False, True], ids=["table", "database_table"])
def test_no_more_rows_are_in_memory_than_the_settings_allow(
    make_bench, erp, tmp_path, monkeypatch, elsewhere
):
    """What is read, what waits to be staged, and what is compared and written over there."""
    there = f"sqlite:///{tmp_path}/there.db"
    few = {"WFOPS_ERP_URL": erp.url, "WFOPS_ROWS_AT_ONCE": "10", "WFOPS_THERE_URL": there}
    bench = make_bench(None, database_table("there", "things") if elsewhere else None, few)
    sizes = {"read": [], "staged": [], "met": []}

    def spied(module, name, what, size):
        real = getattr(module, name)

        def spy(*args):
            sizes[what].append(size(*args))
            return real(*args)

        monkeypatch.setattr(module, name, spy)

    spied(telling, "of_rows", "staged", lambda sync, rows, held: len(rows))
    spied(comparing, "meet", "met", lambda parcel, held: parcel.rows.num_rows)

    def read(page):
        sizes["read"].append(len(page))
        return [{**r, "name": "n", "updated_at": r.pop("updated at")} for r in page]

    bench.project.syncs["things"] = replace(bench.sync, source=ORDERS, rows=read)
    assert bench.run().publications[0].rows == 100
    assert {what: max(found, default=0) for what, found in sizes.items()} == {
        "read": 10, "staged": 10, "met": 10 if elsewhere else 0
    }  # fmt: skip
    assert sum(sizes["read"]) == 100


def test_a_window_has_its_start_and_not_its_end(erp):
    window = Window(START + timedelta(hours=10), START + timedelta(hours=13))
    assert ids(ORDERS, window, erp) == ["o10", "o11", "o12"]


def test_a_row_without_a_time_is_in_every_window(erp):
    with connect(erp.url).begin() as conn:
        conn.exec_driver_sql("""insert into sales."Odd %%orders" values ('undated', 1, null)""")
    window = Window(START + timedelta(hours=10), START + timedelta(hours=11))
    assert ids(ORDERS, window, erp) == ["o10", "undated"]
    assert ids(ORDERS, EVERYTHING, erp)[-1] == "undated"


@pytest.mark.parametrize("naive", [True, False])
def test_a_time_without_a_zone_is_of_utc_whatever_zone_the_server_is_set_to(erp, naive):
    """Else its window is another one than the cursor's, and what lies between is lost."""
    with connect(erp.url).begin() as conn:
        database = conn.exec_driver_sql("select current_database()").scalar_one()
        conn.exec_driver_sql(f"alter database {database} set timezone = 'Europe/Berlin'")
        conn.exec_driver_sql("create table plain (id text, at timestamp)")
        conn.exec_driver_sql("insert into plain values ('1', '2026-05-01 12:00')")
    source = sql_table("erp", "plain", cursor="at", naive=naive)
    for hour, found in ((11, []), (12, ["1"]), (13, [])):
        window = Window(START + timedelta(hours=hour), START + timedelta(hours=hour + 1))
        assert ids(source, window, erp) == found


def test_sqlite_and_times_without_a_zone(tmp_path):
    url = f"sqlite:///{tmp_path}/shop.db"
    engine = sa.create_engine(url)
    meta = sa.MetaData()
    things = sa.Table("things", meta, sa.Column("id", sa.Text), sa.Column("at", sa.DateTime))
    meta.create_all(engine)
    with engine.begin() as conn:
        for i in range(5):
            at = START.replace(tzinfo=None) + timedelta(hours=i)
            conn.execute(things.insert().values(id=str(i), at=at))
    engine.dispose()
    source = sql_table("shop", "things", cursor="at", naive=True)
    connection = source.connect({"WFOPS_SHOP_URL": url})
    window = Window(START + timedelta(hours=2), START + timedelta(hours=4))
    assert ids(source, window, connection) == ["2", "3"]


def test_a_sync_from_a_table_stages_only_what_is_new(make_bench, erp):
    bench = make_bench()

    @sync(
        source=ORDERS, key="id", cursor="updated_at", destination=table("shop.things"),
        policy=Policy(reviewers="team"),
    )  # fmt: skip
    def things(page):
        return [
            {"id": r["id"], "name": "n", "amount": r["amount"], "updated_at": r["updated at"]}
            for r in page
        ]

    services = bench.services
    environ = {**services.environ, "WFOPS_ERP_URL": erp.url}
    bench = replace(
        bench,
        project=replace(bench.project, syncs={"things": things}),
        services=replace(services, environ=environ),
    )
    run = flow.Run(Actor("test", "machine"))
    first = flow.run_sync(bench.project, things, bench.services, run)
    assert first.judged[-1].snapshot.rows == 100
    assert flow.run_sync(bench.project, things, bench.services, run).judged == ()
    with connect(erp.url).begin() as conn:
        conn.exec_driver_sql(
            'update sales."Odd %%orders" set amount = 7, "updated at" = \'2026-05-31\' '
            "where id = 'o3'"
        )
    again = flow.run_sync(bench.project, things, bench.services, run)
    assert again.judged[-1].snapshot.rows == 1


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (replace(ORDERS, table="sales.nothing"), "nothing"),
        (replace(ORDERS, cursor="gone"), "gone"),
        (replace(ORDERS, table='x"; drop table sales."Odd %orders"; --'), "does not exist"),
    ],
)
def test_a_wrong_table_or_column_is_said_and_is_never_sql(erp, source, words):
    with pytest.raises(SourceMalformed, match=words) as caught:
        ids(source, EVERYTHING, erp)
    assert caught.value.exchange == {"method": "SELECT", "url": source.table}
    assert len(ids(ORDERS, EVERYTHING, erp)) == 100


def test_a_wrong_password_is_refused_without_being_shown(erp):
    url = sa.make_url(erp.url).set(password="s3cret")
    wrong = Database(url.render_as_string(hide_password=False))
    with pytest.raises(SourceRefused, match="WFOPS_ERP_URL") as caught:
        ids(ORDERS, EVERYTHING, wrong)
    assert "s3cret" not in f"{caught.value}{wrong!r}"


def test_a_database_that_is_not_there_is_unreachable():
    nobody = Database("postgresql://x:s3cret@127.0.0.1:9/none")
    with pytest.raises(SourceUnreachable) as caught:
        ids(ORDERS, EVERYTHING, nobody)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("url", ["", "not an address"])
def test_an_address_that_is_none_is_refused_with_its_repair(url):
    with pytest.raises(SettingsError, match=r"WFOPS_ERP_URL.*Repair: export"):
        ORDERS.connect({"WFOPS_ERP_URL": url})
