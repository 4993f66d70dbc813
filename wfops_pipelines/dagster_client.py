"""Launch and follow runs of a running Dagster webserver over GraphQL."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wfops_pipelines.errors import WfopsError

POLL_SECONDS = 0.3
DONE = ("SUCCESS", "FAILURE", "CANCELED")
_LAUNCH = """
mutation Launch($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
    ... on RunConfigValidationInvalid { errors { message } }
    ... on UnauthorizedError { message }
    ... on PipelineNotFoundError { message }
  }
}
"""
_STATUS = """
query Status($id: ID!) {
  runOrError(runId: $id) { __typename ... on Run { status tags { key value } } }
}
"""
_REPOSITORY = """
query Locations {
  repositoriesOrError {
    ... on RepositoryConnection { nodes { name location { name } } }
  }
}
"""


class LaunchRefused(WfopsError):
    """Dagster did not launch the run; the message is its own."""


@dataclass(frozen=True, slots=True)
class DagsterClient:
    """Talks to the webserver at `url` about one code location.

    `headers` go with each request, for a proxy in front that wants to know who asks.
    """

    url: str
    location: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def launch(
        self,
        job: str,
        config: dict[str, Any] | None = None,
        tags: dict[str, str] | None = None,
    ) -> str:
        """Launch a job and return the run's id. Raises LaunchRefused."""
        selector = {
            "repositoryLocationName": self.location,
            "repositoryName": self._repository(),
            "jobName": job,
        }
        params = {
            "selector": selector,
            "runConfigData": json.dumps(config or {}),
            "executionMetadata": {
                "tags": [{"key": k, "value": v} for k, v in (tags or {}).items()]
            },
        }
        answer = self.query(_LAUNCH, {"params": params})["launchRun"]
        if answer["__typename"] != "LaunchRunSuccess":
            raise LaunchRefused(f"{job}: {json.dumps(answer)}")
        return str(answer["run"]["runId"])

    def wait(self, run: str, patience: float = 300) -> str:
        """The final status of a run. Raises TimeoutError after `patience` seconds."""
        end = time.monotonic() + patience
        while (status := self.status(run)) not in DONE:
            if time.monotonic() > end:
                raise TimeoutError(f"run {run} is still {status} after {patience:g} s")
            time.sleep(POLL_SECONDS)
        return status

    def status(self, run: str) -> str:
        return str(self.query(_STATUS, {"id": run})["runOrError"]["status"])

    def tags(self, run: str) -> dict[str, str]:
        found = self.query(_STATUS, {"id": run})["runOrError"]["tags"]
        return {t["key"]: t["value"] for t in found}

    def query(self, query: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
        """The data of a GraphQL answer. Raises LaunchRefused with its errors."""
        body = json.dumps({"query": query, "variables": variables or {}}).encode()
        headers = {**self.headers, "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/graphql", body, headers)  # noqa: S310
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with direct.open(request, timeout=60) as answer:
                found = json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise LaunchRefused(error.read().decode("utf-8", "replace")[:2000]) from None
        if found.get("errors"):
            raise LaunchRefused(json.dumps(found["errors"])[:2000])
        return dict(found["data"])

    def _repository(self) -> str:
        """The location's repository; waits while the location is still loading."""
        end = time.monotonic() + 120
        while True:
            nodes = self.query(_REPOSITORY)["repositoriesOrError"].get("nodes", [])
            for node in nodes:
                if node["location"]["name"] == self.location:
                    return str(node["name"])
            if time.monotonic() > end:
                raise LaunchRefused(f"the code location {self.location} did not load; see its log")
            time.sleep(POLL_SECONDS)
