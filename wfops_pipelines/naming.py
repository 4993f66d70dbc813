"""Which columns a sync's declaration names, and which of them its rows do not have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from wfops_pipelines.assist.declared import Classify, Drafting, Duplicates, Tidy
from wfops_pipelines.core.near import did_you_mean
from wfops_pipelines.core.snapshot import DELETED
from wfops_pipelines.destinations import RestDestination
from wfops_pipelines.errors import ProjectError
from wfops_pipelines.project import Project
from wfops_pipelines.sync import Sync
from wfops_pipelines.written import columns_written


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a sync's rows, and in words where they are known from."""

    names: tuple[str, ...]
    where: str


def known_columns(sync: Sync, staged: Iterable[str]) -> Columns | None:
    """As the sync's function writes them, else as they were `staged` before; None: nobody knows.

    The function counts first: it may have been changed since.
    """
    if written := columns_written(sync.rows):
        return Columns(written, f"the rows that {sync.name} returns")
    found = tuple(name for name in staged if name != DELETED)
    if found and sync.deleted:
        found = (*found, sync.deleted)  # it becomes a mark of its own
    return Columns(found, f"the snapshots of {sync.name}") if found else None


def dangling(project: Project, sync: Sync, file: str, columns: Columns) -> Iterator[ProjectError]:
    """Each place of the sync's declaration, and of its suite, that names a column it has not."""
    from wfops_pipelines.checks.suite import unknown_columns

    filled = [a.column for a in sync.assist if isinstance(a, Drafting | Classify)]
    known = list(dict.fromkeys([*columns.names, *filled]))
    for field, column in dict.fromkeys(named(sync)):
        if column not in known:
            said = f"there is no column {column!r} in {columns.where}"
            yield ProjectError(file, field, said, _repair(column, known))
    if sync.name in project.suites:
        yield from unknown_columns(project.suites[sync.name], known)


def named(sync: Sync) -> Iterator[tuple[str, str]]:
    """(field, column) for each column that the declaration names."""
    yield "key", sync.key
    for field, column in (("cursor", sync.cursor), ("deleted", sync.deleted)):
        if column:
            yield field, column
    yield from ((f"policy.{field}", column) for field, column in sync.policy.columns())
    for asked in sync.assist:
        yield from (("assist", column) for column in _read_by(asked))
    if isinstance(sync.destination, RestDestination):
        yield from ((f"destination.{f}", column) for f, column in sync.destination.columns())


def _read_by(asked: object) -> Sequence[str]:
    match asked:
        case Tidy(column=column):
            return (column,)
        case Duplicates(columns=columns) | Classify(text=columns):
            return tuple(columns)
        case Drafting(name=str(name)) if name:
            return (name,)
    return ()


def _repair(column: str, known: Sequence[str]) -> str:
    meant = did_you_mean(column, known)
    return f"use one of {', '.join(known)}{meant}, or let the sync's function return it"
