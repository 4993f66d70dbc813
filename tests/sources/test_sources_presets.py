"""The presets read the sandbox's vendors whole, window by window."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sources.scripted import DAYS, QUICK
from wfops_pipelines.sandbox import NOW
from wfops_pipelines.sources import (
    Window,
    github,
    hubspot,
    hubspot_search,
    notion,
    oauth2,
    salesforce,
    stripe,
    zendesk,
)

pytestmark = pytest.mark.components

SYSTEMS = ("crm", "billing", "support")
DAYS_START = NOW - timedelta(days=3)


def updated(system: str, row: dict[str, Any]) -> datetime:
    if system == "billing":
        return datetime.fromtimestamp(row["updated"], UTC)
    return datetime.fromisoformat(row["updatedAt" if system == "crm" else "updated_at"])


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_window_is_read_page_by_page_and_each_record_comes_once(read, system):
    pages = list(read.pages(system))
    ids = [row["id"] for page in pages for row in page]
    assert len(pages) > 1
    assert len(ids) == len(set(ids))
    assert all(DAYS_START <= updated(system, row) < NOW for page in pages for row in page)


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_page_size_changes_the_pages_and_not_the_records(read, system):
    name = read.source(system).page_size[0]
    small = read.rows(system, page_size=(name, 17))
    assert small == read.rows(system)


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_first_extraction_reads_from_the_beginning(read, system):
    read.sandbox.client.set_clock(NOW - timedelta(days=130))
    everything = read.rows(system, Window(None, NOW))
    assert len(everything) > 500
    assert min(updated(system, row) for row in everything) < NOW - timedelta(days=160)
    assert len({row["id"] for row in everything}) == len(everything)


@pytest.mark.parametrize("system", SYSTEMS)
def test_an_empty_window_is_one_empty_page(read, system):
    assert list(read.pages(system, Window(NOW, NOW))) == [[]]


@given(st.lists(st.floats(0, 3 * 86_400), max_size=4))
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@pytest.mark.parametrize("system", SYSTEMS)
def test_however_time_is_cut_into_windows_nothing_is_lost_or_doubled(read, system, cuts):
    ends = [DAYS_START, *(DAYS_START + timedelta(seconds=c) for c in sorted(cuts)), NOW]
    pieces = [row for start, end in pairwise(ends) for row in read.rows(system, Window(start, end))]
    assert pieces == read.rows(system)


def test_a_source_is_a_value_that_holds_nothing_open(read):
    source = read.source("crm")
    assert hash(source) == hash(read.source("crm"))
    assert source == read.source("crm")


def test_a_reader_that_stops_early_leaves_no_connection_behind(read):
    pages = read.pages("crm")
    next(pages)
    pages.close()


@pytest.mark.parametrize("system", ["crm", "support"])
def test_a_list_that_cannot_filter_gives_the_same_window(read, system):
    """The sandbox is asked for nothing, and answers everything, as the vendor's own list does."""
    preset = {"crm": hubspot, "support": zendesk}[system]
    source = preset(system, read.source(system).path, filters=False, retries=QUICK)
    assert source.windowed
    assert not any("pdated" in name for name in source.query(DAYS))
    found = [r for page in source.pages(DAYS, read.connection(system)) for r in page]
    assert sorted(r["id"] for r in found) == sorted(r["id"] for r in read.rows(system))


@pytest.mark.parametrize("preset", [hubspot, zendesk, stripe, notion, github])
def test_each_takes_what_rest_api_takes_of_signing_and_waiting(preset):
    found = preset("crm", "/things", auth=oauth2("/token"), timeout=7, deadline=90, retries=QUICK)
    assert (found.auth.token_path, found.timeout, found.deadline) == ("/token", 7, 90)
    assert found.retries is QUICK


def test_those_that_name_fields_take_it_too():
    for preset in (hubspot_search, salesforce):
        assert preset("crm", "Contact", ["Email"], auth=oauth2("/token")).auth == oauth2("/token")
