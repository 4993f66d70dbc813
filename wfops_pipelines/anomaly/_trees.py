"""An isolation forest as padded arrays: scikit-learn's scores without scikit-learn.

Every tree is laid out in the same number of slots, and each step moves all rows one level down.
Leaves point at themselves, so no row needs to know when it has arrived. The arithmetic is that
of `IsolationForest.score_samples` (Liu, Ting, Zhou: Isolation forest, 2008).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_BLOCK = 4096


@dataclass(frozen=True, slots=True)
class Trees:
    """(trees, slots) arrays; `length` is depth plus the expected rest of the path at a leaf."""

    feature: npt.NDArray[np.int32]
    threshold: Floats
    left: npt.NDArray[np.int32]
    right: npt.NDArray[np.int32]
    length: Floats
    depth: int
    samples: int

    @classmethod
    def of(cls, forest: Any) -> Trees:
        """From a fitted `sklearn.ensemble.IsolationForest` that uses all features a tree."""
        trees = [e.tree_ for e in forest.estimators_]
        slots = max(t.node_count for t in trees)
        shape = (len(trees), slots)
        feature, left, right = (np.zeros(shape, np.int32) for _ in range(3))
        threshold, length = np.full(shape, np.inf), np.zeros(shape)
        for at, tree in enumerate(trees):
            n = tree.node_count
            leaf = tree.children_left < 0
            here = np.arange(n)
            feature[at, :n] = np.where(leaf, 0, tree.feature)
            threshold[at, :n] = np.where(leaf, np.inf, tree.threshold)
            left[at, :n] = np.where(leaf, here, tree.children_left)
            right[at, :n] = np.where(leaf, here, tree.children_right)
            length[at, :n] = _depths(tree) + average_path(tree.n_node_samples)
        depth = max(int(t.max_depth) for t in trees)
        return cls(feature, threshold, left, right, length, depth, int(forest.max_samples_))


def _depths(tree: Any) -> Floats:
    depth = np.zeros(tree.node_count)
    level = np.zeros(1, np.int64)
    while len(level):
        children = np.concatenate([tree.children_left[level], tree.children_right[level]])
        above = np.concatenate([depth[level], depth[level]])
        level, above = children[children >= 0], above[children >= 0]
        depth[level] = above + 1
    return depth


def average_path(samples: Any) -> Floats:
    """Mean path of an unsuccessful search in a binary tree of that many samples."""
    n = np.asarray(samples, np.float64)
    safe = np.maximum(n, 3.0)
    long = 2.0 * (np.log(safe - 1.0) + np.euler_gamma) - 2.0 * (safe - 1.0) / safe
    return np.where(n <= 1, 0.0, np.where(n == 2, 1.0, long))


def path_scores(trees: Trees, x: Floats) -> Floats:
    """Score of each row, 0 to 1, larger is stranger: minus `score_samples`."""
    narrow = np.ascontiguousarray(x, np.float32)
    sums = np.concatenate(
        [_block(trees, narrow[at : at + _BLOCK]) for at in range(0, len(x), _BLOCK)]
        or [np.zeros(0)]
    )
    usual = len(trees.feature) * float(average_path(trees.samples))
    return np.asarray(2.0 ** (-sums / max(usual, 1e-12)))


def _block(trees: Trees, x: npt.NDArray[np.float32]) -> Floats:
    values, row = x.ravel(), np.arange(len(x)) * x.shape[1]
    sums = np.zeros(len(x))
    for tree in range(len(trees.feature)):
        feature, threshold = trees.feature[tree].astype(np.intp), trees.threshold[tree]
        ways = np.stack([trees.left[tree], trees.right[tree]], 1).ravel().astype(np.intp)
        at = np.zeros(len(x), np.intp)
        for _ in range(trees.depth):
            smaller = values.take(row + feature.take(at)) <= threshold.take(at)
            at = ways.take(2 * at + ~smaller)
        sums += trees.length[tree].take(at)
    return sums
