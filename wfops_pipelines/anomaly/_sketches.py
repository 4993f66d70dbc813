"""Samples that two profiles can be compared and merged on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from wfops_pipelines.anomaly.nouns import Sketch

ALL = 2**64 - 1
POINTS = 512
CELL_ROWS = 1024  # rows of which a profile keeps each cell
LARGEST = 1e120  # squares and sums of a few hundred of it are still finite

Floats = npt.NDArray[np.float64]


def sketch(
    keys: npt.NDArray[np.uint64], counts: npt.NDArray[np.int64] | None, limit: int, bound: int = ALL
) -> Sketch:
    """The `limit` smallest distinct keys with their counts (one each when `counts` is None)."""
    if counts is None:
        unique, sums = np.unique(keys, return_counts=True)
    else:
        unique, where = np.unique(keys, return_inverse=True)
        sums = np.bincount(where, weights=counts, minlength=len(unique))
    if len(unique) > limit:
        bound = min(bound, int(unique[limit - 1]))
        unique, sums = unique[:limit], sums[:limit]
    return Sketch(unique.tobytes(), sums.astype(np.int64).tobytes(), bound)


def unpack(one: Sketch) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    return np.frombuffer(one.keys, np.uint64), np.frombuffer(one.counts, np.int64)


def merge_sketches(a: Sketch, b: Sketch, limit: int) -> Sketch:
    bound = min(a.bound, b.bound)
    (ka, ca), (kb, cb) = unpack(a), unpack(b)
    keys, counts = np.concatenate([ka, kb]), np.concatenate([ca, cb])
    keep = keys <= np.uint64(bound)
    return sketch(keys[keep], counts[keep], limit, bound)


def points(values: Floats, limit: int = POINTS) -> bytes:
    """Sorted finite values, thinned to `limit` mid-ranks."""
    ordered = np.sort(np.clip(values[np.isfinite(values)], -LARGEST, LARGEST))
    if len(ordered) > limit:
        ranks = ((np.arange(limit) + 0.5) * len(ordered) / limit).astype(np.int64)
        ordered = ordered[ranks]
    return ordered.tobytes()


def merge_points(a: bytes, weight_a: int, b: bytes, weight_b: int) -> bytes:
    """Points of both together; `weight_*` are the numbers of values that they stand for."""
    pa, pb = np.frombuffer(a, np.float64), np.frombuffer(b, np.float64)
    if not len(pa) or not len(pb):
        return a or b
    values = np.concatenate([pa, pb])
    weights = np.repeat([weight_a / len(pa), weight_b / len(pb)], [len(pa), len(pb)])
    order = np.lexsort((weights, values))
    if len(values) <= POINTS and weight_a == len(pa) and weight_b == len(pb):
        return values[order].tobytes()
    ranks = np.cumsum(weights[order])
    wanted = (np.arange(POINTS) + 0.5) * ranks[-1] / POINTS
    at = np.minimum(np.searchsorted(ranks, wanted), len(values) - 1)
    return bytes(values[order][at].tobytes())
