"""What each snapshot of a history may be compared with, and the ways to predict it.

A new snapshot stands at the end of its history. To know what is normal there, each older one
is put at an end, too: it is predicted from the snapshots on one side of it, the longer one.
Leaving only itself out would let it see both neighbours and promise an accuracy that no new
snapshot can have.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

_WEEK, _SATURDAY = 7, 5
_SHRUNK, _SLOPE = 1.0, 0.1  # ridge of each weekday, of the slope over the whole side


def looks_ahead(snapshot: Ints, history: int) -> Bools:
    """Is a snapshot of a history that long compared with the later ones, not the earlier ones?"""
    return np.asarray(snapshot < history // 2)


def sides(history: int) -> Bools:
    """`[i, k]`: may snapshot `i` be compared with `k`? The new one is row `history`."""
    at = np.arange(history + 1)
    later = at[None, :] > at[:, None]
    allowed = np.where(looks_ahead(at, history)[:, None], later, at[None, :] < at[:, None])
    allowed[:, history] = False
    return allowed


def predictors(allowed: Bools, weekdays: Sequence[int]) -> dict[str, Floats]:
    """Weight matrices: `prediction[i] = sum(weights[i, k] * value[k])`; every row adds up to 1."""
    days = np.asarray(weekdays)
    distance = np.abs(np.subtract.outer(np.arange(len(days)), np.arange(len(days))))
    rank = np.where(allowed, distance, len(days) * 2).argsort(1).argsort(1)
    mean = _rows(allowed.astype(np.float64))
    return {
        "mean": mean,
        "last": _rows((allowed & (rank < 3)).astype(np.float64)),
        "fading": _rows(np.where(allowed, 0.75 ** (rank + 0.0), 0.0)),
        "weekday": _alike(allowed, days, mean),
        "weekend": _alike(allowed, days >= _SATURDAY, mean),
        "trend": _trend(allowed, mean),
        "rhythm": _rhythm(allowed, days),
    }


def kinds_met(allowed: Bools, weekdays: Sequence[int]) -> dict[str, Bools]:
    """By the weekly predictors: which snapshots have a day of the same kind to be compared with."""
    days = np.asarray(weekdays)
    weekday, weekend = _same(allowed, days), _same(allowed, days >= _SATURDAY)
    by_day, by_half = (np.asarray(same.any(1)) for same in (weekday, weekend))
    return {"weekday": by_day, "weekend": by_half, "rhythm": by_day}


def product(x: Floats, weights: Floats) -> Floats:
    """`x @ weights.T` without BLAS, whose last bits depend on threads and processor."""
    return np.asarray(np.einsum("fk,ik->fi", x, weights, optimize=False))


def _same(allowed: Bools, kinds: npt.NDArray[Any]) -> Bools:
    return np.asarray(allowed & (kinds[None, :] == kinds[:, None]))


def _alike(allowed: Bools, kinds: npt.NDArray[Any], mean: Floats) -> Floats:
    """The mean of the allowed snapshots of the same kind, of all where there is none."""
    same = _same(allowed, kinds)
    there = same.any(1, keepdims=True)
    return np.asarray(np.where(there, _rows(same.astype(np.float64)), mean))


def _rows(weights: Floats) -> Floats:
    return np.asarray(weights / np.maximum(weights.sum(1, keepdims=True), 1e-300))


def _trend(allowed: Bools, mean: Floats) -> Floats:
    """Least squares through the allowed snapshots, read off at the target."""
    at = np.arange(len(allowed), dtype=np.float64)
    count = allowed.sum(1, keepdims=True)
    centre = mean @ at[:, None]
    offset = np.where(allowed, at[None, :] - centre, 0.0)
    spread = np.maximum((offset**2).sum(1, keepdims=True), 1e-300)
    slope = offset * (at[:, None] - centre) / spread
    return np.where(count >= 4, mean + slope, mean)


def _rhythm(allowed: Bools, days: Ints) -> Floats:
    """Weekdays and a slope together, by ridge regression on the allowed snapshots.

    A stream that grows and rests on Sundays is told by neither alone.
    """
    out = np.zeros(allowed.shape)
    at = np.arange(len(days), dtype=np.float64)
    week = (days[:, None] == np.arange(_WEEK)[None, :]).astype(np.float64)
    ridge = np.diag([_SHRUNK] * _WEEK + [_SLOPE])
    for i in range(len(days)):
        side = np.flatnonzero(allowed[i])
        if len(side):
            slope = (at[side] - at[i]) / max(len(side), 2)
            x = np.concatenate([week[side], slope[:, None]], axis=1)
            centre = x.mean(0)
            x, asked = x - centre, np.append(week[i], 0.0) - centre
            gram = np.einsum("ka,kb->ab", x, x, optimize=False) + ridge
            solved = np.linalg.solve(gram, asked)
            out[i, side] = 1.0 / len(side) + np.einsum("ka,a->k", x, solved, optimize=False)
    return out
