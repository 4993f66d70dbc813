"""How a project's rooms fit together: each problem names file, field and repair."""

from __future__ import annotations

from collections.abc import Iterator

from wfops_pipelines.core.near import did_you_mean
from wfops_pipelines.errors import ProjectError
from wfops_pipelines.project import Project
from wfops_pipelines.sync import Sync

RESERVED = (
    "decide", "decide_many", "release", "pause", "resume", "comment", "assign", "route", "label",
    "reopen", "waive", "undo", "all",
)  # fmt: skip


def problems(project: Project) -> Iterator[ProjectError]:
    """Every problem of the project, in a stable order; none when it is sound."""
    yield from _empty(project)
    for sync in project.syncs.values():
        if sync.name in RESERVED:
            said = f"{sync.name} is a job of the gate's"
            yield ProjectError(file_of(project, sync), "@sync", said, "give the sync another name")
        yield from _suite(project, sync)
        yield from _policy(project, sync)
        yield from _schedule(project, sync)
        yield from _deletes(project, sync)
        yield from _told_again(project, sync)
        yield from _compared(project, sync)
        yield from _assist(project, sync)
    yield from _shared_destinations(project)
    yield from _strays(project)


def file_of(project: Project, sync: Sync) -> str:
    """Where the sync is declared."""
    single = project.root / "assets" / f"{sync.name}.py"
    return str(single if single.exists() else single.with_suffix("") / "__init__.py")


def _empty(project: Project) -> Iterator[ProjectError]:
    if not project.syncs:
        room = project.root / "assets"
        yield ProjectError(room, "@sync", "no sync is declared", "add a file with one @sync")


def _suite(project: Project, sync: Sync) -> Iterator[ProjectError]:
    if sync.name not in {*project.suites, *project.broken}:
        path = project.root / "expectations" / f"{sync.name}.json"
        repair = (
            f'write the suite: {{"name": "{sync.name}", "expectations": []}} and what you expect'
        )
        yield ProjectError(path, "file", f"the sync {sync.name} has no suite", repair)


def _policy(project: Project, sync: Sync) -> Iterator[ProjectError]:
    file = file_of(project, sync)
    for name, repair in sync.policy.problems():
        yield ProjectError(
            file, f"policy.{name}", f"{getattr(sync.policy, name)!r} cannot be", repair
        )
    group, next_ = sync.policy.reviewers, sync.policy.escalate_to
    if next_ is not None and next_ not in project.groups:
        repair = f"declare the group in reviewers.yaml{did_you_mean(next_, project.groups)}"
        yield ProjectError(file, "policy.escalate_to", f"no group is called {next_!r}", repair)
    for rule in sync.policy.routes:
        if rule.to not in project.groups:
            repair = f"declare the group in reviewers.yaml{did_you_mean(rule.to, project.groups)}"
            yield ProjectError(file, "policy.routes", f"no group is called {rule.to!r}", repair)
    if group not in project.groups:
        repair = f"declare the group in reviewers.yaml{did_you_mean(group, project.groups)}"
        yield ProjectError(file, "policy.reviewers", f"no group is called {group!r}", repair)
    elif len(project.members(group)) < sync.policy.approvals:
        repair = f"add members to {group} in reviewers.yaml, or ask for fewer approvals"
        said = f"{sync.policy.approvals} approvals from a group of {len(project.members(group))}"
        yield ProjectError(file, "policy.approvals", said, repair)


def _assist(project: Project, sync: Sync) -> Iterator[ProjectError]:
    if not sync.assist:
        return
    from wfops_pipelines.assist.problems import problems as wrong

    hidden = {
        s.destination.words.removeprefix("table "): s.policy.masked for s in project.syncs.values()
    }
    taken = [sync.key, *([sync.cursor] if sync.cursor else [])]
    for field, said, repair in wrong(sync.assist, taken, hidden, sync.policy.masked):
        yield ProjectError(file_of(project, sync), field, said, repair)


def _schedule(project: Project, sync: Sync) -> Iterator[ProjectError]:
    from croniter import croniter

    if sync.schedule is not None and not croniter.is_valid(sync.schedule):
        repair = 'write five fields, as "*/15 * * * *" for every quarter of an hour'
        yield ProjectError(
            file_of(project, sync), "schedule", f"{sync.schedule!r} is no cron", repair
        )


