"""What the anomaly scorer of one sync goes by, and forgetting what reviewers taught it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from wfops_pipelines import anomaly
from wfops_pipelines.core.audit import Action, AuditEvent
from wfops_pipelines.core.people import Role
from wfops_pipelines.core.reviews import Actor, check_reason
from wfops_pipelines.services import Services
from wfops_pipelines.store import audit, database, learning, snapshots
from wfops_pipelines.sync import Sync


@dataclass(frozen=True, slots=True)
class Learned:
    """`history` published snapshots; `decided` counts (rejections, approvals) of each kind."""

    history: int
    basis: str
    decided: Mapping[str, tuple[int, int]]
    since: datetime | None

    @property
    def weights(self) -> dict[str, float]:
        return anomaly.weights(self.decided)


def learned(sync: Sync, services: Services) -> Learned:
    """What the next snapshot of a sync will be judged by."""
    with services.engine.connect() as conn:
        head = snapshots.head(conn, sync.name)
        known = snapshots.published_profiles(
            conn, sync.name, head.seq + 1, incremental=sync.cursor is not None
        )
        decided, since = learning.counts(conn, sync.name), learning.last_reset(conn, sync.name)
    profiles = [anomaly.Profile.from_json(body) for body in known.values()]
    basis = anomaly.basis(profiles, false_holds=sync.policy.false_holds)
    return Learned(len(known), basis, decided, since)


def forget(sync: Sync, reason: str, actor: Actor, services: Services) -> None:
    """Let every kind of finding count in full again. Raises NotAllowed without the role admin."""
    services.people.require(actor.name, Role.ADMIN, "resetting what the scorer learned")
    why = check_reason(reason)
    with database.transaction(services.engine) as conn:
        before = anomaly.weights(learning.counts(conn, sync.name))
        now = services.clock()
        learning.reset(conn, sync.name, now)
        event = AuditEvent(
            now, actor, Action.ANOMALY_RESET, sync.name, why, {"weights": {**before}}
        )
        audit.append(conn, event)
