"""Which rows of a sync live at a SaaS API, as the API itself lists them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from wfops_pipelines.apis.window import Window
from wfops_pipelines.destinations import deliveries
from wfops_pipelines.destinations.readback import archived, value_at
from wfops_pipelines.errors import DestinationRefused

if TYPE_CHECKING:
    from sqlalchemy import Connection


class Lists(Protocol):
    """A source that reads every record, as `rest_api("crm", "/contacts", …)` does."""

    @property
    def system(self) -> str: ...
    @property
    def windowed(self) -> bool: ...
    def connect(self, environ: Mapping[str, str]) -> Any: ...
    def pages(self, window: Window, connection: Any) -> Iterable[Any]: ...


def check_lists(system: str, lists: Lists | None) -> None:
    """Raises ValueError for a list of another system, or one that leaves records out."""
    if lists is None:
        return
    if lists.system != system:
        raise ValueError(f"{system}: lists= is of another system, {lists.system}")
    if lists.windowed:
        raise ValueError(
            f"{system}: lists= must list every record, so without updated_after, where, updated_at"
        )


def living(
    conn: Connection, sync: str, lists: Lists, by: str | None, environ: Mapping[str, str],
    gone: str | None = None,
) -> list[Any]:  # fmt: skip
    """The keys of the rows that this sync delivered and that the API lists.

    What somebody else made over there is none of them: this sync deletes only what it sent. `by`
    is the dotted path of the row's key in a record; None: the API's own `id`, from the ledger.
    `gone` is that of the field by which a record says that it was deleted.

    Raises a SyncFailure when the list cannot be read.
    """
    sent = deliveries.living(conn, sync)
    named = _listed(lists, by or "id", environ, gone, expected=bool(sent))
    if by is not None:
        return [named[key] for key in sent if key in named]
    return [key for key, remote in sent.items() if remote in named]


def _listed(
    lists: Lists, by: str, environ: Mapping[str, str], gone: str | None, *, expected: bool
) -> dict[str | None, Any]:
    place = tuple(by.split("."))
    window = Window(None, datetime.now(UTC))
    pages = lists.pages(window, lists.connect(environ))
    records = [record for page in pages for record in page if not archived(record, gone)]
    found: dict[str | None, Any] = {
        str(value): value for r in records if (value := value_at(r, place)) is not None
    }
    if expected and records and not found:
        raise DestinationRefused(
            f"{lists.system}: none of the {len(records):,} listed records has {by!r}. Repair "
            "lists_by= of the destination: the dotted path of the row's key in a record."
        )
    return found
