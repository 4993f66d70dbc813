"""The machine's answer: a pure function of evidence and policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from wfops_pipelines.core.findings import Finding, Severity
from wfops_pipelines.core.policy import Policy


@dataclass(frozen=True, slots=True)
class Publish:
    """Every row may go."""


@dataclass(frozen=True, slots=True)
class Hold:
    """`reasons` stop the rows named by `keys`, or the whole snapshot where `keys` is None."""

    reasons: tuple[Finding, ...]
    keys: frozenset[str] | None = None


Verdict: TypeAlias = Publish | Hold


def decide(findings: Sequence[Finding], rows: int, policy: Policy) -> Verdict:
    """Let a snapshot of `rows` rows go, or say what holds it.

    Findings about single rows hold those rows only, unless the policy holds whole snapshots, or
    more than its share of the rows is flagged.
    """
    reasons = tuple(f for f in findings if holds(f, policy))
    if not reasons:
        return Publish()
    if policy.scope == "whole" or not all(f.about_rows for f in reasons):
        return Hold(reasons)
    keys = frozenset(k for f in reasons for k in f.keys)
    if len(keys) > policy.hold_rows_up_to * rows:
        return Hold(reasons)
    return Hold(reasons, keys)


def holds(finding: Finding, policy: Policy) -> bool:
    """Whether this finding alone stops something."""
    match finding.severity:
        case Severity.CRITICAL:
            return True
        case Severity.WARNING:
            return policy.warnings_hold
        case Severity.INFO:
            return False
