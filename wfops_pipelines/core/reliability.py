"""How often what was foretold came true: the reliability of probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

BINS = 5
FEWEST = 10  # answers before a score says anything


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers whose probability lay in one fifth: the mean of it, the share that came true."""

    foretold: float
    happened: float
    count: int


@dataclass(frozen=True, slots=True)
class Reliability:
    """`brier` is the mean squared error (0 is perfect, 0.25 a coin); None below ten answers."""

    bins: tuple[Bin, ...]
    count: int
    brier: float | None

    @property
    def words(self) -> str:
        if self.brier is None:
            return f"{self.count} decisions: too few to judge the confidence by ({FEWEST} needed)"
        parts = ", ".join(f"{b.foretold:.0%} foretold, {b.happened:.0%} approved ({b.count})"
                          for b in self.bins)  # fmt: skip
        return f"{self.count} decisions, each foretold from those before it: {parts}"


def reliability(told: Sequence[tuple[float, bool]]) -> Reliability:
    """Of (probability, whether it came true)."""
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(BINS)]
    for chance, yes in told:
        bins[min(int(chance * BINS), BINS - 1)].append((chance, yes))
    made = tuple(
        Bin(sum(c for c, _ in b) / len(b), sum(y for _, y in b) / len(b), len(b)) for b in bins if b
    )
    enough = len(told) >= FEWEST
    brier = sum((c - y) ** 2 for c, y in told) / len(told) if enough else None
    return Reliability(made, len(told), brier)
