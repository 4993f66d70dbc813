"""Send requests to a SaaS API: signed, in time, at its pace, repeated where that is safe."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from wfops_pipelines.apis.behind import distrusted
from wfops_pipelines.apis.connection import Signing, bearer, connection_for
from wfops_pipelines.core.redact import secrets_of
from wfops_pipelines.destinations.calls import Call
from wfops_pipelines.destinations.forms import pairs
from wfops_pipelines.destinations.told import Told
from wfops_pipelines.errors import DestinationRefused

if TYPE_CHECKING:
    import requests

TRIES = 4  # after the first one
BACKOFF = 0.2  # seconds before the second try, doubled each time, with as much jitter
LONGEST_WAIT = 60  # seconds, whatever Retry-After says
TIMEOUT = (5.0, 30.0)  # seconds to connect, and between two bytes of the answer


@dataclass(frozen=True, slots=True)
class Manners:
    """How a system wants to be asked.

    `key_header` carries the idempotency key, which makes repeating a POST safe; None: the API
    knows no such keys. `deadline`: seconds for one whole answer. `per_second`: requests, None for
    no limit. `at_once`: requests that only read may run side by side. `form`: bodies are forms, not
    JSON.
    """

    auth: Signing = bearer
    key_header: str | None = "Idempotency-Key"
    headers: tuple[tuple[str, str], ...] = ()
    deadline: float = 60.0
    per_second: float | None = None
    at_once: int = 4
    form: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and body (JSON, or None) of an answer; `gone`: as a failure, for whom it is one."""

    status: int
    body: Any
    gone: DestinationRefused | None = None


@dataclass(slots=True)
class Pace:
    """When the next request may go: so many a second, and not before the API said."""

    per_second: float | None = None
    _next: float = 0.0
    _lock: Any = field(default_factory=threading.Lock)

    def wait(self) -> None:
        with self._lock:
            now = time.monotonic()
            mine = max(now, self._next)
            self._next = mine + (1 / self.per_second if self.per_second else 0.0)
        if mine > now:
            time.sleep(mine - now)

    def hold(self, seconds: float) -> None:
        """Nobody asks for so long: one was told to wait."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + min(seconds, LONGEST_WAIT))


class Caller:
    """Sends requests to one system over kept connections; close it after use.

    Raises SettingsError, naming the variable, when the system cannot be opened.
    """

    def __init__(self, system: str, manners: Manners, environ: Mapping[str, str]) -> None:
        from wfops_pipelines.apis.signing import Signer

        opened = connection_for(system, environ, manners.auth)
        self._url, self._key_header = opened.base_url, manners.key_header
        self._told = Told(system, opened.base_url, {opened.token, *secrets_of(environ)} - {""})
        self._pace, self._broke = Pace(manners.per_second), _Broke()
        self.at_once, self._forms = manners.at_once, manners.form
        self._calm, self._careful = (
            _session(manners, self._pace, self._broke, safe=s) for s in (True, False)
        )
        signer: Any = Signer(manners.auth, opened, self._told, self._form)
        self._calm.auth = self._careful.auth = signer
        trusted = environ.get("REQUESTS_CA_BUNDLE") or environ.get("CURL_CA_BUNDLE")
        self._calm.verify = self._careful.verify = trusted or True

    def close(self) -> None:
        self._calm.close()
        self._careful.close()

    def send(
        self,
        call: Call,
        path: str,
        body: Any = None,
        key: str | None = None,
        *,
        reads: bool = False,
    ) -> Answer:
        """One request, repeated where that is safe, as it is where it only `reads`.

        A 404 or 410 is an answer, no failure.

        Raises a DestinationRefused, which says whether a try may have been done all the same;
        OutcomeUnknown where nobody can know, and it must not be repeated.
        """
        self._broke.once = False
        try:
            return self._asked(call, path, body, key, reads=reads)
        except DestinationRefused as error:
            error.perhaps = self._broke.once and call.method != "GET" and not reads
            raise

    def _asked(self, call: Call, path: str, body: Any, key: str | None, *, reads: bool) -> Answer:
        import requests

        safe = reads or call.repeatable or (key is not None and self._key_header is not None)
        headers = {self._key_header: key} if key and self._key_header else {}
        ask = partial((self._calm if safe else self._careful).request, call.method)
        asked = f"{call.method} {path}"
        self._pace.wait()
        try:
            answer = _whole(
                partial(
                    ask, self._url + path, **self._content(body), headers=headers,
                    timeout=TIMEOUT, allow_redirects=False,
                ),
                TRIES if safe else 0,
                self._broke,
            )  # fmt: skip
        except requests.RequestException as error:
            raise self._told.lost(asked, error, safe) from None
        return self._judged(asked, answer, safe)

    def _content(self, body: Any) -> dict[str, Any]:
        return {"data": list(pairs(body))} if self._forms else {"json": body}

    def _judged(self, asked: str, answer: requests.Response, safe: bool) -> Answer:
        if 200 <= answer.status_code < 300:
            return Answer(answer.status_code, _json(answer))
        failure = self._told.of_status(asked, answer, safe=safe)
        self._broke.once |= answer.status_code >= 500
        if answer.status_code in (404, 410):
            return Answer(answer.status_code, None, failure)
        raise failure

    def _form(self, url: str, form: dict[str, str], auth: tuple[str, str]) -> requests.Response:
        ask = partial(
            self._calm.post, url, data=form, auth=auth, timeout=TIMEOUT, allow_redirects=False
        )
        answer: requests.Response = _whole(ask, TRIES, self._broke)
        return answer


class _Broke(threading.local):
    """Whether a try of this thread's request broke when the request may have arrived."""

    once = False


def _whole(ask: Any, tries: int, broke: _Broke) -> Any:
    """Ask until the body is whole, too: urllib3 tries again only what broke before it."""
    from requests.exceptions import ChunkedEncodingError, ConnectionError
    from urllib3.exceptions import MaxRetryError

    for tried in range(tries):
        try:
            return ask()
        except (ChunkedEncodingError, ConnectionError) as error:
            if any(isinstance(a, MaxRetryError) for a in error.args):
                raise
            broke.once = True
            time.sleep(BACKOFF * (2**tried + random.random()))  # noqa: S311 - jitter
    return ask()


def _session(manners: Manners, pace: Pace, broke: _Broke, *, safe: bool) -> requests.Session:
    import requests
    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
    from urllib3.util import Retry

    from wfops_pipelines.apis.deadline import Within

    class Patient(Retry):
        def increment(  # type: ignore[override]
            self, method: Any = None, url: Any = None, response: Any = None,
            error: Any = None, *more: Any, **named: Any,
        ) -> Retry:  # fmt: skip
            if error is not None:
                unsent = isinstance(error, NewConnectionError | ConnectTimeoutError)
                broke.once |= not (unsent or distrusted(error))
            elif response is not None:
                broke.once |= response.status != 429
            return super().increment(method, url, response, error, *more, **named)

        def sleep(self, response: Any = None) -> None:
            asked = self.get_retry_after(response) if response else None
            if asked:
                pace.hold(asked)
            super().sleep(response)

    class Careful(Patient):  # a 503 with Retry-After may have been done all the same
        RETRY_AFTER_STATUS_CODES = frozenset({429})

    kind = Patient if safe else Careful
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
    session.headers.update(dict(manners.headers))
    if not safe:  # a kept connection that the server just closed could not be told from a crash
        session.headers["Connection"] = "close"
    for scheme in ("http://", "https://"):
        session.mount(scheme, Within(manners.deadline, max_retries=retry))
    return session


def _json(answer: requests.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None