def _deletes(project: Project, sync: Sync) -> Iterator[ProjectError]:
    from wfops_pipelines.destinations import RestDestination, can_list

    file = file_of(project, sync)
    api = isinstance(sync.destination, RestDestination)
    declare = "declare lists=rest_api(…) of the destination, which lists its records"
    if sync.missing not in ("keep", "delete"):
        yield ProjectError(file, "missing", f"{sync.missing!r} cannot be", 'use "keep" or "delete"')
    if sync.missing == "delete" and sync.cursor is not None:
        said = "with a cursor an extraction has what changed, so most rows are missing from it"
        yield ProjectError(file, "missing", said, "leave the cursor out, or use deleted=")
    if sync.missing == "delete" and not can_list(sync.destination):
        said = f"the {sync.destination.words} cannot say which rows it holds"
        repair = f'{declare}, or use "keep"' if api else 'use "keep", or another destination'
        yield ProjectError(file, "missing", said, repair)
    share = sync.policy.delete_rows_up_to
    if sync.deleted is not None and share and not can_list(sync.destination):
        said = f"the {sync.destination.words} cannot say how many rows it holds: no share of them"
        repair = "delete_rows_up_to=0 lets each deletion wait for a person"
        yield ProjectError(
            file, "policy.delete_rows_up_to", said, f"{declare}, or {repair}" if api else repair
        )
    if api and _deletes_rows(sync) and getattr(sync.destination, "delete", None) is None:
        said = f"the {sync.destination.words} is told of deletions and cannot delete"
        repair = 'declare what deletes, as delete="DELETE /contacts/{remote_id}"'
        yield ProjectError(file, "destination", said, repair)
    if sync.deleted is not None and sync.deleted in (sync.key, sync.cursor):
        said = f"{sync.deleted!r} is the key or the cursor"
        yield ProjectError(file, "deleted", said, "name the column that says a row is gone")
    if sync.days_from is not None and sync.cursor is None:
        said = "only a cursor tells which day a row is of"
        yield ProjectError(file, "days_from", said, "name the cursor, or leave days_from out")


def _told_again(project: Project, sync: Sync) -> Iterator[ProjectError]:
    """Without a cursor each run tells every row: as messages, all would be sent in each run."""
    from wfops_pipelines.destinations import RestDestination

    to = sync.destination
    if sync.cursor is None and isinstance(to, RestDestination) and to.messages:
        said = f"without one each run reads every row, and the {to.words} would create each again"
        repair = (
            "name the column of the last change, or declare what updates a record, as "
            'update="PATCH /contacts/{remote_id}"; a request that does both is update= alone'
        )
        yield ProjectError(file_of(project, sync), "cursor", said, repair)


def _compared(project: Project, sync: Sync) -> Iterator[ProjectError]:
    """A critical field that no comparison can see would change without a person."""
    from wfops_pipelines.destinations import RestDestination

    to, file = sync.destination, file_of(project, sync)
    if not isinstance(to, RestDestination) or to.messages or not sync.policy.critical_fields:
        return
    if to.read is None:
        said = f"the {to.words} is not read back, so nobody would see a critical field change"
        repair = 'declare what reads a record, as read="GET /contacts/{remote_id}"'
        yield ProjectError(file, "policy.critical_fields", said, repair)
        return
    for column in to.blurred(sync.policy.critical_fields):
        said = f"the {to.words} gets {column!r} only inside longer texts, which are not compared"
        repair = f'send it as a field of its own, as "{{{column}}}", or leave it out here'
        yield ProjectError(file, "policy.critical_fields", said, repair)


def _deletes_rows(sync: Sync) -> bool:
    return sync.deleted is not None or sync.missing == "delete"


def _shared_destinations(project: Project) -> Iterator[ProjectError]:
    """Two syncs that write to one place would overwrite each other's rows."""
    owner: dict[str, str] = {}
    for sync in project.syncs.values():
        first = owner.setdefault(sync.destination.words, sync.name)
        if first != sync.name:
            said = f"{sync.destination.words} is written by {first} already"
            yield ProjectError(file_of(project, sync), "destination", said, "give each its own")


def _strays(project: Project) -> Iterator[ProjectError]:
    for path in sorted((project.root / "expectations").glob("*.json")):
        if path.stem not in project.syncs:
            meant = did_you_mean(path.stem, project.syncs)
            repair = f"rename it to the sync it is for{meant}, or drop it"
            said = f"no sync is called {path.stem}, so nothing runs this suite"
            yield ProjectError(path, "file name", said, repair)
