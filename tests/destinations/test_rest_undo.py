"""What was sent to a SaaS API is taken back, over real HTTP: exactly, once, and in any order."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.destinations.contacts_api import contacts_api
from tests.destinations.delivery_child import contacts, people, publish
from wfops_pipelines.destinations import Keep, Reverted, no_undo, rest_destination
from wfops_pipelines.destinations.deliveries import REVERSALS, of_snapshot
from wfops_pipelines.errors import DestinationRefused, DestinationUnreachable

pytestmark = [pytest.mark.components, pytest.mark.usefixtures("quick")]

CRM = contacts(keys=True, read="GET /contacts/{remote_id}")
NOW = datetime(2026, 5, 1, tzinfo=UTC)


def parcel(api, emails, seq):
    keep = Keep("wfops.replaced", seq, NOW)
    return replace(people(emails, api.environ, seq), keep=keep)


def send(engine, api, emails, seq=1, to=CRM):
    return publish(engine, to, parcel(api, emails, seq))


def revert(engine, api, emails, seq, to=CRM):
    with engine.begin() as conn:
        return to.revert(conn, parcel(api, emails, seq))


def held(api):
    """key -> e-mail of what lives at the API."""
    return {r["ref"]: r["email"] for r in api.records.values()}


def test_created_rows_go_updated_ones_get_their_fields_back_and_deleted_ones_live_again(
    engine, api
):
    send(engine, api, {"a": "a@x", "b": "b@x", "c": "c@x"})
    before = held(api)
    second = {"a": "a2@x", "b": None, "d": "d@x"}
    send(engine, api, second, 2)
    assert held(api) == {"a": "a2@x", "c": "c@x", "d": "d@x"}
    assert revert(engine, api, second, 2) == Reverted(restored=2, deleted=1)
    assert held(api) == before
    assert revert(engine, api, second, 2) == Reverted(restored=2, deleted=1)  # tells it again
    assert held(api) == before


def test_after_a_revert_the_next_snapshot_goes_on_from_what_is_there(engine, api):
    send(engine, api, {"a": "a@x", "b": "b@x"})
    second = {"a": "a2@x", "b": None, "d": "d@x"}
    send(engine, api, second, 2)
    revert(engine, api, second, 2)
    send(engine, api, {"a": "a3@x", "b": "b3@x", "d": "d3@x"}, 3)
    assert held(api) == {"a": "a3@x", "b": "b3@x", "d": "d3@x"}
    assert len(api.records) == 3  # b has another name over there, and is not doubled


def test_fields_that_are_not_ours_are_not_touched(engine, api):
    send(engine, api, {"a": "a@x"})
    api.records["c1"]["phone"] = "1"
    send(engine, api, {"a": "a2@x"}, 2)
    api.records["c1"]["phone"] = "2"
    revert(engine, api, {"a": "a2@x"}, 2)
    assert api.records["c1"] == {"id": "c1", "email": "a@x", "ref": "a", "phone": "2"}


def test_what_was_there_before_the_sync_is_what_comes_back(engine, api):
    api.records["7"] = {"id": "7", "ref": "7", "email": "typed-by-hand@x"}
    to = contacts(keys=True, read="GET /contacts/{id}")
    send(engine, api, {"7": "new@x"}, to=to)
    assert revert(engine, api, {"7": "new@x"}, 1, to) == Reverted(restored=1)
    assert held(api) == {"7": "typed-by-hand@x"}


def test_newer_rows_and_what_somebody_changed_since_stay(engine, api):
    rows = {"a": "a@x", "b": "b@x", "c": "c@x", "d": "d@x"}
    send(engine, api, rows)
    send(engine, api, {"a": "newer@x"}, 2)
    api.records["c2"]["email"] = "by-hand@x"
    del api.records["c3"]
    assert revert(engine, api, rows, 1) == Reverted(deleted=1, newer=3)
    assert held(api) == {"a": "newer@x", "b": "by-hand@x"}
    send(engine, api, {"b": "b3@x"}, 3)
    assert held(api) == {"a": "newer@x", "b": "b3@x"}  # known still, and not doubled


@pytest.mark.parametrize("fault", ["drop", ("after", 502, {}), ("before", 429, {})])
def test_what_breaks_on_the_way_back_is_repeated_and_happens_once(engine, api, fault):
    send(engine, api, {"a": "a@x", "b": "b@x"})
    second = {"a": None, "b": "b2@x"}
    send(engine, api, second, 2)
    api.faults = [None, None, fault]  # the two reads come first
    assert revert(engine, api, second, 2) == Reverted(restored=2)
    assert held(api) == {"a": "a@x", "b": "b@x"}


def test_a_revert_that_broke_off_goes_on_and_one_refused_row_stops_no_other(engine, api):
    send(engine, api, {k: f"{k}@x" for k in "abc"})
    second = {k: f"{k}2@x" for k in "abc"}
    send(engine, api, second, 2)
    api.faults = [None] * 4 + [("before", 422, {})]
    with pytest.raises(DestinationRefused, match=r"row b: .*422.*The others were taken back"):
        revert(engine, api, second, 2)
    assert held(api) == {"a": "a@x", "b": "b2@x", "c": "c@x"}
    assert revert(engine, api, second, 2) == Reverted(restored=3)
    assert held(api) == {k: f"{k}@x" for k in "abc"}


def test_without_keys_what_may_have_been_created_anew_is_left_to_a_person(engine):
    with contacts_api(keys=False) as api:
        to = contacts(keys=False, read="GET /contacts/{remote_id}")
        send(engine, api, {"a": "a@x", "b": "b@x"}, to=to)
        gone = {"a": None}
        send(engine, api, gone, 2, to)
        api.faults = [None, "drop"]
        with pytest.raises(DestinationUnreachable, match="may have arrived all the same"):
            revert(engine, api, gone, 2, to)
        for _ in range(2):
            with pytest.raises(DestinationRefused, match=r"1 row may .*\(a\).*--delivered KEY"):
                revert(engine, api, gone, 2, to)
        assert sorted(held(api)) == ["a", "b"]
        with engine.connect() as conn:
            assert of_snapshot(conn, "people", 2, REVERSALS)["a"].state.value == "unknown"


@pytest.mark.parametrize("keys", [True, False])
@pytest.mark.parametrize("step", ["rename", "note"])
def test_a_crash_after_the_api_did_it_doubles_nothing(engine, monkeypatch, keys, step):
    with contacts_api(keys=keys) as api:
        to = contacts(keys=keys, read="GET /contacts/{id}")

        def answered(method, parts, body):  # an API whose records go by our own key
            if method == "POST":
                parts, body = ["contacts", body["ref"]], {**body, "id": body["ref"]}
                api.records[body["ref"]] = body
                return 201, {"contact": body}
            return done(method, parts, body)

        done = api.done
        monkeypatch.setattr(api, "done", answered)
        send(engine, api, {"a": "a@x", "b": "b@x", "c": "c@x"}, to=to)
        second = {"a": None, "b": "b2@x", "d": "d@x"}
        send(engine, api, second, 2, to)
        with monkeypatch.context() as crashing:
            crashing.setattr(f"wfops_pipelines.destinations.deliveries.{step}", _crash(step))
            with pytest.raises(SystemExit):
                revert(engine, api, second, 2, to)
        assert revert(engine, api, second, 2, to) == Reverted(restored=2, deleted=1)
        assert held(api) == {"a": "a@x", "b": "b@x", "c": "c@x"}
        created = [a for a in api.writes() if a[0] == "POST" and a[2]["ref"] == "a"]
        assert len(created) == (3 if keys else 2)  # with a key it is asked for once more
        assert len({a[3] for a in created}) == (2 if keys else 1)  # where it is sent at all


def _crash(step):
    """Dies where the answer to the first request would be written down."""
    from wfops_pipelines.destinations import deliveries

    real = getattr(deliveries, step)

    def crash(*args):
        if step == "rename" or args[2].state is deliveries.State.DELIVERED:
            raise SystemExit
        return real(*args)

    return crash


def test_idempotency_keys_of_a_revert_are_its_own(engine, api):
    send(engine, api, {"a": "a@x"})
    send(engine, api, {"a": "a2@x"}, 2)
    revert(engine, api, {"a": "a2@x"}, 2)
    keys = [a[3] for a in api.writes()]
    assert len(set(keys)) == len(keys) == 3


def test_what_was_not_kept_is_not_guessed(engine, api):
    send(engine, api, {"a": "a@x"})
    publish(engine, CRM, people({"a": "a2@x"}, api.environ, 2))  # of a version that kept nothing
    with pytest.raises(DestinationRefused, match=r"row a: what it was before .* was not kept"):
        revert(engine, api, {"a": "a2@x"}, 2)
    assert held(api) == {"a": "a2@x"}


def test_a_try_that_was_refused_keeps_what_was_there_when_it_is_sent(engine, api):
    send(engine, api, {"a": "a@x"})
    api.faults = [None, ("before", 422, {})]
    with pytest.raises(DestinationRefused):
        send(engine, api, {"a": "a2@x"}, 2)
    api.records["c1"]["email"] = "by-hand@x"
    send(engine, api, {"a": "a2@x"}, 2)
    revert(engine, api, {"a": "a2@x"}, 2)
    assert held(api) == {"a": "by-hand@x"}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"update": None}, "as a message is"),
        ({"read": None}, r"no read="),
        ({"delete": None}, r"no delete="),
        ({"update": "PATCH /c/{remote_id}?name={name}"}, "beside its body"),
        ({"update": "PATCH /lists/{list}/c/{remote_id}"}, "beside its body"),
        ({"body": None}, "beside its body"),
        ({"update": "PATCH /c/{id}?by=id"}, None),
        ({}, None),
    ],
)
def test_what_cannot_be_taken_back_says_why(changes, why):
    declared = {
        "update": "PATCH /c/{remote_id}", "delete": "DELETE /c/{remote_id}",
        "read": "GET /c/{remote_id}", "body": {"email": "{email}"},
    }  # fmt: skip
    said = no_undo(rest_destination("crm", "POST /c", **(declared | changes)), "id")
    assert said is None if why is None else why in said


def test_of_two_deletions_the_first_taken_back_and_then_the_second_the_record_is_back(engine, api):
    send(engine, api, {"a": "a@x"})
    for n in (2, 3):
        send(engine, api, {"a": None}, n)
    assert revert(engine, api, {"a": None}, 2) == Reverted(newer=1)
    assert held(api) == {}
    assert revert(engine, api, {"a": None}, 3) == Reverted(restored=1)
    assert held(api) == {"a": "a@x"}


SNAPSHOTS = st.lists(
    st.dictionaries(st.sampled_from("abc"), st.one_of(st.none(), st.sampled_from(["1", "2", "3"])),
                    min_size=1, max_size=3), min_size=1, max_size=5,
)  # fmt: skip


@given(SNAPSHOTS, st.data())
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking takes minutes of HTTP
)
def test_reverts_in_any_order_leave_what_a_history_without_them_would(
    engine, monkeypatch, snapshots, data
):
    """Whether what the API has already is written once more, or not."""
    readable = data.draw(st.sampled_from([timedelta(minutes=10), timedelta(days=-1)]))
    monkeypatch.setattr("wfops_pipelines.destinations.sending.READABLE", readable)
    numbered = [
        (n, {k: v and f"{k}{v}@x" for k, v in rows.items()}) for n, rows in enumerate(snapshots, 1)
    ]
    with engine.begin() as conn:
        for table in ("deliveries", "reversals", "replaced"):
            conn.execute(sa.text(f"delete from wfops.{table}"))
    with contacts_api() as api:
        for n, rows in numbered:
            send(engine, api, rows, n)
        some = st.lists(st.sampled_from([n for n, _ in numbered]), unique=True)
        taken = data.draw(some.flatmap(st.permutations))
        for n in taken:
            revert(engine, api, dict(numbered)[n], n)
        expected = {}
        for n, rows in numbered:
            if n not in taken:
                expected |= rows
        assert held(api) == {k: v for k, v in expected.items() if v}
        assert len(api.records) == len(held(api))
