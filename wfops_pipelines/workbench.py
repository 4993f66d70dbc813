"""The project and its services, opened once in each process.

The code location keeps the project that it loaded until it is reloaded; the webserver follows its
files, so that a sync that was added while it serves has all of its pages.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TypeAlias

from wfops_pipelines.core.people import People
from wfops_pipelines.errors import ProjectError
from wfops_pipelines.project import Project, load_project
from wfops_pipelines.reviewers import read_people
from wfops_pipelines.services import Services, identity_secret, open_services
from wfops_pipelines.settings import Settings, read_settings

Marks: TypeAlias = "tuple[tuple[str, int, int], ...]"


@cache
def settings() -> Settings:
    return read_settings()


@dataclass(slots=True)
class _Followed:
    """The project that loaded last, what its files were then, and why what they are now does not.

    Only while somebody follows.
    """

    on: bool = False
    files: Marks = ()
    project: Project | None = None
    trouble: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)


_followed = _Followed()


def project() -> Project:
    if not _followed.on:
        return _loaded()
    with _followed.lock:
        found = _marks(settings().root)
        if _followed.project is None:
            _followed.project, _followed.files = load_project(settings().root), found
        elif found != _followed.files:
            _followed.files, _followed.trouble = found, ""
            _load_again()
        return _followed.project


def follow() -> None:
    """From now on the project is what its files say, wherever they can be read."""
    _followed.on = True


def trouble() -> str:
    """Why the files of a followed project are not what is shown; "" where they are."""
    return _followed.trouble


def _load_again() -> None:
    try:
        _followed.project = load_project(settings().root)
    except ProjectError as error:  # somebody is writing; what was there goes on to be shown
        _followed.trouble = str(error)


def _marks(root: Path) -> Marks:
    """Name, time and size of each file that declares something."""
    found = [root / "reviewers.yaml"]
    for room in ("assets", "expectations", "sensors"):
        found += [p for p in (root / room).rglob("*") if p.suffix in (".py", ".json", ".yaml")]
    there = ((p, p.stat()) for p in sorted(found) if p.exists())
    return tuple((str(p), s.st_mtime_ns, s.st_size) for p, s in there)


@cache
def _loaded() -> Project:
    return load_project(settings().root)


def people() -> People:
    """Groups and roles as `reviewers.yaml` says now: who is taken out is out at once."""
    file = settings().root / "reviewers.yaml"
    return _people(file, file.stat().st_mtime_ns)


@cache
def _people(file: Path, _: int) -> People:
    return read_people(file)


def services() -> Services:
    """What everything runs on, with the groups and roles of now."""
    return replace(_opened(), people=people())


@cache
def _opened() -> Services:
    return open_services(settings(), project().people)


@cache
def secret() -> bytes:
    return identity_secret(settings())


def reload() -> None:
    """Read everything again: the code location was reloaded in the same process."""
    for cached in (settings, _loaded, _people, _opened, secret):
        cached.cache_clear()
