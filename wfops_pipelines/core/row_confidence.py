"""How probably one flagged row is let go as it is, from decisions on rows with the same findings.

Of each decision the share of such rows that went out unchanged counts once, however many they were:
thirty rows approved in one breath are one answer, not thirty. The prior is that of a snapshot's
confidence: the sync's other rows count as four decisions, and without any, one half as two.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from wfops_pipelines.core.confidence import EVEN_WEIGHT, SYNC_WEIGHT, Confidence


@dataclass(frozen=True, slots=True)
class RowOutcome:
    """What one decision made of the rows of one cause: let go as they were, or not."""

    cause: str
    let_go: int
    kept: int


@dataclass(slots=True)
class _Tally:
    decisions: int = 0
    shares: float = 0.0


class RowRecord:
    """Decisions of people on flagged rows of one sync."""

    def __init__(self, outcomes: Iterable[RowOutcome]) -> None:
        self._all, self._causes = _Tally(), dict[str, _Tally]()
        for outcome in outcomes:
            share = outcome.let_go / (outcome.let_go + outcome.kept)
            for tally in (self._all, self._causes.setdefault(outcome.cause, _Tally())):
                tally.decisions += 1
                tally.shares += share

    def confidence(self, cause: str) -> Confidence:
        """The chance (0-1) for a row of this cause, and what it rests on."""
        same = self._causes.get(cause, _Tally())
        others = self._all.decisions - same.decisions
        prior = (self._all.shares - same.shares + EVEN_WEIGHT / 2) / (others + EVEN_WEIGHT)
        chance = (same.shares + SYNC_WEIGHT * prior) / (same.decisions + SYNC_WEIGHT)
        return Confidence(min(max(chance, 0.0), 1.0), self._words(same), bool(same.decisions))

    def _words(self, same: _Tally) -> str:
        if same.decisions:
            share = same.shares / same.decisions
            return f"{share:.0%} of rows like it were let go ({_decisions(same.decisions)})"
        if self._all.decisions:
            share = self._all.shares / self._all.decisions
            return f"none like it yet; {share:.0%} of this sync's flagged rows were let go"
        return "no flagged row was decided yet"


def _decisions(n: int) -> str:
    return "1 decision" if n == 1 else f"{n} decisions"
