"""What reviewers' decisions teach: how much each kind of finding counts for one sync."""

from __future__ import annotations

from collections.abc import Mapping

LOWEST, HIGHEST = 0.25, 1.0
_PRIOR = 2


def weight(rejections: int, approvals: int) -> float:
    """(2 + rejections) / (2 + rejections + approvals), never below a quarter.

    `approvals` counts holds that this kind of finding caused and a reviewer let go, `rejections`
    those that a reviewer confirmed. The bound keeps a kind from being silenced altogether.

    Raises:
        ValueError: a count is negative.
    """
    if rejections < 0 or approvals < 0:
        raise ValueError("decisions are counted from 0 up: rejections and approvals")
    raw = (_PRIOR + rejections) / (_PRIOR + rejections + approvals)
    return min(max(raw, LOWEST), HIGHEST)


def weights(decisions: Mapping[str, tuple[int, int]]) -> dict[str, float]:
    """Weights of finding kinds from `{kind: (rejections, approvals)}`; kinds left out count 1."""
    return {kind: weight(*counts) for kind, counts in decisions.items()}
