"""Review requests that nobody answers: escalated, noted, or rejected as the policy says.

The machine never approves, and its acts are called the machine's in the audit trail.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection

from wfops_pipelines.core.audit import Action, AuditEvent
from wfops_pipelines.core.findings import Json
from wfops_pipelines.core.policy import Policy
from wfops_pipelines.core.reviews import Actor, Review, ReviewState, Verb
from wfops_pipelines.project import Project
from wfops_pipelines.services import Services
from wfops_pipelines.store import audit, database, notifications, reviews
from wfops_pipelines.store.notifications import News
from wfops_pipelines.store.reviews import Errand

CLOCK = Actor("review_deadlines", "machine")


def act(project: Project, services: Services) -> list[str]:
    """Do what is due now, each once; returns what was done, in words.

    A request that a person is deciding at this moment is left to that person.
    """
    done: list[str] = []
    for sync in project.syncs.values():
        with services.engine.connect() as conn:
            waiting = reviews.holding(conn, sync.name)
        for review in waiting:
            done += _act(review, sync.policy, services)
    return done


def _act(review: Review, policy: Policy, services: Services) -> list[str]:
    reminds = _due(review, policy.remind_hours, services)
    escalates = _due(review, policy.escalate_hours, services)
    ends = _due(review, policy.deadline_hours, services)
    if not (reminds or escalates or ends):
        return []
    with database.transaction(services.engine) as conn:
        row = reviews.lock_waiting(conn, review.id)
        if row is None:
            return []
        if ends and policy.at_deadline == "reject":
            return [_expire(conn, review, policy, services)]
        done = []
        if reminds and not escalates and row.reminded_at is None:
            done.append(_remind(conn, review, services))
        if escalates and row.escalated_at is None and policy.escalate_to is not None:
            done.append(_escalate(conn, review, policy.escalate_to, services))
        if ends and row.overdue_at is None:
            done.append(_note(conn, review, policy, services))
        return done


def _due(review: Review, hours: float | None, services: Services) -> bool:
    return hours is not None and services.clock() >= review.opened_at + timedelta(hours=hours)


def _remind(conn: Connection, review: Review, services: Services) -> str:
    reviews.note_reminded(conn, review.id, services.clock())
    said = f"no answer yet; {review.group} is reminded"
    notifications.post(conn, review.id, News.REMINDER, review.group, services.clock())
    _tell(conn, Action.REMINDED, review, said, services, {})
    return f"{review.subject}: {said}"


def _escalate(conn: Connection, review: Review, group: str, services: Services) -> str:
    reviews.escalate(conn, review.id, group, services.clock())
    said = f"no answer from {review.group}; {group} decides now"
    notifications.post(conn, review.id, News.ESCALATED, group, services.clock())
    _tell(conn, Action.ESCALATED, review, said, services, {"from": review.group, "to": group})
    return f"{review.subject}: {said}"


def _note(conn: Connection, review: Review, policy: Policy, services: Services) -> str:
    reviews.note_overdue(conn, review.id, services.clock())
    said = f"no answer within {policy.deadline_hours:g} hours; it stays held"
    notifications.post(conn, review.id, News.OVERDUE, review.group, services.clock())
    _tell(conn, Action.OVERDUE, review, said, services, {})
    return f"{review.subject}: {said}"


def _expire(conn: Connection, review: Review, policy: Policy, services: Services) -> str:
    """The rows go into quarantine by the same way as after a person's rejection."""
    at, id = services.clock(), services.id("ex")
    reviews.close(conn, review.id, ReviewState.EXPIRED, str(CLOCK), at)
    reviews.post(conn, Errand(id, review.id, review.sync, review.seq, Verb.REJECT, at, 0, None))
    said = f"no answer within {policy.deadline_hours:g} hours; the policy rejects"
    notifications.post(conn, review.id, News.EXPIRED, review.group, at)
    _tell(conn, Action.EXPIRED, review, said, services, {"decision": id})
    return f"{review.subject}: {said}"


def _tell(
    conn: Connection,
    action: Action,
    review: Review,
    said: str,
    services: Services,
    details: dict[str, Json],
) -> None:
    body: dict[str, Json] = {"review": review.id, **details}
    event = AuditEvent(services.clock(), CLOCK, action, review.subject, said, body)
    audit.append(conn, event)
