"""The project and its services, opened once in each process of the code location."""

from __future__ import annotations

from functools import cache

from wfops_pipelines.project import Project, load_project
from wfops_pipelines.services import Services, identity_secret, open_services
from wfops_pipelines.settings import Settings, read_settings


@cache
def settings() -> Settings:
    return read_settings()


@cache
def project() -> Project:
    return load_project(settings().root)


@cache
def services() -> Services:
    return open_services(settings(), project().groups)


@cache
def secret() -> bytes:
    return identity_secret(settings())


def reload() -> None:
    """Read everything again: the code location was reloaded in the same process."""
    for cached in (settings, project, services, secret):
        cached.cache_clear()
