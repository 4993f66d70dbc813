"""What each person may do in the Dagster UI: buttons that are grey, and a server that refuses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagster._core.workspace.context import WorkspaceProcessContext, WorkspaceRequestContext
from dagster._core.workspace.permissions import (
    EDITOR_PERMISSIONS,
    LOCATION_SCOPED_PERMISSIONS,
    VIEWER_PERMISSIONS,
    PermissionResult,
    Permissions,
)

from wfops_pipelines import workbench
from wfops_pipelines.core.people import People, Role
from wfops_pipelines.core.reviews import Actor
from wfops_pipelines.errors import NotAllowed
from wfops_pipelines.identity import requester
from wfops_pipelines.orchestration.identity import GATE_OWNER, backfill_tags

Rights = Mapping[str, PermissionResult]
LAUNCH = (Permissions.LAUNCH_PIPELINE_EXECUTION, Permissions.LAUNCH_PIPELINE_REEXECUTION)
FORGETS = (  # what would take runs or events out of the history
    Permissions.DELETE_PIPELINE_RUN,
    Permissions.WIPE_ASSETS,
    Permissions.REPORT_RUNLESS_ASSET_EVENTS,
)


class PersonalContext(WorkspaceRequestContext):
    """Dagster's context of one request, with the rights of the person who sent it.

    A reviewer may launch the jobs that their groups own (`decide` and its like) and no others:
    the location says yes, so that the Launchpad's button is live, and each job is asked again.
    """

    def person(self) -> Actor | None:
        """Who sent this request; None for the server itself, or for nobody we know."""
        headers = getattr(self.source, "headers", None)
        if headers is None:
            return None
        try:
            return requester(headers.get, workbench.settings().environ)
        except NotAllowed:
            return None

    @property
    def permissions(self) -> Rights:
        return self._rights()

    def permissions_for_location(self, *, location_name: str) -> Rights:  # noqa: ARG002
        rights, person = self._rights(), self.person()
        if person is not None and workbench.people().groups_of(person.name):
            rights = {**rights, **{p: _right(True) for p in LAUNCH}}
        return {p: r for p, r in rights.items() if p in LOCATION_SCOPED_PERMISSIONS}

    def has_permission_for_location(self, permission: str, location_name: str) -> bool:  # noqa: ARG002
        self._checked_permissions.add(permission)
        return self._rights()[permission].enabled

    def viewer_has_any_owner_definition_permissions(self) -> bool:
        person = self.person()
        return person is not None and bool(workbench.people().groups_of(person.name))

    def permissions_for_owner(self, *, owner: str) -> Rights:
        person = self.person()
        group = owner.removeprefix(GATE_OWNER)
        if person is None or owner == group or person.name not in workbench.people().members(group):
            return {}
        return {p: _right(True) for p in LAUNCH}

    def get_viewer_tags(self) -> dict[str, str]:
        person = self.person()
        return {} if person is None else backfill_tags(person)

    def _rights(self) -> Rights:
        if self.read_only:
            return _all(VIEWER_PERMISSIONS)
        if self.source is None:  # the server itself, at start
            return _all(EDITOR_PERMISSIONS)
        person = self.person()
        return _all(VIEWER_PERMISSIONS) if person is None else rights_of(person, workbench.people())


class PersonalProcessContext(WorkspaceProcessContext):
    """Dagster's workspace, which gives each request a context with its person's rights."""

    def create_request_context(self, source: object | None = None) -> PersonalContext:
        return PersonalContext(
            instance=self.instance,
            current_workspace=self.get_current_workspace(),
            process_context=self,
            version=self.version,
            source=source,
            read_only=self.read_only,
        )


def rights_of(person: Actor, people: People) -> Rights:
    """Everywhere, for a person: an admin everything, an engineer nothing that forgets."""
    if people.has(person.name, Role.ADMIN):
        return _all(EDITOR_PERMISSIONS)
    if people.has(person.name, Role.ENGINEER):
        return _all({p: may and p not in FORGETS for p, may in EDITOR_PERMISSIONS.items()})
    return _all(VIEWER_PERMISSIONS)


def _all(rights: Mapping[Any, bool]) -> Rights:
    return {p: _right(may) for p, may in rights.items()}


def _right(enabled: bool) -> PermissionResult:
    said = None if enabled else "reviewers.yaml does not give you this right"
    return PermissionResult(enabled=enabled, disabled_reason=said)
