"""The project and its services, opened once in each process of the code location."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from wfops_pipelines.core.people import People
from wfops_pipelines.project import Project, load_project
from wfops_pipelines.reviewers import read_people
from wfops_pipelines.services import Services, identity_secret, open_services
from wfops_pipelines.settings import Settings, read_settings


@cache
def settings() -> Settings:
    return read_settings()


@cache
def project() -> Project:
    return load_project(settings().root)


def people() -> People:
    """Groups and roles as `reviewers.yaml` says now: who is taken out is out at once."""
    file = settings().root / "reviewers.yaml"
    return _people(file, file.stat().st_mtime_ns)


@cache
def _people(file: Path, _: int) -> People:
    return read_people(file)


@cache
def services() -> Services:
    return open_services(settings(), project().people)


@cache
def secret() -> bytes:
    return identity_secret(settings())


def reload() -> None:
    """Read everything again: the code location was reloaded in the same process."""
    for cached in (settings, project, _people, services, secret):
        cached.cache_clear()
