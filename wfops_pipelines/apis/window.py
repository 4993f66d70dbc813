"""The stretch of time that one extraction reads, and how vendors want it written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum


@dataclass(frozen=True, slots=True)
class Window:
    """Half-open: `start` <= updated_at < `end`, UTC. A `start` of None reads from the beginning.

    Raises:
        ValueError: a time without an offset, or an end before its start.
    """

    start: datetime | None
    end: datetime

    def __post_init__(self) -> None:
        if self.start is not None:
            object.__setattr__(self, "start", _utc(self.start))
        object.__setattr__(self, "end", _utc(self.end))
        if self.start is not None and self.start > self.end:
            raise ValueError(f"a window must not end before it starts: {self.start} > {self.end}")


class TimeFormat(Enum):
    """How an API wants a time in its query.

    A time finer than the format is rounded up. Both ends of neighbouring windows are rounded the
    same way, so nothing falls between them, and for a vendor that stores times in the format's
    own unit the window stays exact.
    """

    ISO_MILLIS = "iso_millis"  # 2026-06-15T09:00:00.000Z
    ISO_SECONDS = "iso_seconds"  # 2026-06-15T09:00:00Z
    UNIX_SECONDS = "unix_seconds"  # 1781514000
    UNIX_MILLIS = "unix_millis"  # 1781514000000

    def write(self, moment: datetime) -> str:
        """Return `moment` as the API wants it."""
        match self:
            case TimeFormat.ISO_MILLIS:
                text = _rounded_up(moment, timedelta(milliseconds=1)).isoformat("T", "milliseconds")
                return text.replace("+00:00", "Z")
            case TimeFormat.ISO_SECONDS:
                text = _rounded_up(moment, timedelta(seconds=1)).isoformat("T", "seconds")
                return text.replace("+00:00", "Z")
            case TimeFormat.UNIX_SECONDS:
                return str(_count(moment, timedelta(seconds=1)))
            case TimeFormat.UNIX_MILLIS:
                return str(_count(moment, timedelta(milliseconds=1)))


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _count(moment: datetime, unit: timedelta) -> int:
    return -((EPOCH - moment) // unit)


def _rounded_up(moment: datetime, unit: timedelta) -> datetime:
    return EPOCH + _count(moment, unit) * unit


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError(f"a window needs times with an offset, for example UTC: {moment}")
    return moment.astimezone(UTC)
