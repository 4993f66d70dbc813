"""Things that change: every version of every record, and what of it can be seen at a moment."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

State = TypeVar("State")
Id = int | str
Delay = Callable[[Id, int], int]


@dataclass(frozen=True, slots=True)
class Life(Generic[State]):
    """One record's versions, oldest first. `times` are unix milliseconds, strictly ascending."""

    id: Id
    times: tuple[int, ...]
    states: tuple[State, ...]

    def seen_at(self, now: int, delay: Delay | None) -> int:
        """Return the index of the version current before `now`, or -1 when none is visible."""
        index = bisect_left(self.times, now) - 1
        while delay and index >= 0 and self.times[index] + delay(self.id, self.times[index]) >= now:
            index -= 1
        return index


@dataclass(frozen=True, slots=True)
class Seen(Generic[State]):
    """The version of one record that is visible: ordered by (`at`, `id`)."""

    at: int
    id: Id
    state: State

    @property
    def place(self) -> tuple[int, Id]:
        return self.at, self.id


@dataclass(frozen=True, slots=True)
class View(Generic[State]):
    """Everything visible at one moment, ordered by (updated, id)."""

    rows: Sequence[Seen[State]]

    def between(self, start: int | None, end: int | None) -> Sequence[Seen[State]]:
        """Return the rows with start <= updated < end (unix milliseconds; None is open)."""
        low = 0 if start is None else bisect_left(self.rows, start, key=_at)
        high = len(self.rows) if end is None else bisect_left(self.rows, end, key=_at)
        return self.rows[low:high]


def view(lives: Sequence[Life[State]], now: int, delay: Delay | None = None) -> View[State]:
    """Return what can be seen of `lives` just before `now`."""
    rows = []
    for life in lives:
        index = life.seen_at(now, delay)
        if index >= 0:
            rows.append(Seen(life.times[index], life.id, life.states[index]))
    return View(sorted(rows, key=_place))


def cut(
    rows: Sequence[Seen[State]], after: tuple[int, Id] | None, limit: int
) -> tuple[Sequence[Seen[State]], bool]:
    """Return the page of at most `limit` rows after a place, and whether more follow."""
    start = 0 if after is None else bisect_right(rows, after, key=_place)
    return rows[start : start + limit], start + limit < len(rows)


def _at(row: Seen[State]) -> int:
    return row.at


def _place(row: Seen[State]) -> tuple[int, Id]:
    return row.place
