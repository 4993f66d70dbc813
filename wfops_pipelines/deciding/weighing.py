"""What the answers to a held snapshot would do, before anybody gives one."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from wfops_pipelines.core.answers import Weighed
from wfops_pipelines.core.findings import CheckResult, Finding, findings_of
from wfops_pipelines.core.reviews import HOLDS, Review, Verb
from wfops_pipelines.core.verdict import flagged, overridden, would_fail
from wfops_pipelines.core.waivers import set_aside
from wfops_pipelines.deciding.asking import Anew, asked_about
from wfops_pipelines.services import Services
from wfops_pipelines.store import snapshots, waivers
from wfops_pipelines.sync import Sync


def weigh(
    conn: Connection, review: Review, sync: Sync | None, services: Services, *, ask: bool = True
) -> Weighed:
    """Which answers would be an override today, which would fail, and which publish nothing.

    ask: whether the destination is asked anew, where it would have refused rows.
    """
    if sync is None or review.kind not in HOLDS or review.seq is None:
        return Weighed()
    found = snapshots.evidence(conn, review.sync, review.seq)
    if found is None:
        return Weighed()
    anew = asked_about(findings_of(found[1]), review, sync, services) if ask else Anew()
    standing = anew.renewed(not_waived(conn, found[1], review.sync, services))
    overrides = {
        verb: overridden(standing, sync.policy, clean_only=verb is Verb.APPROVE_CLEAN)
        for verb in (Verb.APPROVE, Verb.APPROVE_CLEAN)
    }
    refused = [f for f in standing if would_fail(f)]
    whole = {Verb.APPROVE: refused, Verb.APPROVE_CLEAN: [f for f in refused if not f.about_rows]}
    return Weighed(
        overrides,
        frozenset([Verb.APPROVE_CLEAN] if none_clean(found[1], sync) else []),
        frozenset(verb for verb, some in whole.items() if some),
        sync.destination.words,
        anew.taken,
    )


def none_clean(evidence: dict[str, Any], sync: Sync) -> bool:
    """Whether every row is flagged, so that an approval of the clean ones lets none go."""
    return len(flagged(findings_of(evidence), sync.policy)) >= int(evidence["rows"])


def not_waived(
    conn: Connection, evidence: dict[str, Any], sync: str, services: Services
) -> tuple[Finding, ...]:
    """What was found, without what people have set aside since."""
    return set_aside(
        findings_of(evidence),
        [CheckResult.from_json(r) for r in evidence["results"]],
        waivers.granted(conn, sync, services.clock()),
    )
