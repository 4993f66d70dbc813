"""The evidence of one snapshot in seven numbers, and the forest that judges them.

A forest on hundreds of raw features finds next to nothing: most of them are noise, and a tree
cannot tell far from very far. On a summary of calibrated evidence it adds how several weak signs
come together. It is trained on the history's own evidence, on recombinations of it (columns of
different days), and on anchors: one coordinate pushed out, so that outward means unusual.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

TREES = 100
RECOMBINED = 256
_SEED = 20210323


def summarise(decades: Floats, column: Ints) -> Floats:
    """Shape (snapshots, 7) from evidence (features, snapshots) and each feature's column."""
    if not len(decades):
        return np.zeros((decades.shape[1], 7))
    ordered = -np.sort(-decades, axis=0)
    tops = -np.sort(-column_evidence(decades, column), axis=0)
    return np.stack(
        [
            tops[0],
            tops[:2].mean(0),
            tops.mean(0),
            ordered[0],
            ordered[:5].mean(0),
            ordered[:15].mean(0),
            decades.mean(0),
        ],
        axis=1,
    )


def column_evidence(decades: Floats, column: Ints) -> Floats:
    """Evidence of each column: its strongest sign, and half of how far the next ones support it."""
    out = np.zeros((int(column.max()) + 1, decades.shape[1]))
    for at in range(len(out)):
        own = -np.sort(-decades[column == at], axis=0)
        if len(own):
            out[at] = own[0] + 0.5 * own[1:4].sum(0) / 3
    return out


def recombine(decades: Floats, column: Ints, count: int = RECOMBINED) -> Floats:
    """Evidence of made-up normal snapshots: each column's from some day of the history."""
    rng = np.random.default_rng(_SEED)
    days = rng.integers(0, decades.shape[1], (int(column.max(initial=0)) + 1, count))
    return np.take_along_axis(decades, days[column], axis=1)


def forest_scores(normal: Floats, asked: Floats) -> Floats:
    """Isolation forest score (0 to 1, larger is stranger) of `asked` summaries."""
    from sklearn.ensemble import IsolationForest

    train = np.log1p(np.concatenate([normal, _anchors(normal)]))
    forest = IsolationForest(
        n_estimators=TREES, max_samples=min(256, len(train)), random_state=_SEED
    )
    forest.fit(train)
    return np.asarray(-forest.score_samples(np.log1p(asked)))


def _anchors(normal: Floats) -> Floats:
    """One coordinate, then all of them, pushed out to two, four and eight times the largest."""
    high, centre = normal.max(0) + 0.5, np.median(normal, axis=0)
    single = [
        np.where(np.arange(normal.shape[1]) == j, high * far, centre)
        for j in range(normal.shape[1])
        for far in (2, 4, 8)
    ]
    return np.array(single + [high * far for far in (1.5, 2, 4)])
