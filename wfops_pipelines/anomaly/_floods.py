"""One value of a column that is far more frequent, or rarer, than on the compared side.

A share of its own for each value would drown a default that floods a column of many values among
hundreds of shares, each of which may be large by chance. The largest jump of all values is one
statistic, and the history tells how large it usually is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from wfops_pipelines.anomaly._compared import Entries, known_side
from wfops_pipelines.anomaly._features import Feature
from wfops_pipelines.anomaly._sides import looks_ahead
from wfops_pipelines.anomaly.nouns import ColumnProfile

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Columns = Sequence[ColumnProfile | None]

_OFTEN, _SHARE = 120, 0.003  # values whose absence is looked at
_NEVER = 0.5
_NOISE = 0.035  # of log(1 + decades), where the largest of several hundred is by chance


def floods(name: str, columns: Columns, entries: Entries) -> Iterator[Feature]:
    """The value that most exceeds what is known of it, and the one that most falls short."""
    total = entries.totals()
    if not len(entries.keys) or not total[-1] > 0:
        return
    part = total / np.maximum(total + known_side(total), 1.0)
    labels: dict[str, str] = {}
    for column in columns:
        labels.update(column.labels if column is not None else {})
    yield _flood(name, entries, part, labels)
    often = _frequent(entries)
    if len(often) > 1:
        yield _lack(name, entries, often, part, labels)


def _flood(name: str, entries: Entries, part: Floats, labels: Mapping[str, str]) -> Feature:
    from scipy.special import betainc

    known = side_counts(entries) + _NEVER
    tail = betainc(np.maximum(entries.count, 1e-9), known, part[entries.snapshot])
    decades = -np.log10(np.maximum(tail, 1e-30))
    largest = np.zeros(entries.snapshots)
    np.maximum.at(largest, entries.snapshot, decades)
    new = np.flatnonzero(entries.snapshot == entries.snapshots - 1)
    key = int(entries.key[new[np.argmax(decades[new])]])
    counts = entries.totals(entries.key == key)
    return _feature(name, "flood of", _label(entries, key, labels), entries, counts, largest)


def _lack(
    name: str, entries: Entries, often: Ints, part: Floats, labels: Mapping[str, str]
) -> Feature:
    from scipy.special import betainc

    counts = _table(entries, often)
    tail = betainc(known_side(counts) + _NEVER, counts + 1.0, 1.0 - part)
    decades = -np.log10(np.maximum(tail, 1e-30))
    at = int(np.argmax(decades[:, -1]))
    label = _label(entries, int(often[at]), labels)
    return _feature(name, "lack of", label, entries, counts[at], decades.max(0))


def _feature(
    name: str, what: str, label: str, entries: Entries, counts: Floats, decades: Floats
) -> Feature:
    total = entries.totals()
    of = np.where(total > 0, total, np.nan)
    x = np.where(total > 0, np.log1p(decades), np.nan)
    noise = np.where(total > 0, _NOISE, np.nan)
    said = f"{what} '{label}'"  # one row that is gone is worth little, however rarely one goes
    return Feature(name, said, "values", "%", counts / of, x, noise, True, decades)


def _label(entries: Entries, key: int, labels: Mapping[str, str]) -> str:
    return labels.get(f"{entries.keys[key]:016x}", "a value")


def side_counts(entries: Entries) -> Floats:
    """For each entry, how often the compared side (see `_sides`) has its key."""
    new = entries.snapshots - 1
    order = np.lexsort((entries.snapshot, entries.key))
    key, at = entries.key[order], entries.snapshot[order]
    count = np.where(at < new, entries.count[order], 0.0)
    upto = np.cumsum(count)
    total = np.bincount(key, count, len(entries.keys))
    before = upto - count - (np.cumsum(total) - total)[key]
    known = np.where(looks_ahead(at, new), total[key] - before - count, before)
    out = np.empty(len(order))
    out[order] = known
    return out


def _frequent(entries: Entries) -> Ints:
    old = entries.snapshot < entries.snapshots - 1
    mass = np.bincount(entries.key, entries.count * old, len(entries.keys))
    top = np.argsort(-mass, kind="stable")[:_OFTEN]
    return np.asarray(top[mass[top] >= _SHARE * mass.sum()])


def _table(entries: Entries, chosen: Ints) -> Floats:
    """Counts of the chosen keys as (keys, snapshots)."""
    place = np.full(len(entries.keys), -1)
    place[chosen] = np.arange(len(chosen))
    keep = place[entries.key] >= 0
    out = np.zeros((len(chosen), entries.snapshots))
    out[place[entries.key[keep]], entries.snapshot[keep]] = entries.count[keep]
    return out
