"""In how many columns a snapshot has something that none of the compared ones had.

A single null in a column that never had one says little beside hundreds of other features, each
of which may be new by chance. But most histories hardly know a first time of anything, so that
their number is a strong sign. What is new again and again (free text) does not count.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from wfops_pipelines.anomaly._compared import known_side
from wfops_pipelines.anomaly._features import Feature

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

STATISTIC = "columns with something new"
_FROM_NONE = frozenset(
    (
        "null", "empty", "missing", "epoch", "far", "minus_one", "nines", "odd", "negative",
        "untrimmed", "damaged", "accented", "control", "wide", "repeated rows",
    )
)  # fmt: skip
_FROM_ALL = frozenset(("whole", "cents", "micros", "spelled_numbers", "spelled_times", "midnight"))
_COMPARED = ("unseen values", "unseen patterns", "unseen letter pairs", "unseen combinations")


def novelties(features: Sequence[Feature], snapshots: int) -> Feature:
    """The number of columns with a first time of anything, on the scale of counts."""
    by_column: dict[str | None, Bools] = {}
    for feature in features:
        first = _first(feature)
        if first is not None:
            others = first[:-1].sum() - np.append(first[:-1], False)
            alone = first & (others == 0)
            by_column[feature.column] = by_column.get(feature.column, False) | alone
    count = np.sum([*by_column.values()], axis=0, dtype=np.float64) + np.zeros(snapshots)
    x = np.sqrt(count + 0.375)
    most = np.log10(float(snapshots)) * (0.5 + count)  # of one in so many, nobody knows more
    noise = np.full(snapshots, 0.25)
    return Feature(None, STATISTIC, "novelty", "count", count, x, noise, True, most)


def _first(feature: Feature) -> Bools | None:
    """At which snapshots the feature shows what its compared side never does."""
    raw = feature.raw
    if feature.statistic.startswith(_COMPARED):
        return np.asarray(raw > 0)
    if feature.statistic in _FROM_NONE:
        return _never(feature, raw > 0)
    if feature.statistic in _FROM_ALL or (feature.kind == "relations" and feature.unit == "%"):
        return _never(feature, raw > 0) | _never(feature, raw < 1)
    return None


def _never(feature: Feature, there: Bools) -> Bools:
    """A profile of an older version, which does not tell, may have had it."""
    untold = np.isnan(feature.raw) & (np.asarray(feature.of) > 0)
    return np.asarray(there & (known_side((there | untold).astype(np.float64)) == 0))
