"""The machine's answer: a pure function of evidence and policy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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


def why_all(verdict: Hold, rows: int, policy: Policy) -> str:
    """Why rows wait that no finding names, in a sentence; empty where none do."""
    named = frozenset(k for f in verdict.reasons for k in f.keys)
    if verdict.keys is not None or len(named) >= rows:
        return ""
    whole = [f for f in verdict.reasons if not f.about_rows]
    if whole:
        return f"All rows wait, because {_about_all(whole[0])}"
    if policy.scope == "whole":
        return 'All rows wait, because the policy holds whole snapshots (scope="whole")'
    return (
        f"All rows wait, because {len(named):,} of {rows:,} are flagged, more than "
        f"hold_rows_up_to ({policy.hold_rows_up_to:.0%}): up to there, only flagged rows wait"
    )


def holds(finding: Finding, policy: Policy) -> bool:
    """Whether this finding alone stops something."""
    match finding.severity:
        case Severity.CRITICAL:
            return True
        case Severity.WARNING:
            return policy.warnings_hold
        case Severity.INFO:
            return False


_ABOUT_ALL = {
    "expectation": "the expectation that fails is about the snapshot and not about single rows",
    "anomaly": "it is the snapshot as a whole that is unlike those before",
    "schema": "a change of the columns is about every row",
    "policy": "what the policy guards is not there to be looked at",
    "key": "a row that its key does not name cannot be held by itself",
    "edited": "somebody else looks at all of what was edited",
    "put_away": "all rows of an older extraction were put away meanwhile",
    "asked_again": "somebody else looks at all of what was put away",
    "declared_anew": "what the sync is now says of no row whether it was there before",
}


def _about_all(finding: Finding) -> str:
    if finding.details.get("crashed"):
        return "nobody knows which rows the examiner that failed would have named"
    known = "what was found is about the snapshot and not about single rows"
    return _ABOUT_ALL.get(finding.check.split(":")[0], known)


def would_fail(finding: Finding) -> bool:
    """Whether it says that the destination would refuse what it is about."""
    crashed = finding.details.get("crashed")
    return finding.check == "unsendable" and finding.severity is Severity.CRITICAL and not crashed


def flagged(findings: Iterable[Finding], policy: Policy) -> frozenset[str]:
    """The keys of the rows that something holds: what an approval of the clean rows leaves."""
    return frozenset(k for f in findings if holds(f, policy) for k in f.keys)


JUDGEMENT = (
    "anomaly",
    "critical_changes",
    "deletes",
    "high_impact",
    "schema",
    "order",
    "versions",
    "overtaken",
    "undated",
    "edited",
    "asked_again",
    "declared_anew",
    "put_away",
    "drafted",
    "preparation",
    "duplicates",
)


def overridden(
    findings: Sequence[Finding],
    policy: Policy,
    left_out: frozenset[str] = frozenset(),
    *,
    clean_only: bool = False,
) -> tuple[str, ...]:
    """The failed critical checks that an approval would set aside, by name.

    What exists to be judged by a person (anomalies, critical fields, high impact, the schema,
    edits) is none of them; a failed critical expectation and an examiner that crashed are. Rows in
    `left_out`, or with `clean_only` all rows that a finding names, do not go out.
    """
    found = [f for f in findings if holds(f, policy) and _is_contract(f)]
    if clean_only:
        found = [f for f in found if not f.about_rows]
    going = [f for f in found if not f.about_rows or set(f.keys) - left_out]
    return tuple(dict.fromkeys(f.check.removeprefix("expectation:") for f in going))


def _is_contract(finding: Finding) -> bool:
    if finding.details.get("crashed"):
        return True
    if finding.severity is not Severity.CRITICAL:
        return False
    return finding.check.split(":")[0] not in JUDGEMENT
