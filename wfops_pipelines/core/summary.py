"""One sentence for whoever decides about a hold: what is held, and why."""

from __future__ import annotations

from wfops_pipelines.core.findings import Finding
from wfops_pipelines.core.policy import Policy
from wfops_pipelines.core.snapshot import Evidence
from wfops_pipelines.core.veiled import veiled
from wfops_pipelines.core.verdict import Hold, holds, why_all, would_fail

TOLD = 2  # reasons, where publishing would work
MOST = 4  # reasons why it would not: each has a repair of its own


def summary(evidence: Evidence, verdict: Hold, policy: Policy) -> str:
    """Why publishing would fail, with the repair, before all else; then what is about all rows.

    That somebody drafted a cell comes last.
    """
    held = evidence.rows if verdict.keys is None else len(verdict.keys)
    found = sorted((f for f in evidence.findings if holds(f, policy)), key=_weight)
    told = min(max(TOLD, sum(would_fail(f) for f in found)), MOST)
    rest = len(found) - told
    more = f" (and {rest} more finding{'s' if rest > 1 else ''})" if rest > 0 else ""
    why = why_all(verdict, evidence.rows, policy)
    reasons = "; ".join(said_of(f, policy) for f in found[:told])
    said = f"{held:,} of {evidence.rows:,} rows held: {reasons}{more}"
    return f"{said}. {why}" if why else said


def _weight(finding: Finding) -> tuple[bool, bool, bool]:
    drafted = finding.check.split(":")[0] == "drafted"
    return not would_fail(finding), finding.about_rows, drafted


def in_order(evidence: Evidence) -> list[Finding]:
    """All findings: what weighs most first, and of those as in the summary."""
    return sorted(evidence.findings, key=lambda f: (-f.severity.rank, _weight(f)))


def said_of(finding: Finding, policy: Policy) -> str:
    """A finding's sentence, without values of masked columns."""
    return veiled(finding) if finding.column in policy.masked else finding.sentence
