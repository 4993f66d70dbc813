"""The one function through which every decision goes, whatever channel it came by."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row

from wfops_pipelines import failing
from wfops_pipelines.core.audit import Action, AuditEvent
from wfops_pipelines.core.findings import Json
from wfops_pipelines.core.people import Role
from wfops_pipelines.core.reviews import (
    APPROVING,
    HOLDS,
    OUTCOME_OF,
    Decision,
    Review,
    ReviewKind,
    ReviewState,
    Verb,
    check_decision,
    check_eligible,
    check_four_eyes,
    check_keys,
)
from wfops_pipelines.deciding import leaving, row_outcomes
from wfops_pipelines.deciding.asking import Anew, ask_anew
from wfops_pipelines.deciding.editing import held_rows, stage_edited
from wfops_pipelines.deciding.overriding import Overridden, override_of
from wfops_pipelines.errors import BadDecision, NotAllowed
from wfops_pipelines.ledger import key_then, renamed
from wfops_pipelines.masking import meant, named
from wfops_pipelines.project import Project
from wfops_pipelines.services import Services
from wfops_pipelines.staging import assisting
from wfops_pipelines.store import audit, database, reviews, snapshots
from wfops_pipelines.store.reviews import Errand
from wfops_pipelines.sync import Sync

FAILED_ON = (Verb.RETRY, Verb.LEAVE_OUT)  # what a failure goes on by


@dataclass(frozen=True, slots=True)
class Taken:
    """A decision that was recorded.

    `final` is false while more approvals are needed. `edited` is the number of the snapshot that
    edits made; it is examined next, and opens a review request of its own. `override` are the
    failed critical checks that the decision overrode.
    """

    id: str
    review: Review
    verb: Verb
    final: bool
    approvals: int
    edited: int | None = None
    override: tuple[str, ...] = ()


def decide(decision: Decision, project: Project, services: Services, channel: str) -> Taken:
    """Record a decision: one wins. Vote, state, errand and audit event in one transaction.

    Raises BadDecision, AlreadyDecided, EvidenceChanged or NotAllowed; then nothing has changed.
    """
    anew = _asked_anew(decision, project, services)
    with database.transaction(services.engine) as conn:
        review = reviews.get(conn, decision.review, lock=True)
        if review is None:
            raise BadDecision(
                f"review: there is no review request {decision.review!r}. "
                "Copy its id from the review page, or list them with `wfops reviews`."
            )
        sync = sync_of(project, review)
        check_decision(decision, review)
        _check_person(decision, review, services)
        if decision.verb is Verb.LEAVE_OUT:
            decision = leaving.checked(conn, decision, review, sync)
            return _take(conn, decision, review, sync, Overridden(), services, channel)
        _refuse_renamed(conn, decision, review, sync)
        decision = _unveiled(conn, decision, review, sync, services)
        override = override_of(conn, decision, review, sync, services, anew)
        if decision.exclude or decision.edits:
            check_keys(decision, held_rows(conn, sync, review, services))
        if decision.edits:
            return _edit(conn, decision, review, sync, services, channel)
        return _take(conn, decision, review, sync, override, services, channel)


def _unveiled(
    conn: Connection, decision: Decision, review: Review, sync: Sync, services: Services
) -> Decision:
    """The decision with the keys of the rows that it names as they are shown where masked."""
    said = {*decision.exclude, *(edit.key for edit in decision.edits)}
    keys = meant(sync, said, held_rows(conn, sync, review, services))
    return replace(
        decision,
        exclude=tuple(keys[key] for key in decision.exclude),
        edits=tuple(replace(edit, key=keys[edit.key]) for edit in decision.edits),
    )


def _asked_anew(decision: Decision, project: Project, services: Services) -> Anew:
    """Before anything is locked, since a destination may take its time."""
    with services.engine.connect() as conn:
        review = reviews.get(conn, decision.review)
    sync = project.syncs.get(review.sync) if review else None
    if review is None or sync is None or decision.verb not in APPROVING or decision.edits:
        return Anew()
    return ask_anew(review, sync, services)


def sync_of(project: Project, review: Review) -> Sync:
    """The sync that a review request is about. Raises BadDecision when the project lost it."""
    if review.sync not in project.syncs:
        raise BadDecision(
            f"review: {review.id} is about the sync {review.sync}, which is not loaded here. If "
            f"assets/{review.sync}.py is there, reload the definitions in Dagster (Deployment, "
            "Reload) and decide then; else restore it, decide, and remove it then."
        )
    return project.syncs[review.sync]


def _refuse_renamed(conn: Connection, decision: Decision, review: Review, sync: Sync) -> None:
    """What could not be carried out would stay in the way of all that comes after it."""
    if review.kind not in HOLDS or review.seq is None or decision.verb not in APPROVING:
        return
    if not decision.edits and (why := renamed(conn, sync, review.seq)):
        then = key_then(conn, sync, review.seq)
        raise BadDecision(f"decision: {why}. Reject it, or declare key={then!r} again and decide.")


def _check_person(decision: Decision, review: Review, services: Services) -> None:
    if decision.break_glass:
        services.people.require(decision.actor.name, Role.OVERRIDE, "breaking the glass")
        check_four_eyes(decision, review)
    else:
        check_eligible(decision, review, services.people.members(review.group))


def _edit(
    conn: Connection,
    decision: Decision,
    review: Review,
    sync: Sync,
    services: Services,
    channel: str,
) -> Taken:
    """The rows with the edits become a snapshot of their own, and this request is superseded."""
    _refuse_second(decision, reviews.decisions_on(conn, review.id))
    id, at = services.id("dc"), services.clock()
    edited = stage_edited(conn, sync, review, decision, services)
    noted = assisting.note_decision(conn, decision, review, edited.rank)
    row_outcomes.note(conn, decision, review, sync.policy, services)
    reviews.record(conn, id, decision, channel, at, final=True)
    reviews.close(conn, review.id, ReviewState.SUPERSEDED, str(decision.actor), at)
    event = _decided(decision, review, id, services, channel, final=True)
    cells: list[Json] = [[key, column] for key, column, _, _ in edited.edits]
    details: dict[str, Json] = {**event.details, **noted, "edited": edited.seq, "cells": cells}
    audit.append(conn, replace(event, action=Action.EDITED, details=details))
    return Taken(id, review, decision.verb, True, 0, edited=edited.seq)


def _take(
    conn: Connection,
    decision: Decision,
    review: Review,
    sync: Sync,
    override: Overridden,
    services: Services,
    channel: str,
) -> Taken:
    approvals = _approvals(conn, decision, review, sync)
    enough = approvals >= review.approvals_needed or decision.break_glass
    final = decision.verb not in APPROVING or enough
    id, at = services.id("dc"), services.clock()
    reviews.record(conn, id, decision, channel, at, final=final, override=override.checks)
    noted: dict[str, Json] = {}
    if final:
        if cause := failing.accept_label(conn, review):
            noted = {"cause": cause}
        if review.kind in HOLDS and review.seq is not None:
            of = snapshots.get(conn, review.sync, review.seq).rank
            noted = assisting.note_decision(conn, decision, review, of)
            row_outcomes.note(conn, decision, review, sync.policy, services)
        reviews.close(conn, review.id, OUTCOME_OF[decision.verb], str(decision.actor), at)
        seq = leaving.snapshot_of(conn, review) if decision.verb is Verb.LEAVE_OUT else review.seq
        if review.kind in HOLDS or decision.verb in FAILED_ON or _reverts(decision, review):
            errand = Errand(id, review.id, review.sync, seq, decision.verb, at, 0, None)
            reviews.post(conn, errand)
    event = _decided(decision, review, id, services, channel, final=final)
    details: dict[str, Json] = {**event.details, **noted, **override.as_json()}
    overrides = final and bool(override.checks or decision.break_glass)
    action = Action.OVERRIDDEN if overrides else event.action
    audit.append(conn, replace(event, action=action, details=details))
    if overrides:
        _look_afterwards(conn, decision, review, override.checks, services)
    return Taken(id, review, decision.verb, final, approvals, override=override.checks)


def _reverts(decision: Decision, review: Review) -> bool:
    return review.kind is ReviewKind.REVERT and decision.verb is Verb.APPROVE


def _refuse_second(decision: Decision, votes: Sequence[Row[Any]]) -> None:
    """Raises NotAllowed for whoever has answered this request before, in whatever way."""
    if decision.actor.name in [v.actor for v in votes]:
        raise NotAllowed(f"you may not: {decision.actor.name} has approved this already.")


def votes_of(conn: Connection, review: Review) -> list[Row[Any]]:
    """What people have said so far who let it go, the first first."""
    return [v for v in reviews.decisions_on(conn, review.id) if Verb(v.verb) in APPROVING]


def would(sync: Sync | None, review: Review, verb: str, keys: Collection[str]) -> str:
    """What an answer does with which rows, after "would"."""
    rows = ", ".join(k if sync is None else named(sync, k) for k in sorted(keys))
    if verb == Verb.LEAVE_OUT.value:
        all_ = " (all that were refused)" if {*keys} == {*review.keys} else ""
        return f"leave out {rows}{all_}"
    return f"{verb} all{f' but {rows}' if keys else ''}"


def _approvals(conn: Connection, decision: Decision, review: Review, sync: Sync) -> int:
    """How many people approve exactly this, with this one. Raises NotAllowed or BadDecision."""
    votes = votes_of(conn, review)
    _refuse_second(decision, votes)
    if decision.verb not in APPROVING:
        return len(votes)
    mine = (decision.verb.value, sorted(decision.exclude))
    for vote in votes:
        if (vote.verb, vote.exclude or []) != mine and not decision.break_glass:
            theirs = would(sync, review, vote.verb, vote.exclude or ())
            raise BadDecision(
                f"decision: {vote.actor} would {theirs}, and this answer would "
                f"{would(sync, review, *mine)}. Say the same, or reject."
            )
    return len(votes) + 1


def _decided(
    decision: Decision, review: Review, id: str, services: Services, channel: str, *, final: bool
) -> AuditEvent:
    return AuditEvent(
        at=services.clock(),
        actor=decision.actor,
        action=Action.DECIDED if final else Action.VOTED,
        subject=review.subject,
        reason=decision.reason.strip(),
        details={
            "decision": id,
            "verb": decision.verb.value,
            "review": review.id,
            "evidence": decision.evidence,
            "channel": channel,
            "exclude": [*sorted(decision.exclude)],
            "break_glass": decision.break_glass,
        },
    )


def _look_afterwards(
    conn: Connection,
    decision: Decision,
    review: Review,
    override: tuple[str, ...],
    services: Services,
) -> None:
    """Whoever overrides acts at once; somebody else looks at it afterwards."""
    how = "broke the glass on" if decision.break_glass else "overrode"
    checks = f" despite {', '.join(override)}" if override else ""
    after = Review(
        id=services.id("rv"),
        sync=review.sync,
        seq=review.seq,
        kind=ReviewKind.AFTER,
        state=ReviewState.PENDING,
        evidence_hash=review.evidence_hash,
        summary=f"{decision.actor.name} {how} {review.subject}{checks}: {decision.reason.strip()}",
        group=review.group,
        opened_at=services.clock(),
        requested_by=decision.actor.name,
        keys=review.keys,
    )
    reviews.open_review(conn, after)
    audit.append(conn, opened(after, services))


def opened(review: Review, services: Services) -> AuditEvent:
    """The audit event of a new review request."""
    return AuditEvent(
        at=services.clock(),
        actor=failing.GATE,
        action=Action.REVIEW_OPENED,
        subject=review.subject,
        reason=review.summary,
        details={
            "review": review.id,
            "group": review.group,
            "routed": review.routed,
            "evidence": review.evidence_hash,
        },
    )
