"""Requests to a SaaS API: filled from a row, repeated where that is safe, and what came of them."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote as url_quote

from wfops_pipelines.core.exchange import excerpt, exchange
from wfops_pipelines.destinations.connection import QUOTED, Access, variables
from wfops_pipelines.errors import (
    DestinationDenied,
    DestinationRateLimited,
    DestinationRefused,
    DestinationUnreachable,
)

if TYPE_CHECKING:
    import requests

TRIES = 4  # after the first one
BACKOFF = 0.2  # seconds before the second try, doubled each time, with as much jitter
LONGEST_WAIT = 60  # seconds, whatever Retry-After says
TIMEOUT = (5.0, 30.0)  # seconds to connect, and between two bytes of the answer
_REPAIR = "Repair the row or the sync; then retry."
_CALL = re.compile(r"(GET|POST|PUT|PATCH|DELETE) (/(?!/)\S*)$")
REPEATABLE = ("GET", "PUT", "PATCH", "DELETE")  # done twice is done once


class OutcomeUnknown(DestinationUnreachable):
    """The request may have arrived, or not, and must not be sent twice."""


@dataclass(frozen=True, slots=True)
class Call:
    """A method and a path with columns in braces, as `PATCH /contacts/{id}`."""

    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def repeatable(self) -> bool:
        return self.method in REPEATABLE

    def filled(self, values: Mapping[str, Any]) -> str:
        """The path for one row. Raises DestinationRefused where a column is missing or null."""
        return self.path.format_map(_Quoted(values, str(self)))


class _Quoted(dict[str, str]):
    def __init__(self, values: Mapping[str, Any], call: str) -> None:
        found = {k: url_quote(str(v), safe="") for k, v in values.items() if v is not None}
        super().__init__(found)
        self._call = call

    def __missing__(self, name: str) -> str:
        raise DestinationRefused(
            f"{self._call}: the row has no {name}. Repair the sync, or the path of its destination."
        )


def call(text: str) -> Call:
    """Read `POST /contacts`. Raises ValueError for anything else."""
    found = _CALL.match(text)
    if not found:
        raise ValueError(
            f'{text!r} is no request. Write method and path, as "POST /contacts" or '
            '"PATCH /contacts/{id}".'
        )
    return Call(found[1], found[2])


def fill(value: Any, row: Mapping[str, Any]) -> Any:
    """A body with its columns filled in; a text that is only one column keeps its type.

    Raises DestinationRefused where a longer text has a column that is null or missing.
    """
    match value:
        case str() if value[:1] == "{" and value[-1:] == "}" and value[1:-1] in row:
            return _as_json(row[value[1:-1]])
        case str():
            return value.format_map(_Present(row))
        case Mapping():
            return {k: fill(v, row) for k, v in value.items()}
        case list() | tuple():
            return [fill(v, row) for v in value]
        case _:
            return value


class _Present(dict[str, Any]):
    def __init__(self, row: Mapping[str, Any]) -> None:
        super().__init__({k: v for k, v in row.items() if v is not None})

    def __missing__(self, name: str) -> str:
        raise DestinationRefused(f"the row has no {name}, which the body puts into a text.")


def _as_json(value: Any) -> Any:
    match value:
        case float() if not math.isfinite(value):
            raise DestinationRefused(f"the row has {value}, which JSON does not know.")
        case datetime() | date():
            return value.isoformat()
        case Decimal():
            return str(value)
        case bytes():
            return base64.b64encode(value).decode("ascii")
        case _:
            return value


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and body (JSON, or None) of an answer; `gone`: as a failure, for whom it is one."""

    status: int
    body: Any
    gone: DestinationRefused | None = None


