"""The webserver: Dagster's own, with our pages, our guard and our identity in front.

    python -m wfops_pipelines.web --host 127.0.0.1 --port 3000 -w workspace.yaml

Dagster has no official hook for this; the names used here are guarded by a contract test.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import uvicorn
from dagster import DagsterInstance
from dagster._cli.workspace.cli_target import workspace_opts_to_load_target
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster_shared.cli import WorkspaceOpts
from dagster_webserver.version import __version__
from dagster_webserver.webserver import DagsterWebserver
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.routing import BaseRoute

from wfops_pipelines import workbench
from wfops_pipelines.web.guard import Guard
from wfops_pipelines.web.mutations import audit_mutations, audited
from wfops_pipelines.web.pages import routes
from wfops_pipelines.web.rights import PersonalProcessContext


class WfopsWebserver(DagsterWebserver[Any, Any]):
    """Dagster's webserver with `/wfops` beside its own pages."""

    def build_routes(self) -> list[BaseRoute]:
        stock: list[BaseRoute] = super().build_routes()  # type: ignore[no-untyped-call]
        return [*routes(), *stock]

    def build_middleware(self) -> list[Middleware]:
        environ = workbench.settings().environ
        return [Middleware(Guard, environ=environ), *super().build_middleware()]

    def build_graphql_middleware(self) -> list[Any]:
        return [audit_mutations, *super().build_graphql_middleware()]

    async def report_asset_materialization_endpoint(self, request: Request) -> Any:
        endpoint = super().report_asset_materialization_endpoint
        return await audited("report_asset_materialization", endpoint)(request)

    async def report_asset_check_endpoint(self, request: Request) -> Any:
        return await audited("report_asset_check", super().report_asset_check_endpoint)(request)

    async def report_asset_observation_endpoint(self, request: Request) -> Any:
        endpoint = super().report_asset_observation_endpoint
        return await audited("report_asset_observation", endpoint)(request)


def application(context: WorkspaceProcessContext) -> Starlette:
    """The ASGI application on an open workspace."""
    return WfopsWebserver(context).create_asgi_app()


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until SIGINT or SIGTERM."""
    options = _parser().parse_args(argv)
    workbench.follow()
    target = workspace_opts_to_load_target(WorkspaceOpts(workspace=(options.workspace,)))
    with DagsterInstance.get() as instance:
        instance.optimize_for_webserver(15_000, 3600, 20)
        context = PersonalProcessContext(
            instance, version=__version__, read_only=False, workspace_load_target=target
        )
        with context:
            uvicorn.run(
                application(context), host=options.host, port=options.port, log_level="warning"
            )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m wfops_pipelines.web", description=main.__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=3000)
    parser.add_argument("-w", "--workspace", default="workspace.yaml")
    return parser
