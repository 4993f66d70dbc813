"""What failed for good opens one review request for each cause, for the team that can act."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection, select

from wfops_pipelines.core.audit import Action, AuditEvent
from wfops_pipelines.core.canonical import canonical, digest
from wfops_pipelines.core.drafts import Draft
from wfops_pipelines.core.findings import Json
from wfops_pipelines.core.redact import hide, redacted, secrets_of
from wfops_pipelines.core.reviews import (
    Actor,
    Review,
    ReviewKind,
    ReviewState,
    check_member,
    check_reason,
)
from wfops_pipelines.core.routing import route_failure
from wfops_pipelines.errors import (
    BadDecision,
    DestinationRefused,
    FailureKind,
    RefusedRow,
    SettingsError,
    SyncFailure,
)
from wfops_pipelines.masking import named
from wfops_pipelines.services import Services
from wfops_pipelines.store import audit, database, reviews, snapshots
from wfops_pipelines.store import tables as t
from wfops_pipelines.sync import Day, Sync

GATE = Actor("gate", "machine")
READING = ("extraction", "run")  # what only a run from the same date has done again


def report_failure(
    sync: Sync,
    step: str,
    error: Exception,
    services: Services,
    run_id: str | None,
    day: Day | None = None,
    actor: Actor | None = None,
    since: str = "",
) -> Review | None:
    """Open a review request for a failed step; None when one for this cause is pending already.

    Of a partitioned sync each day has its own: deciding retry runs that day again. So it reads
    again from `since`, the date that the run was given. Rows that were refused for good may be left
    out, by somebody else than `actor`, on whose behalf the step ran.
    """
    kind = _kind(error)
    rows = error.rows if isinstance(error, DestinationRefused) else ()
    body = _body(sync, step, kind, error, secrets_of(services.environ))
    proposed = _proposed(body, services) if kind is FailureKind.OUR_BUG else None
    if proposed is not None:
        body["proposed"] = proposed.as_json()
    likely = proposed.value if proposed and proposed.value else kind.value
    named = kind.value if likely == kind.value else f"probably {likely}"
    if day is not None:
        body["day"] = day.name
    if since:
        body["since"] = since
    of = f" of {day.name}" if day else f" since {since[:40]}" if since else ""
    summary = f"{step}{of} failed ({named}): {str(body['error'])[:400]}"
    with services.engine.connect() as conn:
        decided = reviews.answered(conn, sync.name)
    cause = f"{step} failed: {likely}"
    routed = route_failure(likely, cause, sync.policy, decided)
    review = Review(
        id=services.id("rv"),
        sync=sync.name,
        seq=None,
        kind=ReviewKind.FAILURE,
        state=ReviewState.PENDING,
        evidence_hash=digest(canonical(body)),
        summary=summary,
        group=routed.group,
        routed=routed.why,
        cause=cause,
        opened_at=services.clock(),
        requested_by=_requester(sync, rows, services, actor),
        keys=tuple(row.key for row in rows),
        approvals_needed=sync.policy.approvals if rows else 1,
        run_id=run_id,
    )
    with database.transaction(services.engine) as conn:
        of_which = day.name if day else (since if step in READING else "") or None
        fingerprint = "/".join([step, likely, *_of(of_which)])
        if rows:
            _replace_outdated(conn, review, rows[0].seq, fingerprint, services)
        if not reviews.open_review(conn, review, fingerprint, canonical(body).decode("ascii")):
            return None
        audit.append(conn, _failed(review, body, services))
    return review


def _requester(
    sync: Sync, rows: Sequence[RefusedRow], services: Services, actor: Actor | None
) -> str:
    """Who may not decide to leave rows out: whoever edited them, or had them published."""
    if not rows:
        return ""
    with services.engine.connect() as conn:
        editor = snapshots.get(conn, sync.name, rows[0].seq).edited_by
    return editor or (actor.name if actor is not None and actor.verified else "")


def _replace_outdated(
    conn: Connection, review: Review, seq: int, fingerprint: str, services: Services
) -> None:
    """A pending request that shows other rows than were refused now makes room for this one.

    So does one about the same keys of another snapshot than `seq`.
    """
    old = reviews.pending_failure(conn, review.sync, fingerprint)
    if old is None:
        return
    told = reviews.failure_of(conn, old.id) or {}
    if (old.keys, told.get("snapshot")) == (review.keys, seq):
        return
    at = services.clock()
    reviews.close(conn, old.id, ReviewState.SUPERSEDED, str(GATE), at)
    said = f"a later try was refused other rows: {review.id} shows them"
    details: dict[str, Json] = {"review": old.id, "by": review.id}
    audit.append(conn, AuditEvent(at, GATE, Action.SUPERSEDED, old.subject, said, details))


def waiting(conn: Connection, sync: str, step: str, day: str | None) -> list[str]:
    """The requests about failures of this step (of this day) that wait for a person."""
    c = t.reviews.c
    pending = select(c.id, c.fingerprint).where(
        c.sync == sync, c.kind == ReviewKind.FAILURE.value, c.state == ReviewState.PENDING.value
    )
    causes = [(row.id, str(row.fingerprint).split("/")) for row in conn.execute(pending)]
    return [id for id, cause in causes if [cause[0], *cause[2:]] == [step, *_of(day)]]


def waiting_dated(conn: Connection, sync: str, step: str) -> dict[str, str]:
    """The requests about failures of this step in runs that read from a date, with that date."""
    c = t.reviews.c
    pending = select(c.id, c.fingerprint, c.failure).where(
        c.sync == sync, c.kind == ReviewKind.FAILURE.value, c.state == ReviewState.PENDING.value
    )
    mine = [r for r in conn.execute(pending) if str(r.fingerprint).split("/")[0] == step]
    told = {r.id: str(json.loads(r.failure or "{}").get("since", "")) for r in mine}
    return {id: since for id, since in told.items() if since}


def known(conn: Connection, sync: str, run_id: str) -> bool:
    """Whether a failure of this run was told, or one of this sync waits, which it then joined."""
    c = t.reviews.c
    waiting = c.state == ReviewState.PENDING.value
    told = select(c.id).where(c.sync == sync, c.kind == ReviewKind.FAILURE.value)
    return conn.execute(told.where((c.run_id == run_id) | waiting).limit(1)).first() is not None


def _of(day: str | None) -> list[str]:
    return [] if day is None else [day]


def _kind(error: Exception) -> FailureKind:
    if isinstance(error, SyncFailure):
        return error.kind
    # A variable that is missing or wrong is mended by whoever holds the credentials.
    return FailureKind.AUTH if isinstance(error, SettingsError) else FailureKind.OUR_BUG


def _body(
    sync: Sync, step: str, kind: FailureKind, error: Exception, secrets: tuple[str, ...]
) -> dict[str, Json]:
    """What the reviewer of a failure is shown, and what their decision is about."""
    said = " ".join(str(error).split()) or type(error).__name__
    exchange = error.exchange if isinstance(error, SyncFailure) else None
    rows = error.rows if isinstance(error, DestinationRefused) else ()
    refused: list[Json] = [
        {"row": named(sync, r.key), "act": r.act, "said": hide(r.said, secrets)} for r in rows
    ]
    return {
        "sync": sync.name,
        "step": step,
        "kind": kind.value,
        "error": hide(said, secrets)[:2000],
        "type": type(error).__name__,
        **({"exchange": redacted(exchange, secrets)} if exchange else {}),
        **({"snapshot": rows[0].seq, "refused": refused} if rows else {}),
    }


def _failed(review: Review, body: dict[str, Json], services: Services) -> AuditEvent:
    return AuditEvent(
        at=services.clock(),
        actor=GATE,
        action=Action.FAILED,
        subject=review.sync,
        reason=review.summary,
        details={"review": review.id, **body},
    )


def _proposed(body: Mapping[str, Json], services: Services) -> Draft | None:
    """What the words of an error that does not say its kind probably mean; only a proposal.

    None where even that fails: nothing may stand between a failure and its review request.
    """
    try:
        from wfops_pipelines.assist.failures import failure_text, propose

        with services.engine.connect() as conn:
            known = reviews.labelled(conn)
        accepted = [(failure_text(str(b["type"]), str(b["error"])), cause) for b, cause in known]
        return propose(str(body["type"]), str(body["error"]), accepted)
    except Exception:
        return None


def accept_label(conn: Connection, review: Review) -> str | None:
    """A person who decides on a failure accepts its proposed cause, unless they gave another."""
    if review.kind is not ReviewKind.FAILURE or review.label:
        return None
    body = reviews.failure_of(conn, review.id) or {}
    cause = (body.get("proposed") or {}).get("value")
    if cause:
        reviews.label(conn, review.id, str(cause))
    return cause


def label(id: str, cause: str, reason: str, actor: Actor, services: Services) -> Review:
    """Say what a failure really was; the next one like it is proposed as such.

    Raises BadDecision for what is no failure or no cause, NotAllowed unless `actor` is a member of
    the group that is asked.
    """
    with database.transaction(services.engine) as conn:
        review = reviews.get(conn, id, lock=True)
        if review is None or review.kind is not ReviewKind.FAILURE:
            raise BadDecision(f"review: {id!r} is no failure. List them with `wfops reviews`.")
        check_member(actor.name, review.group, services.people.members(review.group))
        if cause not in (causes := [k.value for k in FailureKind]):
            raise BadDecision(f"cause: {cause!r} is none of {', '.join(causes)}.")
        reviews.label(conn, review.id, cause)
        details: dict[str, Json] = {"review": review.id, "cause": cause, "before": review.label}
        said = check_reason(reason)
        event = AuditEvent(services.clock(), actor, Action.LABELLED, review.subject, said, details)
        audit.append(conn, event)
        return replace(review, label=cause)
