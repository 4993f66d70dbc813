"""The score of a snapshot against the history of published ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from wfops_pipelines.anomaly._calibrate import p_value
from wfops_pipelines.anomaly._collect import features
from wfops_pipelines.anomaly._contracts import BROKEN, broken
from wfops_pipelines.anomaly._dates import dated, taken
from wfops_pipelines.anomaly._evidence import Evidence, evidence
from wfops_pipelines.anomaly._short import ROWS_FACTOR, SIZE_FACTOR, gross
from wfops_pipelines.anomaly._sides import sides
from wfops_pipelines.anomaly._summary import forest_scores, recombine, summarise
from wfops_pipelines.anomaly._words import sentence, shown_past
from wfops_pipelines.anomaly.nouns import Profile, SnapshotFinding, SnapshotScore

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LONGEST = 90
FEWEST = 5
FEWEST_ROWS = 3  # below it, some 6 % of normal snapshots were held where 2 % were asked for
_LISTED = 12
_FOLLOWING = ("relations", "novelty", "gaps")
_EMPTY = "of a snapshot without rows nothing is measured: held only for broken contracts"
_ENOUGH = 0.5
_ORDINARY = 0.5  # the forest's score of what is like the rest
_LARGEST = 1.75  # development streams


def score(
    history: Sequence[Profile], new: Profile, false_holds: float, weights: Mapping[str, float]
) -> SnapshotScore:
    past = list(history)[-LONGEST:]
    contracts = dated(broken(past, new), taken(past[-1:]))
    usable = [p for p in past if p.rows]
    if len(usable) < FEWEST or not new.rows:
        return _short(contracts, usable, new)
    proof, column = _examine([*usable, new], weights)
    scores, made = score_all(proof.decades, column)
    p = p_value(scores[:-1], made, float(scores[-1]))
    findings = [*contracts, *_findings(proof, float(scores[-1]), taken([*usable, new]))]
    total = float(scores[-1]) + BROKEN * len(contracts)
    held = bool(contracts) or p <= false_holds
    p = min(p, 1e-12) if contracts else p
    return SnapshotScore(p, held, total, tuple(findings), _basis(usable, false_holds))


def _examine(profiles: Sequence[Profile], weights: Mapping[str, float]) -> tuple[Evidence, Ints]:
    allowed = sides(len(profiles) - 1)
    found, days = features(profiles, allowed)
    proof = evidence(found, allowed, days, weights)
    names = sorted({f.column or "" for f in found})
    return proof, np.array([names.index(f.column or "") for f in found], np.int64)


def score_all(decades: Floats, column: Ints) -> tuple[Floats, Floats]:
    """Scores of all snapshots (the new one last) and of recombined normal ones.

    The largest evidence, and what the forest adds to it: how much else comes together. One sign
    that stands alone (half of the rows, one value gone) must not be drowned by the calm of others.
    """
    made = recombine(decades[:, :-1], column)
    old, both = summarise(decades, column), summarise(made, column)
    asked = np.concatenate([old, both])
    forest = forest_scores(np.concatenate([old[:-1], both]), asked)
    tail = _LARGEST * np.log10(1.0 + asked[:, [0, 3]].max(1))
    total = tail + np.maximum(forest - _ORDINARY, 0.0)
    return total[: len(old)], total[len(old) :]


def _findings(proof: Evidence, total: float, when: Floats) -> list[SnapshotFinding]:
    """Strongest first; what is of several columns, or follows from others (a running number that
    lacks, with its row), after what a column shows by itself.
    """
    now = proof.decades[:, -1]
    out = []
    blame = np.array([f.kind in _FOLLOWING for f in proof.features], np.bool_)
    rank = np.where(blame & (now[~blame].max(initial=0.0) > now / 2), now / 2, now)
    for at in np.argsort(-rank, kind="stable")[:_LISTED]:
        if now[at] < _ENOUGH:
            break
        feature = proof.features[at]
        measured, expected, said = sentence(feature, float(proof.predicted[at, -1]), when)
        share = total * float(now[at] / now.sum())
        out.append(
            SnapshotFinding(
                feature.column,
                feature.statistic,
                feature.kind,
                measured,
                expected,
                share,
                said,
                shown_past(feature),
            )
        )
    return out


def _short(contracts: list[SnapshotFinding], usable: list[Profile], new: Profile) -> SnapshotScore:
    found = [*contracts, *gross(usable, new)]
    p = 1e-12 if contracts else 1e-3 if found else 1.0
    total = sum(f.contribution for f in found)
    basis = _wider(len(usable)) if new.rows else _EMPTY
    return SnapshotScore(p, bool(found), total, tuple(found), basis)


def basis_of(history: Sequence[Profile], false_holds: float) -> str:
    usable = [p for p in list(history)[-LONGEST:] if p.rows]
    return _wider(len(usable)) if len(usable) < FEWEST else _basis(usable, false_holds)


def _wider(count: int) -> str:
    there = (
        f"only {count} published snapshot{'s' if count > 1 else ''} to compare with (a first load, "
        "deletions alone and what was taken back are none)"
    )
    if not count:
        there = (
            "compared with no published snapshot (a first load is none, an edit is not compared)"
        )
    return (
        f"{there}, at least {FEWEST} are needed to keep a budget: "
        "held only for broken contracts and what is out of all proportion "
        f"(rows x{ROWS_FACTOR:.0f}, sizes x{SIZE_FACTOR:.0f}, half of a column suddenly null)"
    )


def _basis(usable: Sequence[Profile], false_holds: float) -> str:
    count = len(usable)
    said = (
        f"{count} published snapshots; calibrated to hold at most {false_holds:.1%} of normal ones "
        "(a holiday or a new value is none)"
    )
    if count * false_holds < 1.0:
        said += (
            f"; by extrapolation, so it may be a point more: {1 / false_holds:.0f} snapshots "
            "are needed to count them"
        )
    rows = float(np.median([p.rows for p in usable]))
    if rows >= FEWEST_ROWS:
        return said
    return (
        f"{said}; of so few rows (half of them have {rows:.0f} at most) each is unlike the others, "
        "so it may be some points more"
    )
