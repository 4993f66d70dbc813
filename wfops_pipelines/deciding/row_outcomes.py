"""What a person's decision says about each flagged row, kept with the decision."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import Connection

from wfops_pipelines.core.causes import causes_of_rows
from wfops_pipelines.core.findings import findings_of
from wfops_pipelines.core.policy import Policy
from wfops_pipelines.core.reviews import Decision, Review, ReviewKind, Verb
from wfops_pipelines.core.row_confidence import RowOutcome
from wfops_pipelines.core.verdict import holds
from wfops_pipelines.services import Services
from wfops_pipelines.store import row_outcomes, snapshots


def causes(
    conn: Connection, sync: str, seq: int, policy: Policy, only: Collection[str] | None = None
) -> Mapping[str, str]:
    """Why each flagged row of a snapshot (or `only` these) is held, by its key."""
    found = snapshots.evidence(conn, sync, seq)
    if found is None:
        return {}
    findings = findings_of(found[1])
    return causes_of_rows((f for f in findings if holds(f, policy)), only)


def note(
    conn: Connection, decision: Decision, review: Review, policy: Policy, services: Services
) -> None:
    """Count the flagged rows that a final decision lets go as they are, and those that it does not.

    A row that an edit changes is not let go as it is; the others of an edit wait for the next
    decision, and a changed row does not count there.
    """
    assert review.seq is not None
    flagged = causes(conn, review.sync, review.seq, policy)
    if review.kind is ReviewKind.ROWS:
        flagged = {k: c for k, c in flagged.items() if k in set(review.keys)}
    changed = {e[0] for e in snapshots.get(conn, review.sync, review.seq).edits}
    gone = _let_go(decision, flagged)
    counts: dict[str, list[int]] = {}
    for key, yes in gone.items():
        if key not in changed:
            counts.setdefault(flagged[key], [0, 0])[not yes] += 1
    outcomes = [RowOutcome(cause, let_go, kept) for cause, (let_go, kept) in counts.items()]
    row_outcomes.add(conn, review.sync, review.id, outcomes, services.clock())


def _let_go(decision: Decision, flagged: Mapping[str, str]) -> dict[str, bool]:
    """Of the rows that the decision settles: whether they go out as they are."""
    if decision.edits:
        return {e.key: False for e in decision.edits if e.key in flagged}
    left_out = frozenset(decision.exclude)
    return {k: decision.verb is Verb.APPROVE and k not in left_out for k in flagged}
