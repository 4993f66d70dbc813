"""What became of the rows of one parcel at a SaaS API, one by one: refused, unknown, or done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from wfops_pipelines.core.findings import counted_rows
from wfops_pipelines.destinations.deliveries import OPEN, Delivery, State
from wfops_pipelines.destinations.told import REPAIR, OutcomeUnknown
from wfops_pipelines.errors import DestinationRefused, RefusedRow, RowRefused

MOST_IN_A_ROW = 20  # refused and none taken between: it is not about the rows
MOST_REFUSED = 1000  # that one decision is about, and one review request lists

Note = Callable[[Delivery], None]
Fate = Callable[[DestinationRefused], State]


class Refusals:
    """One row that is refused stops no other; at the end somebody hears of all of them.

    `unknown` are the keys of rows that may have arrived and that no machine sends again.
    """

    def __init__(self, system: str, sync: str) -> None:
        self._system, self._sync = system, sync
        self._refused: list[DestinationRefused] = []
        self._in_a_row = self._odd = 0
        self.unknown: list[str] = []

    def tried(self, act: Callable[[], None]) -> bool:
        """Do what is done with one row; False where it makes no sense to go on.

        A failure that is not about the row is raised.
        """
        try:
            act()
        except OutcomeUnknown:
            raise
        except DestinationRefused as error:
            self._refused.append(error)
            self._in_a_row += 1
            self._odd += not isinstance(error, RowRefused)
            return about_row(error) and not self._stopped()
        return True

    def arrived(self) -> None:
        """The API has taken a row just now, so that what was refused was about the rows."""
        self._in_a_row = 0

    def _stopped(self) -> str:
        """Why the rows that are left are not tried; "" where they are.

        What the API did not clearly refuse for the row's own sake ends it as soon as 21 in a row.
        """
        if self._in_a_row > MOST_IN_A_ROW:
            return f"{self._in_a_row:,} rows in a row were refused and none taken between"
        if self._odd > MOST_IN_A_ROW or len(self._refused) > MOST_REFUSED:
            return f"{len(self._refused):,} rows were refused"
        return ""

    def complain(self, may_have: str, others: str = "") -> None:
        """Raise the first refusal, with how many more there are; or name what nobody knows.

        `may_have` says what may have become of the unknown rows, `others` what became of the rest.
        """
        not_sent = "is not" if len(self.unknown) == 1 else "are not"
        settle = (
            f"{counted_rows(len(self.unknown))} may have {may_have} and {not_sent} sent again by a "
            f"machine ({', '.join(self.unknown[:5])}). Find out, then say so with "
            f"`wfops deliveries {self._sync} --delivered KEY` or `--again KEY`; then retry."
        )
        if self._refused:
            first = self._refused[0]
            more = f" And {len(self._refused) - 1:,} more." if len(self._refused) > 1 else ""
            more += f" Sending stopped there: {why}." if (why := self._stopped()) else ""
            more += f" {settle}" if self.unknown else self._doubted()
            rows = [row for error in self._refused for row in error.rows]
            raise type(first)(f"{first}{more}{others}", first.exchange, rows)
        if self.unknown:
            facts = {"unknown": ", ".join(self.unknown[:50])}
            raise DestinationRefused(f"{self._system}: {settle}", facts)

    def _doubted(self) -> str:
        """What a person does about refused rows of which an earlier try may have arrived."""
        found = [e for e in self._refused if isinstance(e, RowRefused) and e.perhaps]
        keys = ", ".join(str((e.exchange or {}).get("row")) for e in found[:5])
        if not found:
            return ""
        return (
            f" An earlier try of {keys} may have arrived all the same. Find out, then say so "
            f"with `wfops deliveries {self._sync} --delivered KEY` or `--again KEY`."
        )


def about_row(error: DestinationRefused) -> bool:
    """Whether it is about one row, so that another one may be taken."""
    return type(error) in (DestinationRefused, RowRefused)


def sent_fate(before: Delivery | None) -> Fate:
    """What is known of a row that was refused, which an earlier try left as `before`.

    Refused for good is only what the API says no to, and of which no try may have arrived. That it
    was not found since does not count: a search lags behind.
    """

    def fate(error: DestinationRefused) -> State:
        if error.perhaps or (before is not None and before.state in OPEN):
            return State.SENDING
        return State.REFUSED if isinstance(error, RowRefused) else State.FAILED

    return fate


@contextmanager
def outcome(entry: Delivery, note: Note, fate: Fate = lambda _: State.FAILED) -> Iterator[None]:
    """Write down that what is done here with a row failed, or that nobody knows."""
    try:
        yield
    except OutcomeUnknown as error:
        note(replace(entry, state=State.UNKNOWN, error=str(error)))
        raise
    except DestinationRefused as error:
        noted = replace(entry, state=fate(error), error=str(error))
        note(noted)
        raise _about_row(error, noted) from None


def left_open(entry: Delivery, note: Note) -> str:
    """The key of a row that may have arrived, and about which only a person can find out."""
    if entry.state is State.SENDING:
        said = "it was under way when something crashed; the API takes no idempotency key"
        note(replace(entry, state=State.UNKNOWN, error=said))
    return entry.key


def _about_row(error: DestinationRefused, entry: Delivery) -> DestinationRefused:
    """The refusal with the row that it is about."""
    facts = {**(error.exchange or {}), "row": entry.key, "act": entry.act.value}
    said = str(error).removesuffix(REPAIR).strip()
    row = RefusedRow(entry.number, entry.key, entry.act.value, said)
    rows = [row] if entry.state is State.REFUSED else []
    told = type(error)(f"row {entry.key}: {error}", facts, rows)
    told.perhaps = entry.state is State.SENDING
    return told
