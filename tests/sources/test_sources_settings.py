"""Connections come from the environment; windows are half-open and in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wfops_pipelines.errors import SettingsError
from wfops_pipelines.sources import TimeFormat, Window, connection_for, rest_api
from wfops_pipelines.sources.paging import SinglePage

GOOD = {"WFOPS_CRM_URL": "https://api.crm.example/", "WFOPS_CRM_TOKEN": "abc\n"}
MOMENT = datetime(2026, 6, 15, 9, 0, 0, 1, tzinfo=UTC)


def test_a_connection_is_read_and_trimmed():
    found = connection_for("crm", GOOD)
    assert (found.base_url, found.token) == ("https://api.crm.example", "abc")
    assert repr(found) == "Connection(base_url='https://api.crm.example', token='***')"


def test_a_system_name_with_a_dash_has_a_variable_that_a_shell_can_set():
    environ = {"WFOPS_MY_ERP_URL": "http://127.0.0.1:1", "WFOPS_MY_ERP_TOKEN": "x"}
    assert connection_for("my-erp", environ).token == "x"


@pytest.mark.parametrize("name", sorted(GOOD))
def test_a_missing_variable_is_named_with_its_repair(name):
    for value in (None, "", "  "):
        environ = {k: v for k, v in GOOD.items() if k != name}
        environ |= {} if value is None else {name: value}
        with pytest.raises(SettingsError, match=rf"{name} is not set. Repair: export {name}="):
            connection_for("crm", environ)


@pytest.mark.parametrize(
    "url",
    [
        "api.crm.example",
        "ftp://api.crm.example",
        "https://",
        "https://user:hunter2@api.crm.example",
        "https://api.crm.example?x=1",
        "https://api.crm.example#x",
        "https://api.crm.example:99999",
        "https://api.crm.example\\evil",
        "https://api crm.example",
        "https://[::1",
    ],
)
def test_an_address_that_cannot_be_used_is_refused(url):
    with pytest.raises(SettingsError, match=r"WFOPS_CRM_URL: .*Repair:") as caught:
        connection_for("crm", GOOD | {"WFOPS_CRM_URL": url})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("token", ["a b", "a\nb", "a\x00b", "naïve", "a\tb"])
def test_a_token_that_would_break_a_header_is_refused_without_being_shown(token):
    with pytest.raises(SettingsError, match="WFOPS_CRM_TOKEN") as caught:
        connection_for("crm", GOOD | {"WFOPS_CRM_TOKEN": token})
    assert token not in str(caught.value)


def test_a_window_is_kept_in_utc():
    noon = datetime(2026, 6, 15, 12, tzinfo=timezone(timedelta(hours=2)))
    window = Window(noon, noon)
    assert window.start == noon
    assert window.start.tzinfo is UTC


def test_a_window_refuses_naive_times_and_going_backwards():
    with pytest.raises(ValueError, match="offset"):
        Window(None, datetime(2026, 6, 15))  # noqa: DTZ001
    with pytest.raises(ValueError, match="must not end before"):
        Window(MOMENT, MOMENT - timedelta(seconds=1))


def test_times_are_written_as_the_vendor_wants_them_rounded_up():
    written = {form: form.write(MOMENT) for form in TimeFormat}
    assert written == {
        TimeFormat.ISO_MILLIS: "2026-06-15T09:00:00.001Z",
        TimeFormat.ISO_SECONDS: "2026-06-15T09:00:01Z",
        TimeFormat.UNIX_SECONDS: "1781514001",
        TimeFormat.UNIX_MILLIS: "1781514000001",
    }


@given(st.datetimes(), st.integers(0, 10**10))
def test_a_record_in_whole_seconds_is_in_the_written_window_exactly_when_in_the_real_one(when, at):
    moment = when.replace(tzinfo=UTC)
    stored = datetime.fromtimestamp(at, UTC)
    assert (at >= int(TimeFormat.UNIX_SECONDS.write(moment))) == (stored >= moment)


@pytest.mark.parametrize("path", ["x", "", "//evil.example/x", "http://evil.example/x"])
def test_a_path_that_could_lead_elsewhere_is_refused_when_declared(path):
    with pytest.raises(ValueError, match="must start with one slash"):
        rest_api("crm", path, records="", paging=SinglePage())
