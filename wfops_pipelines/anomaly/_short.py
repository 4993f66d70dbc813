"""The wider rule for a sync with too little history to calibrate anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from wfops_pipelines.anomaly._collect import by_column
from wfops_pipelines.anomaly._dates import taken
from wfops_pipelines.anomaly._features import Feature, quantiles
from wfops_pipelines.anomaly._words import sentence, shown_past
from wfops_pipelines.anomaly.nouns import ColumnProfile, Kind, Profile, SnapshotFinding

Floats = npt.NDArray[np.float64]

ROWS_FACTOR = 5.0
TINY = 50.0  # rows; smaller snapshots, as of a first try, say nothing of a usual size
FEWEST = 10.0  # rows; where six are usual, one is seen by chance (Poisson: 1.7 %)
SIZE_FACTOR = 20.0
FEW_NULLS, MANY_NULLS = 0.05, 0.5
_WEIGHT = 3.0
_QUIET = np.zeros(1)


def gross(history: Sequence[Profile], new: Profile) -> list[SnapshotFinding]:
    """What is out of all proportion to the few snapshots there are: rows, nulls, sizes."""
    if not history or not new.rows:
        return []
    profiles = [*history, new]
    rows, when = np.array([float(p.rows) for p in profiles]), taken(profiles)
    far = _far(rows, ROWS_FACTOR, TINY, FEWEST) and not _explained(profiles, rows)
    found = [_finding(None, "rows", "volume", "rows", rows, when)] if far else []
    for name, columns in by_column(profiles).items():
        if all(column is not None for column in columns):
            found += _column(name, [c for c in columns if c is not None], when)
    return found


def _explained(profiles: Sequence[Profile], rows: Floats) -> bool:
    """Is it no other number of rows than usual for so long a time?"""
    ends = np.array([p.window or (None, None) for p in profiles], np.float64)
    length = ends[:, 1] - ends[:, 0]
    known = np.isfinite(length) & (length > 0)
    if not (known[-1] and known[:-1].any()):
        return False
    return not _far(rows[known] / length[known], ROWS_FACTOR)


def _column(name: str, columns: Sequence[ColumnProfile], when: Floats) -> Iterator[SnapshotFinding]:
    nulls = np.array([c.nulls / max(c.rows, 1) for c in columns])
    if nulls[:-1].max() < FEW_NULLS and nulls[-1] > MANY_NULLS:
        yield _finding(name, "null", "missing", "%", nulls, when)
    if columns[-1].kind == "number":
        points = [np.frombuffer(c.points, np.float64) for c in columns]
        middle = np.array([quantiles(np.sort(np.abs(p)), [0.5])[0] for p in points])
        if _far(middle, SIZE_FACTOR):
            yield _finding(name, "median size", "numbers", "number", middle, when)


def _far(values: Floats, factor: float, least: float = 0.0, fewest: float = 0.0) -> bool:
    """Is the last value more than `factor` away from all of the earlier, positive ones?

    Upwards they count as `least` at least; downwards none is where one of them is below `fewest`.
    """
    old, new = values[:-1], values[-1]
    if not (np.isfinite(values).all() and old.min() > 0):
        return False
    fell = old.min() >= fewest and new < old.min() / factor
    return bool(new > factor * max(old.max(), least) or fell)


def _finding(
    column: str | None,
    statistic: str,
    kind: Kind,
    unit: str,
    raw: Floats,
    when: Floats,
) -> SnapshotFinding:
    feature = Feature(column, statistic, kind, unit, raw, raw, _QUIET)
    measured, expected, said = sentence(feature, float("nan"), when)
    past = shown_past(feature)
    return SnapshotFinding(column, statistic, kind, measured, expected, _WEIGHT, said, past)
