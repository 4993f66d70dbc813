"""What dlt lets pass is checked here, page by page.

Answers without their envelope, next pages at another origin, pages that come again, promises of
more that lead nowhere: each would lose rows or the token without a word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wfops_pipelines.apis.connection import Connection
from wfops_pipelines.apis.window import TimeFormat, Window
from wfops_pipelines.sources.answers import translated
from wfops_pipelines.sources.cells import moment
from wfops_pipelines.sources.failures import Asked
from wfops_pipelines.sources.origin import foreign
from wfops_pipelines.sources.paging import CursorPaging, LinkPaging
from wfops_pipelines.sources.rest import RestSource
from wfops_pipelines.sources.searching import steps

if TYPE_CHECKING:
    from dlt.sources.helpers.rest_client.client import PageData
    from requests import PreparedRequest

Records = list[dict[str, Any]]
_MOST_EMPTY_PAGES = 100
_MISSING = object()


class Trail:
    """Checks each page against those before it."""

    def __init__(
        self, source: RestSource, window: Window, connection: Connection, asked: Asked
    ) -> None:
        self.ended = False
        self._window = window
        self._source, self._asked = source, asked
        self._base_url = connection.base_url
        self._requests: set[tuple[str, bytes]] = set()
        self._first: Records = []
        self._last: Records = []
        self._empty = 0

    def follow(self, page: PageData[Any]) -> Records:
        """Return a page's records when the answer is whole and leads somewhere new.

        Raises:
            SourceMalformed: it is not.
        """
        body = page.response.json()
        records = self._records(body)
        self._requests.add(_asked(page.response.request))
        self._refuse_repeated(records)
        self.ended = not self._more(body, page)
        if not self.ended:
            self._refuse_bad_next(page)
        return records if self._source.updated_at is None else self._changed(records)

    def _changed(self, records: Records) -> Records:
        """The records of the window; the rest is there because the API cannot filter."""
        path, window = self._source.updated_at or "", self._window
        unit = 1000 if self._source.times is TimeFormat.UNIX_MILLIS else 1
        found = []
        for record in records:
            value = find(record, path)
            if value is None:  # a record without a time is evidence: the examiners report it
                found.append(record)
                continue
            try:
                at = moment(value / unit if type(value) is int else value)
            except (ValueError, TypeError, AttributeError, OverflowError, OSError):
                raise self._asked.malformed(f"a record has no time at {path!r}") from None
            if at < window.end and (window.start is None or at >= window.start):
                found.append(record)
        return found

    def _records(self, body: Any) -> Records:
        where = self._source.records
        records = find(body, where)
        if records is _MISSING:
            raise self._asked.malformed(f"the answer has no {where!r}")
        if not isinstance(records, list) or not all(isinstance(r, dict) for r in records):
            raise self._asked.malformed(f"{where or 'the answer'!r} is not a list of objects")
        return records

    def _refuse_repeated(self, records: Records) -> None:
        self._empty = 0 if records else self._empty + 1
        if self._empty > _MOST_EMPTY_PAGES:
            raise self._asked.malformed(f"{self._empty} empty pages in a row, and no end")
        if records and records in (self._first, self._last):
            raise self._asked.malformed("the same page came twice")
        self._first = self._first or records
        self._last = records

    def _more(self, body: Any, page: PageData[Any]) -> bool:
        promised = self._promised(body)
        given = bool(page.paginator.has_next_page)
        if promised and not given:
            raise self._asked.malformed("the answer says that more follows, but not where")
        return given and promised is not False

    def _promised(self, body: Any) -> bool | None:
        paging = self._source.paging
        if isinstance(paging, CursorPaging) and paging.announced:
            return find(body, paging.announced) not in (_MISSING, None)
        if isinstance(paging, CursorPaging | LinkPaging) and (paging.more or paging.done):
            where = paging.more or paging.done or ""
            said = find(body, where)
            if not isinstance(said, bool):
                raise self._asked.malformed(f"the answer has no true or false {where!r}")
            return said if paging.more else not said
        return None

    def _refuse_bad_next(self, page: PageData[Any]) -> None:
        problem = foreign(str(page.request.url), self._base_url)
        if problem:
            raise self._asked.malformed(
                f"the next page's address {problem}; the token was not sent there"
            )
        with translated(self._asked):
            following = _asked(page.request.prepare())
        if following in self._requests:
            raise self._asked.malformed("the next page is one that was read already (a loop)")


def _asked(request: PreparedRequest) -> tuple[str, bytes]:
    """What tells one request from another: the address, and the body of a search."""
    body: Any = request.body or b""
    return str(request.url), body.encode() if isinstance(body, str) else body


def find(body: Any, path: str) -> Any:
    """Return what lies at a dotted path of a JSON value, or a marker when it is not there."""
    for step in steps(path):
        fits = isinstance(body, dict) if isinstance(step, str) else isinstance(body, list)
        try:
            body = body[step] if fits else _MISSING
        except LookupError:
            return _MISSING
    return body
