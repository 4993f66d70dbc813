"""Features that only a comparison with other snapshots gives: what is new, gone or shifted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wfops_pipelines.anomaly._features import Feature, share, steadied
from wfops_pipelines.anomaly._sides import looks_ahead
from wfops_pipelines.anomaly._sketches import unpack
from wfops_pipelines.anomaly._timed import is_timed
from wfops_pipelines.anomaly.nouns import ColumnProfile, Kind, Sketch

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Columns = Sequence[ColumnProfile | None]

SHARES_AT_MOST = 40
_FREQUENT = 0.003
_FEW = 120
_DENSE = 4096
_UNSEEN, _PAIRS = 0.5, 1024
_NOTHING = (np.zeros(0, np.uint64), np.zeros(0, np.int64))
_ONE_HOUR = 0.99
_MISSED = 7.0  # of so many rows that should have come, all are missed once in a thousand times


@dataclass(frozen=True, slots=True)
class Entries:
    """The keys that all sketches can answer for: an entry a key and snapshot that has it.

    `key` indexes `keys`; `first` and `last` are the first and last snapshot of the history (the
    new one is not in it) with the entry's key, `snapshots` and -1 when there is none.
    """

    keys: npt.NDArray[np.uint64]
    key: Ints
    snapshot: Ints
    count: Floats
    snapshots: int

    @classmethod
    def of(cls, sketches: Sequence[Sketch | None]) -> Entries:
        there = [s for s in sketches if s is not None]
        bound = np.uint64(min((s.bound for s in there), default=0))
        parts = [unpack(s) if s is not None else _NOTHING for s in sketches]
        raw = np.concatenate([k for k, _ in parts])
        count = np.concatenate([c for _, c in parts]).astype(np.float64)
        snapshot = np.repeat(np.arange(len(parts)), [len(k) for k, _ in parts])
        keep = raw <= bound
        keys, key = np.unique(raw[keep], return_inverse=True)
        return cls(keys, key, snapshot[keep], count[keep], len(parts))

    def totals(self, only: Bools | None = None) -> Floats:
        """Counts of each snapshot, or of those entries of it."""
        return np.bincount(
            self.snapshot, self.count if only is None else self.count * only, self.snapshots
        ).astype(np.float64)

    def distance(self) -> Ints:
        """How many snapshots away the compared side (see `_sides`) has the key; far if nowhere."""
        new = self.snapshots - 1
        far = self.snapshots + 1
        order = np.lexsort((self.snapshot, self.key))
        key, at = self.key[order], self.snapshot[order]
        step = np.where(key[1:] == key[:-1], at[1:] - at[:-1], far)
        before = np.concatenate([[far], step])
        after = np.concatenate([np.where(at[1:] == new, far, step), [far]])[: len(before)]
        out = np.empty(len(order), np.int64)
        out[order] = np.where(looks_ahead(at, new), after, before)[: len(order)]
        return out

    def fresh(self) -> Floats:
        """Counts of the keys that the compared side lacks, as if all sides were equally long.

        A short side has seen less. How fast what is unseen dwindles with the length of a side is
        read off the history, as a power of the length.
        """
        distance, reach = self.distance(), reaches(self.snapshots - 1)
        total = np.maximum(self.totals(), 1e-300)
        hits = self.totals(distance > reach[self.snapshot])
        shares = [
            (self.totals(distance > n) / total)[:-1][reach[:-1] >= n].mean()
            for n in _lengths(self.snapshots - 1)
        ]
        return hits * dwindling(shares, _lengths(self.snapshots - 1), reach)

    def returned(self) -> Floats:
        """Counts of the keys that the compared side has, but not its nearest snapshot."""
        distance = self.distance()
        return self.totals((distance > 1) & (distance <= self.snapshots))

    def table(self) -> Floats:
        """Counts as (keys, snapshots)."""
        out = np.zeros((len(self.keys), self.snapshots))
        out[self.key, self.snapshot] = self.count
        return out


def unseen(name: str | None, what: str, kind: Kind, entries: Entries) -> Feature:
    """Share of the rows with a value that no snapshot on the compared side has."""
    total = entries.totals()
    of = np.where(total > 0, total, np.nan)
    return share(name, f"unseen {what}", kind, entries.fresh(), of)


def reaches(history: int) -> Ints:
    """How many snapshots the compared side of each snapshot has, the new one last."""
    at = np.arange(history + 1)
    return np.where(looks_ahead(at, history), history - 1 - at, at)


def _lengths(history: int) -> Ints:
    """Lengths of sides that several snapshots of a history have."""
    return np.unique(np.linspace(max(history // 4, 1), max(history * 3 // 4, 1), 4).astype(int))


def dwindling(shares: Sequence[float], lengths: Ints, reach: Ints) -> Floats:
    """What a count from a side of `reach` snapshots would be from the whole history's length."""
    known = np.maximum(np.asarray(shares, np.float64), 1e-4)
    if len(lengths) < 2:
        return np.ones(len(reach))
    x, y = np.log(lengths), np.log(known)
    slope = ((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum()
    longest = float(reach[-1])
    factor = (longest / np.maximum(reach, 1)) ** float(np.clip(slope, -1.5, 0.0))
    return np.asarray(factor)


def known_side(counts: Floats) -> Floats:
    """Sums over each snapshot's compared side, from (…, snapshots) counts."""
    new = counts.shape[-1] - 1
    upto = np.cumsum(counts, axis=-1)
    before = upto - counts
    after = upto[..., new - 1 : new] - upto if new else before
    return np.where(looks_ahead(np.arange(new + 1), new), after, before)


def distance(
    name: str | None, what: str, kind: Kind, counts: Floats, known: Floats | None = None
) -> Feature:
    """Total variation distance to the compared side, against what chance alone would give.

    `known`: the counts to compare with, where they are not just those of that side.
    """
    total = np.maximum(counts.sum(0), 1.0)
    known = known_side(counts) if known is None else known
    sums = np.maximum(known.sum(0), 1.0)
    gap = np.abs(counts / total - known / sums)
    pooled = (counts + known) / (total + sums)
    spread = np.sqrt(pooled * (1 - pooled) * (1 / total + 1 / sums) * 2 / np.pi)
    chance = spread.sum(0) + 1e-12
    freedom = np.maximum(chance**2 / np.maximum((spread**2).sum(0), 1e-300), 1.0)
    raw = np.where(counts.sum(0) > 0, gap.sum(0) / 2, np.nan)
    x = np.log(gap.sum(0) / chance + 0.3)
    return Feature(
        name,
        f"mix of {what}",
        kind,
        "%",
        raw,
        np.where(np.isnan(raw), np.nan, x),
        0.5 / freedom,
        True,
    )


def shares(
    name: str, columns: Columns, keys: npt.NDArray[np.uint64], counts: Floats
) -> Iterator[Feature]:
    """Each value of a column that has few of them, as a share."""
    labels: dict[str, str] = {}
    for column in columns:
        labels.update(column.labels if column is not None else {})
    total = np.array(
        [np.nan if c is None or not c.counts["present"] else c.counts["present"] for c in columns]
    )
    known = _usual(counts)
    mass = np.where(known[:, -1], counts[:, :-1].sum(1), 0.0)
    for at in np.lexsort((keys, -mass))[:SHARES_AT_MOST]:
        if known[at, -1]:
            label = labels.get(f"{keys[at]:016x}", "a value")
            of = np.where(_there(counts[at], total), total, np.nan)
            told = known[at]  # elsewhere it counts as unseen
            yield share(name, f"share of '{label}'", "values", counts[at], of, told=told)


def _there(count: Floats, total: Floats) -> Bools:
    """From when on a value is one of the column's: it has no usual share before it came.

    One that is so rare that it may have been missed is there from the beginning.
    """
    rows, first = np.nan_to_num(total[:-1]), int(np.argmax(count > 0))
    share = count[first:-1].sum() / max(rows[first:].sum(), 1.0)
    came = rows[:first].sum() * share > _MISSED
    return np.asarray(np.arange(len(count)) >= (first if came else 0))


def _usual(counts: Floats) -> Bools:
    """Which values are frequent enough on each snapshot's compared side to have a usual share.

    The new snapshot's values are chosen by the history alone; were an old one's chosen by the
    whole history, itself included, what came in a burst then would look far odder than a burst
    that is new can.
    """
    mass, often = known_side(counts), known_side((counts > 0).astype(np.float64))
    mass = np.where(often > 1, mass, 0.0)
    return np.asarray((mass > 2) & (mass >= _FREQUENT * mass.sum(0)))


def values(name: str, columns: Columns, entries: Entries) -> Iterator[Feature]:
    """`entries` are those of the column's values."""
    yield unseen(name, "values", "values", entries)
    few = all(c is None or len(c.sketches["values"].keys) <= 8 * _FEW for c in columns)
    if few and not is_timed(columns):
        counts = entries.table()
        yield distance(name, "values", "values", counts)
        yield from shares(name, columns, entries.keys, counts)


def textual(name: str, columns: Columns, is_key: bool) -> Iterator[Feature]:
    """What is new in the spelling and in its mix; keys grow, so of them only what is new."""
    for sketch, what in (("shapes", "patterns"), ("words", "words"), ("pairs", "letter pairs")):
        if is_key and sketch == "words":
            continue
        chosen = [None if c is None else c.sketches.get(sketch) for c in columns]
        if any(s is not None for s in chosen):
            entries = Entries.of(chosen)
            yield unseen(name, what, "text", entries)
            if len(entries.keys) <= _DENSE and not is_key:
                counts = entries.table()
                yield distance(name, what, "text", counts)
                if sketch == "pairs":
                    yield _improbable(name, counts)


def _improbable(name: str, counts: Floats) -> Feature:
    """How improbable the letter pairs are by those of the compared side."""
    total, known = counts.sum(0), known_side(counts)
    known_total = known.sum(0)
    of = np.where(total > 0, total, np.nan)
    nats = -np.log((known + _UNSEEN) / (known_total + _UNSEEN * _PAIRS))
    mean = (counts * nats).sum(0) / of
    spread = (counts * nats**2).sum(0) / of - mean**2
    noise = steadied((np.maximum(spread, 0.0) + 1e-3) / of, of)
    return Feature(name, "improbable spelling", "text", "nats", mean, mean, noise, True)


def clocked(name: str, columns: Columns, expected: Floats | None = None) -> Iterator[Feature]:
    """The mix of hours; against the `expected` shares of each (24, snapshots) where given."""
    chosen = [None if c is None else c.sketches.get("hours") for c in columns]
    if any(s is not None for s in chosen):
        entries = Entries.of(chosen)
        counts = entries.table()
        known = known_side(counts)
        if expected is not None:
            counts = np.where(expected.max(0) < _ONE_HOUR, counts, 0.0)  # no mix
            known = expected[entries.keys.astype(np.int64)] * known.sum(0)
        yield distance(name, "hours of the day", "times", counts, known)
