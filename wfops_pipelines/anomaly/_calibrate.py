"""From scores to the share of normal snapshots that would score as high."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

PSEUDO = 8.0
PRIOR_SPREAD = 0.50
_FLOOR = 0.3


def p_value(history: Floats, recombined: Floats, new: float) -> float:
    """Upper tail of a Student t through the history's scores, on the log scale.

    `history` are the scores that the old snapshots got, each without having been learned from;
    `recombined` those of made-up normal ones, which count as `PSEUDO` more with a spread of
    their own or `PRIOR_SPREAD`, whichever is larger.
    """
    from scipy.special import stdtr

    old, made = np.log(history + _FLOOR), np.log(recombined + _FLOOR)
    n = len(old)
    centre = (old.sum() + PSEUDO * made.mean()) / (n + PSEUDO)
    prior = max(float(made.std()), PRIOR_SPREAD)
    variance = (((old - centre) ** 2).sum() + PSEUDO * prior**2) / (n + PSEUDO - 1)
    t = (np.log(new + _FLOOR) - centre) / np.sqrt(variance * (1 + 1 / (n + PSEUDO)))
    return float(np.clip(stdtr(n + PSEUDO - 1, -t), 1e-12, 1.0))
