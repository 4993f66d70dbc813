"""All features of a history and a new snapshot, column by column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from wfops_pipelines.anomaly import _compared, _measured, _timed
from wfops_pipelines.anomaly._arithmetic import broken_rules
from wfops_pipelines.anomaly._dependent import dependent
from wfops_pipelines.anomaly._features import Feature, middle, share, volume
from wfops_pipelines.anomaly._floods import floods
from wfops_pipelines.anomaly._novel import novelties
from wfops_pipelines.anomaly._ranged import ranged
from wfops_pipelines.anomaly._sides import Bools
from wfops_pipelines.anomaly._window import Windows, windows
from wfops_pipelines.anomaly.nouns import ColumnProfile, Profile

Columns = Sequence[ColumnProfile | None]
Floats = npt.NDArray[np.float64]

_FEW_RANKED = 5
_NEARLY = 0.9999
_REFRESHED = 0.3
_MOVING = 0.8


def by_column(profiles: Sequence[Profile]) -> dict[str, Columns]:
    """Each column of the new snapshot (of several with one name, the first) through time."""
    held = [{c.name: c for c in reversed(p.columns)} for p in profiles]
    return {name: [columns.get(name) for columns in held] for name in held[-1]}


def features(profiles: Sequence[Profile], allowed: Bools) -> tuple[list[Feature], list[int]]:
    """Features that vary at all, and the weekday of each snapshot."""
    columns = by_column(profiles)
    clock, late = _timed.newest(profiles, columns)
    asked = windows(profiles, columns[clock] if clock else [None] * len(profiles), allowed)
    usual = asked.usual
    found = list(_table(profiles, asked))
    moving = set() if usual else _moving(profiles, clock)
    for name, one in columns.items():
        found += _column(name, one, allowed, name == profiles[-1].key, usual, name in moving)
        if _timed.is_timed(one):
            found += _times(name, one, None if name == clock else late, asked)
    found += _pairs(profiles, None if usual else clock)
    found += _spans(profiles, clock, usual)
    found += dependent(profiles)
    found += broken_rules(profiles)
    found.append(novelties(found, len(profiles)))
    return [f for f in found if _varies(f)], _timed.weekdays(late)


def _times(name: str, columns: Columns, late: Floats | None, asked: Windows) -> Iterator[Feature]:
    yield from _timed.times(name, columns, late, asked)
    if asked.known and late is None:
        yield from _compared.clocked(name, columns, asked.hours())
    elif asked.usual:
        yield from _compared.clocked(name, columns)


def _table(profiles: Sequence[Profile], asked: Windows) -> Iterator[Feature]:
    rows = np.array([float(p.rows) for p in profiles])
    yield volume(None, "rows", rows, asked.expected() if asked.known else None)
    repeats = np.array([float(p.duplicates) for p in profiles])
    yield share(None, "repeated rows", "duplicates", repeats, rows)
    entries = _compared.Entries.of([p.row_sketch for p in profiles])
    total = entries.totals()
    of, again = np.where(total > 0, total, np.nan), total - entries.fresh()
    yield share(None, "rows of earlier snapshots", "duplicates", again, of)
    if middle(again / of) > _REFRESHED:  # elsewhere, it is the same as rows of earlier snapshots
        yield share(None, "rows that had gone", "duplicates", entries.returned(), of)
    nulls = [p.null_patterns for p in profiles]
    if nulls[-1] is not None and nulls.count(None) * 2 < len(nulls):
        patterns = _compared.Entries.of(nulls)
        what = "combinations of nulls"
        yield _compared.unseen(None, what, "missing", patterns)
        yield _compared.distance(None, what, "missing", patterns.table())


def _moving(profiles: Sequence[Profile], clock: str | None) -> set[str]:
    """The key and columns that rise or fall with the clock: their range goes by its stretch."""
    new = profiles[-1]
    found = {new.key} if new.key else set()
    for pair in new.ranks:
        names = [new.columns[int(at)].name for at in pair.split("<")]
        if clock in names:
            ranks = [p.ranks.get(pair, (np.nan, 0))[0] for p in profiles if p.schema == new.schema]
            if abs(middle(np.array(ranks[:-1]))) > _MOVING:
                found |= set(names)
    return found


def _column(
    name: str, columns: Columns, allowed: Bools, is_key: bool, usual: bool, moving: bool
) -> Iterator[Feature]:
    """Features of one column; that keys get longer as they are counted up is no sign.

    `usual`: is the new snapshot's stretch of time like others? What grows with the number of rows
    is told only then, and how far a column comes that is `moving` with time.
    """
    timed = _timed.is_timed(columns)
    filler = {"nines"} if is_key else set()  # 9999 is a key like any other
    filler |= {"most"} if timed and not usual else set()
    yield from (f for f in _measured.missing(name, columns) if f.statistic not in filler)
    entries = _compared.Entries.of([None if c is None else c.sketches["values"] for c in columns])
    if usual:
        yield from _measured.variety(name, columns, entries)
    if usual or not timed:
        yield from _compared.values(name, columns, entries)
    if not is_key and not timed:
        yield from floods(name, columns, entries)
    last = columns[-1]
    if last is not None and last.kind in ("text", "nested"):
        if not is_key:
            yield from _measured.spelling(name, columns)
            yield from _measured.sizes(name, columns, allowed, lengths=True)
        yield from _compared.textual(name, columns, is_key)
    if timed or moving:
        return
    if any(c is not None and c.points for c in columns):
        yield from _measured.sizes(name, columns, allowed, lengths=False)
        if usual:
            yield from _measured.density(name, columns)
        yield from ranged(name, columns, allowed)


def _pairs(profiles: Sequence[Profile], unlike: str | None) -> Iterator[Feature]:
    """Relations of two columns. How things rise with a clock of `unlike` length says nothing."""
    new = profiles[-1]
    same = all(p.schema == new.schema for p in profiles)
    for pair in new.pairs:
        a, b = (new.columns[int(at)].name for at in pair.split("<"))
        counts = np.array([p.pairs.get(pair, (np.nan,) * 3) for p in profiles], np.float64).T
        if same and new.key not in (a, b):  # the order of a growing key flips some day
            yield share(a, f"below {b}", "relations", counts[1], counts[0])
            yield share(a, f"equal to {b}", "relations", counts[2], counts[0])
        if same and unlike not in (a, b):
            yield _ranked(a, b, [p.ranks.get(pair, (np.nan, 0)) for p in profiles])


def _spans(profiles: Sequence[Profile], clock: str | None, usual: bool) -> Iterator[Feature]:
    """The time between two columns, as of the one that is not the clock.

    How long before the clock's times something was goes by the hour and the length of a stretch.
    """
    new = profiles[-1]
    if not all(p.schema == new.schema for p in profiles):
        return
    for pair in new.spans:
        a, b = (new.columns[int(at)].name for at in pair.split("<"))
        if not usual and clock in (a, b):
            continue
        said = (b, f"since {a}") if a == clock else (a, f"until {b}")
        yield from _timed.between(*said, [p.spans.get(pair) for p in profiles])


def _ranked(a: str, b: str, found: Sequence[tuple[float, int]]) -> Feature:
    raw, count = np.array(found, np.float64).T
    raw = np.where(count > _FEW_RANKED, raw, np.nan)
    x = np.arctanh(np.clip(raw, -1.0, 1.0) * _NEARLY)
    said = f"rank correlation with {b}"
    return Feature(a, said, "relations", "correlation", raw, x, 1.0 / np.maximum(count, 1.0))


def _varies(feature: Feature) -> bool:
    there = feature.raw[np.isfinite(feature.raw)]
    return len(there) > 1 and bool(np.isfinite(feature.raw[-1])) and bool(np.ptp(there) > 0)
