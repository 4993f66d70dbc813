"""A list endpoint of a REST API as a source: pages of records, nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from wfops_pipelines.apis.connection import Connection, Signing, bearer, connection_for
from wfops_pipelines.apis.window import EPOCH, TimeFormat, Window
from wfops_pipelines.sources.paging import (
    CursorPaging,
    HeaderCursorPaging,
    OffsetPaging,
    PageNumberPaging,
    Paging,
)
from wfops_pipelines.sources.searching import asks_for_window, filled, put, written


@dataclass(frozen=True, slots=True)
class Retries:
    """How long to insist: up to `attempts` in all, waiting `backoff` seconds, doubled each time.

    Retried are 429, 5xx, time-outs, broken connections and cut bodies. A Retry-After header
    replaces the wait; no wait exceeds `longest_wait` seconds.
    """

    attempts: int = 5
    backoff: float = 1.0
    longest_wait: float = 60.0


@dataclass(frozen=True, slots=True)
class RestSource:
    """One list endpoint. Holds no connection and no token, and makes no I/O before `pages`.

    `timeout` is in seconds, for connecting and between two pieces of an answer; `deadline` for the
    whole of one. `params` are sent with every request, besides the window and the page size. See
    `rest_api` for the rest.
    """

    system: str
    path: str
    records: str
    paging: Paging
    updated_after: str | None = None
    updated_before: str | None = None
    where: tuple[str, str] | None = None
    updated_at: str | None = None
    times: TimeFormat = TimeFormat.ISO_MILLIS
    page_size: tuple[str, int] | None = None
    params: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    body: str | None = None
    auth: Signing = bearer
    timeout: float = 30.0
    deadline: float = 300.0
    retries: Retries = field(default_factory=Retries)

    @property
    def windowed(self) -> bool:
        """Whether only what changed inside the window is read."""
        asked = self.body is not None and asks_for_window(self.body)
        ways = (self.updated_after, self.where, self.updated_at)
        return asked or any(way is not None for way in ways)

    @property
    def method(self) -> str:
        """A search is posted, and read-only all the same: it may be repeated."""
        return "GET" if self.body is None else "POST"

    def connect(self, environ: Mapping[str, str]) -> Connection:
        """Read the system's address and token. Raises SettingsError with the repair."""
        return connection_for(self.system, environ, self.auth)

    def pages(self, window: Window, connection: Connection) -> Iterator[list[dict[str, Any]]]:
        """Yield the records updated in `window`, page by page, as the vendor sent them.

        Raises:
            SourceRefused: 401 or 403.
            SourceRateLimited: still 429 after all attempts.
            SourceUnreachable: 5xx, time-outs, broken connections or cut bodies after all attempts.
            SourceMalformed: an answer that is not what the API promises.
        """
        from wfops_pipelines.sources.extract import extract

        return extract(self, window, connection)

    def query(self, window: Window) -> dict[str, str]:
        """Return the parameters of the first request."""
        found = dict(self.params)
        if self.body is None:
            found |= {name: str(value) for name, value in self._asked_for(window).items()}
        if self.where:
            name, text = self.where
            start = self.times.write(window.start or EPOCH)
            ends = {"{start}": start, "{end}": self.times.write(window.end)}
            found[name] = re.sub(r"\{(start|end)\}", lambda m: ends[m[0]], text)
        return found

    def search(self, window: Window) -> dict[str, Any] | None:
        """Return the body of the first request, its own each time; None for a plain list."""
        if self.body is None:
            return None
        ends = {"start": self._time(window.start or EPOCH), "end": self._time(window.end)}
        found: dict[str, Any] = filled(json.loads(self.body), ends)
        for name, value in self._asked_for(window).items():
            put(found, name, value)
        return found

    def _asked_for(self, window: Window) -> dict[str, str | int]:
        found: dict[str, str | int] = {}
        if self.page_size:
            found[self.page_size[0]] = self.page_size[1]
        if self.updated_after and window.start:
            found[self.updated_after] = self._time(window.start)
        if self.updated_before:
            found[self.updated_before] = self._time(window.end)
        return found

    def _time(self, moment: datetime) -> str | int:
        text = self.times.write(moment)
        return int(text) if text.lstrip("-").isdecimal() else text


def rest_api(
    system: str,
    path: str,
    *,
    records: str,
    paging: Paging,
    updated_after: str | None = None,
    updated_before: str | None = None,
    where: tuple[str, str] | None = None,
    updated_at: str | None = None,
    times: TimeFormat = TimeFormat.ISO_MILLIS,
    page_size: tuple[str, int] | None = None,
    params: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    body: Mapping[str, Any] | None = None,
    auth: Signing = bearer,
    timeout: float = 30.0,
    deadline: float = 300.0,
    retries: Retries | None = None,
) -> RestSource:
    """Declare a list endpoint, for example `rest_api("crm", "/v1/people", records="data", …)`.

    Args:
        system: names the environment variables (`WFOPS_CRM_URL`, `WFOPS_CRM_TOKEN`).
        path: below the system's address; starts with a slash.
        records: dotted path of the list in the answer; empty when the answer is the list.
        paging: how the API says that there is more.
        updated_after: parameter for the window's start (inclusive); None reads everything.
        updated_before: parameter for the window's end (exclusive); None when the API has none.
        where: for APIs with a query language: a parameter and its text, in which `{start}` and
            `{end}` become the window's ends, as `("q", "… WHERE Changed >= {start}")`.
        updated_at: for APIs that cannot filter: dotted path of a record's last change. All is read,
            and what did not change in the window is left out here.
        times: how the API wants the window's ends.
        page_size: parameter and value, for example `("limit", 100)`.
        params: sent with every request.
        headers: sent with every request, as {"Notion-Version": "2022-06-28"}.
        body: of a search, which is posted: what is asked for, as JSON. `{start}` and `{end}` in its
            texts become the window's ends, the beginning of time where there is none; alone in a
            text they are numbers where `times` are. What else goes with a request (the cursor or
            offset, the page size, `updated_after`) goes into the body as well, at a dotted path;
            `params` stay in the address. It must only read: it is repeated as a GET is.
        auth: how the token is sent: `bearer`, `basic`, `no_auth`, `api_key("X-Api-Key")`, or
            `oauth2("/oauth/token")`.
        timeout: seconds to wait for the server to connect, or to go on.
        deadline: seconds that one answer may take in all, however it trickles in.
        retries: how long to insist.

    Raises:
        ValueError: a path that does not start with one slash, a body that is no JSON or has no
            place for what goes into it.
    """
    if not path.startswith("/") or path.startswith("//"):
        raise ValueError(f"the path of {system!r} must start with one slash: {path!r}")
    return RestSource(
        system=system,
        path=path,
        records=records,
        paging=paging,
        updated_after=updated_after,
        updated_before=updated_before,
        where=where,
        updated_at=updated_at,
        times=times,
        page_size=page_size,
        params=tuple((params or {}).items()),
        headers=tuple((headers or {}).items()),
        body=None if body is None else written(body, _placed(paging, page_size)),
        auth=auth,
        timeout=timeout,
        deadline=deadline,
        retries=retries or Retries(),
    )


def _placed(paging: Paging, page_size: tuple[str, int] | None) -> list[str]:
    """The paths at which paging writes into the body of a search."""
    size = [page_size[0]] if page_size else []
    match paging:
        case CursorPaging() | HeaderCursorPaging() | PageNumberPaging():
            return [paging.param, *size]
        case OffsetPaging():
            return [paging.offset_param, paging.limit_param, *size]
    return size
