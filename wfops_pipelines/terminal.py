"""What the commands share: the project, the database, who asks, and the signed head."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfops_pipelines.settings import Settings, read_settings

if TYPE_CHECKING:
    from wfops_pipelines.core.reviews import Actor
    from wfops_pipelines.project import Project
    from wfops_pipelines.services import Services


def open_all() -> tuple[Settings, Project, Services]:
    from wfops_pipelines.project import load_project
    from wfops_pipelines.services import open_services

    settings = read_settings()
    project = load_project(settings.root)
    return settings, project, open_services(settings, project.people)


def me(services: Services) -> Actor:
    """The development user: a command line has no proxy that says who types."""
    from wfops_pipelines.identity import developer

    return developer(services.environ)


def sign(services: Services) -> None:
    """Let a signed head vouch for what this command has written into the audit trail."""
    from wfops_pipelines import auditing

    auditing.seal(services)
