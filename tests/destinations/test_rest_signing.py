"""OAuth2, headers, total times and rates of a SaaS API that is written to, over real HTTP."""

import json

import pytest

from tests.destinations.contacts_api import contacts_api
from tests.destinations.delivery_child import contacts, many, people, publish
from wfops_pipelines.destinations import Written, rest_destination
from wfops_pipelines.destinations.calling import Pace
from wfops_pipelines.destinations.deliveries import of_snapshot
from wfops_pipelines.errors import DestinationDenied, DestinationUnreachable, FailureKind
from wfops_pipelines.sources import oauth2

pytestmark = [pytest.mark.components, pytest.mark.usefixtures("quick")]
OAUTH = {"auth": oauth2("/oauth/token", grant="refresh_token")}


@pytest.fixture
def api(api, tmp_path):
    api.environ["WFOPS_STATE"] = str(tmp_path / "state")
    return api


def states(engine, seq=1):
    with engine.connect() as conn:
        return {k: d.state.value for k, d in of_snapshot(conn, "people", seq).items()}


def test_a_refresh_token_is_exchanged_once_and_its_successor_kept_for_the_next(engine, api):
    api.rotate()
    to = contacts(keys=True, **OAUTH)
    assert publish(engine, to, people(many(3), api.environ)) == Written(inserted=3)
    assert api.renewed == 1
    assert publish(engine, to, people(many(2), api.environ, 2)) == Written(updated=2)
    assert api.renewed == 2


@pytest.mark.parametrize("keys", [True, False])
def test_a_token_that_ends_early_is_renewed_and_every_row_sent_once(engine, api, keys):
    api.rotate()
    to = contacts(keys=keys, **OAUTH)
    publish(engine, to, people({"z": "z@x"}, api.environ))
    api.ended = {"t2"}
    assert publish(engine, to, people(many(2), api.environ, 2)) == Written(inserted=2)
    assert (api.renewed, len(api.records)) == (3, 3)


def test_a_401_that_stays_is_denied_and_no_secret_is_shown(engine, api):
    api.rotate()
    api.ended = {f"t{n}" for n in range(9)}
    with pytest.raises(DestinationDenied, match="WFOPS_CRM_TOKEN") as denied:
        publish(engine, contacts(keys=True, **OAUTH), people(many(2), api.environ))
    assert denied.value.kind is FailureKind.AUTH
    told = str(denied.value) + json.dumps(denied.value.exchange)
    for secret in ("s3cr3t", "refresh-token"):
        assert secret not in told
    assert api.records == {}


def test_a_spent_refresh_token_is_denied_before_anything_is_sent(engine, api):
    api.rotate()
    api.refresh = "another"
    with pytest.raises(DestinationDenied, match="invalid_grant") as denied:
        publish(engine, contacts(keys=True, **OAUTH), people(many(2), api.environ))
    assert "first-refresh-token" not in str(denied.value) + json.dumps(denied.value.exchange)
    assert api.asked == []
    assert states(engine) == {"k0": "failed"}


def test_headers_of_the_vendor_go_with_every_request(engine, api):
    to = contacts(keys=True, headers={"Notion-Version": "2022-06-28"})
    publish(engine, to, people(many(1), api.environ))
    publish(engine, to, people(many(1), api.environ, 2))
    assert [h["Notion-Version"] for h in api.headers] == ["2022-06-28"] * 2


def test_an_answer_that_trickles_is_given_up_repeated_and_happens_once(engine, api):
    api.faults = ["trickle"]
    to = contacts(keys=True, deadline=0.3)
    assert publish(engine, to, people(many(2), api.environ)) == Written(inserted=2)
    assert (len(api.asked), len(api.records)) == (3, 2)


def test_an_answer_that_goes_on_trickling_is_unreachable_and_names_the_setting(
    engine, api, monkeypatch
):
    monkeypatch.setattr("wfops_pipelines.destinations.calling.TRIES", 1)
    api.faults = ["trickle"] * 2
    with pytest.raises(DestinationUnreachable, match=r"within 0\.3 s .*longer deadline=") as late:
        publish(engine, contacts(keys=True, deadline=0.3), people(many(2), api.environ))
    assert late.value.kind is FailureKind.NETWORK
    assert len(api.asked) == 2


def test_without_keys_a_trickling_answer_is_never_repeated(engine):
    with contacts_api(keys=False) as api:
        api.faults = ["trickle"]
        with pytest.raises(DestinationUnreachable, match="may have arrived all the same"):
            publish(engine, contacts(keys=False, deadline=0.3), people(many(1), api.environ))
        assert states(engine) == {"k0": "unknown"}
        assert len(api.writes()) == 1


def test_requests_keep_the_pace_that_is_declared(monkeypatch):
    now, slept = [100.0], []
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr("time.sleep", slept.append)
    pace = Pace(per_second=4)
    for _ in range(3):
        pace.wait()
    assert slept == [0.25, 0.5]
    pace.hold(10)
    pace.wait()
    assert slept[-1] == 10


@pytest.mark.parametrize("wrong", [{"deadline": 0}, {"per_second": -1}])
def test_a_time_or_rate_that_cannot_be_is_refused_where_it_is_declared(wrong):
    with pytest.raises(ValueError, match="above 0"):
        rest_destination("crm", "POST /x", **wrong)
