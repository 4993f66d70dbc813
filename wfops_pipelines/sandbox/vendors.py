"""The three vendors' ways: what a query means, what a record looks like, how pages and errors do.

A `Vendor` is data and pure functions; `server.py` does the rest the same way for all of them.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from wfops_pipelines.sandbox.history import Id, Seen

MAX_PAGE = 100
Json = dict[str, Any]


class BadQuery(ValueError):
    """A query that the vendor would answer with 400."""


@dataclass(frozen=True, slots=True)
class Query:
    """What a list request asks for. `start` <= updated < `end`, unix milliseconds."""

    limit: int
    after: str | None
    start: int | None
    end: int | None
    created_from: int | None = None
    created_to: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page before it is dressed in a vendor's envelope; `link` makes the next page's URL."""

    records: list[Json]
    next_after: str | None
    link: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Vendor:
    """One vendor's API. `token` is the bearer token that it accepts."""

    system: str
    path: str
    data_key: str
    cursor_param: str
    token: str
    query: Callable[[Mapping[str, str]], Query]
    record: Callable[[Seen[Any]], Json]
    fields: Callable[[Json], Json]
    cursor: Callable[[Seen[Any]], str]
    envelope: Callable[[Page], Json]
    error: Callable[[int, str], Json]


def next_url(origin: str, path: str, query: Mapping[str, str], cursor: str, after: str) -> str:
    """Return the URL of the page after `after`, all other parameters unchanged."""
    return f"{origin}{path}?{urlencode({**query, cursor: after})}"


def place_of(cursor: str) -> tuple[int, int]:
    """Read an opaque cursor.

    Raises:
        BadQuery: not a cursor that this server gave out.
    """
    try:
        at, _, number = urlsafe_b64decode(cursor.encode() + b"==").decode().partition(":")
        return int(at), int(number)
    except ValueError as error:
        raise BadQuery("the cursor is not valid") from error


def opaque(row: Seen[Any]) -> str:
    """Return the opaque cursor of a row."""
    return urlsafe_b64encode(f"{row.at}:{row.id}".encode()).decode().rstrip("=")


def iso(at: int, decimals: int = 3) -> str:
    """Return a vendor's timestamp of unix milliseconds, with 3 or 0 decimals."""
    moment = datetime.fromtimestamp(at / 1000, UTC)
    text = moment.strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{at % 1000:03d}Z" if decimals else f"{text}Z"


def instant(text: str | None, unit: int = 1000) -> int | None:
    """Read an ISO time, or a number of `1000 / unit` ths of a second, as unix milliseconds.

    Raises:
        BadQuery: neither.
    """
    if not text:
        return None
    try:
        if text.lstrip("-").replace(".", "", 1).isdigit():
            return round(float(text) * unit)
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return round(moment.timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise BadQuery(f"{text!r} is not a time") from error


def page_size(text: str | None, default: int) -> int:
    """Read a page size between 1 and 100.

    Raises:
        BadQuery: outside, or not a number.
    """
    if text is None:
        return default
    if not text.isdecimal() or not 1 <= int(text) <= MAX_PAGE:
        raise BadQuery(f"the page size must be between 1 and {MAX_PAGE}")
    return int(text)


def find(rows: Sequence[Seen[Any]], row_id: Id) -> Seen[Any] | None:
    """Return the row with an id."""
    return next((row for row in rows if row.id == row_id), None)
