"""What the pages show, gathered from the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from wfops_pipelines import became, undoing
from wfops_pipelines.core import links
from wfops_pipelines.core.answers import Weighed, answers, offered, others
from wfops_pipelines.core.findings import Finding, Severity
from wfops_pipelines.core.people import Role
from wfops_pipelines.core.reviews import HOLDS, REFUSED, Review, ReviewKind, ReviewState, Verb
from wfops_pipelines.core.veiled import harmless, veiled
from wfops_pipelines.core.verdict import would_fail
from wfops_pipelines.deciding import leaving, reopening
from wfops_pipelines.deciding.overriding import NAMELESS
from wfops_pipelines.deciding.weighing import weigh
from wfops_pipelines.ledger import publications_of
from wfops_pipelines.project import Project
from wfops_pipelines.services import Services
from wfops_pipelines.store import audit, reviews, snapshots
from wfops_pipelines.undoing import revertible
from wfops_pipelines.web.drafted import (
    MOST_LEFT_OUT,
    drafts_view,
    leave_out_link,
    repairs_link,
)
from wfops_pipelines.web.held_rows import MASK, add_confidence, held_rows
from wfops_pipelines.web.plots import plot
from wfops_pipelines.web.reverting import reverting
from wfops_pipelines.web.successors import successors

ADVICE = {
    "auth": "Renew the credentials, then decide retry.",
    "rate_limit": "Wait, or ask the vendor for a higher limit, then decide retry.",
    "network": "Check that the other side is up, then decide retry.",
    "schema": "Look at what the API answers now and mend the sync, then decide retry.",
    "bad_data": "Ask the vendor, or mend the sync's function, then decide retry.",
    "destination_refused": "Look at the row and the destination's rules, then decide retry.",
    "our_bug": "Read the run's log; it is a fault in the sync or in this program.",
}

LEAVE_OUT = (
    "Look at the rows and at the destination's rules. Decide retry once they are mended over "
    "there; else leave out the rows that were refused, and the others go on. A row that is mended "
    "at the source comes as a newer version, which goes once the refused one is left out."
)


def review_json(review: Review) -> dict[str, Any]:
    return {
        "id": review.id,
        "sync": review.sync,
        "snapshot": review.seq,
        "kind": review.kind.value,
        "state": review.state.value,
        "summary": review.summary,
        "group": review.group,
        "opened_at": review.opened_at.isoformat(),
        "evidence": review.evidence_hash,
        "page": links.review_page(review.id),
        "decide": links.decide_launchpad(review),
    }


def review_view(
    conn: Connection, project: Project, services: Services, review: Review
) -> dict[str, Any]:
    """Everything on the review page."""
    decisions, sync = reviews.decisions_on(conn, review.id), project.syncs.get(review.sync)
    weighed = weigh(conn, review, sync, services)
    common = {
        "review": review,
        "pending": review.state is ReviewState.PENDING,
        "decide": _decide(project, review, weighed),
        "answers": [
            (v.value, _decide(project, review, weighed, v), bool(weighed.overridden(v)))
            for v in offered(review, weighed)
        ],
        "can": answers(review, weighed),
        "overridden": weighed.overridden(Verb.APPROVE),
        "failing": weighed.fails(Verb.APPROVE),
        "repaired": weighed.repaired,
        "overriders": _overriders(review, services),
        "asker": ""
        if review.kind is ReviewKind.FAILURE
        else review.reopened_by or review.requested_by,
        "others": others(review, services.people.members(review.group)),
        "comment": links.act_launchpad("comment", review.id, "text"),
        "assign": links.act_launchpad("assign", review.id, "to", "reason"),
        "route": links.act_launchpad("route", review.id, "to", "reason"),
        "reopen": links.act_launchpad("reopen", review.id, "reason")
        if _reopens(conn, review)
        else None,
        "decisions": decisions,
        "successor": successors(conn, [review]).get(review.id),
        "run": links.run_page(review.run_id) if review.run_id else None,
    }
    if review.kind is ReviewKind.FAILURE or review.seq is None:
        failure = reviews.failure_of(conn, review.id) or {}
        proposed = failure.get("proposed") or {}
        kind = review.label or proposed.get("value") or failure.get("kind", "")
        told = {
            "failure": failure,
            "advice": LEAVE_OUT if review.keys else ADVICE.get(kind, ""),
            "newer": leaving.newer_of(conn, sync, review) if common["pending"] else "",
            "proposed": proposed,
            "relabel": links.act_launchpad("label", review.id, "cause", "reason"),
        }
        return {**common, **told, "trail": _trail(conn, review)}
    seen = snapshot_view(conn, project, services, review.sync, review.seq) or {}
    held = held_rows(sync, services, review, seen)
    add_confidence(conn, sync, review, held)
    proposed = drafts_view(conn, sync, review, seen, held)
    common = {**common, "failure": None, "trail": _trail(conn, review), "held": held}
    seq = seen["snapshot"].rank if seen else review.seq
    repairs = repairs_link(conn, sync, review, seq)
    twice = leave_out_link(conn, sync, review, seq)
    left_out = next((d.exclude or () for d in decisions if d.final), ())
    said = became.of_drafts(review, left_out, seen.get("publications", ()))
    drafted = {"drafts": proposed, "became": said, "repairs": repairs, "twice": twice}
    back = None
    if seen:
        back = reverting(conn, sync, review, seen["snapshot"], services)
        drafted["reverted"] = undoing.done_by(conn, seen["snapshot"].name)
    return {**common, **drafted, "reverting": back, **seen}


def _overriders(review: Review, services: Services) -> str:
    """Who of those who may decide holds the role that an override needs."""
    group = services.people.members(review.group) - {review.requested_by, review.reopened_by}
    return ", ".join(sorted(n for n in group if services.people.has(n, Role.OVERRIDE)))


def _reopens(conn: Connection, review: Review) -> bool:
    """Whether `reopen` would ask again about rows of this request."""
    if review.kind not in HOLDS:
        return False
    if review.state is ReviewState.APPROVED:
        return bool(reopening.put_away(conn, review) - {NAMELESS})
    return review.state in REFUSED and not review.hopeless


def _decide(project: Project, review: Review, weighed: Weighed, verb: Verb | None = None) -> str:
    """Where a decision is taken; a key that is masked stands in no address.

    Nor do more keys than it has room for: without any, all that were refused are left out.
    """
    sync = project.syncs.get(review.sync)
    named = verb is Verb.LEAVE_OUT and len(review.keys) <= MOST_LEFT_OUT
    named = named and sync is not None and sync.key not in sync.policy.masked
    checks, fails = (of(verb or Verb.APPROVE) for of in (weighed.overridden, weighed.fails))
    who = "this" if verb else "approve"
    notes = [f"{who} publishes nothing yet: {fails}"] if fails else []
    notes += [f"{who} is an override of {checks}"] if checks else []
    return links.decide_launchpad(
        review,
        verb,
        review.keys if named else (),
        among=offered(review, weighed),
        note="; ".join(notes),
    )


def snapshot_view(
    conn: Connection, project: Project, services: Services, sync: str, seq: int
) -> dict[str, Any] | None:
    """A snapshot, its evidence (masked) and what was published of it."""
    found = snapshots.evidence(conn, sync, seq)
    if found is None:
        return None
    declared = project.syncs.get(sync)
    masked = frozenset(declared.policy.masked) if declared else frozenset()
    evidence = _masked(found[1], masked, declared.key if declared else "")
    rank = {s.value: s.rank for s in Severity}
    findings = sorted(
        evidence["findings"],
        key=lambda f: (
            not would_fail(Finding.from_json(f)), -rank[f["severity"]], bool(f["keys"])
        ),
    )  # fmt: skip
    findings = [{**f, "plot": plot(f["details"].get("past", ()))} for f in findings]
    weak = [f for f in findings if f["check"] == "anomaly" and f["severity"] == "info"]
    first, more = _first_of_each_column([f for f in findings if f not in weak])
    return {
        "snapshot": snapshots.get(conn, sync, seq),
        "hash": found[0],
        "findings": first,
        "more_findings": more,
        "weak_findings": weak,
        "results": evidence["results"],
        "diff": evidence.get("held_diff") or evidence["diff"],
        "held_apart": "held_diff" in evidence,
        "anomaly": evidence["anomaly"],
        "destination": declared.destination.words if declared else "",
        "publications": publications_of(conn, sync, seq),
        "revert": links.revert_launchpad(sync, seq)
        if declared and revertible(conn, declared, seq, services.clock())
        else None,
        "report": links.report_page(sync, seq),
        "asset": links.asset_page(sync, "published"),
    }


def _first_of_each_column(
    findings: Sequence[dict[str, Any]],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The strongest anomaly of each column, with all other findings; and the weaker ones."""
    first: list[dict[str, Any]] = []
    more: list[dict[str, Any]] = []
    seen: set[str | None] = set()
    for finding in findings:
        told = finding["check"] == "anomaly" and finding["column"] in seen
        (more if told else first).append(finding)
        if finding["check"] == "anomaly":
            seen.add(finding["column"])
    return first, more


