"""Create, update, delete and read back rows of a SaaS API, over real HTTP."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime

import pyarrow as pa
import pytest

from tests.destinations.contacts_api import TOKEN, contacts_api
from tests.destinations.delivery_child import contacts, many, people, publish
from wfops_pipelines.core.snapshot import Diff
from wfops_pipelines.destinations import Parcel, Written, rest_destination
from wfops_pipelines.destinations.calling import Caller, Manners
from wfops_pipelines.destinations.calls import call, fill
from wfops_pipelines.destinations.deliveries import of_snapshot, unsettled
from wfops_pipelines.errors import (
    DestinationDenied,
    DestinationRateLimited,
    DestinationRefused,
    DestinationUnreachable,
    FailureKind,
    SettingsError,
)
from wfops_pipelines.sources import api_key, basic, no_auth

pytestmark = [pytest.mark.components, pytest.mark.usefixtures("quick")]


READ = "GET /contacts/{remote_id}"
PLAIN, READING = contacts(keys=True), contacts(keys=True, read=READ)


def send(engine, api, emails, seq=1, to=PLAIN):
    return publish(engine, to, people(emails, api.environ, seq))


def diff(engine, api, emails, seq, to):
    with engine.connect() as conn:
        return to.diff(conn, people(emails, api.environ, seq), ["email"])


def emails(api):
    return sorted(r["email"] for r in api.records.values())


def states(engine, seq=1):
    with engine.connect() as conn:
        return {k: d.state.value for k, d in of_snapshot(conn, "people", seq).items()}


def test_rows_are_created_then_updated_then_deleted(engine, api):
    assert send(engine, api, {"a": "a@x", "b": "b@x"}) == Written(inserted=2)
    assert send(engine, api, {"a": "a2@x", "c": "c@x"}, 2) == Written(inserted=1, updated=1)
    assert send(engine, api, {"b": None}, 3) == Written(deleted=1)
    assert emails(api) == ["a2@x", "c@x"]
    assert [a[:2] for a in api.writes()] == [
        ("POST", "/contacts"), ("POST", "/contacts"), ("PATCH", "/contacts/c1"),
        ("POST", "/contacts"), ("DELETE", "/contacts/c2"),
    ]  # fmt: skip


def test_a_row_that_was_deleted_is_created_anew(engine, api):
    send(engine, api, {"a": "a@x"})
    send(engine, api, {"a": None}, 2)
    assert send(engine, api, {"a": "a3@x"}, 3) == Written(inserted=1)
    assert emails(api) == ["a3@x"]


def test_a_tombstone_of_what_never_was_there_changes_nothing(engine, api):
    assert send(engine, api, {"a": None}) == Written()
    assert api.asked == []
    assert send(engine, api, {"a": None}, 2) == Written()


def test_an_older_row_never_goes_over_a_newer_one(engine, api):
    send(engine, api, {"a": "new@x"}, 5)
    assert send(engine, api, {"a": "old@x", "b": "b@x"}, 4) == Written(inserted=1, stale=1)
    assert emails(api) == ["b@x", "new@x"]


def test_published_twice_is_sent_once_and_tells_the_same(engine, api):
    rows = {"a": "a@x", "b": None}
    first = send(engine, api, rows)
    assert send(engine, api, rows) == first == Written(inserted=1)
    assert len(api.writes()) == 1


def test_without_a_delete_tombstones_are_refused_before_anything_is_sent(engine, api):
    messages = rest_destination("crm", "POST /contacts", body={"email": "{email}"})
    with pytest.raises(DestinationRefused, match=r"1 rows are gone at the source\. Declare"):
        send(engine, api, {"a": "a@x", "b": None}, to=messages)
    assert api.asked == []


def test_messages_are_new_each_time(engine, api):
    messages = rest_destination("crm", "POST /contacts", body={"email": "{email}"})
    send(engine, api, {"a": "a@x"}, to=messages)
    assert diff(engine, api, {"a": "a@x"}, 2, messages) == Diff(inserted=1)
    assert send(engine, api, {"a": "a@x"}, 2, to=messages) == Written(inserted=1)
    assert len(api.records) == 2


def test_the_diff_without_read_back_says_what_the_ledger_knows(engine, api):
    send(engine, api, {"a": "a@x", "b": "b@x"})
    found = diff(engine, api, {"a": "a@x", "b": None, "c": "c@x"}, 2, PLAIN)
    assert found == Diff(inserted=1, updated=1, deleted=1)


def test_the_diff_is_read_back_from_the_api_field_by_field(engine, api):
    send(engine, api, {"a": "a@x", "b": "b@x", "c": "c@x", "d": "d@x"})
    api.records["c1"]["email"] = "changed-there@x"
    api.records["c1"]["more"] = "a field that is not ours"
    del api.records["c3"]
    rows = {"a": "a@x", "b": "b@x", "c": "c@x", "d": None, "e": "e@x"}
    found = diff(engine, api, rows, 2, READING)
    change = ("a", "email", "changed-there@x", "a@x")
    assert found == Diff(inserted=2, updated=1, unchanged=1, deleted=1, changes=(change,))
    with engine.connect() as conn:
        held = READING.existing(conn, people(rows, api.environ, 2), ["email"]).rows
    assert held == {"a": {"email": "changed-there@x"}, "b": {"email": "b@x"}}


def test_what_the_ledger_does_not_know_is_looked_up_before_it_is_created(engine, api):
    api.records["7"] = {"id": "7", "email": "there-already@x"}
    to = contacts(keys=True, read="GET /contacts/{id}")
    assert send(engine, api, {"7": "new@x", "8": "b@x"}, to=to) == Written(inserted=1, updated=1)
    assert api.records["7"]["email"] == "new@x"


def test_an_api_without_create_is_only_updated(engine, api):
    api.records["7"] = {"id": "7", "email": "a@x"}
    to = rest_destination("crm", update="PUT /contacts/{id}", body={"email": "{email}"})
    send(engine, api, {"7": "new@x"}, to=to)
    assert [a[:2] for a in api.asked] == [("PUT", "/contacts/7")]


@pytest.mark.parametrize("after", ["0", "date"])
def test_a_limit_is_waited_for_as_the_api_asks(engine, api, after):
    soon = format_datetime(datetime.now(UTC) - timedelta(seconds=1), usegmt=True)
    api.faults = [("before", 429, {"Retry-After": soon if after == "date" else after})] * 2
    assert send(engine, api, {"a": "a@x"}) == Written(inserted=1)
    assert len(api.asked) == 3


def test_a_limit_that_stays_is_named_and_may_pass(engine, api):
    api.faults = [("before", 429, {})] * 9
    with pytest.raises(DestinationRateLimited, match=r"crm: POST /contacts .* 429") as refused:
        send(engine, api, {"a": "a@x"})
    assert refused.value.transient
    assert refused.value.kind is FailureKind.RATE_LIMIT


@pytest.mark.parametrize("fault", ["drop", ("after", 502, {}), ("before", 503, {})])
def test_with_keys_what_broke_is_repeated_and_happens_once(engine, api, fault):
    api.faults = [fault]
    assert send(engine, api, {"a": "a@x"}) == Written(inserted=1)
    assert emails(api) == ["a@x"]
    assert len({a[3] for a in api.asked}) == 1


@pytest.mark.parametrize(
    "fault", ["drop", ("after", 500, {}), ("before", 503, {"Retry-After": "0"})]
)
def test_without_keys_what_broke_is_never_repeated(engine, fault):
    with contacts_api(keys=False) as api:
        to = contacts(keys=False)
        api.faults = [None, fault]
        with pytest.raises(DestinationUnreachable, match="all the same"):
            send(engine, api, many(4), to=to)
        assert states(engine) == {"k0": "delivered", "k1": "unknown"}
        with pytest.raises(DestinationRefused, match=r"1 row may have arrived .*\(k1\)"):
            send(engine, api, many(4), to=to)  # the rest went on
        assert states(engine) == {
            "k0": "delivered", "k1": "unknown", "k2": "delivered", "k3": "delivered",
        }  # fmt: skip
        assert len(api.writes()) == 4


def test_without_keys_an_update_is_repeated_all_the_same(engine):
    with contacts_api(keys=False) as api:
        to = contacts(keys=False)
        send(engine, api, {"a": "a@x"}, to=to)
        api.faults = ["drop", ("after", 500, {})]
        assert send(engine, api, {"a": "b@x"}, 2, to=to) == Written(updated=1)
        assert emails(api) == ["b@x"]


def test_a_refused_row_stops_no_other_and_is_named_with_what_the_api_said(engine, api):
    rows = {"a": "a@x", "b": "nonsense", "c": "c@x", "d": "odd"}
    with pytest.raises(DestinationRefused) as refused:
        send(engine, api, rows)
    said = str(refused.value)
    assert "row b: crm: POST /contacts was refused with 422" in said
    assert "no e-mail: nonsense" in said
    assert "And 1 more." in said
    assert refused.value.exchange["status"] == 422
    assert refused.value.exchange["row"] == "b"
    assert TOKEN not in said + str(refused.value.exchange)
    assert emails(api) == ["a@x", "c@x"]
    with engine.connect() as conn:
        assert [d.key for d in unsettled(conn, "people")] == ["b", "d"]
    rows |= {"b": "b@x", "d": "d@x"}
    assert send(engine, api, rows) == Written(inserted=4)
    assert len(api.records) == 4


def test_wrong_credentials_stop_at_once_and_show_nowhere(engine, api):
    environ = {**api.environ, "WFOPS_CRM_TOKEN": "another-s3cr3t"}
    with pytest.raises(DestinationDenied, match="WFOPS_CRM_TOKEN") as refused:
        publish(engine, PLAIN, people(many(3), environ))
    assert refused.value.kind is FailureKind.AUTH
    assert "s3cr3t" not in str(refused.value) + str(refused.value.exchange)
    assert len(api.asked) == 1


def test_a_redirect_gets_neither_token_nor_rows(engine, api):
    api.faults = [("before", 307, {"Location": "http://127.0.0.1:9/elsewhere"})]
    with pytest.raises(DestinationRefused, match="refused with 307"):
        send(engine, api, {"a": "a@x"})


def test_an_address_with_a_password_or_a_missing_token_is_a_setting_to_repair(engine, api):
    for name, value in (("WFOPS_CRM_URL", "http://u:p@h"), ("WFOPS_CRM_TOKEN", "")):
        with pytest.raises(SettingsError, match=name):
            publish(engine, PLAIN, people(many(1), {**api.environ, name: value}))


def test_a_path_whose_column_is_null_is_refused_before_it_is_asked_for(engine, api):
    rows = pa.table({"id": ["a"], "team": pa.array([None], pa.string())})
    to = rest_destination("crm", "POST /teams/{team}/members", body={"id": "{id}"})
    with pytest.raises(DestinationRefused, match=r"row a: POST /teams/.* the row has no team"):
        publish(engine, to, Parcel("people", 1, "id", rows, api.environ))
    assert api.asked == []


def test_keys_and_values_cannot_leave_their_place_in_the_path(engine, api):
    to = rest_destination("crm", update="PUT /contacts/{id}", body={"email": "{email}"})
    with pytest.raises(DestinationRefused, match="404"):
        send(engine, api, {"../admin?x=1#é": "a@x"}, to=to)
    assert api.asked[0][1] == "/contacts/..%2Fadmin%3Fx%3D1%23%C3%A9"


def test_values_become_json_and_odd_ones_are_refused():
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    row = {"n": 1, "d": Decimal("1.10"), "at": moment, "day": date(2026, 1, 2), "none": None,
           "raw": b"\0", "nan": float("nan")}  # fmt: skip
    body = {"n": "{n}", "all": ["{d}", "{at}", "{day}", "{none}", "{raw}"], "text": "#{n}", "x": 1}
    assert fill(body, row) == {
        "n": 1, "all": ["1.10", "2026-01-01T00:00:00+00:00", "2026-01-02", None, "AA=="],
        "text": "#1", "x": 1,
    }  # fmt: skip
    with pytest.raises(DestinationRefused, match="JSON"):
        fill("{nan}", row)
    with pytest.raises(DestinationRefused, match="no none"):
        fill("Dear {none}", row)


@pytest.mark.parametrize("auth", [basic, api_key("X-Key")])
def test_the_ways_in_of_the_sources_work_here_too(auth):
    to = rest_destination("crm", "POST /x", auth=auth)
    assert to.manners.auth is auth


def test_an_api_that_anybody_may_write_to_needs_no_token():
    with contacts_api() as api:
        api.takes = {""}
        caller = Caller(
            "crm", Manners(auth=no_auth), {"WFOPS_CRM_URL": api.environ["WFOPS_CRM_URL"]}
        )
        sent = caller.send(call("POST /contacts"), "/contacts", {"email": "a@x"}, "k1")
        assert sent.status == 201


@pytest.mark.parametrize(
    "text", ["/contacts", "POST contacts", "FETCH /x", "POST //evil/x", "post /x"]
)
def test_what_is_no_request_is_refused_where_it_is_declared(text):
    with pytest.raises(ValueError, match="Write method and path"):
        rest_destination("crm", text)


def test_something_must_be_sent():
    with pytest.raises(ValueError, match="say what is sent"):
        rest_destination("crm")
