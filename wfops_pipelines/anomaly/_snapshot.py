"""The score of a snapshot against the history of published ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from wfops_pipelines.anomaly._calibrate import p_value
from wfops_pipelines.anomaly._collect import features
from wfops_pipelines.anomaly._contracts import BROKEN, broken
from wfops_pipelines.anomaly._evidence import Evidence, evidence
from wfops_pipelines.anomaly._sides import sides
from wfops_pipelines.anomaly._summary import forest_scores, recombine, summarise
from wfops_pipelines.anomaly._words import sentence
from wfops_pipelines.anomaly.nouns import Profile, SnapshotFinding, SnapshotScore

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LONGEST = 90
FEWEST = 5
_LISTED = 12
_ENOUGH = 1.0


def score(
    history: Sequence[Profile], new: Profile, false_holds: float, weights: Mapping[str, float]
) -> SnapshotScore:
    past = list(history)[-LONGEST:]
    contracts = broken(past, new)
    usable = [p for p in past if p.rows]
    if len(usable) < FEWEST or not new.rows:
        return _short(contracts, usable)
    proof, column = _examine([*usable, new], weights)
    scores, made = score_all(proof.decades, column)
    p = p_value(scores[:-1], made, float(scores[-1]))
    findings = [*contracts, *_findings(proof, float(scores[-1]))]
    total = float(scores[-1]) + BROKEN * len(contracts)
    held = bool(contracts) or p <= false_holds
    p = min(p, 1e-12) if contracts else p
    return SnapshotScore(p, held, total, tuple(findings), _basis(len(usable), false_holds))


def _examine(profiles: Sequence[Profile], weights: Mapping[str, float]) -> tuple[Evidence, Ints]:
    allowed = sides(len(profiles) - 1)
    found, days = features(profiles, allowed)
    proof = evidence(found, allowed, days, weights)
    names = sorted({f.column or "" for f in found})
    return proof, np.array([names.index(f.column or "") for f in found], np.int64)


def score_all(decades: Floats, column: Ints) -> tuple[Floats, Floats]:
    """Scores of all snapshots (the new one last) and of recombined normal ones."""
    made = recombine(decades[:, :-1], column)
    summary, normal = summarise(decades, column), summarise(made, column)
    forest = forest_scores(
        np.concatenate([summary[:-1], normal]), np.concatenate([summary, normal])
    )
    tail = np.log10(1.0 + np.concatenate([summary, normal])[:, [0, 3]].max(1))
    total = forest + tail
    return total[: len(summary)], total[len(summary) :]


def _findings(proof: Evidence, total: float) -> list[SnapshotFinding]:
    now = proof.decades[:, -1]
    out = []
    for at in np.argsort(-now, kind="stable")[:_LISTED]:
        if now[at] < _ENOUGH:
            break
        feature = proof.features[at]
        measured, expected, said = sentence(feature)
        share = total * float(now[at] / now.sum())
        out.append(
            SnapshotFinding(
                feature.column, feature.statistic, feature.kind, measured, expected, share, said
            )
        )
    return out


def _short(contracts: list[SnapshotFinding], usable: list[Profile]) -> SnapshotScore:
    basis = f"only {len(usable)} published snapshots: fewer than {FEWEST}, hard contracts only"
    held = bool(contracts)
    return SnapshotScore(
        1e-12 if held else 1.0, held, BROKEN * len(contracts), tuple(contracts), basis
    )


def _basis(count: int, false_holds: float) -> str:
    return (
        f"{count} published snapshots; calibrated to hold at most {false_holds:.1%} of normal ones"
    )
