"""How probably a reviewer approves a hold, from what was decided on holds like it before.

A share with a prior (beta-binomial): holds of the same cause count in full; those with findings of
the same checks make the prior, worth four decisions; the sync's decisions about anything else count
as two at most beside one half as two. With little history it says so. From
thirty decisions on, the share is corrected by how such shares came true before: a logistic curve
through what was predicted of each decision from those before it (Platt, Probabilistic Outputs for
Support Vector Machines, 1999; with a prior that leaves the share as it is).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from wfops_pipelines.core.reviews import HOLDS, Review, ReviewState

SYNC_WEIGHT, EVEN_WEIGHT = 4.0, 2.0  # decisions that the prior is worth
CURVE_FROM, EACH_WAY = 30, 5  # decisions before they bend the curve, and of each answer
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
    kin: dict[tuple[str, str], Tally] = field(default_factory=dict)
    syncs: dict[str, Tally] = field(default_factory=dict)
    foretold: dict[str, list[tuple[float, bool]]] = field(default_factory=dict)
    curves: dict[str, tuple[float, float]] = field(default_factory=dict)

    def add(self, review: Review) -> None:
        """Count a decision, after noting what was expected of it."""
        tallies = self.tallies(review)
        approved = review.state is ReviewState.APPROVED
        self.foretold.setdefault(review.sync, []).append((_share(*tallies), approved))
        self.causes.setdefault((review.sync, cause(review)), tallies[0]).add(review.state)
        self.kin.setdefault((review.sync, _checks(review)), tallies[1]).add(review.state)
        self.syncs.setdefault(review.sync, tallies[2]).add(review.state)

    def tallies(self, review: Review) -> tuple[Tally, Tally, Tally]:
        """Decisions on holds of the same cause, of the same checks, and on all of the sync."""
        same = self.causes.get((review.sync, cause(review)), Tally())
        kin = self.kin.get((review.sync, _checks(review)), Tally())
        return same, kin, self.syncs.get(review.sync, Tally())

    def curve(self, sync: str) -> tuple[float, float] | None:
        """Slope and height of the correction; None before there is enough to bend it."""
        past = self.foretold.get(sync, [])
        approved = sum(yes for _, yes in past)
        if len(past) < CURVE_FROM or min(approved, len(past) - approved) < EACH_WAY:
            return None
        if sync not in self.curves:
            self.curves[sync] = _platt(past)
        return self.curves[sync]


@dataclass(frozen=True, slots=True)
class Confidence:
    """The chance (0-1) that this is approved as it is, and what it rests on, in words.

    Without a `precedent`, a decision on something of the kind, it only orders the inbox.
    """

    chance: float
    words: str
    precedent: bool = True

    @property
    def shown(self) -> float | None:
        """The chance, where it is more than a guess."""
        return self.chance if self.precedent else None


def cause(review: Review) -> str:
    """Why it was held, without figures; of a request of an earlier version, by its summary."""
    return review.cause or cause_of(review.summary)


def cause_of(summary: str) -> str:
    """A summary without its figures."""
    return _FIGURES.sub("…", summary.partition("held: ")[2] or summary)


def record(decided: Iterable[Review]) -> Record:
    """Count what people decided; what a machine did, or a newer snapshot made moot, is none."""
    found = Record()
    usable = [r for r in decided if r.kind in HOLDS and r.state in _DECIDED and not by_machine(r)]
    for review in sorted(usable, key=lambda r: (r.decided_at or r.opened_at, r.id)):
        found.add(review)
    return found


def by_machine(review: Review) -> bool:
    """Whether a deadline or a release by confidence answered it, and no person."""
    return (review.decided_by or "").startswith("machine:")


def confidence(review: Review, known: Record) -> Confidence | None:
    """None for what is no hold."""
    if review.kind not in HOLDS:
        return None
    same, kin, sync = known.tallies(review)
    chance, words = _share(same, kin, sync), _words(same, kin, sync)
    curve, precedent = known.curve(review.sync), bool(same.decided or kin.decided)
    if curve is None:
        return Confidence(chance, words, precedent)
    a, b = curve
    calibrated = _sigmoid(a * _logit(chance) + b)
    said = f"{words}; calibrated on {sync.decided} decisions"
    return Confidence(calibrated, said, precedent)


def _share(same: Tally, kin: Tally, sync: Tally) -> float:
    """Never 0 or 1: each step leans on the one before it."""
    decided, approved = sync.decided - kin.decided, sync.approved - kin.approved
    weight = min(decided, EVEN_WEIGHT)
    other = weight * approved / decided if decided else 0.0
    anything = (other + EVEN_WEIGHT / 2) / (weight + EVEN_WEIGHT)
    decided, approved = kin.decided - same.decided, kin.approved - same.approved
    prior = (approved + EVEN_WEIGHT * anything) / (decided + EVEN_WEIGHT)
    return (same.approved + SYNC_WEIGHT * prior) / (same.decided + SYNC_WEIGHT)


def _checks(review: Review) -> str:
    """The checks that held it: "anomaly" of "anomaly: amount; anomaly: price"."""
    parts = cause(review).split("; ")
    return "; ".join(sorted({p.partition(":")[0] if ":" in p else "expectation" for p in parts}))


def _platt(past: list[tuple[float, bool]]) -> tuple[float, float]:
    """Newton's method on the log loss with the prior a ~ N(1, 1/2), b ~ N(0, 1)."""
    a, b = 1.0, 0.0
    for _ in range(30):
        ga, gb, haa, hab, hbb = 4 * (a - 1), b, 4.0, 0.0, 1.0
        for chance, yes in past:
            x = _logit(chance)
            p = _sigmoid(a * x + b)
            w = p * (1 - p)
            ga, gb = ga + (p - yes) * x, gb + (p - yes)
            haa, hab, hbb = haa + w * x * x, hab + w * x, hbb + w
        det = haa * hbb - hab * hab
        step_a, step_b = (hbb * ga - hab * gb) / det, (haa * gb - hab * ga) / det
        a, b = a - step_a, b - step_b
        if abs(step_a) + abs(step_b) < 1e-9:
            break
    return a, b


def _logit(chance: float) -> float:
    return math.log(chance / (1 - chance))


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-max(-500.0, min(500.0, x))))


def attention(review: Review, chance: float, now: datetime) -> float:
    """What orders the inbox: the impact in rows, the doubt, and the days that it has waited."""
    first = _ROWS.match(review.summary)
    rows = int(first.group(1).replace(",", "")) if first else len(review.keys)
    days = max((now - review.opened_at).total_seconds(), 0.0) / 86_400
    return (1 + math.log10(1 + rows)) * (1.5 - chance) * (1 + days)


def _words(same: Tally, kin: Tally, sync: Tally) -> str:
    if same.decided:
        return f"{same.approved} of {same.decided} like it were approved"
    if kin.decided:
        said = f"{kin.approved} of {kin.decided} of this sync with findings of its checks"
        return f"none like it yet; {said} were approved"
    if sync.decided:
        said = f"{sync.approved} of {sync.decided} of this sync were approved, for other reasons"
        return f"nothing of the kind yet; {said}"
    return "nothing was decided yet"
