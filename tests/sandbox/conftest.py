from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest

from wfops_pipelines.sandbox import NOW, Sandbox, sandbox_thread

PATHS = {
    "crm": ("/crm/v3/objects/contacts", "results"),
    "billing": ("/v1/invoices", "data"),
    "support": ("/api/v2/tickets.json", "tickets"),
}


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: Any


@dataclass
class Caller:
    """Speaks plain HTTP to a sandbox, with the right token unless told otherwise."""

    sandbox: Sandbox
    token: str | None = None
    seen: list[str] = field(default_factory=list)

    def get(self, system: str, path: str | None = None) -> Answer:
        return self.call(system, "GET", path or PATHS[system][0])

    def listing(self, system: str, params: dict[str, object]) -> Answer:
        return self.call(system, "GET", f"{PATHS[system][0]}?{urlencode(params)}")

    def post(
        self, system: str, path: str, body: object, headers: dict[str, str] | None = None
    ) -> Answer:
        return self.call(system, "POST", path, json.dumps(body).encode(), headers or {})

    def call(
        self,
        system: str,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        timeout: float = 30,
    ) -> Answer:
        token = self.sandbox.token(system) if self.token is None else self.token
        sent = {"Authorization": f"Bearer {token}", **(headers or {})}
        url = path if path.startswith("http") else f"{self.sandbox.url}{path}"
        request = Request(url, body, sent, method=method)
        try:
            with urlopen(request, timeout=timeout) as answer:
                return Answer(answer.status, dict(answer.headers), json.loads(answer.read()))
        except HTTPError as error:
            with error:
                return Answer(error.code, dict(error.headers), json.loads(error.read()))

    def everything(
        self, system: str, limit: int, **window: object
    ) -> tuple[list[dict[str, Any]], int]:
        """Walk all pages as a client of that vendor does; return the records and page count."""
        size = "page[size]" if system == "support" else "limit"
        params: dict[str, object] = {size: limit, **window}
        records: list[dict[str, Any]] = []
        pages = 0
        while True:
            body = self.listing(system, params).body
            records += body[PATHS[system][1]]
            pages += 1
            after = _next(system, body)
            if after is None:
                return records, pages
            params[after[0]] = after[1]


def _next(system: str, body: dict[str, Any]) -> tuple[str, str] | None:
    if system == "crm":
        return ("after", body["paging"]["next"]["after"]) if "paging" in body else None
    if system == "billing":
        return ("starting_after", body["data"][-1]["id"]) if body["has_more"] else None
    meta = body["meta"]
    return ("page[after]", meta["after_cursor"]) if meta["has_more"] else None


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with sandbox_thread(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Iterator[Sandbox]:
    yield running
    running.client.clear_faults()
    running.client.set_clock(NOW)


@pytest.fixture
def call(sandbox: Sandbox) -> Caller:
    return Caller(sandbox)


@pytest.fixture
def caller_of() -> Callable[[Sandbox], Caller]:
    return Caller


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"
