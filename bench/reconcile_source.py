"""A misbehaving source in memory, with its own record of the truth and of all it ever returned."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from wfops_pipelines.errors import SourceUnreachable
from wfops_pipelines.sources import Connection, Window, connection_for
from wfops_pipelines.testing import FrozenClock

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
KEYS = "abcdef"
ENVIRON = {"WFOPS_MOODY_URL": "http://127.0.0.1:9", "WFOPS_MOODY_TOKEN": "not-a-secret"}


@dataclass(frozen=True)
class Version:
    """One state of a row. `n` names its content, `order` its place among all changes.

    written and visible are true times; cursor is what the source's own clock said, in its ticks.
    """

    key: str
    order: int
    n: int
    amount: int
    owner: str
    written: datetime
    visible: datetime
    cursor: datetime
    gone: bool = False

    @property
    def late(self) -> timedelta:
        return self.visible - self.written

    @property
    def size(self) -> Any:
        """A value that is mostly a whole number; what it is follows from the content."""
        odd = {0: "ten", 1: self.n + 0.5, 2: str(self.n), 3: True, 4: None, 5: float(self.n)}
        return odd.get(self.n * 7919 % 40, self.n)

    def row(self, moods: Moods) -> dict[str, Any]:
        """As the source tells it."""
        row = {
            "id": self.key, "n": self.n, "amount": self.amount, "owner": self.owner,
            "updated_at": self.cursor,
        }  # fmt: skip
        row |= {"gone": self.gone} if moods.tombstones else {}
        return {**row, "size": self.size} if moods.fickle else row


@dataclass(frozen=True)
class Moods:
    """How a source misbehaves; shares are of pages, `behind` of extractions.

    skew: its clock less ours. tick: what its clock counts in. offset: it pages by position, so that
    rows that move make others be skipped. lagging: a page has an older answer, too. behind: a
    replica that lags answers the whole extraction. endless: it ignores a window's end. unit: it
    knows a window's start but to so much, and answers what lies before it, too. tombstones:
    it goes on to return rows that were deleted, as such. fickle: values of one column differ in
    their types.
    """

    skew: timedelta = timedelta(0)
    tick: timedelta = timedelta(seconds=1)
    page: int = 3
    offset: bool = False
    endless: bool = False
    unit: timedelta = timedelta(microseconds=1)
    tombstones: bool = False
    fickle: bool = False
    repeats: float = 0.1
    lagging: float = 0.1
    behind: float = 0.1
    cuts: float = 0.05


@dataclass
class Moody:
    """The source. `attempt` is the extraction that is going on; `between` runs between pages."""

    dice: random.Random
    clock: FrozenClock
    moods: Moods
    system: str = "moody"
    versions: dict[str, list[Version]] = field(default_factory=dict)
    returned: dict[str, list[Version]] = field(default_factory=dict)
    attempt: str = ""
    lag: timedelta = timedelta(0)  # of what answers now
    lags: dict[str, timedelta] = field(default_factory=dict)  # of what answered, by attempt
    calm: bool = False
    between: Callable[[], None] | None = None
    count: int = 0
    showed: Counter[str] = field(default_factory=Counter)  # how often each mood did

    @property
    def windowed(self) -> bool:
        return not self.moods.endless

    # what happens to its rows

    def write(
        self,
        key: str,
        amount: int,
        owner: str,
        late: timedelta = timedelta(0),
        ahead: timedelta = timedelta(0),
    ) -> None:
        """Create or change a row, visible after `late`, and dated `ahead` of the source's clock."""
        self.count += 1
        self._add(Version(
            key, self.count, self.count, amount, owner, self.clock(), self.clock() + late,
            self._now() + ahead,
        ))  # fmt: skip

    def delete(self, key: str) -> None:
        last = self.versions[key][-1]
        self.count += 1
        self._add(Version(
            key, self.count, self.count, last.amount, last.owner, self.clock(), self.clock(),
            self._now(), gone=True,
        ))  # fmt: skip

    def undo(self, key: str) -> bool:
        """Change a row back within one tick of the clock; False where it did not just change."""
        had = self.versions.get(key, [])
        if len(had) < 2 or had[-2].cursor != self._now() or any(v.gone for v in had[-2:]):
            return False
        self.count += 1
        back = had[-2]
        self._add(Version(
            key, self.count, back.n, back.amount, back.owner, self.clock(), self.clock(),
            back.cursor,
        ))  # fmt: skip
        return True

    def _add(self, version: Version) -> None:
        self.versions.setdefault(version.key, []).append(version)

    def _now(self) -> datetime:
        moment, tick = self.clock() + self.moods.skew, self.moods.tick
        return EPOCH + (moment - EPOCH) // tick * tick

    def dated_ahead(self, version: Version) -> bool:
        """Whether it dated a version later than its own clock was."""
        return version.cursor > version.written + self.moods.skew

    # what it says of them

    def current(self, key: str) -> Version | None:
        """The newest visible state of a row; None where it is gone or not visible yet."""
        newest = self.last(key)
        return None if newest is None or newest.gone else newest

    def last(self, key: str) -> Version | None:
        """The newest visible state of a row, be it that it is gone."""
        return self._at(key, self.clock())

    def told(self, key: str) -> Version | None:
        """What it answers about a row."""
        newest = self._at(key, self.clock() - self.lag)
        return None if newest is None or (newest.gone and not self.moods.tombstones) else newest

    def _at(self, key: str, moment: datetime) -> Version | None:
        visible = [v for v in self.versions.get(key, []) if v.visible <= moment]
        return visible[-1] if visible else None

    def connect(self, environ: Mapping[str, str]) -> Connection:
        return connection_for(self.system, environ)

    def pages(self, window: Window, connection: Connection) -> Iterator[list[dict[str, Any]]]:
        told: list[Version] = []
        behind = not self.calm and self._happens("behind", self.moods.behind)
        self.lag = timedelta(minutes=self.dice.choice((1, 20, 40))) if behind else timedelta(0)
        self.lags[self.attempt] = self.lag
        place: Any = 0 if self.moods.offset else (EPOCH, "")
        while True:
            there = self._in(window)
            if self.moods.offset:
                page, place = there[place : place + self.moods.page], place + self.moods.page
            else:
                page = [v for v in there if (v.cursor, v.key) > place][: self.moods.page]
            if not page:
                break
            if not self.moods.offset:
                place = (page[-1].cursor, page[-1].key)
            self._moody(page, told, window)
            told += page
            self.returned.setdefault(self.attempt, []).extend(page)
            odd = self.moods.fickle and any(type(v.size) is not int for v in page)
            self.showed["of other types"] += odd
            yield [v.row(self.moods) for v in page]
            if self.between is not None:
                self.between()

    def _in(self, window: Window) -> list[Version]:
        found = [v for v in map(self.told, self.versions) if v is not None]
        if window.start is not None:
            start = EPOCH + (window.start - EPOCH) // self.moods.unit * self.moods.unit
            self.showed["from before the window"] += any(
                start <= v.cursor < window.start for v in found
            )
            found = [v for v in found if v.cursor >= start]
        if not self.moods.endless:
            found = [v for v in found if v.cursor < window.end]
        return sorted(found, key=lambda v: (v.cursor, v.key))

    def _moody(self, page: list[Version], told: list[Version], window: Window) -> None:
        """Spoil a page in place: cut it, repeat rows, or answer from a replica that lags."""
        if self.calm:
            return
        if self._happens("cut", self.moods.cuts):
            raise SourceUnreachable("the answer broke off in the middle")
        still = [v for v in told if self.told(v.key) is v]
        if still and self._happens("repeated", self.moods.repeats):
            page += self.dice.sample(still, min(2, len(still)))
        if self._happens("lagging", self.moods.lagging):
            page += [old for v in page[:1] if (old := self._former(v, window)) is not None]

    def _former(self, version: Version, window: Window) -> Version | None:
        older = [
            v for v in self.versions[version.key]
            if v.cursor < version.cursor and v.visible <= self.clock() and not v.gone
            and (window.start is None or v.cursor >= window.start)
        ]  # fmt: skip
        return self.dice.choice(older) if older else None

    def _happens(self, mood: str, share: float) -> bool:
        happens = self.dice.random() < share
        self.showed[mood] += happens
        return happens
