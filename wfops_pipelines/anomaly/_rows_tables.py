"""Lookup tables of row models: how rare a value is, where a number lies, what evidence is worth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wfops_pipelines.anomaly._sketches import LARGEST

Floats = npt.NDArray[np.float64]
Hashes = npt.NDArray[np.uint64]

MOST_KEYS = 20_000
_SUPPORT = 257
_BEYOND = 0.5
_MOST = 12.0
DRIFTS = 0.01
_PASSED = 0.1


@dataclass(frozen=True, slots=True)
class Tally:
    """How rare each value is, in decades; `other` for a value that occurs less than twice.

    A value's rarity is the share of rows with a value at most as frequent. What is not in the
    table has the mass of Good and Turing for things seen never or once: in a column of
    identifiers that is nearly everything, so a new identifier is no evidence at all.
    """

    keys: Hashes
    decades: Floats
    other: float

    @classmethod
    def of(cls, hashes: Hashes) -> Tally:
        keys, counts = np.unique(hashes, return_counts=True)
        total = max(len(hashes), 1)
        once, twice = int((counts == 1).sum()), int((counts == 2).sum())
        other = min((once + 2 * twice + 0.5) / (total + 1.0), 1.0)
        order = np.lexsort((keys, -counts))[:MOST_KEYS]
        order = order[counts[order] > 1]
        keys, counts = keys[order], counts[order]
        ascending = np.sort(counts)
        sums = np.cumsum(ascending)
        rarity = sums[np.searchsorted(ascending, counts, "right") - 1] if len(counts) else counts
        decades = -np.log10(np.minimum((rarity + once) / total, 1.0))
        place = np.argsort(keys)
        return cls(keys[place], decades[place], -float(np.log10(other)))

    def look_up(self, hashes: Hashes) -> Floats:
        if not len(self.keys):
            return np.full(len(hashes), self.other)
        at = np.minimum(np.searchsorted(self.keys, hashes), len(self.keys) - 1)
        return np.where(self.keys[at] == hashes, self.decades[at], self.other)


@dataclass(frozen=True, slots=True)
class Span:
    """Where numbers lie: decades of the two-sided tail, growing on beyond the known range.

    A number that drifts by nature (a serial identifier, a time) has `slack`: only what lies
    further than that beyond the known range is unusual.
    """

    support: Floats
    step: float
    slack: float = 0.0

    @classmethod
    def of(cls, values: Floats) -> Span:
        ordered = np.sort(np.clip(values[np.isfinite(values)], -LARGEST, LARGEST))
        if len(ordered) > 4096:
            ordered = ordered[np.linspace(0, len(ordered) - 1, 4096).astype(np.int64)]
        if not len(ordered):
            return cls(ordered, 1.0)
        quarter = ordered[[len(ordered) // 4, (3 * len(ordered)) // 4]]
        wide = max(float(quarter[1] - quarter[0]), float(ordered[-1] - ordered[0]) / 50)
        return cls(ordered, max(wide, abs(float(ordered[0])) * 1e-3, 1e-9))

    def drifting(self, others: Floats, moves: bool) -> Span:
        """The span with slack: of what `moves`, or what one in a hundred of other days leaves."""
        others = np.clip(others[np.isfinite(others)], -LARGEST, LARGEST)
        if len(others) < 20 or not len(self.support):
            return self
        moves = moves or self._passed(others)
        out = ((others > self.support[-1]) | (others < self.support[0])).mean()
        if out <= DRIFTS and not moves:
            return self
        low, high = min(others.min(), self.support[0]), max(others.max(), self.support[-1])
        return Span(np.array([low, high]), self.step, max(3.0 * float(high - low), 1.0))

    def _passed(self, others: Floats) -> bool:
        """Are most of the others elsewhere, although a straggler may have been as far?"""
        low, high = np.quantile(self.support, (_PASSED, 1.0 - _PASSED))
        return not low <= float(np.median(others)) <= high

    def look_up(self, values: Floats) -> Floats:
        count = len(self.support)
        if not count:
            return np.zeros(len(values))
        if self.slack:
            finite = np.where(np.isfinite(values), np.clip(values, -LARGEST, LARGEST), LARGEST)
            away = np.maximum(finite - self.support[-1], self.support[0] - finite) - self.slack
            return np.asarray(3.0 * np.log10(1.0 + np.maximum(away, 0.0) / self.slack))
        finite = np.where(np.isfinite(values), np.clip(values, -LARGEST, LARGEST), LARGEST)
        below = np.searchsorted(self.support, finite, "right")
        above = count - np.searchsorted(self.support, finite, "left")
        tail = np.minimum(2.0 * (np.minimum(below, above) + 1.0) / (count + 2.0), 1.0)
        out = np.maximum(finite - self.support[-1], self.support[0] - finite) / self.step
        return np.asarray(-np.log10(tail) + 3.0 * np.log10(1.0 + np.maximum(out, 0.0)))


@dataclass(frozen=True, slots=True)
class Curve:
    """What raw evidence is worth: decades of the share of unseen normal rows that have as much."""

    raw: Floats
    decades: Floats

    @classmethod
    def of(cls, held_out: Floats) -> Curve:
        ordered = np.sort(held_out)
        if not len(ordered):
            return cls(np.array([0.0, 1.0]), np.array([0.0, 0.0]))
        raw = np.unique(ordered)
        if len(raw) > _SUPPORT:
            raw = raw[
                np.unique((1 - np.geomspace(1 / len(raw), 1, _SUPPORT)) * len(raw)).astype(np.int64)
            ]
        exceed = len(ordered) - np.searchsorted(ordered, raw, "left")
        decades = -np.log10(np.minimum((exceed + 0.5) / (len(ordered) + 0.5), 1.0))
        return cls(raw, decades)

    def look_up(self, raw: Floats) -> Floats:
        inside = np.interp(raw, self.raw, self.decades)
        return np.asarray(np.minimum(inside + _BEYOND * np.maximum(raw - self.raw[-1], 0.0), _MOST))
