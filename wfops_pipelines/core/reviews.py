"""Review requests and the decisions that people take on them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Any

from wfops_pipelines.core.causes import NAMES_NONE
from wfops_pipelines.errors import AlreadyDecided, BadDecision, EvidenceChanged, NotAllowed


class ReviewState(Enum):
    """Where a review request is."""

    PENDING = "pending"  # waits for a person
    APPROVED = "approved"  # a person let rows go
    REJECTED = "rejected"  # a person refused; the rows are quarantined
    RETRIED = "retried"  # a person asked for another try of what failed
    SUPERSEDED = "superseded"  # a newer snapshot made it moot
    EXPIRED = "expired"  # the policy's default at the deadline; the machine's act


class Verb(Enum):
    """What a person can answer."""

    APPROVE = "approve"  # publish everything that is held
    APPROVE_CLEAN = "approve_clean"  # publish what is not flagged, quarantine the rest
    REJECT = "reject"  # quarantine everything that is held
    RETRY = "retry"  # run what failed again
    LEAVE_OUT = "leave_out"  # go on without the rows that the destination refused for good


class ReviewKind(Enum):
    """What a review request is about."""

    WHOLE = "whole"  # a whole snapshot is held
    ROWS = "rows"  # some rows of a snapshot are held; the others went
    FAILURE = "failure"  # a step failed after its retries
    AFTER = "after"  # an override or a broken glass, looked at afterwards
    REVERT = "revert"  # what was published is to be taken back
    WAIVER = "waiver"  # a failing critical expectation is to be set aside for some rows


OUTCOME_OF = {
    Verb.APPROVE: ReviewState.APPROVED,
    Verb.APPROVE_CLEAN: ReviewState.APPROVED,
    Verb.REJECT: ReviewState.REJECTED,
    Verb.RETRY: ReviewState.RETRIED,
    Verb.LEAVE_OUT: ReviewState.APPROVED,
}

VERBS_OF = {
    ReviewKind.WHOLE: (Verb.APPROVE, Verb.APPROVE_CLEAN, Verb.REJECT),
    ReviewKind.ROWS: (Verb.APPROVE, Verb.REJECT),
    ReviewKind.FAILURE: (Verb.RETRY, Verb.REJECT),
    ReviewKind.AFTER: (Verb.APPROVE, Verb.REJECT),  # was it right? nothing moves any more
    ReviewKind.REVERT: (Verb.APPROVE, Verb.REJECT),
    ReviewKind.WAIVER: (Verb.APPROVE, Verb.REJECT),  # from now on; nothing moves by itself
}

REFUSED = (ReviewState.REJECTED, ReviewState.EXPIRED)  # what may be re-opened
APPROVING = (Verb.APPROVE, Verb.APPROVE_CLEAN, Verb.LEAVE_OUT)  # as many as the policy asks for
HOLDS = (ReviewKind.WHOLE, ReviewKind.ROWS)  # the kinds that stop rows


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts. `verified` is true only where a trusted proxy vouched for the name."""

    name: str
    kind: str = "person"  # or "machine"
    verified: bool = False

    def __str__(self) -> str:
        if self.kind == "machine":
            return f"machine:{self.name}"
        return self.name if self.verified else f"{self.name} (unverified)"


@dataclass(frozen=True, slots=True)
class Review:
    """One review request. `keys` are the held rows' keys (empty for the whole snapshot).

    Of a failure they are the keys of the rows that the destination refused for good.
    cause: why, without figures, keys or values: the same for the next one like it.
    label: of a failure, the cause that a person gave it or accepted.
    """

    id: str
    sync: str
    seq: int | None
    kind: ReviewKind
    state: ReviewState
    evidence_hash: str
    summary: str
    group: str
    opened_at: datetime
    requested_by: str
    keys: tuple[str, ...] = ()
    approvals_needed: int = 1
    decided_at: datetime | None = None
    decided_by: str | None = None
    run_id: str | None = None
    assigned_to: str | None = None
    reopened_by: str = ""
    reopens: str = ""
    routed: str = ""
    cause: str = ""
    label: str = ""

    @property
    def subject(self) -> str:
        """What the audit trail calls the thing that this is about."""
        return f"{self.sync} #{self.seq}" if self.seq else self.sync

    @property
    def verbs(self) -> tuple[Verb, ...]:
        leaves = self.kind is ReviewKind.FAILURE and bool(self.keys)
        return (Verb.RETRY, Verb.LEAVE_OUT, Verb.REJECT) if leaves else VERBS_OF[self.kind]

    @property
    def hopeless(self) -> bool:
        """Whether an approval is always refused: the key names none of the held rows."""
        return self.kind in HOLDS and self.cause.startswith(NAMES_NONE)

    @property
    def offered(self) -> tuple[Verb, ...]:
        """Of `verbs`, what is worth saying; the gate tells whoever says another one why not."""
        return (Verb.REJECT,) if self.hopeless else self.verbs


@dataclass(frozen=True, slots=True)
class Edit:
    """Other values for some columns of one held row."""

    key: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Decision:
    """A person's answer, as given: nothing here was checked yet.

    exclude: keys of held rows that an approval leaves in quarantine, or of refused ones that are
    left out. edits: what to change before the rows are examined and reviewed again. break_glass:
    approve alone, without the group.
    """

    review: str
    evidence: str
    verb: Verb
    reason: str
    actor: Actor
    exclude: tuple[str, ...] = ()
    edits: tuple[Edit, ...] = ()
    break_glass: bool = False


def parse_verb(text: str) -> Verb:
    """Raises BadDecision naming the choices."""
    try:
        return Verb(text.strip())
    except ValueError:
        choices = ", ".join(v.value for v in Verb)
        raise BadDecision(f"decision: {text!r} is none of {choices}. Write one of them.") from None


