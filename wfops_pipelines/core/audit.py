"""Audit events and the hash chain that binds each to the one before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from wfops_pipelines.core.canonical import canonical, digest
from wfops_pipelines.core.findings import Json
from wfops_pipelines.core.reviews import Actor

GENESIS = "0" * 64


class Action(Enum):
    """What was done."""

    STAGED = "snapshot.staged"
    EXAMINED = "snapshot.examined"
    PUBLISHED = "rows.published"
    QUARANTINED = "rows.quarantined"
    REVIEW_OPENED = "review.opened"
    DECIDED = "review.decided"
    VOTED = "review.voted"
    EDITED = "review.edited"
    COMMENTED = "review.commented"
    ASSIGNED = "review.assigned"
    REOPENED = "review.reopened"
    ESCALATED = "review.escalated"
    OVERDUE = "review.overdue"
    EXPIRED = "review.expired"
    FAILED = "sync.failed"
    PAUSED = "sync.paused"
    RESUMED = "sync.resumed"
    ANOMALY_RESET = "anomaly.reset"
    UI_MUTATION = "ui.mutation"


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One act, by a machine or a person. `subject` is what it was done to; times are UTC."""

    at: datetime
    actor: Actor
    action: Action
    subject: str
    reason: str = ""
    details: Mapping[str, Json] = field(default_factory=dict)

    def body(self) -> dict[str, Json]:
        return {
            "at": self.at.isoformat(),
            "actor": self.actor.name,
            "actor_kind": self.actor.kind,
            "verified": self.actor.verified,
            "action": self.action.value,
            "subject": self.subject,
            "reason": self.reason,
            "details": dict(self.details),
        }


def chain(previous: str, body: Mapping[str, Json]) -> str:
    """The hash of an event: SHA-256 over the hash before it and its canonical body."""
    return digest(previous.encode("ascii") + canonical(dict(body)))


def first_break(links: Iterable[tuple[int, Mapping[str, Json], str]]) -> int | None:
    """The number of the first event whose hash does not follow, or that is missing; else None.

    `links` are (number from 1, body, stored hash) in order.
    """
    previous, expected = GENESIS, 1
    for number, body, stored in links:
        if number != expected or chain(previous, body) != stored:
            return expected
        previous, expected = stored, expected + 1
    return None
