"""The inbox: what waits, narrowed down and put together by cause."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from wfops_pipelines.core import links
from wfops_pipelines.core.confidence import Record, attention, cause, confidence
from wfops_pipelines.core.reviews import HOLDS, Review, ReviewKind

MOST = 40  # review requests in one link: addresses have an end
FIELDS = ("sync", "group", "kind", "for")
NOBODY = "nobody"
_RANK = {
    ReviewKind.FAILURE: 0,
    ReviewKind.WHOLE: 1,
    ReviewKind.ROWS: 1,
    ReviewKind.REVERT: 2,
    ReviewKind.WAIVER: 3,
    ReviewKind.AFTER: 4,
}


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of a filter: how many it leaves, and the address that sets or drops it."""

    value: str
    count: int
    chosen: bool
    href: str


@dataclass(frozen=True, slots=True)
class Cause:
    """Review requests that were held for the same reasons, and where to answer them together."""

    words: str
    count: int
    href: str


def narrow(reviews: Iterable[Review], chosen: Mapping[str, str]) -> list[Review]:
    """Those that fit every chosen value."""
    return [r for r in reviews if all(_value(r, f) == v for f, v in chosen.items())]


def ordered(reviews: Iterable[Review], known: Record, now: datetime) -> list[Review]:
    """Failures first, then holds by impact, doubt and age, then what else waits."""

    def place(review: Review) -> tuple[int, float, datetime, str]:
        told = confidence(review, known)
        wanted = 0.0 if told is None else attention(review, told.chance, now)
        return (_RANK[review.kind], -wanted, review.opened_at, review.id)

    return sorted(reviews, key=place)


def choices(reviews: Sequence[Review], chosen: Mapping[str, str]) -> dict[str, list[Choice]]:
    """For each filter with something to choose between: its values, most frequent first."""
    found = {f: _choices(f, reviews, chosen) for f in FIELDS}
    return {f: c for f, c in found.items() if len(c) > 1 or f in chosen}


def causes(reviews: Sequence[Review]) -> list[Cause]:
    """Two or more requests of a sync whose reasons differ in nothing but figures and rows."""
    alike: dict[tuple[str, str, str], list[Review]] = {}
    for review in reviews:
        alike.setdefault((review.sync, review.kind.value, cause(review)), []).append(review)
    return [
        Cause(
            f"{sync}: {reasons}",
            len(some),
            links.decide_many_launchpad(some[:MOST]),
        )
        for (sync, _, reasons), some in alike.items()
        if len(some) > 1
    ]


def due(review: Review, hours: float | None, now: datetime) -> str | None:
    """When the policy's deadline ends, in words; None without a deadline."""
    if hours is None or review.kind not in HOLDS:
        return None
    left = review.opened_at + timedelta(hours=hours) - now
    return "overdue" if left <= timedelta() else f"due in {span(left)}"


def age(review: Review, now: datetime) -> str:
    """How long it has waited, in the largest unit that fits."""
    return span(now - review.opened_at)


def span(time: timedelta) -> str:
    """In the largest unit that fits: "3 days", "5 min"."""
    minutes = int(time.total_seconds() // 60)
    for size, unit in ((1440, "day"), (60, "hour")):
        if minutes >= size:
            n = minutes // size
            return f"{n} {unit}{'s' if n > 1 else ''}"
    return f"{max(minutes, 0)} min"


def _choices(field: str, reviews: Sequence[Review], chosen: Mapping[str, str]) -> list[Choice]:
    others = {f: v for f, v in chosen.items() if f != field}
    fitting = narrow(reviews, others)
    counts: dict[str, int] = {}
    for review in fitting:
        counts[_value(review, field)] = counts.get(_value(review, field), 0) + 1
    by_count = sorted(counts.items(), key=lambda c: (-c[1], c[0]))
    return [_choice(field, v, n, chosen, others) for v, n in by_count]


def _choice(
    field: str, value: str, count: int, chosen: Mapping[str, str], others: Mapping[str, str]
) -> Choice:
    on = chosen.get(field) == value
    query = urlencode(others if on else {**others, field: value})
    return Choice(value, count, on, f"/wfops?{query}" if query else "/wfops")


def _value(review: Review, field: str) -> str:
    match field:
        case "sync":
            return review.sync
        case "group":
            return review.group
        case "kind":
            return review.kind.value
        case _:
            return review.assigned_to or NOBODY
