"""The anomaly scorer's answer about one snapshot, as findings for the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wfops_pipelines import anomaly
from wfops_pipelines.core.findings import Finding, Json, Severity
from wfops_pipelines.sync import Sync

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_TO_LEARN_FROM = 300  # fewer published rows cannot tell an odd row from a new one
REASONS = 3


@dataclass(frozen=True, slots=True)
class Scored:
    """Findings, the new profile as JSON, and what the evidence keeps about the score."""

    findings: tuple[Finding, ...]
    profile: str
    summary: dict[str, Json]


def score(
    sync: Sync,
    table: pa.Table,
    history: Mapping[int, str],
    decided: Mapping[str, tuple[int, int]],
    published: Sequence[pa.Table],
) -> Scored:
    """Score a snapshot against the profiles of published ones, and its rows against their rows.

    The summary holds all that the score came from beside the profiles: whose they are, the
    weights, the budget and the scorer's version. With them, anybody gets the same bits again.
    """
    new = anomaly.profile(table, key=sync.key, cursor=sync.cursor)
    profiles = [anomaly.Profile.from_json(text) for text in history.values()]
    weights = anomaly.weights(decided)
    scored = anomaly.score_snapshot(
        profiles, new, false_holds=sync.policy.false_holds, weights=weights
    )
    findings = [_finding(f, held=scored.held) for f in scored.findings]
    summary: dict[str, Json] = {
        "p_value": scored.p_value,
        "score": scored.score,
        "held": scored.held,
        "basis": scored.basis,
        "history": len(profiles),
        "snapshots": [*history],
        "weights": {**weights},
        "false_holds": sync.policy.false_holds,
        "scorer": anomaly.VERSION,
        "profile": new.version,
    }
    rows = _rows(sync, table, published)
    return Scored((*findings, *rows), new.to_json(), summary)


def _finding(found: anomaly.SnapshotFinding, *, held: bool) -> Finding:
    """What made a snapshot be held is critical; what is merely worth a look is information."""
    return Finding(
        check="anomaly",
        severity=Severity.CRITICAL if held else Severity.INFO,
        sentence=found.sentence,
        column=found.column,
        measured=found.measured,
        expected=found.expected,
        details={
            "statistic": found.statistic,
            "kind": found.kind,
            "contribution": found.contribution,
            "past": [*found.past],
        },
    )


def _rows(sync: Sync, table: pa.Table, published: Sequence[pa.Table]) -> list[Finding]:
    """One finding for each row that the budget calls too odd.

    The budget is one of snapshots: a row is held when its p-value, multiplied by the number of
    rows (Bonferroni), is within it, so that a normal snapshot has an odd row as rarely as asked.
    """
    if sum(t.num_rows for t in published) < ROWS_TO_LEARN_FROM or not table.num_rows:
        return []
    known = [t for t in published if set(table.column_names) >= set(t.column_names)]
    model = anomaly.fit_rows(known, key=sync.key)
    scores = anomaly.score_rows(model, table)
    limit = sync.policy.false_holds / table.num_rows
    odd = [i for i, p in enumerate(scores.p_value.tolist()) if p <= limit]
    keys = table[sync.key].to_pylist()
    masked = sync.policy.masked
    return [_row(str(keys[i]), scores.reasons(i, top=REASONS), masked) for i in odd]


def _row(key: str, reasons: Sequence[anomaly.RowReason], masked: Sequence[str]) -> Finding:
    told = [(r, f"{r.column} (masked)" if r.column in masked else r.sentence) for r in reasons]
    said = "; ".join(words for _, words in told) or "an unusual combination of values"
    return Finding(
        check="anomaly:row",
        severity=Severity.CRITICAL,
        sentence=f"row {key} is unlike the published rows: {said}",
        column=reasons[0].column if reasons else None,
        keys=(key,),
        details={"reasons": [[r.column, r.contribution, words] for r, words in told]},
    )
