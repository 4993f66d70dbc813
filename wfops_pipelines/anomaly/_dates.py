"""When the snapshots were taken that a finding compares with, as far as their profiles know."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from wfops_pipelines.anomaly.nouns import Profile, SnapshotFinding

Floats = npt.NDArray[np.float64]

_NEWEST = 0.95  # of the cursor's times: the newest may be far in the future by mistake
_UNTIL = re.compile(r"until the last snapshot(?=\)?$)")
_FIRST, _LAST = -6e10, 2e11  # seconds since 1970 that a calendar has


def taken(profiles: Sequence[Profile]) -> Floats:
    """When each snapshot was: nearly its newest time by the cursor, or the end of what was asked.

    The earlier of both: a backfill takes the snapshots of weeks within minutes, and times may lie
    in the future by mistake.
    """
    return np.array([_taken(profile) for profile in profiles], np.float64)


def _taken(profile: Profile) -> float:
    known = []
    clock = next((c for c in profile.columns if c.name == profile.cursor), None)
    if clock is not None and "hours" in clock.sketches and clock.points:
        known.append(float(np.quantile(np.frombuffer(clock.points, np.float64), _NEWEST)))
    if profile.window is not None and profile.window[1] is not None:
        known.append(profile.window[1] - 1.0)  # a stretch ends with the next one's first moment
    return min(known, default=float("nan"))


def since(moments: Floats) -> str:
    """ " (since 2026-10-28)" of snapshots, oldest first; "" where it is not known since when."""
    if not len(moments) or not np.isfinite(moments[0]):
        return ""
    day = _day(float(np.nanmin(moments)))
    return f" ({day})" if len(moments) == 1 else f" (since {day})"


def dated(broken: Sequence[SnapshotFinding], last: Floats) -> list[SnapshotFinding]:
    """Broken contracts, with the day of the `last` snapshot (none or one) that they name."""
    if not np.isfinite(last).any():
        return [*broken]
    said = f"until the last snapshot, {_day(float(last[0]))}"
    return [replace(f, sentence=_UNTIL.sub(said, f.sentence)) for f in broken]


def moment(seconds: float) -> datetime:
    """Seconds since 1970 as a time that a calendar has."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=min(max(seconds, _FIRST), _LAST))


def _day(seconds: float) -> str:
    return moment(seconds).date().isoformat()
