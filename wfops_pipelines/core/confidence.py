"""How probably a reviewer approves a hold, from what was decided on holds like it before.

A share with a prior (beta-binomial): holds of the same cause count in full, the sync's other
decisions as four, and where there are none, one half as two. With little history it says so.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from wfops_pipelines.core.reviews import HOLDS, Review, ReviewState

SYNC_WEIGHT, EVEN_WEIGHT = 4.0, 2.0  # decisions that the prior is worth
_FIGURES = re.compile(r"[\d.,%]+|#\S+|: [\w, -]+$")
_ROWS = re.compile(r"([\d,]+) of")
_DECIDED = (ReviewState.APPROVED, ReviewState.REJECTED)


@dataclass(slots=True)
class Tally:
    """Decisions: how many, and how many of them approved."""

    decided: int = 0
    approved: int = 0

    def add(self, state: ReviewState) -> None:
        self.decided += 1
        self.approved += state is ReviewState.APPROVED


@dataclass(slots=True)
class Record:
    """What people decided on holds: by cause, and by sync."""

    causes: dict[tuple[str, str], Tally] = field(default_factory=dict)
    syncs: dict[str, Tally] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Confidence:
    """The chance (0-1) that this is approved as it is, and what it rests on, in words."""

    chance: float
    words: str


def cause(review: Review) -> str:
    """The reasons of a hold without its figures: what two holds of one cause have in common."""
    return cause_of(review.summary)


def cause_of(summary: str) -> str:
    """The same for the summary alone."""
    return _FIGURES.sub("…", summary.partition("held: ")[2] or summary)


def record(decided: Iterable[Review]) -> Record:
    """Count what people decided; what a machine did, or a newer snapshot made moot, is none."""
    found = Record()
    for review in decided:
        if review.kind in HOLDS and review.state in _DECIDED:
            found.causes.setdefault((review.sync, cause(review)), Tally()).add(review.state)
            found.syncs.setdefault(review.sync, Tally()).add(review.state)
    return found


def confidence(review: Review, known: Record) -> Confidence | None:
    """None for what is no hold."""
    if review.kind not in HOLDS:
        return None
    same = known.causes.get((review.sync, cause(review)), Tally())
    sync = known.syncs.get(review.sync, Tally())
    others = Tally(sync.decided - same.decided, sync.approved - same.approved)
    prior = (others.approved + EVEN_WEIGHT / 2) / (others.decided + EVEN_WEIGHT)
    chance = (same.approved + SYNC_WEIGHT * prior) / (same.decided + SYNC_WEIGHT)
    return Confidence(chance, _words(same, sync))


def attention(review: Review, chance: float, now: datetime) -> float:
    """What orders the inbox: the impact in rows, the doubt, and the days that it has waited."""
    first = _ROWS.match(review.summary)
    rows = int(first.group(1).replace(",", "")) if first else len(review.keys)
    days = max((now - review.opened_at).total_seconds(), 0.0) / 86_400
    return (1 + math.log10(1 + rows)) * (1.5 - chance) * (1 + days)


def _words(same: Tally, sync: Tally) -> str:
    if same.decided:
        return f"{same.approved} of {same.decided} like it were approved"
    if sync.decided:
        return f"none like it yet; {sync.approved} of {sync.decided} of this sync were approved"
    return "nothing was decided yet: even"
