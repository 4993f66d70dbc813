"""A backfill in the real Dagster: daemon, code location and webserver, over days of a file drop."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator

import pytest

from tests.acceptance.conftest import PATIENCE, ROOT, Demo, served
from wfops_pipelines.dagster_client import DagsterClient

pytestmark = pytest.mark.acceptance

ASSET = '''
from wfops_pipelines import Policy, sync, table
from wfops_pipelines.sources import files


@sync(
    source=files("shop", "*.jsonl", cursor="updated_at", quiet=0),
    key="id",
    cursor="updated_at",
    destination=table("shop.orders"),
    policy=Policy(reviewers="team"),
    days_from="2026-05-01",
)
def orders(page):
    """Orders by day."""
    return page
'''
SUITE = {
    "name": "orders",
    "expectations": [
        {
            "type": "expect_column_values_to_be_between",
            "kwargs": {"column": "amount", "min_value": 0},
            "severity": "critical",
        }
    ],
}
PEOPLE = "groups: {team: [developer]}\nroles: {override: [developer], engineer: [developer]}\n"
ROWS = [("1", 10, "2026-05-01"), ("2", -5, "2026-05-02"), ("3", 30, "2026-05-03")]
EMPTY = "2026-05-04"
DAYS = [*(day for _, _, day in ROWS), EMPTY]
LAUNCH = """
mutation Backfill($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
    ... on UnauthorizedError { message }
  }
}
"""
STATUS = """
query Status($id: String!) {
  partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status } }
}
"""
PARTITIONS = """
query Partitions($key: AssetKeyInput!) {
  assetNodeOrError(assetKey: $key) {
    ... on AssetNode { partitionStats { numMaterialized numFailed } }
  }
}
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """`wfops dev` on a project with one sync, partitioned by day."""
    root = tmp_path_factory.mktemp("project")
    for room in ("assets", "expectations", "drop"):
        (root / room).mkdir()
    shutil.copytree(ROOT / "sensors", root / "sensors")
    shutil.copy(ROOT / "dagster.yaml", root)
    (root / "assets/orders.py").write_text(ASSET)
    (root / "expectations/orders.json").write_text(json.dumps(SUITE))
    (root / "reviewers.yaml").write_text(PEOPLE)
    lines = [{"id": i, "amount": a, "updated_at": f"{d}T09:00:00Z"} for i, a, d in ROWS]
    (root / "drop/orders.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    with served(root, WFOPS_SHOP_URL=str(root / "drop")) as found:
        yield found


@pytest.fixture(scope="module")
def dagster(running: Demo) -> DagsterClient:
    return running.dagster


def backfilled(dagster: DagsterClient, days: list[str]) -> str:
    """Launch a backfill as the UI does, and its final status."""
    keys = [{"path": ["orders", name]} for name in ("staged", "published")]
    params = {"assetSelection": keys, "partitionNames": days}
    launched = dagster.query(LAUNCH, {"params": params})["launchPartitionBackfill"]
    assert launched["__typename"] == "LaunchBackfillSuccess", launched
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = dagster.query(STATUS, {"id": launched["backfillId"]})
        status = str(found["partitionBackfillOrError"]["status"])
        if status not in ("REQUESTED", "CANCELING", "FAILING", "COMPLETING"):
            return status
        time.sleep(0.3)
    raise AssertionError(f"the backfill did not end\n{found}")


def materialized(dagster: DagsterClient, name: str) -> tuple[int, int]:
    found = dagster.query(PARTITIONS, {"key": {"path": ["orders", name]}})
    stats = found["assetNodeOrError"]["partitionStats"]
    return stats["numMaterialized"], stats["numFailed"]


def rows(running: Demo) -> list[tuple[object, ...]]:
    return running.query("select id, amount from shop.orders order by id")


def test_a_backfill_runs_each_day_by_itself_and_a_held_day_waits_for_a_person(running, dagster):
    status = backfilled(dagster, DAYS)
    assert status == "COMPLETED_FAILED", running.logs()  # Dagster's word for the held day
    assert rows(running) == [("1", 10), ("3", 30)]
    assert materialized(dagster, "staged") == (4, 0)
    assert materialized(dagster, "published") == (3, 0)
    ((review, evidence),) = running.query(
        "select id, evidence_hash from wfops.reviews where state = 'pending'"
    )
    config = {"review": review, "evidence": evidence, "decision": "approve", "reason": "a refund"}
    assert dagster.wait(dagster.launch("decide", config)) == "SUCCESS"
    assert rows(running) == [("1", 10), ("2", -5), ("3", 30)]
    assert materialized(dagster, "published") == (4, 0)


def test_a_backfill_again_ends_well_and_publishes_nothing_twice(running, dagster):
    before = running.query("select count(*), sum(rows) from wfops.publications")
    assert backfilled(dagster, DAYS) == "COMPLETED_SUCCESS", running.logs()
    assert running.query("select count(*), sum(rows) from wfops.publications") == before
