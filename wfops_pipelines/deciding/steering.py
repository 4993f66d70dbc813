"""What people do beside deciding: comment, assign, route, pause and resume.

Each act checks who may, changes the store and writes its audit event in one transaction, whatever
channel it came by.
"""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from wfops_pipelines.core.audit import Action, AuditEvent
from wfops_pipelines.core.people import Role
from wfops_pipelines.core.reviews import (
    Actor,
    Review,
    ReviewState,
    check_member,
    check_reason,
)
from wfops_pipelines.core.routing import permitted
from wfops_pipelines.errors import BadDecision, NotAllowed
from wfops_pipelines.project import Project
from wfops_pipelines.services import Services
from wfops_pipelines.store import audit, controls, database, notifications, reviews

NOBODY = "nobody"
ALL = "all"


def comment(id: str, text: str, actor: Actor, services: Services) -> Review:
    """Put a remark into the trail of a review request. Raises BadDecision or NotAllowed."""
    with database.transaction(services.engine) as conn:
        review = known_review(conn, id)
        _require_known(actor, services, "commenting")
        details = {"review": review.id}
        audit.append(conn, _event(Action.COMMENTED, actor, review.subject, text, services, details))
        return review


def assign(id: str, to: str, reason: str, actor: Actor, services: Services) -> Review:
    """Say who looks at a review request: a member of its group, or "nobody"."""
    with database.transaction(services.engine) as conn:
        review = known_review(conn, id, lock=True)
        _require_known(actor, services, "assigning")
        if review.state is not ReviewState.PENDING:
            raise BadDecision(f"review: {review.id} is {review.state.value}; nothing to look at.")
        members = services.people.members(review.group)
        if to != NOBODY and to not in members:
            raise BadDecision(
                f"to: {to} is not a member of {review.group}. Name one of "
                f"{', '.join(sorted(members))}, or {NOBODY}."
            )
        reviews.assign(conn, review.id, None if to == NOBODY else to)
        details = {"review": review.id, "to": to}
        audit.append(
            conn, _event(Action.ASSIGNED, actor, review.subject, reason, services, details)
        )
        return replace(review, assigned_to=None if to == NOBODY else to)


def route(
    id: str, to: str, reason: str, actor: Actor, project: Project, services: Services
) -> Review:
    """Let another group decide a review request, one that the sync's policy names.

    Raises NotAllowed unless `actor` is a member of the group that is asked now (or an admin).
    """
    with database.transaction(services.engine) as conn:
        review = known_review(conn, id, lock=True)
        if not services.people.has(actor.name, Role.ADMIN):
            check_member(actor.name, review.group, services.people.members(review.group))
        if review.state is not ReviewState.PENDING:
            raise BadDecision(f"review: {review.id} is {review.state.value}; nothing to decide.")
        policy = project.find(review.sync).policy
        may = [g for g in permitted(policy) if g != review.group]
        if to not in may:
            raise BadDecision(
                f"to: {to} is not asked about {review.sync} by its policy. Name one of "
                f"{', '.join(may) or 'none'}, or add it to the policy's routes."
            )
        why = f"{actor.name} sent it on: {check_reason(reason)}"
        reviews.route(conn, review.id, to, why)
        notifications.post(conn, review.id, notifications.News.ROUTED, to, services.clock())
        details = {"review": review.id, "from": review.group, "to": to}
        audit.append(conn, _event(Action.ROUTED, actor, review.subject, reason, services, details))
        return replace(review, group=to, routed=why, assigned_to=None)


def pause(name: str, reason: str, actor: Actor, project: Project, services: Services) -> str:
    """Publish nothing of one sync, or of "all". Raises NotAllowed without the role admin."""
    event = _control(Action.PAUSED, name, reason, actor, project, services)
    with database.transaction(services.engine) as conn:
        controls.pause(conn, event)
    return f"{name} is paused: nothing is published. `wfops resume {name}` ends it."


def resume(name: str, reason: str, actor: Actor, project: Project, services: Services) -> str:
    """Let a paused sync, or "all", publish again. Raises NotAllowed without the role admin."""
    event = _control(Action.RESUMED, name, reason, actor, project, services)
    with database.transaction(services.engine) as conn:
        done = controls.resume(conn, event)
    return f"{name} publishes again" if done else f"{name} was not paused"


def known_review(conn: Connection, id: str, *, lock: bool = False) -> Review:
    """The request with this id. Raises BadDecision where there is none."""
    found = reviews.get(conn, id, lock=lock)
    if found is None:
        raise BadDecision(
            f"review: there is no review request {id!r}. "
            "Copy its id from the review page, or list them with `wfops reviews`."
        )
    return found


def _require_known(actor: Actor, services: Services, act: str) -> None:
    people = services.people
    if not people.groups_of(actor.name) and not any(people.has(actor.name, r) for r in Role):
        raise NotAllowed(
            f"you may not: {act} is for whom reviewers.yaml names in a group or a role, and "
            f"{actor.name} is in none."
        )


def _control(
    action: Action,
    name: str,
    reason: str,
    actor: Actor,
    project: Project,
    services: Services,
) -> AuditEvent:
    services.people.require(actor.name, Role.ADMIN, action.value.partition(".")[2])
    if name != ALL:
        project.find(name)
    subject = controls.EVERYTHING if name == ALL else name
    return _event(action, actor, subject, reason, services, {})


def _event(
    action: Action,
    actor: Actor,
    subject: str,
    reason: str,
    services: Services,
    details: dict[str, str],
) -> AuditEvent:
    why = check_reason(reason)
    return AuditEvent(services.clock(), actor, action, subject, why, {**details})
