"""Settle deliveries of which no machine can know whether they arrived: a person finds out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from wfops_pipelines.core.audit import Action, AuditEvent
from wfops_pipelines.core.findings import Json
from wfops_pipelines.core.reviews import Actor, check_member, check_reason
from wfops_pipelines.destinations import RestDestination, deliveries
from wfops_pipelines.destinations.deliveries import Delivery, State
from wfops_pipelines.errors import AlreadyDecided, BadDecision, NotAllowed
from wfops_pipelines.ledger import select_rows
from wfops_pipelines.masking import meant, named, without_masked
from wfops_pipelines.project import Project
from wfops_pipelines.services import Services
from wfops_pipelines.store import audit, snapshots
from wfops_pipelines.sync import Sync

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


def shown(name: str, found: Sequence[Delivery], project: Project, services: Services) -> list[str]:
    """A line for each delivery, as pages show rows: without values of masked columns."""
    sync = project.find(name)
    staged: dict[tuple[int, str], list[Mapping[str, Any]]] = {}
    if sync.policy.masked:
        staged = _staged(sync, found, services)
    return [
        f"{d.state.value:9} {name} #{d.number:<6} {named(sync, d.key):20} {d.act.value:7} "
        + without_masked(sync, d.error or "", staged.get((d.number, d.key), ()))
        for d in found
    ]


def _staged(
    sync: Sync, found: Sequence[Delivery], services: Services
) -> dict[tuple[int, str], list[Mapping[str, Any]]]:
    """The rows that were sent, by snapshot and key, with every edit of them.

    Raises SnapshotDamaged where they cannot be read: then nobody knows what must not be shown.
    """
    rows: dict[tuple[int, str], list[Mapping[str, Any]]] = {}
    for number in {d.number for d in found}:
        keys = frozenset(d.key for d in found if d.number == number)
        with services.engine.connect() as conn:
            snapshots_ = snapshots.of_rank(conn, sync.name, number)
        for snapshot in snapshots_:
            some = select_rows(services.rows(snapshot), sync.key, keys, frozenset())
            for row in some.whole().to_pylist():
                rows.setdefault((number, str(row[sync.key])), []).append(row)
    return rows


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
        found = _open(conn, sync.name)
        key = meant(sync, [key], [d.key for d in found])[key]
        entry = _unknown(found, sync, key, seq)
        if not any(deliveries.settle(conn, sync.name, entry, state, ledger) for ledger in LEDGERS):
            raise AlreadyDecided(
                f"delivery: {named(sync, key)} was settled by somebody else just now."
            )
        details: dict[str, Json] = {"key": key, "act": entry.act.value, "state": state.value}
        subject = f"{sync.name} #{entry.number}"
        at = services.clock()
        audit.append(conn, AuditEvent(at, actor, Action.SETTLED, subject, why, details))
        return entry


def _open(conn: Connection, sync: str) -> list[Delivery]:
    return [d for ledger in LEDGERS for d in deliveries.unsettled(conn, sync, ledger)]


def _unknown(open_: list[Delivery], sync: Sync, key: str, seq: int | None) -> Delivery:
    """The one that is meant. Raises BadDecision when it is none, or more than one."""
    found = [d for d in open_ if d.key == key and seq in (None, d.number)]
    unknown = [d for d in found if d.doubtful]
    if len(unknown) == 1:
        return unknown[0]
    if unknown:
        numbers = ", ".join(str(d.number) for d in unknown)
        known = named(sync, key)
        raise BadDecision(f"snapshot: {known} is unknown in {numbers}. Say which by its number.")
    said = f"is {found[0].state.value}" if found else "is not open"
    raise BadDecision(
        f"key: {named(sync, key)!r} of {sync.name} {said}; only what is in doubt is settled by a "
        f"person. List it with `wfops deliveries {sync.name}`."
    )