class Caller:
    """Sends requests to one system over kept connections; close it after use.

    `key_header` carries the idempotency key, which makes repeating a POST safe; None: the API
    knows no such keys.
    """

    def __init__(self, system: str, access: Access, key_header: str | None) -> None:
        self._system, self._access, self._key_header = system, access, key_header
        self._calm, self._careful = _session(access, True), _session(access, False)

    def close(self) -> None:
        self._calm.close()
        self._careful.close()

    def send(self, call: Call, path: str, body: Any = None, key: str | None = None) -> Answer:
        """One request, repeated where that is safe. A 404 or 410 is an answer, no failure.

        Raises a DestinationRefused; OutcomeUnknown where nobody can know whether it arrived.
        """
        import requests

        safe = call.repeatable or (key is not None and self._key_header is not None)
        headers = {self._key_header: key} if key and self._key_header else {}
        ask = partial((self._calm if safe else self._careful).request, call.method)
        try:
            answer = ask(
                self._access.url + path, json=body, headers=headers, timeout=TIMEOUT,
                allow_redirects=False,
            )  # fmt: skip
        except requests.RequestException as error:
            raise self._lost(f"{call.method} {path}", error, safe) from None
        return self._judged(f"{call.method} {path}", answer, safe)

    def _lost(self, asked: str, error: Exception, safe: bool) -> DestinationRefused:
        from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

        reason = getattr(error.args[0] if error.args else None, "reason", None)
        never = isinstance(reason, NewConnectionError | ConnectTimeoutError)
        said = f"{self._system}: {asked} did not get through ({type(error).__name__})"
        method, path = asked.split(" ", 1)
        facts = exchange(method, self._access.url + path, self._access.secrets)
        if safe or never:
            said += ". Check that the system is up; then retry."
            return DestinationUnreachable(said, facts)
        return OutcomeUnknown(f"{said}; it may have arrived all the same.", facts)

    def _judged(self, asked: str, answer: requests.Response, safe: bool) -> Answer:
        status = answer.status_code
        if 200 <= status < 300:
            return Answer(status, _json(answer))
        failure = self.refusal(asked, answer)
        if status in (404, 410):
            refused = DestinationRefused(f"{failure} {_REPAIR}", failure.exchange)
            return Answer(status, None, refused)
        if status == 429:
            raise DestinationRateLimited(f"{failure} Retry later.", failure.exchange)
        if status in (401, 403):
            repair = f"Renew {variables(self._system)[1]}, check what it may write; then retry."
            raise DestinationDenied(f"{failure} {repair}", failure.exchange)
        if status < 500:
            raise DestinationRefused(f"{failure} {_REPAIR}", failure.exchange)
        if safe:
            raise DestinationUnreachable(f"{failure} Retry when it is well.", failure.exchange)
        raise OutcomeUnknown(f"{failure} It may have been done all the same.", failure.exchange)

    def refusal(self, asked: str, answer: requests.Response) -> DestinationRefused:
        """What was asked and what came back, in words and as evidence."""
        secrets, status = self._access.secrets, answer.status_code
        method, path = asked.split(" ", 1)
        facts = exchange(
            method, self._access.url + path, secrets, status=status,
            headers=answer.headers, body=answer.content,
        )  # fmt: skip
        said = " ".join(excerpt(answer.content, status, secrets).split())[:QUOTED]
        quoted = f" (“{said}”)" if said else ""
        return DestinationRefused(
            f"{self._system}: {asked} was refused with {status}{quoted}.", facts
        )


def _session(access: Access, safe: bool) -> requests.Session:
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry

    class Careful(Retry):  # a 503 with Retry-After may have been done all the same
        RETRY_AFTER_STATUS_CODES = frozenset({429})

    kind = Retry if safe else Careful
    retry = kind(
        total=TRIES,
        read=TRIES if safe else 0,
        other=TRIES if safe else 0,
        status_forcelist=(429, 500, 502, 503, 504) if safe else (429,),
        allowed_methods=None,
        backoff_factor=BACKOFF,
        backoff_jitter=BACKOFF,
        raise_on_status=False,
        retry_after_max=LONGEST_WAIT,
    )
    session = requests.Session()
    session.trust_env = False  # no proxy, and no other password, from the machine's files
    session.headers.update(access.headers)
    if not safe:  # a kept connection that the server just closed could not be told from a crash
        session.headers["Connection"] = "close"
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=retry))
    return session


def _json(answer: requests.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None
