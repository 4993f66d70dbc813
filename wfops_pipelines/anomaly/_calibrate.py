"""From scores to the share of normal snapshots that would score as high."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

PSEUDO = 8.0
TYPICAL, TYPICAL_WEIGHT = -0.1, 20.0  # log score of normal snapshots, development streams
PRIOR_SPREAD = 0.40
FARTHEST = 0.60
_FLOOR = 0.3


def p_value(history: Floats, recombined: Floats, new: float) -> float:
    """Upper tail of a Student t through the history's scores, on the log scale.

    `history` are the scores that the old snapshots got, each without having been learned from;
    `recombined` those of made-up normal ones, which count as `PSEUDO` more with a spread of
    their own or `PRIOR_SPREAD`, whichever is larger. Scores are in the same unit everywhere, so
    that what is typical of other syncs steadies the centre (as `TYPICAL_WEIGHT` snapshots), and
    an old storm day counts as no more than `FARTHEST` above the median: it must not hide the next.
    """
    from scipy.special import stdtr

    old, made = np.log(history + _FLOOR), np.log(recombined + _FLOOR)
    old = np.minimum(old, np.median(old) + FARTHEST)
    n, known = len(old), len(old) + PSEUDO + TYPICAL_WEIGHT
    centre = (old.sum() + PSEUDO * made.mean() + TYPICAL_WEIGHT * TYPICAL) / known
    prior = max(float(made.std()), PRIOR_SPREAD)
    variance = (((old - centre) ** 2).sum() + (known - n) * prior**2) / (known - 1)
    t = (np.log(new + _FLOOR) - centre) / np.sqrt(variance * (1 + 1 / known))
    return float(np.clip(stdtr(known - 1, -t), 1e-12, 1.0))
