"""Five faults that must be held at twenty snapshots, on the demo's own syncs and sandbox."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

import pyarrow as pa
import pytest

from tests.conftest import ROOT
from wfops_pipelines.anomaly import Profile, SnapshotScore, profile, score_snapshot
from wfops_pipelines.core.parts import Rows
from wfops_pipelines.demonstration import TODAY
from wfops_pipelines.project import load_project
from wfops_pipelines.sandbox import Sandbox, sandbox_thread
from wfops_pipelines.sources import Window
from wfops_pipelines.store import rows
from wfops_pipelines.sync import Sync

pytestmark = pytest.mark.components

HISTORY = 20
DAYS = (HISTORY, HISTORY + 2)  # working days: on a Sunday hardly a row comes
SYNCS = ("billing_invoices", "crm_contacts", "support_replies")
SWAPPED = {
    "billing_invoices": ("amount_due", "amount_paid"),
    "crm_contacts": ("first_name", "last_name"),
    "support_replies": ("customer_name", "customer_email"),
}
ENUMS = {
    "billing_invoices": ("status", "open", "paid"),
    "crm_contacts": ("lifecycle_stage", "customer", "lead"),
}


@dataclass
class Stream:
    """A demo sync's snapshots, a day each."""

    sync: Sync
    tables: list[pa.Table]

    def examined(self, day: int, table: pa.Table) -> Profile:
        ends = taken(day - 1), taken(day)
        return profile(table, key=self.sync.key, cursor=self.sync.cursor, window=ends)

    @cached_property
    def profiles(self) -> list[Profile]:
        return [self.examined(day, table) for day, table in enumerate(self.tables)]

    def judged(self, day: int, table: pa.Table) -> SnapshotScore:
        return score_snapshot(self.profiles[day - HISTORY : day], self.examined(day, table))


def taken(day: int) -> datetime:
    return TODAY + timedelta(days=day - HISTORY)


def read(sync: Sync, sandbox: Sandbox) -> Stream:
    api, types, tables = sync.source.connect(sandbox.environ()), None, []
    for day in range(max(DAYS) + 1):
        sandbox.client.set_clock(taken(day))
        pages = sync.source.pages(Window(taken(day - 1), taken(day)), api)
        tables.append(rows.to_table([row for page in pages for row in sync.rows(page)], types))
        types = types or rows.types_of(Rows.of(tables[0]))
    return Stream(sync, tables)


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Stream]]:
    syncs = load_project(ROOT).syncs
    with sandbox_thread(tmp_path_factory.mktemp("sandbox"), now=TODAY) as sandbox:
        yield {name: read(syncs[name], sandbox) for name in SYNCS}


@pytest.fixture(params=SYNCS)
def stream(request: pytest.FixtureRequest, streams: Mapping[str, Stream]) -> Stream:
    return streams[request.param]


def put(table: pa.Table, name: str, values: list[object]) -> pa.Table:
    at = table.column_names.index(name)
    return table.set_column(at, name, pa.array(values, table.schema.field(name).type))


every_day = pytest.mark.parametrize("day", DAYS)


@every_day
def test_a_usual_day_is_not_held(stream: Stream, day: int) -> None:
    assert not stream.judged(day, stream.tables[day]).held


@every_day
@pytest.mark.parametrize("name", ["amount_due", "amount_paid"])
def test_cents_for_units_are_held_and_named(
    streams: Mapping[str, Stream], name: str, day: int
) -> None:
    stream = streams["billing_invoices"]
    table = stream.tables[day]
    score = stream.judged(day, put(table, name, [v * 100 for v in table[name].to_pylist()]))
    assert score.held
    assert score.findings[0].column == name
    assert score.findings[0].sentence.startswith(f"{name}: ")


@every_day
def test_half_of_the_rows_missing_is_held(stream: Stream, day: int) -> None:
    table = stream.tables[day]
    score = stream.judged(day, table.slice(0, table.num_rows // 2))
    assert score.held
    assert {"rows", "late end"} & {f.statistic for f in score.findings}


@every_day
def test_a_page_of_the_day_before_is_held(stream: Stream, day: int) -> None:
    table, page = stream.tables[day], stream.tables[day].num_rows // 3
    score = stream.judged(
        day, pa.concat_tables([stream.tables[day - 1].slice(0, page), table.slice(page)])
    )
    assert score.held
    assert "rows of earlier snapshots" in {f.statistic for f in score.findings}


@every_day
@pytest.mark.parametrize("name", ENUMS)
def test_a_vanished_enum_value_is_held_and_named(
    streams: Mapping[str, Stream], name: str, day: int
) -> None:
    stream, (column, gone, into) = streams[name], ENUMS[name]
    table = stream.tables[day]
    values = [into if v == gone else v for v in table[column].to_pylist()]
    score = stream.judged(day, put(table, column, values))
    assert score.held
    assert score.findings[0].column == column
    assert any(gone in f.sentence for f in score.findings)


@every_day
def test_swapped_columns_are_held_and_both_named(stream: Stream, day: int) -> None:
    table, (a, b) = stream.tables[day], SWAPPED[stream.sync.name]
    swapped = put(put(table, a, table[b].to_pylist()), b, table[a].to_pylist())
    score = stream.judged(day, swapped)
    assert score.held
    assert {a, b} <= {f.column for f in score.findings}
