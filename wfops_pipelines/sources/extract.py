"""The extraction itself, on dlt's REST client: no pipeline, no state, no configuration files.

dlt pages and retries; what it lets pass is checked here: answers without their envelope, next
pages at another origin, pages that come again, promises of more that lead nowhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import orjson

from wfops_pipelines.sources.connection import Auth, Connection
from wfops_pipelines.sources.failures import Asked
from wfops_pipelines.sources.origin import foreign
from wfops_pipelines.sources.paging import (
    CursorPaging,
    HeaderLinkPaging,
    LinkPaging,
    OffsetPaging,
    PageNumberPaging,
    Paging,
    SinglePage,
)
from wfops_pipelines.sources.rest import RestSource
from wfops_pipelines.sources.window import Window

if TYPE_CHECKING:
    from dlt.sources.helpers.rest_client.client import PageData, RESTClient
    from dlt.sources.helpers.rest_client.paginators import BasePaginator
    from requests import PreparedRequest, Response

Records = list[dict[str, Any]]
_MOST_EMPTY_PAGES = 100
_MISSING = object()
_LONG_NUMBER = re.compile(rb"\d{19}")


def extract(source: RestSource, window: Window, connection: Connection) -> Iterator[Records]:
    """Yield the pages of `source` in `window`; the errors are those of `RestSource.pages`."""
    asked = Asked(source.system, source.path, source.retries.attempts, connection.token)
    client = _client(source, connection)
    trail = _Trail(source, connection, asked)
    try:
        for page in _dlt_pages(client, source, window, asked):
            yield trail.follow(page)
            if trail.ended:
                return
    finally:
        client.session.close()


class _Trail:
    """Checks each page against those before it."""

    def __init__(self, source: RestSource, connection: Connection, asked: Asked) -> None:
        self.ended = False
        self._source, self._asked = source, asked
        self._base_url = connection.base_url
        self._requests: set[str] = set()
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
        self._requests.add(str(page.response.request.url))
        self._refuse_repeated(records)
        self.ended = not self._more(body, page)
        if not self.ended:
            self._refuse_bad_next(page)
        return records

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
        if isinstance(paging, CursorPaging | LinkPaging) and paging.more:
            more = find(body, paging.more)
            if not isinstance(more, bool):
                raise self._asked.malformed(f"the answer has no true or false {paging.more!r}")
            return more
        return None

    def _refuse_bad_next(self, page: PageData[Any]) -> None:
        problem = foreign(str(page.request.url), self._base_url)
        if problem:
            raise self._asked.malformed(
                f"the next page's address {problem}; the token was not sent there"
            )
        with _translated(self._asked):
            following = page.request.prepare().url
        if following in self._requests:
            raise self._asked.malformed("the next page is one that was read already (a loop)")


def find(body: Any, path: str) -> Any:
    """Return what lies at a dotted path of a JSON value, or a marker when it is not there."""
    for name in path.split(".") if path else ():
        if not isinstance(body, dict) or name not in body:
            return _MISSING
        body = body[name]
    return body


def _dlt_pages(
    client: RESTClient, source: RestSource, window: Window, asked: Asked
) -> Iterator[PageData[Any]]:
    def check(response: Response, *_: Any, **__: Any) -> None:
        content = response.content  # read before refusing, so that the connection is given back
        _refuse_status(response, asked)
        _parse_once(response, content)

    from dlt.common.jsonpath import compile_path

    pages = client.paginate(
        source.path,
        params=source.query(window),
        paginator=_paginator(source.paging),
        data_selector=compile_path(source.records or "$"),  # dlt would parse it for every page
        hooks={"response": [check]},
        # A redirect could lead the token anywhere.
        allow_redirects=False,
    )
    with _translated(asked):
        yield from pages


def _client(source: RestSource, connection: Connection) -> RESTClient:
    from dlt.common.configuration.specs import RuntimeConfiguration
    from dlt.sources.helpers.requests.retry import DEFAULT_RETRY_EXCEPTIONS, Client
    from dlt.sources.helpers.rest_client.client import RESTClient
    from requests.exceptions import ContentDecodingError

    session = Client(
        request_timeout=source.timeout,
        raise_for_status=False,
        exceptions=(*DEFAULT_RETRY_EXCEPTIONS, ContentDecodingError),
        request_max_attempts=source.retries.attempts,
        request_backoff_factor=source.retries.backoff,
        request_max_retry_delay=source.retries.longest_wait,
    ).session
    # Given outright, so that dlt looks for no configuration files.
    quiet = RuntimeConfiguration(dlthub_telemetry=False)
    auth: Any = _Signer(source.auth, connection)
    return RESTClient(connection.base_url, auth=auth, session=session, config=quiet)


class _Signer:
    """Puts the token on a request; requests takes any callable."""

    def __init__(self, auth: Auth, connection: Connection) -> None:
        self._auth, self._connection = auth, connection

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers[self._auth.header] = f"{self._auth.prefix}{self._connection.token}"
        return request


def _paginator(paging: Paging) -> BasePaginator:
    from dlt.sources.helpers.rest_client import paginators as dlt_paging

    match paging:
        case CursorPaging():
            return dlt_paging.JSONResponseCursorPaginator(paging.path, paging.param)
        case LinkPaging():
            return dlt_paging.JSONLinkPaginator(paging.path)
        case HeaderLinkPaging():
            return dlt_paging.HeaderLinkPaginator(paging.rel)
        case OffsetPaging():
            return dlt_paging.OffsetPaginator(
                limit=paging.limit,
                offset_param=paging.offset_param,
                limit_param=paging.limit_param,
                total_path=paging.total,
            )
        case PageNumberPaging():
            return dlt_paging.PageNumberPaginator(
                base_page=paging.first, page_param=paging.param, total_path=paging.total
            )
        case SinglePage():
            return dlt_paging.SinglePagePaginator()


def _refuse_status(response: Response, asked: Asked) -> None:
    from requests import HTTPError

    if response.status_code >= 400:
        raise HTTPError(response=response)
    if response.status_code != 200:
        raise asked.malformed(f"answered {response.status_code} where a 200 was expected")


def _parse_once(response: Response, content: bytes) -> None:
    from requests.exceptions import ChunkedEncodingError

    try:
        body = parse(content)
    except (ValueError, RecursionError):
        # Retried, as any other cut body.
        raise ChunkedEncodingError("the body is not whole JSON") from None
    # dlt asks for the body several times a page.
    setattr(response, "json", lambda **_: body)  # noqa: B010


def parse(content: bytes) -> Any:
    """Return a JSON body, whole numbers exact.

    Raises:
        ValueError: not JSON.
    """
    # orjson is fast, but turns whole numbers beyond 64 bits into floats without a word.
    if _LONG_NUMBER.search(content) is None:
        try:
            return orjson.loads(content)
        except orjson.JSONDecodeError:
            pass
    return json.loads(content)


@contextmanager
def _translated(asked: Asked) -> Iterator[None]:
    from requests import HTTPError, RequestException, Timeout
    from requests.exceptions import ChunkedEncodingError, ConnectionError, ContentDecodingError

    try:
        yield
    except HTTPError as error:
        answer = error.response
        assert answer is not None
        wish = answer.headers.get("Retry-After")
        raise asked.status(answer.status_code, answer.text, wish) from None
    except Timeout:
        raise asked.unreachable("did not answer in time") from None
    except (ChunkedEncodingError, ContentDecodingError):
        raise asked.unreachable("the answer was cut off or is not JSON") from None
    except ConnectionError as error:
        raise asked.unreachable(
            f"the connection broke or was not made ({type(error).__name__})"
        ) from None
    except RequestException as error:
        raise asked.malformed(f"the request cannot be made ({type(error).__name__})") from None
    except (ValueError, TypeError, AttributeError, LookupError) as error:
        # dlt's paginators stumble over odd answers and quote them whole: their words stay out.
        raise asked.malformed(f"the paging cannot be read ({type(error).__name__})") from None
