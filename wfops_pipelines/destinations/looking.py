"""Read many records of a SaaS API back: by batches where it has them, else side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from wfops_pipelines.destinations.calls import Call, call, fill
from wfops_pipelines.destinations.readback import record_in, value_at
from wfops_pipelines.errors import DestinationRefused

if TYPE_CHECKING:
    from wfops_pipelines.destinations.calling import Caller

Row = Mapping[str, Any]
T = TypeVar("T")
U = TypeVar("U")
IDS, ONE = "ids", "one"


@dataclass(frozen=True, slots=True)
class Many:
    """A request that reads up to `size` records at once. See `many`."""

    call: Call
    by: str
    match: str
    records: str
    body: tuple[tuple[str, Any], ...]
    each: Any
    size: int

    def read(self, caller: Caller, rows: Sequence[tuple[str, Row]]) -> dict[str, Any]:
        """The records that the API has of these rows, by their key.

        Raises DestinationRefused where the answer is not what was declared.
        """
        named = {str(value): key for key, row in rows if (value := self._name(row)) is not None}
        if not named:
            return {}
        values = [self._name(row) for _, row in rows]
        wanted = [v for v in values if v is not None]
        path = self.call.filled({IDS: ",".join(map(str, wanted))})
        asked = [fill(self.each, {ONE: v}) for v in wanted]
        body = fill(dict(self.body), {IDS: asked}) if self.body else None
        answer = caller.send(self.call, path, body, reads=True)
        if answer.gone:
            raise answer.gone
        return self._matched(answer.body, named)

    def _name(self, row: Row) -> Any:
        column = self.by[1:-1]
        return row.get(column) if self.by == f"{{{column}}}" else fill(self.by, row)

    def _matched(self, body: Any, named: Mapping[str, str]) -> dict[str, Any]:
        found = record_in(body, self.records)
        if not isinstance(found, list):
            where = f"no list at {self.records!r}" if self.records else "no list"
            raise DestinationRefused(
                f"{self.call}: the answer has {where}. Repair records= of its read_many."
            )
        place = tuple(self.match.split("."))
        records = {named.get(str(value_at(record, place))): record for record in found}
        if found and not any(records):
            raise DestinationRefused(
                f"{self.call}: none of {len(found):,} records has at {self.match!r} what was asked "
                "for. Repair match= or by= of its read_many."
            )
        return {key: record for key, record in records.items() if key is not None}


def many(
    request: str,
    *,
    by: str = "{remote_id}",
    match: str = "id",
    records: str = "",
    body: Mapping[str, Any] | None = None,
    each: Any = "{one}",
    size: int = 100,
) -> Many:
    """A batch read, as `many("GET /contacts?id={ids}", records="contacts")` or
    `many("POST /contacts/batch/read", body={"inputs": "{ids}"}, each={"id": "{one}"},
    records="results")`.

    Args:
        request: `{ids}` in its path becomes the names of the rows, with commas between them.
        by: what the API calls a row, by columns or `{remote_id}`.
        match: dotted path of that in a record of the answer.
        records: dotted path of the list in the answer; empty when the answer is the list.
        body: what is sent, as JSON; the text `{ids}` becomes the list of `each`.
        each: how one row is named in that list, `{one}` being its name.
        size: how many rows one request may ask for.

    Raises:
        ValueError: a request that is none, or that does not say where the names of the rows go.
    """
    asked = call(request)
    if "{ids}" not in request and "{ids}" not in repr(body):
        raise ValueError(f"{request}: say where the rows' names go, as {{ids}} in path or body")
    if size < 1:
        raise ValueError(f"{request}: size must be 1 or more")
    return Many(asked, by, match, records, tuple((body or {}).items()), each, size)


def together(work: Callable[[T], U], items: Iterable[T], at_once: int) -> Iterator[U]:
    """What `work` makes of each item, in order, a few at a time; the first failure stops all."""
    from concurrent.futures import ThreadPoolExecutor

    given = list(items)
    if len(given) < 2 or at_once < 2:
        yield from map(work, given)
        return
    pool = ThreadPoolExecutor(at_once)
    try:
        yield from pool.map(work, given)
    finally:
        pool.shutdown(cancel_futures=True)


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items, so many at a time."""
    ahead = iter(items)
    return iter(lambda: list(islice(ahead, size)), [])


def looked_up(
    rows: Sequence[tuple[str, Row]],
    one: Callable[[tuple[str, Row]], Any],
    batch: Many | None,
    caller: Caller,
    sure: Callable[[str], bool],
) -> dict[str, Any]:
    """The record of each row as the API has it now, None where there is none.

    What a batch does not have, and of which `sure` says that it must be known, is asked for alone:
    a batch that was cut short must not pass for rows that are not there.
    """
    found: dict[str, Any] = dict.fromkeys(key for key, _ in rows)
    if batch is not None:
        read = partial(batch.read, caller)
        for part in together(read, batches(rows, batch.size), caller.at_once):
            found.update(part)
    left = [r for r in rows if found[r[0]] is None and (batch is None or sure(r[0]))]
    for (key, _), record in zip(left, together(one, left, caller.at_once), strict=True):
        found[key] = record
    return found
