from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from wfops_pipelines.sandbox import NOW, Sandbox, sandbox_thread
from wfops_pipelines.sources import (
    Connection,
    RestSource,
    Retries,
    Window,
    connection_for,
    hubspot,
    stripe,
    zendesk,
)

QUICK = Retries(attempts=3, backoff=0.001, longest_wait=0.01)
SOURCES = {
    "crm": hubspot("crm", "/crm/v3/objects/contacts", retries=QUICK),
    "billing": stripe("billing", "/v1/invoices", retries=QUICK),
    "support": zendesk("support", "/api/v2/tickets.json", retries=QUICK),
}
DAYS = Window(NOW - timedelta(days=3), NOW)


@dataclass
class Reader:
    """Reads the sandbox's systems through the presets."""

    sandbox: Sandbox

    def connection(self, system: str) -> Connection:
        return connection_for(system, self.sandbox.environ())

    def pages(
        self, system: str, window: Window = DAYS, **changes: Any
    ) -> Iterator[list[dict[str, Any]]]:
        return self.source(system, **changes).pages(window, self.connection(system))

    def rows(self, system: str, window: Window = DAYS, **changes: Any) -> list[dict[str, Any]]:
        return [row for page in self.pages(system, window, **changes) for row in page]

    def source(self, system: str, **changes: Any) -> RestSource:
        return replace(SOURCES[system], **changes)

    def requests(self, system: str) -> int:
        count: int = self.sandbox.client.about()["requests"][system]
        return count


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
def read(sandbox: Sandbox) -> Reader:
    return Reader(sandbox)


Reply = tuple[int, dict[str, str], bytes]


@dataclass
class Scripted:
    """A server that answers what a test says and keeps what it was sent."""

    url: str
    answer: Callable[[str], Reply]
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    posted: list[str] = field(default_factory=list)

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.seen]


def as_json(body: object, headers: dict[str, str] | None = None, status: int = 200) -> Reply:
    return status, headers or {}, json.dumps(body).encode()


@contextmanager
def scripted_server(answer: Callable[[str], Reply]) -> Iterator[Scripted]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # one packet an answer

        def do_GET(self) -> None:
            script.seen.append((self.path, dict(self.headers)))
            status, headers, body = script.answer(self.path)
            begin = self.send_response_only if "Date" in headers else self.send_response
            begin(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            script.posted.append(self.rfile.read(length).decode())
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    script = Scripted(f"http://127.0.0.1:{server.server_address[1]}", answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield script
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def server() -> Callable[[Callable[[str], Reply]], Any]:
    return scripted_server
