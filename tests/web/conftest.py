"""Our pages on a real server."""

import threading

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware

from wfops_pipelines import workbench
from wfops_pipelines.web.guard import Guard
from wfops_pipelines.web.pages import routes


def application():
    return Starlette(routes=routes(), middleware=[Middleware(Guard, environ={})])


class Server(uvicorn.Server):
    """Uvicorn in a thread; `url` is known once it serves."""

    def __init__(self):
        self.serving = threading.Event()
        super().__init__(uvicorn.Config(application(), port=0, log_level="warning", ws="none"))

    async def startup(self, sockets=None):
        await super().startup(sockets)
        port = self.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.serving.set()


@pytest.fixture
def served(monkeypatch):
    started = []

    def serve(bench):
        monkeypatch.setattr(workbench, "services", lambda: bench.services)
        monkeypatch.setattr(workbench, "project", lambda: bench.project)
        monkeypatch.setattr(workbench, "secret", lambda: b"k" * 32)
        server = Server()
        thread = threading.Thread(target=server.run)
        thread.start()
        started.append((server, thread))
        assert server.serving.wait(30)
        return server.url

    yield serve
    for server, thread in started:
        server.should_exit = True
        thread.join(30)
