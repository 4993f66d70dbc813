"""What counts of rare things can be worth at most, from exact tails.

On the arcsine scale one row with what no row ever had stands as far out as the history is quiet,
although one such row turns up by chance. The exact tail knows better: a count beside what the
compared side has, negative binomial, since the rate is only known from counts, too. How often
things come up that never were is read off the history, for all statistics of a family together.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from wfops_pipelines.anomaly._features import Feature, told
from wfops_pipelines.anomaly._sides import Bools, product

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

RARE = 0.1
_KINDS = ("relations", "values")
_FIRSTS, _CHANCES = 1.0, 2.0  # before any is seen: one first time in two chances of it
_LOWEST, _HIGHEST = 0.02, 1.0
_NOTHING = 1e-3


def limits(features: Sequence[Feature], allowed: Bools) -> Floats:
    """Decades that each feature can show at most in each snapshot; infinite where shares are large.

    Whole rows that come again and stand-ins for missing values are no accidents of sampling, so
    that only shares of values and of relations between columns are limited.
    """
    out = np.full((len(features), len(allowed)), np.inf)
    chosen = [at for at, f in enumerate(features) if f.of is not None and f.kind in _KINDS]
    if not chosen:
        return out
    hits, known, of, others = _counts([features[at] for at in chosen], allowed)
    family = np.array([_KINDS.index(features[at].kind) for at in chosen])
    part = of / np.maximum(of + others, 1e-9)
    asked = np.where(told([features[at] for at in chosen]), part, 0.0)
    rate = _rates(hits, known, asked, family)[:, None]
    decades = tails(hits, known + rate, part)
    share = (known + hits) / np.maximum(others + of, 1.0)
    out[chosen] = np.where(share < RARE, decades, np.inf)
    return out


def tails(hits: Floats, known: Floats, part: Floats) -> Floats:
    """Decades of the two-sided tail of a count; `part` is the snapshot's share of all that was."""
    from scipy.special import betainc

    upper = np.where(hits > 0, betainc(np.maximum(hits, 1e-9), known, part), 1.0)
    lower = betainc(known, hits + 1.0, 1.0 - part)
    return np.asarray(-np.log10(np.clip(2.0 * np.minimum(upper, lower), 1e-30, 1.0)))


def _counts(features: Sequence[Feature], allowed: Bools) -> tuple[Floats, Floats, Floats, Floats]:
    """Hits in each snapshot and on its compared side, and what they are of; of the rarer half."""
    raw = np.array([f.raw for f in features])
    whole = np.array([f.of for f in features], np.float64)
    of = np.where(np.isfinite(raw) & np.isfinite(whole), whole, 0.0)
    hits = np.where(of > 0, raw, 0.0) * of
    side = allowed.astype(np.float64)
    known, others = product(hits, side), product(of, side)
    mostly = (known + hits) > 0.5 * (others + of)
    hits, known = np.where(mostly, of - hits, hits), np.where(mostly, others - known, known)
    return _clean(hits), _clean(known), of, others


def _clean(counts: Floats) -> Floats:
    return np.where(counts < _NOTHING, 0.0, counts)


def _rates(hits: Floats, known: Floats, part: Floats, family: Ints) -> Floats:
    """First times seen in the history by the chances of one, by family."""
    never = (known[:, :-1] <= 0) & (part[:, :-1] > 0)
    seen = never & (hits[:, :-1] > 0)
    rate = np.zeros(len(hits))
    for one in np.unique(family):
        of = family == one
        chances = float((never * part[:, :-1])[of].sum())
        rate[of] = (float(seen[of].sum()) + _FIRSTS) / (chances + _CHANCES)
    return np.asarray(np.clip(rate, _LOWEST, _HIGHEST))