def parse_edits(texts: Iterable[str]) -> tuple[Edit, ...]:
    """`KEY.COLUMN=VALUE`, one for each cell; the value as JSON, or else as text.

    Raises BadDecision for anything else.
    """
    rows: dict[str, dict[str, Any]] = {}
    for text in texts:
        cell, equals, value = text.partition("=")
        key, dot, column = cell.rpartition(".")
        if not (equals and dot and key and column):
            raise BadDecision(f"edits: {text!r} is not KEY.COLUMN=VALUE.")
        rows.setdefault(key, {})[column] = _json_or_text(value)
    return tuple(Edit(key, values) for key, values in rows.items())


def _json_or_text(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def check_decision(decision: Decision, review: Review) -> None:
    """Everything that must hold before a decision is taken; raises a DecisionRefused."""
    if review.state is not ReviewState.PENDING:
        moot = review.state is ReviewState.SUPERSEDED
        later = " `wfops reviews` lists what waits in its place." if moot else ""
        raise AlreadyDecided(
            f"review {review.id} is already {review.state.value} by {review.decided_by} "
            f"at {review.decided_at:%Y-%m-%d %H:%M:%S} UTC; your answer changed nothing.{later}"
        )
    if decision.evidence != review.evidence_hash:
        raise EvidenceChanged(
            f"the evidence of review {review.id} is not what you were shown "
            f"({decision.evidence[:12]}… against {review.evidence_hash[:12]}…). Open "
            f"/wfops/r/{review.id}, read it again and decide from there."
        )
    if decision.verb not in review.verbs:
        choices = ", ".join(v.value for v in review.verbs)
        why = (
            ": every row that waits is flagged, so that it would be a rejection"
            if decision.verb is Verb.APPROVE_CLEAN and review.kind in HOLDS
            else ""
        )
        raise BadDecision(f"decision: {decision.verb.value} does not fit here{why}; use {choices}.")
    check_reason(decision.reason)
    _check_rows(decision, review)
    if decision.actor.kind != "person":
        raise NotAllowed(
            f"you may not: {decision.actor} is not a person. Decide from the Dagster UI."
        )


def check_reason(reason: str) -> str:
    """The reason without blanks around it. Raises BadDecision when there is none."""
    if not reason.strip():
        raise BadDecision("reason: is empty. Say in a few words why; the audit trail keeps it.")
    return reason.strip()


def _check_rows(decision: Decision, review: Review) -> None:
    """`exclude` and `edits` go with an approval of held rows, and not with each other."""
    asked = [n for n in ("exclude", "edits", "break_glass") if getattr(decision, n)]
    if decision.verb is Verb.LEAVE_OUT and asked == ["exclude"]:
        return
    if not asked:
        return
    if decision.verb is not Verb.APPROVE or review.kind not in HOLDS:
        raise BadDecision(f"{asked[0]}: goes with decision: approve of held rows only.")
    if len(asked) > 1 and "edits" in asked:
        raise BadDecision(
            f"edits: not together with {asked[0]}. Edit first; the edited snapshot opens a review "
            "request of its own, and there you can exclude rows."
        )


def naming_refused(decision: Decision, review: Review) -> Decision:
    """A decision to leave rows out, with their keys: all that were refused, unless it names some.

    Raises BadDecision for a key of none of them.
    """
    for key in decision.exclude:
        if key not in review.keys:
            raise BadDecision(
                f"exclude: the destination did not refuse a row with the key {key!r} for good. "
                "Copy it from the page."
            )
    return replace(decision, exclude=tuple(sorted(set(decision.exclude or review.keys))))


def check_keys(decision: Decision, held: Iterable[str]) -> None:
    """Raises BadDecision for a key in `exclude` or `edits` that names no held row.

    `held` are the keys of all held rows, which are more than memory holds, perhaps.
    """
    named = [("exclude", k) for k in decision.exclude]
    named += [("edits", e.key) for e in decision.edits]
    missing, excluded, left = {k for _, k in named}, frozenset(decision.exclude), False
    for key in held:
        missing.discard(key)
        left = left or key not in excluded
    for field, key in named:
        if key in missing:
            raise BadDecision(f"{field}: no held row has the key {key!r}. Copy it from the page.")
    for field in ("exclude", "edits"):
        keys = [k for f, k in named if f == field]
        if len(keys) > len(set(keys)):
            raise BadDecision(f"{field}: names a row twice. Name each once.")
    if decision.exclude and not left:
        raise BadDecision("exclude: leaves no row to approve. Use decision: reject.")


def check_eligible(decision: Decision, review: Review, members: frozenset[str]) -> None:
    """Raises NotAllowed unless the actor is a member of the group and did not request this."""
    check_member(decision.actor.name, review.group, members)
    check_four_eyes(decision, review)


def check_member(name: str, group: str, members: frozenset[str]) -> None:
    """Raises NotAllowed unless `name` is one of the group's members."""
    if name not in members:
        raise NotAllowed(
            f"you may not: {name} is not a member of the reviewer group {group!r}. "
            "An owner of the project adds members in reviewers.yaml."
        )


def check_four_eyes(decision: Decision, review: Review) -> None:
    """Raises NotAllowed for whoever launched, edited or re-opened this: no exception, ever.

    To try again what failed, or not, lets no row go that was not let go before.
    """
    if review.kind is ReviewKind.FAILURE and decision.verb is not Verb.LEAVE_OUT:
        return
    if decision.actor.name in (review.requested_by, review.reopened_by):
        raise NotAllowed(
            f"you may not: {decision.actor.name} requested this; four eyes are needed."
        )