def _trail(conn: Connection, review: Review) -> list[dict[str, Any]]:
    subject = review.sync if review.seq is None else f"{review.sync} #{review.seq}"
    return audit.trail(conn, subject)[-200:]


def _masked(evidence: dict[str, Any], masked: frozenset[str], key: str) -> dict[str, Any]:
    """The evidence without any value of a masked column."""
    if not masked:
        return evidence
    findings = [_mask_finding(f) if f["column"] in masked else f for f in evidence["findings"]]
    results = [_mask_result(r) if r["column"] in masked else r for r in evidence["results"]]
    diffs = {
        name: _mask_diff(evidence[name], masked, key)
        for name in ("diff", "held_diff")
        if evidence.get(name)
    }
    return {**evidence, "findings": findings, "results": results, **diffs}


def _mask_diff(diff: dict[str, Any], masked: frozenset[str], key: str) -> dict[str, Any]:
    hidden = [
        [MASK if key in masked else k, c, *([MASK] * 2 if c in masked else [o, n])]
        for k, c, o, n in diff["changes"]
    ]
    return {**diff, "changes": hidden}


def _mask_finding(finding: dict[str, Any]) -> dict[str, Any]:
    found = Finding.from_json(finding)
    kept = {n: v for n, v in finding["details"].items() if n == "kind"}  # tells no value
    if harmless(found):
        return {**finding, "details": kept}
    said = veiled(found)
    return {**finding, "sentence": said, "measured": None, "expected": None, "details": kept}


def _mask_result(result: dict[str, Any]) -> dict[str, Any]:
    return {**result, "measured": MASK}
