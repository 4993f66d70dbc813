"""When things happen: working days, working hours, growth. Times are unix milliseconds, UTC."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

HISTORY_DAYS = 168
FUTURE_DAYS = 42
SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000

_WEEKDAYS = (1.06, 1.12, 1.05, 1.0, 0.84, 0.13, 0.08)
_HOURS = (1, 1, 1, 1, 2, 4, 14, 40, 78, 100, 96, 82, 60, 78, 92, 90, 74, 48, 26, 15, 10, 7, 4, 2)
_HOUR_OF = tuple(hour for hour, weight in enumerate(_HOURS) for _ in range(weight))
_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class Span:
    """The days that the sandbox knows: from a Monday 24 weeks before `now` to six weeks after."""

    first: date
    days: int

    @classmethod
    def around(cls, now: datetime) -> Span:
        back = now.astimezone(UTC).date() - timedelta(days=HISTORY_DAYS)
        monday = back - timedelta(days=back.weekday())
        return cls(monday, HISTORY_DAYS + 7 + FUTURE_DAYS)

    def __iter__(self) -> Iterator[date]:
        return (self.first + timedelta(days=n) for n in range(self.days))


def millis(day: date) -> int:
    """Return the first millisecond of a UTC day."""
    return (day.toordinal() - _EPOCH) * DAY


def volume(rng: random.Random, span: Span, day: date, typical: float, weekend: float = 0.0) -> int:
    """Return how many things happen on `day`: `typical` on a working day half-way through.

    `weekend` lifts Saturdays and Sundays to that share of a working day (machines don't rest).
    """
    weekday = max(_WEEKDAYS[day.weekday()], weekend)
    growth = 0.88 + 0.24 * (day - span.first).days / span.days
    return max(0, round(typical * weekday * growth * rng.gauss(1.0, 0.06)))


def moment(rng: random.Random, day: date) -> int:
    """Return a moment in the working rhythm of `day`, in whole seconds."""
    hour = _HOUR_OF[int(rng.random() * len(_HOUR_OF))]
    return millis(day) + hour * HOUR + int(rng.random() * 3600) * SECOND


def stream(seed: int, *names: object) -> random.Random:
    """Return a generator of its own for one purpose: adding one never moves another's draws."""
    return random.Random("/".join(map(str, (seed, *names))))  # noqa: S311
