"""The names of Dagster's that we build on without a promise: a new version must keep them."""

import inspect

from dagster._core.run_coordinator import QueuedRunCoordinator, SubmitRunContext
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster_webserver.webserver import DagsterWebserver
from starlette.routing import Route

from wfops_pipelines.web.guard import Guard
from wfops_pipelines.web.server import WfopsWebserver


class _Server(WfopsWebserver):
    def __init__(self):
        """Routes and middleware need no workspace."""
        self._app_path_prefix = ""


def test_our_pages_come_before_dagsters_catch_all():
    paths = [r.path for r in _Server().build_routes() if isinstance(r, Route)]
    assert paths.index("/wfops") < paths.index("/{path:path}")
    assert "/graphql" in paths


def test_the_guard_is_the_first_to_see_a_request():
    assert _Server().build_middleware()[0].cls is Guard


def test_the_stock_names_are_where_we_expect_them():
    assert {"build_routes", "build_middleware", "create_asgi_app"} <= set(dir(DagsterWebserver))
    assert list(inspect.signature(QueuedRunCoordinator.submit_run).parameters) == [
        "self",
        "context",
    ]
    assert SubmitRunContext._fields == ("dagster_run", "workspace")
    wanted = {"instance", "version", "read_only", "workspace_load_target"}
    assert wanted <= set(inspect.signature(WorkspaceProcessContext.__init__).parameters)


def test_jobs_have_owners_and_contexts_ask_for_their_rights():
    import dagster as dg
    from dagster._core.workspace.context import WorkspaceRequestContext

    assert "owners" in inspect.signature(dg.job).parameters
    wanted = {
        "permissions_for_owner",
        "permissions_for_location",
        "has_permission_for_location",
        "viewer_has_any_owner_definition_permissions",
        "get_viewer_tags",
    }
    assert wanted <= set(dir(WorkspaceRequestContext))
    context = inspect.signature(WorkspaceRequestContext.__init__).parameters
    assert {"instance", "current_workspace", "process_context", "source"} <= set(context)
