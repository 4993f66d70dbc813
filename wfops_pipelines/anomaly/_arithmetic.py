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
_FEWEST, _GLANCE, _PLAUSIBLE, _MOSTLY = 20, 128, 0.25, 0.8
_RELATIVE, _ROUNDED = 1e-9, 0.0051  # half a cent


def rules(numbers: Mapping[int, Floats]) -> dict[str, Held]:
    """Which columns may be made of two others, by their places in the table.

    Kept is what fits far more rows than if each result were taken from the next row. Rows whose
    result is one of both (nothing added, one unit) prove nothing. Whether it is a rule, the history
    tells.
    """
    out: dict[str, Held] = {}
    chosen = list(numbers)[:MAX_COLUMNS]
    for a, b in permutations(chosen, 2):
        for sign, made in _made(numbers[a], numbers[b], a < b).items():
            solid = ~(_near(made, numbers[a]) | _near(made, numbers[b]))
            for c in chosen:
                held = None if c in (a, b) else _held(made, numbers[c], solid)
                if held is not None:
                    out[f"{a} {sign} {b} {c}"] = held
    return out


def _made(a: Floats, b: Floats, either: bool) -> dict[str, Floats]:
    """What two columns make; what does not depend on their order only for one of both orders."""
    with np.errstate(over="ignore", invalid="ignore"):
        part = {"plus": 1.0 + b, "less": 1.0 - b, "plus%": 1.0 + b / 100, "less%": 1.0 - b / 100}
        both = {"+": a + b, "*": a * b} if either else {}
        return {**both, **{sign: a * by for sign, by in part.items()}}


def _held(made: Floats, c: Floats, solid: Bools) -> Held | None:
    if not _near(made[:_GLANCE], c[:_GLANCE]).any():
        return None
    told = np.isfinite(made) & np.isfinite(c)
    made, c, solid = made[told], c[told], solid[told]
    if solid.sum() < _FEWEST:
        return None
    fits, chance = _near(made, c), _near(made, np.roll(c, 1))
    if fits[solid].mean() - chance[solid].mean() < _PLAUSIBLE:
        return None
    return len(c), int(fits.sum())


def _near(a: Floats, b: Floats) -> Bools:
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(np.abs(a - b) <= _RELATIVE * np.maximum(np.abs(a), np.abs(b)) + _ROUNDED)


def broken_rules(profiles: Sequence[Profile]) -> Iterator[Feature]:
    """For each rule that most snapshots of the history keep, the share of rows that break it.

    Where the new snapshot does not tell (too few rows, all of them alike), nothing is said.
    """
    new = profiles[-1]
    known = [p.rules if p.schema == new.schema else {} for p in profiles]
    for rule in sorted(new.rules):
        held = [one.get(rule, (np.nan, np.nan)) for one in known]
        of, fits = np.array(held, np.float64).T
        kept = int((fits[:-1] >= _MOSTLY * of[:-1]).sum())
        if kept * 2 > len(profiles) - 1:
            yield share(*_said(new, rule), "relations", of - fits, of, True)


def _said(profile: Profile, rule: str) -> tuple[str, str]:
    a, sign, b, c = rule.split(" ")
    names = (profile.columns[int(at)].name for at in (a, b))
    return profile.columns[int(c)].name, "other than " + _SIGNS[sign].format(*names)
