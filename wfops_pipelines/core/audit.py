"""Audit events: who did what to what, when and why. `core.verifier` is about their chain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from wfops_pipelines.core.canonical import canonical
from wfops_pipelines.core.findings import Json
from wfops_pipelines.core.reviews import Actor


class Action(Enum):
    """What was done."""

    STAGED = "snapshot.staged"
    READ_AGAIN = "source.read_again"  # from a date that extractions no longer reach
    DRAFTED = "rows.drafted"  # a model or template proposed values for some cells
    EXAMINED = "snapshot.examined"
    PUBLISHED = "rows.published"
    QUARANTINED = "rows.quarantined"
    LEFT_OUT = "rows.left_out"  # the destination had refused them; a person went on without them
    MENDED = "failure.mended"  # a later run did what had failed
    REVIEW_OPENED = "review.opened"
    DECIDED = "review.decided"
    OVERRIDDEN = "review.overridden"  # decided despite what only the role `override` may set aside
    VOTED = "review.voted"
    EDITED = "review.edited"
    SPOT_CHECK = "review.spot_check"  # confidence would have released it; a person looks
    COMMENTED = "review.commented"
    ASSIGNED = "review.assigned"
    ROUTED = "review.routed"  # another group decides
    LABELLED = "review.labelled"  # a person said what a failure really was
    SUPERSEDED = "review.superseded"  # a newer whole extraction made it moot
    REOPENED = "review.reopened"
    REMINDED = "review.reminded"  # the machine asked its group once more
    NOTIFIED = "people.notified"  # the machine told a group about review requests
    ESCALATED = "review.escalated"  # a deadline passed: the machine asked the next group
    OVERDUE = "review.overdue"  # a deadline passed: the machine noted it
    EXPIRED = "review.expired"  # a deadline passed: the machine rejected it
    FAILED = "sync.failed"
    PAUSED = "sync.paused"
    RESUMED = "sync.resumed"
    REVERT_ASKED = "revert.asked"
    REVERTED = "rows.reverted"  # the destination holds again what it held before
    SETTLED = "delivery.settled"  # a person found out whether a row had arrived
    WAIVED = "waiver.granted"  # a failing expectation no longer holds some rows, for a while
    WAIVER_ASKED = "waiver.asked"  # a critical one: somebody else decides
    WAIVER_ENDED = "waiver.ended"
    ANOMALY_RESET = "anomaly.reset"
    UI_MUTATION = "ui.mutation"  # a person asked the Dagster UI to change something
    UI_REFUSED = "ui.refused"  # the Dagster UI answered such a request with an error


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

    def text(self) -> str:
        """The canonical JSON that the chain's hash is over. Raises ValueError on NaN."""
        return canonical(self.body()).decode("ascii")
