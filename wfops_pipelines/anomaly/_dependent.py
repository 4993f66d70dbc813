"""Columns that depend on each other: combinations of usual values that never were together.

A value of a column that is usual by itself can be wrong beside the others: a carrier that never
flew that aircraft, a tax code of another rate. Where one column (nearly) determines another, a
functional dependency, few combinations occur of the many that could, so that one that was never
seen is a sign although each of its values was.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wfops_pipelines.anomaly._features import Feature, share
from wfops_pipelines.anomaly._hashing import NULL_CELL
from wfops_pipelines.anomaly._sides import looks_ahead
from wfops_pipelines.anomaly.nouns import Profile

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

STATISTIC = "unseen combinations "
_KNOWN = 0.75  # of the rows of a column that is compared have a value that is known
_CONSTANT = 0.995
_COLUMNS, _COMPARED = 40, 16  # looked at, and of these compared with each other
_TRIED = 4_000  # rows by which partners are chosen
_POWER, _RATE = 0.02, 0.01
_LEAST_RATE = 0.003


@dataclass(frozen=True, slots=True)
class _Rows:
    """Sampled rows of all snapshots, in the order of the snapshots, the new one last."""

    snapshot: Ints
    snapshots: int

    def known(self, codes: Ints) -> Bools:
        """Of each row: is its code there on the compared side (see `_sides`) of its snapshot?"""
        new = self.snapshots - 1
        first = np.full(int(codes.max(initial=0)) + 1, self.snapshots, np.int64)
        last = np.full(len(first), -1, np.int64)
        first[codes[::-1]] = self.snapshot[::-1]  # the last write wins
        old = self.snapshot < new
        last[codes[old]] = self.snapshot[old]
        ahead = looks_ahead(self.snapshot, new)
        earlier = first[codes] < np.minimum(self.snapshot, new)
        return np.where(ahead, last[codes] > self.snapshot, earlier)

    def shares(self, rows: Bools) -> Floats:
        return np.bincount(self.snapshot[rows], minlength=self.snapshots).astype(np.float64)


def dependent(profiles: Sequence[Profile]) -> Iterator[Feature]:
    """For each column, the share of its values that never were beside those of its partner.

    The partner is the column beside which most of its values would never have been, were they
    drawn at random. Whether a value is null at all goes by another column often, too: it has a
    partner of its own. Keys and times have none.
    """
    schema = profiles[-1].schema
    kept = [p if p.cell_rows and p.schema == schema else None for p in profiles]
    if kept[-1] is None or len([p for p in kept if p]) * 2 <= len(kept):
        return
    sizes = [len(p.cell_rows) // 8 if p else 0 for p in kept]
    rows = _Rows(np.repeat(np.arange(len(kept)), sizes), len(kept))
    codes, nulls = _codes([p for p in kept if p], rows)
    both = [(a, b, STATISTIC + "with ", codes) for a, b in _partners(rows, codes, codes)]
    both += [(a, b, STATISTIC + "of null with ", nulls) for a, b in _partners(rows, nulls, codes)]
    for name, partner, statistic, of in both:
        yield _never_together(rows, name, statistic + partner, of[name], codes[partner])


def _never_together(rows: _Rows, name: str, statistic: str, a: Ints, b: Ints) -> Feature:
    known = rows.known(a) & rows.known(b)
    never = known & ~rows.known(_numbered(_combined(a, b)))
    of = rows.shares(known)
    of = np.where(of > 0, of, np.nan)
    return share(name, statistic, "relations", rows.shares(never), of, True)


def _codes(kept: Sequence[Profile], rows: _Rows) -> tuple[dict[str, Ints], dict[str, Ints]]:
    """The values of the columns that can be compared, numbered; of all, which are null."""
    values: dict[str, Ints] = {}
    nulls: dict[str, Ints] = {}
    for at, column in enumerate(kept[-1].columns[:_COLUMNS]):
        if column.name == kept[-1].key:
            continue
        cells = np.frombuffer(b"".join(p.columns[at].cells for p in kept), np.uint32)
        absent = (cells == NULL_CELL).astype(np.int64)
        if len(nulls) < _COMPARED and _comparable(rows, absent):
            nulls[column.name] = absent
        if len(values) < _COMPARED and column.kind != "time":
            codes = _numbered(cells)
            if _comparable(rows, codes):
                values[column.name] = codes
    return values, nulls


def _numbered(values: npt.NDArray[np.integer]) -> Ints:
    return np.asarray(np.unique(values, return_inverse=True)[1], np.int64)


def _combined(a: Ints, b: Ints) -> Ints:
    return np.asarray(a * (int(b.max(initial=0)) + 1) + b)


def _comparable(rows: _Rows, codes: Ints) -> bool:
    old = rows.snapshot < rows.snapshots - 1
    counts = np.bincount(codes[old])
    if not len(counts) or counts.max() >= _CONSTANT * counts.sum():
        return False
    return bool(rows.known(codes)[old].mean() >= _KNOWN)


def _partners(
    rows: _Rows, columns: dict[str, Ints], others: dict[str, Ints]
) -> list[tuple[str, str]]:
    """Each column's best partner among the others.

    Of two that are each other's, only the one of fewer values is told of: it goes by the other.
    """
    old = np.flatnonzero(rows.snapshot < rows.snapshots - 1)
    tried = old[:: max(len(old) // _TRIED, 1)]
    some = _Rows(rows.snapshot[tried], rows.snapshots)
    few = {name: _numbered(codes[tried]) for name, codes in others.items()}
    known = {name: some.known(codes) for name, codes in few.items()}
    found: dict[str, str] = {}
    for name, codes in columns.items():
        x = _numbered(codes[tried])
        seen = some.known(x)
        best = 0.0
        for partner, y in few.items():
            if partner == name:
                continue
            both = seen & known[partner]
            never = both & ~some.known(_numbered(_combined(x, y)))
            rate = float(never.sum() / max(both.sum(), 1))
            power = _power(x, y) if rate <= _RATE else 0.0
            worth = power / np.sqrt(rate + _LEAST_RATE)
            if power >= _POWER and worth > best:
                best, found[name] = float(worth), partner
    sizes = {name: int(codes.max(initial=0)) for name, codes in few.items()}
    mutual = {a for a, b in found.items() if others is columns and found.get(b) == a}
    twice = {a for a in mutual if (sizes[a], a) > (sizes[found[a]], found[a])}
    return [(a, b) for a, b in found.items() if a not in twice]


def _power(x: Ints, y: Ints) -> float:
    """How often a value drawn from `x` would never have been beside the `y` of a row."""
    usual = np.bincount(x) / max(len(x), 1)
    pairs = np.unique(_combined(y, x))
    ys, xs = np.divmod(pairs, int(x.max(initial=0)) + 1)
    beside = np.bincount(ys, usual[xs], int(y.max(initial=0)) + 1)
    return float(1.0 - beside[y].mean()) if len(y) else 0.0
