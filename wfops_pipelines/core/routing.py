"""Which group is asked: rules first, then what was learned, then the policy's reviewers.

Nothing here lets in a group that the policy does not name: who may decide stays the owner's word.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wfops_pipelines.core.confidence import by_machine, cause
from wfops_pipelines.core.findings import Finding
from wfops_pipelines.core.policy import Policy
from wfops_pipelines.core.reviews import Review

FEWEST, SHARE = 3, 2 / 3  # decisions on the same cause, and how many of them one group took


@dataclass(frozen=True, slots=True)
class Routed:
    """The group that is asked, and why, in words; empty where it is simply the policy's."""

    group: str
    why: str = ""


def permitted(policy: Policy) -> tuple[str, ...]:
    """The groups that the policy names: no review request of the sync goes to another one."""
    named = [policy.reviewers, *(r.to for r in policy.routes)]
    return tuple(dict.fromkeys([*named, *([policy.escalate_to] if policy.escalate_to else [])]))


def route_hold(
    same: str, findings: Sequence[Finding], policy: Policy, decided: Iterable[Review]
) -> Routed:
    """For a hold of the cause `same` with these holding findings.

    `decided` are this sync's past review requests.
    """
    for finding in findings:
        for rule in policy.routes:
            if rule.takes(finding.check, finding.column):
                return Routed(rule.to, f"a rule of the policy: {rule.words}")
    return _learned(same, policy, decided)


def route_failure(kind: str, same: str, policy: Policy, decided: Iterable[Review]) -> Routed:
    """For a failed step of this kind ("auth", "rate_limit", …)."""
    for rule in policy.routes:
        if rule.failure is not None and rule.failure == kind:
            return Routed(rule.to, f"a rule of the policy: {rule.words}")
    return _learned(same, policy, decided)


def _learned(same: str, policy: Policy, decided: Iterable[Review]) -> Routed:
    who = Counter(r.group for r in decided if cause(r) == same and not by_machine(r))
    total = sum(who.values())
    for group, n in who.most_common(1):
        if group in permitted(policy) and n >= FEWEST and n >= SHARE * total:
            if group == policy.reviewers:
                break
            return Routed(group, f"learned: {group} decided {n} of {total} like it")
    return Routed(policy.reviewers)
