"""Settle deliveries of which no machine can know whether they arrived: a person finds out."""

from __future__ import annotations

from sqlalchemy import Connection

from wfops_pipelines.core.audit import Action, AuditEvent
from wfops_pipelines.core.findings import Json
from wfops_pipelines.core.reviews import Actor, check_member, check_reason
from wfops_pipelines.destinations import RestDestination, deliveries
from wfops_pipelines.destinations.deliveries import Delivery, State
from wfops_pipelines.errors import AlreadyDecided, BadDecision, NotAllowed
from wfops_pipelines.project import Project
from wfops_pipelines.services import Services
from wfops_pipelines.store import audit

LEDGERS = (deliveries.DELIVERIES, deliveries.REVERSALS)


def unsettled(name: str, project: Project, services: Services) -> list[Delivery]:
    """The rows of a sync that did not arrive at the API, or perhaps did not, the oldest first.

    Raises BadDecision for a sync that has no deliveries, because it writes whole transactions.
    """
    sync = project.find(name)
    with services.engine.connect() as conn:
        found = _open(conn, sync.name)
    if not found and not isinstance(sync.destination, RestDestination):
        raise BadDecision(
            f"{name} goes to the {sync.destination.words}, which has no deliveries: a publication "
            f"arrives there as a whole or not at all. `wfops reconcile {name}` says where each row "
            f"is, `wfops reviews` what waits for a person."
        )
    return found


def left_out(name: str, services: Services) -> list[Delivery]:
    """What the API refused and people left out, until a newer version of the row has arrived."""
    with services.engine.connect() as conn:
        return deliveries.left_out(conn, name)


def settle(
    name: str, key: str, arrived: bool, reason: str, actor: Actor, project: Project,
    services: Services, seq: int | None = None,
) -> Delivery:  # fmt: skip
    """Say whether the row `key` has arrived; if not, the next try sends it once more.

    `seq`: the snapshot, where several deliveries of this row are unknown. Raises BadDecision,
    AlreadyDecided, or NotAllowed unless `actor` is a person of the sync's reviewer group.
    """
    sync, why = project.find(name), check_reason(reason)
    if actor.kind != "person":
        raise NotAllowed(f"you may not: {actor} is not a person who can find out.")
    group = sync.policy.reviewers
    check_member(actor.name, group, services.people.members(group))
    state = State.DELIVERED if arrived else State.AGAIN
    with services.engine.begin() as conn:
        entry = _unknown(_open(conn, sync.name), name, key, seq)
        if not any(deliveries.settle(conn, sync.name, entry, state, ledger) for ledger in LEDGERS):
            raise AlreadyDecided(f"delivery: {key} was settled by somebody else just now.")
        details: dict[str, Json] = {"key": key, "act": entry.act.value, "state": state.value}
        subject = f"{sync.name} #{entry.number}"
        at = services.clock()
        audit.append(conn, AuditEvent(at, actor, Action.SETTLED, subject, why, details))
        return entry


def _open(conn: Connection, sync: str) -> list[Delivery]:
    return [d for ledger in LEDGERS for d in deliveries.unsettled(conn, sync, ledger)]


def _unknown(open_: list[Delivery], name: str, key: str, seq: int | None) -> Delivery:
    """The one that is meant. Raises BadDecision when it is none, or more than one."""
    found = [d for d in open_ if d.key == key and seq in (None, d.number)]
    unknown = [d for d in found if d.doubtful]
    if len(unknown) == 1:
        return unknown[0]
    if unknown:
        numbers = ", ".join(str(d.number) for d in unknown)
        raise BadDecision(f"snapshot: {key} is unknown in {numbers}. Say which by its number.")
    said = f"is {found[0].state.value}" if found else "is not open"
    raise BadDecision(
        f"key: {key!r} of {name} {said}; only what is in doubt is settled by a person. "
        f"List it with `wfops deliveries {name}`."
    )
