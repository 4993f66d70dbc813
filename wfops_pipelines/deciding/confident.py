"""Release by confidence: off unless a policy asks for it, and never for what a person must see.

Only holds whose reasons are anomalies or warnings may go; not critical fields, high impact, drafts,
edits, schema, failed critical expectations or crashed examiners; and none that goes further than
what people approved: a higher anomaly score, or a greater share of the rows. A share of them, drawn
at random, goes to a person all the same: a rejection there ends it until people approved twenty
again, and nothing that the machine released counts as a decision.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from sqlalchemy import Connection

from wfops_pipelines.core.audit import Action, AuditEvent
from wfops_pipelines.core.confidence import Confidence, cause, confidence, record
from wfops_pipelines.core.findings import Finding, Json, Severity, findings_of
from wfops_pipelines.core.policy import Policy
from wfops_pipelines.core.reviews import Actor, Decision, Review, ReviewState, Verb
from wfops_pipelines.core.verdict import Hold
from wfops_pipelines.services import Services
from wfops_pipelines.store import audit, database, reviews, snapshots
from wfops_pipelines.store.reviews import Errand
from wfops_pipelines.sync import Sync

MACHINE = Actor("auto_release", "machine")
FEWEST = 20  # decisions of people on holds of the same cause


def may_answer(verdict: Hold, policy: Policy) -> bool:
    """Whether this kind of hold may be released without a person at all."""
    if policy.auto_release is None or policy.approvals > 1:
        return False
    return all(_may(f) for f in verdict.reasons)


def answer(sync: Sync, review: Review, verdict: Hold, services: Services) -> str | None:
    """Approve the review request where the policy lets confidence do so; what was done, in words.

    None where a person decides as ever. The decision is recorded as the machine's, and released
    through the same outbox as a person's.
    """
    if not may_answer(verdict, sync.policy):
        return None
    with database.transaction(services.engine) as conn:
        found = reviews.get(conn, review.id, lock=True)
        if found is None or found.state is not ReviewState.PENDING:
            return None
        decided = reviews.decided(conn)
        told = confidence(found, record(decided))
        if told is None or told.chance < (sync.policy.auto_release or 1):
            return None
        like = _like(found, decided)
        if not _always_approved(like) or further(conn, found, like):
            return None
        if _drawn(sync.policy.spot_checks, services):
            said = f"spot check: {told.chance:.1%} sure ({told.words}); a person looks all the same"
            _note(conn, Action.SPOT_CHECK, found, said, told, services)
            return said
        return _approve(conn, found, told, services)


def _may(finding: Finding) -> bool:
    if finding.details.get("crashed"):
        return False
    examiner = finding.check.split(":")[0]
    return examiner == "anomaly" or (
        examiner == "expectation" and finding.severity is Severity.WARNING
    )


def _like(review: Review, decided: Sequence[Review]) -> list[Review]:
    """The last twenty that people decided of the same cause. `decided`: newest first."""
    same = [r for r in decided if r.sync == review.sync and cause(r) == cause(review)]
    return [r for r in same if r.decided_by != str(MACHINE)][:FEWEST]


def _always_approved(like: Sequence[Review]) -> bool:
    return len(like) == FEWEST and all(r.state is ReviewState.APPROVED for r in like)


def further(conn: Connection, review: Review, like: Sequence[Review]) -> bool:
    """Whether it is out by more, in score or in share of rows, than any of those was."""
    score, share = _extent(conn, review)
    known = [_extent(conn, r) for r in like]
    return score > max(s for s, _ in known) or share > max(s for _, s in known)


def _extent(conn: Connection, review: Review) -> tuple[float, float]:
    """The anomaly score of its snapshot, and the share of its rows that findings flag."""
    found = None if review.seq is None else snapshots.evidence(conn, review.sync, review.seq)
    if found is None:
        return math.inf, math.inf
    findings = findings_of(found[1])
    flagged = {k for f in findings if f.severity is not Severity.INFO for k in f.keys}
    score = found[1]["anomaly"].get("score")
    return float(score or 0.0), len(flagged) / max(found[1]["rows"], 1)


def _drawn(share: float, services: Services) -> bool:
    return int.from_bytes(services.entropy(4), "big") < share * 2**32


def _approve(conn: Connection, review: Review, told: Confidence, services: Services) -> str:
    id, at = services.id("dc"), services.clock()
    said = f"released by confidence: {told.chance:.1%} sure ({told.words})"
    decision = Decision(review.id, review.evidence_hash, Verb.APPROVE, said, MACHINE)
    reviews.record(conn, id, decision, "policy", at, final=True)
    reviews.close(conn, review.id, ReviewState.APPROVED, str(MACHINE), at)
    errand = Errand(id, review.id, review.sync, review.seq, Verb.APPROVE, at, 0, None)
    reviews.post(conn, errand)
    _note(conn, Action.DECIDED, review, said, told, services)
    return said


def _note(
    conn: Connection,
    action: Action,
    review: Review,
    said: str,
    told: Confidence,
    services: Services,
) -> None:
    details: dict[str, Json] = {
        "review": review.id,
        "evidence": review.evidence_hash,
        "confidence": told.chance,
    }
    audit.append(conn, AuditEvent(services.clock(), MACHINE, action, review.subject, said, details))
