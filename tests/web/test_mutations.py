"""What is asked for in the Dagster UI is in the audit trail, or does not happen."""

import pytest
from dagster import DagsterInstance
from dagster._core.workspace.load_target import PythonFileTarget
from starlette.testclient import TestClient

from wfops_pipelines import auditing, workbench
from wfops_pipelines.core.people import People, Role
from wfops_pipelines.services import open_services
from wfops_pipelines.settings import Settings
from wfops_pipelines.store import audit
from wfops_pipelines.web.rights import PersonalProcessContext
from wfops_pipelines.web.server import application

pytestmark = pytest.mark.components

PEOPLE = People({}, {Role.ADMIN: frozenset({"ada"})})
ENVIRON = {"WFOPS_PROXY_SECRET": "s3cret-of-the-proxy", "WFOPS_CRM_TOKEN": "tok-123456789"}
ADA = {"X-Wfops-Proxy-Secret": "s3cret-of-the-proxy", "X-Forwarded-User": "ada"}
EVE = {**ADA, "X-Forwarded-User": "eve"}
CODE = """
import dagster as dg

@dg.op(config_schema={"reason": str, "api_key": str})
def work(context): ...

@dg.job
def nightly():
    work()

@dg.schedule(job=nightly, cron_schedule="0 0 * * *")
def midnight():
    return {}

@dg.sensor(job=nightly)
def watcher():
    ...

defs = dg.Definitions(jobs=[nightly], schedules=[midnight], sensors=[watcher])
"""
SELECTOR = {"repositoryLocationName": "here", "repositoryName": "__repository__"}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A real instance and a real code location, whose queue nobody empties."""
    home = tmp_path_factory.mktemp("dagster")
    (home / "code.py").write_text(CODE)
    queue = {"module": "dagster.core.run_coordinator", "class": "QueuedRunCoordinator"}
    target = PythonFileTarget(str(home / "code.py"), None, None, "here")
    with (
        DagsterInstance.local_temp(str(home), {"run_coordinator": queue}) as instance,
        PersonalProcessContext(
            instance, version="test", read_only=False, workspace_load_target=target
        ) as context,
    ):
        yield context


@pytest.fixture
def services(database_url, tmp_path, monkeypatch):
    settings = Settings(tmp_path, tmp_path / "state", database_url, ENVIRON)
    made = open_services(settings, PEOPLE)
    monkeypatch.setattr(workbench, "settings", lambda: settings)
    monkeypatch.setattr(workbench, "services", lambda: made)
    monkeypatch.setattr(workbench, "people", lambda: PEOPLE)
    monkeypatch.setattr(workbench, "secret", lambda: b"k" * 32)
    return made


@pytest.fixture
def client(workspace, services):
    with TestClient(application(workspace), raise_server_exceptions=False) as client:
        yield client


def ask(client, query, headers=ADA, **variables):
    return client.post("/graphql", json={"query": query, "variables": variables}, headers=headers)


def trail(services):
    with services.engine.connect() as conn:
        return audit.newest(conn, None, 100)


def only(services):
    (event,) = trail(services)
    return event


LAUNCH = "mutation($p: ExecutionParams!) { launchRun(executionParams: $p) { __typename } }"


def execution(config):
    selector = {**SELECTOR, "jobName": "nightly"}
    return {"selector": selector, "runConfigData": config, "mode": "default"}


def test_a_launch_is_kept_with_who_asked_for_what_and_without_secrets(client, services):
    config = (
        "ops: {work: {config: {reason: uses tok-123456789, "
        "api_key: an-argument-nobody-should-see}}}"
    )
    answer = ask(client, LAUNCH, p=execution(config))
    assert answer.json()["data"]["launchRun"]["__typename"] == "LaunchRunSuccess"
    event = only(services)
    assert (event["action"], event["subject"]) == ("ui.mutation", "nightly")
    assert (event["actor"], event["verified"]) == ("ada", True)
    assert event["details"]["operation"] == "launchRun"
    said = str(event)
    assert "uses [redacted]" in said
    assert "an-argument-nobody-should-see" not in said
    assert "tok-123456789" not in said


MUTATIONS = {
    "startSchedule": (
        "mutation($s: ScheduleSelector!) { startSchedule(scheduleSelector: $s) { __typename } }",
        {"s": {**SELECTOR, "scheduleName": "midnight"}},
        "midnight",
    ),
    "startSensor": (
        "mutation($s: SensorSelector!) { startSensor(sensorSelector: $s) { __typename } }",
        {"s": {**SELECTOR, "sensorName": "watcher"}},
        "watcher",
    ),
    "reloadRepositoryLocation": (
        'mutation { reloadRepositoryLocation(repositoryLocationName: "here") { __typename } }',
        {},
        "here",
    ),
    "setConcurrencyLimit": (
        'mutation { setConcurrencyLimit(concurrencyKey: "crm", limit: 2) }',
        {},
        "crm",
    ),
    "setAutoMaterializePaused": (
        "mutation { setAutoMaterializePaused(paused: true) }",
        {},
        "setAutoMaterializePaused",
    ),
    "wipeAssets": (
        "mutation($r: [PartitionsByAssetSelector!]!) "
        "{ wipeAssets(assetPartitionRanges: $r) { __typename } }",
        {"r": [{"assetKey": {"path": ["crm", "published"]}}]},
        "crm/published",
    ),
}


@pytest.mark.parametrize("operation", MUTATIONS)
def test_each_change_is_kept_under_what_it_changes(client, services, operation):
    query, variables, subject = MUTATIONS[operation]
    assert ask(client, query, **variables).status_code == 200
    event = trail(services)[0]
    assert event["details"]["operation"] == operation
    assert event["subject"] == subject


@pytest.mark.parametrize(
    ("operation", "argument"),
    [("terminateRun", "runId"), ("deleteRun", "runId"), ("cancelPartitionBackfill", "backfillId"),
     ("resumePartitionBackfill", "backfillId")],
)  # fmt: skip
def test_what_dagster_refuses_is_kept_as_refused(client, services, operation, argument):
    ask(client, f'mutation {{ {operation}({argument}: "nothing") {{ __typename }} }}')
    assert [(e["action"], e["subject"]) for e in trail(services)] == [
        ("ui.mutation", "nothing"),
        ("ui.refused", "nothing"),
    ]


def test_who_has_no_right_is_kept_as_refused_by_name(client, services):
    ask(client, MUTATIONS["wipeAssets"][0], EVE, **MUTATIONS["wipeAssets"][1])
    asked, refused = trail(services)
    assert (asked["actor"], refused["actor"]) == ("eve", "eve")
    assert refused["reason"] == "answered with UnauthorizedError"


def test_reading_leaves_nothing_in_the_trail(client, services):
    answer = ask(client, "{ runsOrError { __typename } version }")
    assert answer.json()["data"]["version"]
    assert trail(services) == []


def test_each_change_of_one_request_is_kept(client, services):
    two = "setConcurrencyLimit(concurrencyKey: {0}, limit: 1)"
    ask(client, f"mutation {{ a: {two.format(chr(34) + 'x' + chr(34))} "
                f"b: {two.format(chr(34) + 'y' + chr(34))} }}")  # fmt: skip
    assert [e["subject"] for e in trail(services)] == ["x", "y"]


def test_a_change_that_cannot_be_kept_does_not_happen(client, services, workspace):
    with services.engine.begin() as conn:
        conn.exec_driver_sql("alter table wfops.audit rename to elsewhere")
    answer = ask(client, 'mutation { setConcurrencyLimit(concurrencyKey: "kept", limit: 2) }')
    assert answer.status_code == 500
    assert "kept" not in workspace.instance.event_log_storage.get_concurrency_keys()
    answer = ask(client, LAUNCH, p=execution("{}"))
    assert (answer.status_code, answer.json()["data"]) == (500, None)


def test_a_report_of_an_asset_event_is_kept_too(client, services):
    answer = client.post(
        "/report_asset_materialization/crm/published",
        json={"metadata": {"password": "s3cret", "rows": 3}},
        headers=ADA,
    )
    assert answer.status_code == 200
    event = only(services)
    assert (event["subject"], event["actor"]) == ("crm/published", "ada")
    assert event["details"]["operation"] == "report_asset_materialization"
    assert "s3cret" not in str(event)


def test_a_report_that_is_refused_is_kept_as_refused(client, services):
    client.post("/report_asset_observation/crm/published", json={}, headers=EVE)
    assert [e["action"] for e in trail(services)] == ["ui.mutation", "ui.refused"]


def test_a_mutation_over_the_websocket_does_not_run(client, services, workspace):
    query = 'mutation { setConcurrencyLimit(concurrencyKey: "socket", limit: 2) }'
    with client.websocket_connect("/graphql", ["graphql-ws"], headers=ADA) as socket:
        socket.send_json({"type": "start", "id": "1", "payload": {"query": query}})
        assert socket.receive_json()["type"] in ("error", "data")
    assert "socket" not in workspace.instance.event_log_storage.get_concurrency_keys()


def test_what_people_asked_for_is_in_the_chain(client, services):
    ask(client, MUTATIONS["setConcurrencyLimit"][0])
    auditing.seal(services)
    report = auditing.verify(services)
    assert (report.events, report.problems) == (1, [])


def test_config_that_is_no_yaml_or_full_of_aliases_is_not_kept(client, services):
    bomb = "a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]"
    for config in ("{tok: [", bomb):
        ask(client, LAUNCH, p=execution(config))
    kept = [e["details"]["arguments"] for e in trail(services) if e["action"] == "ui.mutation"]
    assert [a["executionParams"]["runConfigData"] for a in kept] == ["[redacted]"] * 2
