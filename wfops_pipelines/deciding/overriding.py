"""What an approval sets aside, for which it needs a role of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from wfops_pipelines.core.findings import Finding, Json
from wfops_pipelines.core.people import Role
from wfops_pipelines.core.reviews import HOLDS, Decision, Review, Verb
from wfops_pipelines.core.verdict import overridden
from wfops_pipelines.deciding.asking import Anew
from wfops_pipelines.deciding.weighing import none_clean, not_waived
from wfops_pipelines.errors import BadDecision
from wfops_pipelines.services import Services
from wfops_pipelines.staging.rereading import way
from wfops_pipelines.store import snapshots
from wfops_pipelines.sync import Sync

NAMELESS = "None"  # the key, as text, of rows that have none


@dataclass(frozen=True, slots=True)
class Overridden:
    """The failed critical checks that a decision sets aside.

    asked: whether the destination said anew what it would refuse, so that the evidence alone does
    not tell why.
    """

    checks: tuple[str, ...] = ()
    asked: bool = False

    def as_json(self) -> dict[str, Json]:
        said: dict[str, Json] = {"override": [*self.checks]}
        return {**said, "asked_anew": True} if self.asked else said


def override_of(
    conn: Connection, decision: Decision, review: Review, sync: Sync, services: Services, anew: Anew
) -> Overridden:
    """What this sets aside, by what the destination says by now.

    Raises NotAllowed without the role, or BadDecision for what could never be carried out.
    """
    approves = decision.verb in (Verb.APPROVE, Verb.APPROVE_CLEAN)
    if not approves or review.kind not in HOLDS or review.seq is None:
        return Overridden()
    found = snapshots.evidence(conn, review.sync, review.seq)
    findings = not_waived(conn, found[1], review.sync, services) if found else ()
    findings = anew.renewed(findings)
    _refuse_nameless(decision, findings, sync)
    clean_only = decision.verb is Verb.APPROVE_CLEAN
    if clean_only and found and none_clean(found[1], sync):
        raise BadDecision(
            "decision: approve_clean would publish nothing, for every row is flagged. "
            "Use decision: reject."
        )
    left_out = frozenset(decision.exclude)
    checks = overridden(findings, sync.policy, left_out, clean_only=clean_only)
    if checks and not decision.edits:
        act = f"approving despite the failed critical check {checks[0]}"
        services.people.require(decision.actor.name, Role.OVERRIDE, act)
    return Overridden() if decision.edits else Overridden(checks, anew.refusals is not None)


def _refuse_nameless(decision: Decision, findings: Sequence[Finding], sync: Sync) -> None:
    """No destination takes a row without a key, so approving it would wait for ever."""
    for finding in (f for f in findings if f.check == "key" and not f.details.get("crashed")):
        nameless = not finding.names_none
        if nameless and (decision.edits or NAMELESS in decision.exclude):
            continue  # an edited snapshot is examined again
        leave = f"approve the others with `exclude: [{NAMELESS}]`, or " if nameless else ""
        raise BadDecision(
            f"decision: {finding.sentence}, and a row that its key does not name can be published "
            f"nowhere, so {decision.verb.value} would wait for ever. Repair: {leave}reject, and "
            f"mend the sync's key or its function; {way(sync)}."
        )
