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

_BLOCK = 32_768


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
    narrow, levels = np.ascontiguousarray(x, np.float32), _Levels.of(trees)
    sums = np.concatenate(
        [levels.lengths(narrow[at : at + _BLOCK]) for at in range(0, len(x), _BLOCK)]
        or [np.zeros(0)]
    )
    usual = len(trees.feature) * float(average_path(trees.samples))
    return np.asarray(2.0 ** (-sums / max(usual, 1e-12)))


@dataclass(frozen=True, slots=True)
class _Levels:
    """The trees filled up to complete ones, level by level, so that a child needs no look-up.

    feature, threshold: (trees, 2 ** depth - 1); length: (trees, 2 ** depth). Thresholds are the
    largest float32 that are not above: the same rows of float32 are below them.
    """

    feature: npt.NDArray[np.intp]
    threshold: npt.NDArray[np.float32]
    length: Floats
    depth: int

    @classmethod
    def of(cls, trees: Trees) -> _Levels:
        tree = np.arange(len(trees.feature))[:, None]
        levels: list[npt.NDArray[np.int32]] = [np.zeros((len(tree), 1), np.int32)]
        for _ in range(trees.depth):
            here = levels[-1]
            ways = np.stack([trees.left[tree, here], trees.right[tree, here]], 2)
            levels.append(ways.reshape(len(tree), -1))
        inner = np.concatenate(levels[:-1] or [levels[0]], axis=1)
        exact = trees.threshold[tree, inner]
        near = exact.astype(np.float32)
        near = np.where(near > exact, np.nextafter(near, np.float32(-np.inf)), near)
        feature = trees.feature[tree, inner].astype(np.intp)
        return cls(feature, near, trees.length[tree, levels[-1]], trees.depth)

    def lengths(self, x: npt.NDArray[np.float32]) -> Floats:
        """The sum over the trees of each row's path."""
        rows = len(x)
        by_column = np.ascontiguousarray(x.T)
        values, row = by_column.ravel(), np.arange(rows)
        at, cell = np.zeros(rows, np.intp), np.zeros(rows, np.intp)
        value, limit = np.zeros(rows, np.float32), np.zeros(rows, np.float32)
        path, sums = np.zeros(rows), np.zeros(rows)
        for feature, threshold, length in zip(
            self.feature * rows, self.threshold, self.length, strict=True
        ):
            at.fill(0)
            for _ in range(self.depth):
                np.take(feature, at, out=cell, mode="clip")  # "clip" spares a copy; all are inside
                cell += row
                np.take(values, cell, out=value, mode="clip")
                np.take(threshold, at, out=limit, mode="clip")
                at += at
                at += 1
                at += value > limit
            at -= 2**self.depth - 1
            sums += np.take(length, at, out=path, mode="clip")
        return sums
