"""Columns that are made of two others, found in each snapshot by itself.

What a payout leaves after the fee, what a line costs, a price with its tax: where such a rule
holds for nearly all rows, a row that breaks it is wrong, however usual each of its numbers is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from wfops_pipelines.anomaly._features import Feature, share
from wfops_pipelines.anomaly._sketches import CELL_ROWS
from wfops_pipelines.anomaly.nouns import Profile

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Held: TypeAlias = tuple[int, int]  # rows with all three numbers, and those of them that fit

MAX_COLUMNS = 8
_SIGNS = {
    "+": "{} + {}",
    "*": "{} × {}",
    "plus": "{} × (1 + {})",
    "less": "{} × (1 − {})",
    "plus%": "{} plus {} %",
    "less%": "{} less {} %",
}
_FEWEST, _MOSTLY, _BY_CHANCE = 20, 0.8, 0.2
_RELATIVE, _ROUNDED = 1e-9, 0.0051  # half a cent


def rules(numbers: Mapping[int, Floats]) -> dict[str, Held]:
    """Which columns are made of two others in nearly all rows, by their places in the table.

    A rule that fits nearly as well when each row's result is taken from the next row is none, and
    that zeros fit proves nothing.
    """
    out: dict[str, Held] = {}
    chosen = list(numbers)[:MAX_COLUMNS]
    for a, b in permutations(chosen, 2):
        solid = (numbers[a] != 0) & (numbers[b] != 0)
        for sign, made in _made(numbers[a], numbers[b], a < b).items():
            for c in chosen:
                held = None if c in (a, b) else _held(made, numbers[c], solid)
                if held is not None:
                    out[f"{a} {sign} {b} {c}"] = held
    return out


def _made(a: Floats, b: Floats, either: bool) -> dict[str, Floats]:
    """What two columns make; what does not depend on their order only for one of both orders."""
    largest = float(np.fmax.reduce(np.abs(b), initial=0.0))
    with np.errstate(over="ignore", invalid="ignore"):
        out = {"+": a + b, "*": a * b} if either else {}
        if largest <= 1.0:
            return {**out, "plus": a * (1.0 + b), "less": a * (1.0 - b)}
        if largest <= 100.0:
            return {**out, "plus%": a * (1.0 + b / 100.0), "less%": a * (1.0 - b / 100.0)}
        return out


def _held(made: Floats, c: Floats, solid: Bools) -> Held | None:
    told = np.isfinite(made) & np.isfinite(c)
    made, c, solid = made[told], c[told], solid[told]
    if solid.sum() < _FEWEST:
        return None
    fits = _near(made, c)
    if fits[solid].mean() < _MOSTLY or _near(made, np.roll(c, 1))[solid].mean() > _BY_CHANCE:
        return None
    return len(c), int(fits.sum())


def _near(a: Floats, b: Floats) -> Bools:
    with np.errstate(over="ignore"):
        return np.asarray(np.abs(a - b) <= _RELATIVE * np.maximum(np.abs(a), np.abs(b)) + _ROUNDED)


def broken_rules(profiles: Sequence[Profile]) -> Iterator[Feature]:
    """For each rule that most snapshots of the history know, the share of rows that break it.

    A snapshot that does not know it breaks it in more rows than a rule may be broken in.
    """
    new = profiles[-1]
    if not new.cell_rows:
        return
    known = [p.rules if p.schema == new.schema else {} for p in profiles]
    for rule in sorted({rule for one in known[:-1] for rule in one}):
        held = [one.get(rule) for one in known]
        if sum(h is not None for h in held[:-1]) * 2 <= len(held) - 1:
            continue
        rows = min(new.sampled, CELL_ROWS)
        if held[-1] is None and rows >= _FEWEST:
            held[-1] = rows, int(_MOSTLY * rows)
        of, fits = np.array([h or (np.nan, np.nan) for h in held], np.float64).T
        yield share(*_said(new, rule), "relations", of - fits, of, True)


def _said(profile: Profile, rule: str) -> tuple[str, str]:
    a, sign, b, c = rule.split(" ")
    names = (profile.columns[int(at)].name for at in (a, b))
    return profile.columns[int(c)].name, "other than " + _SIGNS[sign].format(*names)
