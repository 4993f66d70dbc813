"""The declaration of a sync: what a user writes in `assets/`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from wfops_pipelines.core.policy import Policy
from wfops_pipelines.errors import SettingsError

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlalchemy import Connection, Engine

    from wfops_pipelines.assist.declared import Classify, Drafting, Duplicates, Tidy
    from wfops_pipelines.core.snapshot import Diff
    from wfops_pipelines.destinations import Existing, Parcel, Written
    from wfops_pipelines.sources import Window

Page: TypeAlias = list[dict[str, Any]]
Transform: TypeAlias = "Callable[[Any], Sequence[Mapping[str, Any]] | pa.Table]"


class Source(Protocol):
    """Where rows come from. `system` names the connection in the environment."""

    @property
    def system(self) -> str: ...

    @property
    def windowed(self) -> bool:
        """Whether `pages` leaves out what changed before the window, as far as it can tell."""
        ...

    def connect(self, environ: Mapping[str, str]) -> Any:
        """What `pages` needs to get in, read from the environment. Raises SettingsError."""
        ...

    def pages(self, window: Window, connection: Any) -> Iterator[Page | pa.Table]:
        """Pages of raw records changed inside `window`, or tables. Raises a SyncFailure."""
        ...


class Destination(Protocol):
    """Where rows go. Reads and writes take part in the caller's transaction."""

    @property
    def words(self) -> str:
        """What a person calls it, as "table crm.contacts"."""
        ...

    def existing(self, conn: Connection, parcel: Parcel, columns: Sequence[str]) -> Existing:
        """What the destination holds now of the parcel's keys, in the named columns."""
        ...

    def diff(self, conn: Connection, parcel: Parcel, critical: Sequence[str]) -> Diff:
        """What publishing the parcel would change."""
        ...

    def publish(self, conn: Connection, side: Engine, parcel: Parcel) -> Written:
        """Make the parcel's rows current, at most once each. Raises DestinationRefused.

        `side` opens connections outside the transaction, for ledgers that must survive it.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync:
    """One declared SaaS object: where it comes from, its key and cursor, where it goes."""

    name: str
    source: Source
    key: str
    cursor: str | None
    destination: Destination
    policy: Policy
    schedule: str | None
    group: str
    owners: tuple[str, ...]
    rows: Transform
    words: str
    assist: tuple[Drafting | Classify | Tidy | Duplicates, ...] = ()
    deleted: str | None = None
    missing: Literal["keep", "delete"] = "keep"
    days_from: date | None = None


@dataclass(frozen=True, slots=True)
class Day:
    """One partition of a sync that is partitioned by day (in UTC)."""

    date: date

    @property
    def name(self) -> str:
        return self.date.isoformat()

    @property
    def start(self) -> datetime:
        return datetime.combine(self.date, time(), UTC)

    @property
    def end(self) -> datetime:
        return self.start + timedelta(days=1)


def day_named(name: str | None) -> Day | None:
    """The day of a partition's name, as "2026-05-01"; None where there is none."""
    return Day(date.fromisoformat(name)) if name else None


def read_day(sync: Sync, text: str, now: datetime) -> Day | None:
    """The day that a person asked for, today's if they named none; None: it is not partitioned.

    Raises SettingsError for a day that the sync does not have.
    """
    if sync.days_from is None:
        if text:
            raise SettingsError(f"--day: {sync.name} is not partitioned. Leave it out.")
        return None
    try:
        found = date.fromisoformat(text) if text else now.date()
    except ValueError:
        raise SettingsError(f"--day: {text!r} is no day. Write it as 2026-05-01.") from None
    if not sync.days_from <= found <= now.date():
        said = f"--day: {sync.name} has the days {sync.days_from} to {now.date()}."
        raise SettingsError(f"{said} Ask for one of them.")
    return Day(found)


def sync(
    *,
    source: Source,
    key: str,
    destination: Destination,
    cursor: str | None = None,
    policy: Policy | None = None,
    schedule: str | None = None,
    group: str | None = None,
    owners: Sequence[str] = (),
    assist: Sequence[Drafting | Classify | Tidy | Duplicates] = (),
    deleted: str | None = None,
    missing: Literal["keep", "delete"] = "keep",
    days_from: str | None = None,
) -> Callable[[Transform], Sync]:
    """Declare a sync. The function under the decorator turns a page of records into flat rows.

    key: column that identifies a row. cursor: column with the row's last change (a datetime; see
    `instant`); without one every extraction reads everything. schedule: a cron line. group: the
    Dagster asset group; the source's system when not given. owners: e-mails or `team:` names.
    assist: what is drafted or labelled for each new row, as `wfops_pipelines.assist` declares it.
    deleted: column that says that a row is gone at the source (true, or anything but null, NaN,
    false, 0 and texts like "", "0", "false", "no", "null", "none"); such a row deletes. missing:
    "delete" where a row that a whole extraction (without a cursor) no longer has is gone. How many
    deletions may go without a person is the policy's `delete_rows_up_to`. days_from: the first day
    ("2026-01-01") of a sync that is partitioned by the days (UTC) of its cursor, for backfills;
    each day passes the gate on its own.
    """

    def declare(function: Transform) -> Sync:
        return Sync(
            name=getattr(function, "__name__", "?"),
            source=source,
            key=key,
            cursor=cursor,
            destination=destination,
            policy=policy or Policy(),
            schedule=schedule,
            group=group or source.system,
            owners=tuple(owners),
            rows=function,
            words=inspect.getdoc(function) or "",
            assist=tuple(assist),
            deleted=deleted,
            missing=missing,
            days_from=None if days_from is None else date.fromisoformat(days_from),
        )

    return declare


def instant(value: str | int | float | datetime | None) -> datetime | None:
    """An API's idea of a time as a UTC datetime: ISO 8601 text or Unix seconds; None stays None.

    Raises ValueError for other text. A time without an offset is taken as UTC.
    """
    if value is None:
        return None
    if isinstance(value, str):
        moment = datetime.fromisoformat(value)
    elif isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    else:
        moment = value
    if moment.tzinfo is UTC:
        return moment
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
