"""Put on a request what opens the system, and get a new access token when it is needed."""

from __future__ import annotations

import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from wfops_pipelines.apis.behind import TRUST, distrusted
from wfops_pipelines.apis.connection import Auth, Connection, NoAuth, OAuth2, Signing
from wfops_pipelines.apis.keeping import in_turn, keep, newest
from wfops_pipelines.apis.late import expired

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

    from wfops_pipelines.errors import SyncFailure

Post = Callable[[str, dict[str, str], tuple[str, str]], "Response"]
"""Sends a form to an address with a user and a password, and insists as its owner does."""

SHORTEST = 300.0  # seconds that an access token is taken to live when the vendor does not say
MARGIN = 60.0  # seconds before its end at which it is replaced


class Asked(Protocol):
    """Remembers what was asked, and turns what went wrong into a failure in its owner's words."""

    def saw(self, request: PreparedRequest, response: Response | None) -> None: ...
    def hide(self, *secrets: str) -> None: ...
    def quote(self, body: str) -> str: ...
    def refused(self, said: str) -> SyncFailure: ...
    def unreachable(self, problem: str) -> SyncFailure: ...
    def malformed(self, problem: str) -> SyncFailure: ...
    def status(self, answer: Response) -> SyncFailure: ...


class Signer:
    """Signs requests; requests takes any callable. One for each extraction or publication."""

    def __init__(self, auth: Signing, connection: Connection, asked: Asked, post: Post) -> None:
        self._auth, self._connection = auth, connection
        self._asked, self._send = asked, post
        self._token, self._until = "", 0.0
        self._refresh = ""
        self._one_at_a_time = threading.Lock()

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request = self._signed(request)
        self._asked.saw(request, None)
        return request

    def _signed(self, request: PreparedRequest) -> PreparedRequest:
        match self._auth:
            case Auth():
                request.headers[self._auth.header] = self._written(self._auth)
            case OAuth2():
                request.headers["Authorization"] = f"Bearer {self._access_token()}"
                request.register_hook("response", self._again_with_a_new_token)
            case NoAuth():
                pass
        return request

    def _written(self, auth: Auth) -> str:
        token = self._connection.token
        if auth.encoded:
            token = b64encode(token.encode("ascii")).decode("ascii")
            self._asked.hide(token, self._connection.token.partition(":")[2])
        return f"{auth.prefix}{token}"

    def _again_with_a_new_token(self, response: Response, **sent: Any) -> Response:
        """A vendor may end a token before its time: once, a 401 is answered with a new one."""
        if response.status_code != 401 or response.history:
            return response
        _ = response.content  # so that the connection is given back
        response.close()
        request = response.request.copy()
        spent = str(request.headers.get("Authorization", ""))
        request.headers["Authorization"] = f"Bearer {self._access_token(spent)}"
        again: Response = response.connection.send(request, **sent)
        again.history.append(response)
        again.request = request
        return again

    def _access_token(self, spent: str = "") -> str:
        """The token that counts now; `spent` is the header that the vendor no longer takes."""
        with self._one_at_a_time:
            if time.monotonic() >= self._until or spent == f"Bearer {self._token}":
                self._token, lives = self._fetch()
                self._asked.hide(self._token)
                self._until = time.monotonic() + max(lives - MARGIN, lives / 2)
            return self._token

    def _fetch(self) -> tuple[str, float]:
        assert isinstance(self._auth, OAuth2)
        id_, _, rest = self._connection.token.partition(":")
        secret, _, given = rest.partition(":")
        form: dict[str, str] = {"grant_type": self._auth.grant}
        if self._auth.scope:
            form["scope"] = self._auth.scope
        self._asked.hide(rest, secret, given)
        if self._auth.grant == "client_credentials":
            return self._read(self._post(form, (id_, rest)))[:2]
        with self._kept() as kept:
            form["refresh_token"] = refresh = (
                newest(kept, given) if kept else self._refresh or given
            )
            self._asked.hide(refresh)
            token, lives, following = self._read(self._post(form, (id_, secret)))
            if following:
                self._asked.hide(following)
                self._refresh = following
                keep(kept, given, following)
        return token, lives

    @contextmanager
    def _kept(self) -> Iterator[Path | None]:
        """The place of the vendor's newest refresh token, with nobody else at it."""
        place = self._connection.kept
        try:
            with in_turn(place):
                yield place
        except (OSError, ValueError, KeyError) as error:
            raise self._asked.refused(
                f"needs the refresh token kept in {place}, which cannot be read or written "
                f"({type(error).__name__}): mend or delete that file"
            ) from None

    def _post(self, form: dict[str, str], auth: tuple[str, str]) -> Response:
        import requests

        assert isinstance(self._auth, OAuth2)
        try:
            answer = self._send(self._connection.base_url + self._auth.token_path, form, auth)
        except requests.RequestException as error:
            if isinstance(error.request, requests.PreparedRequest):
                self._asked.saw(error.request, error.response)
            late, distrust = expired(error), distrusted(error)
            said = late.words if late else f"did not answer ({type(error).__name__})"
            said = f"{distrust}: {TRUST}" if distrust else said
            where = f"the token endpoint {self._auth.token_path}"
            raise self._asked.unreachable(f"{where} {said}") from None
        self._asked.saw(answer.request, answer)
        return answer

    def _read(self, answer: Response) -> tuple[str, float, str]:
        """Return the access token, the seconds that it lives, and a new refresh token or ""."""
        assert isinstance(self._auth, OAuth2)
        if answer.status_code in (400, 401, 403):  # RFC 6749 5.2: invalid_grant is a 400
            raise self._asked.refused(
                f"answered {answer.status_code}{self._asked.quote(answer.text)}"
            )
        if answer.status_code >= 400:
            raise self._asked.status(answer)
        try:
            if answer.status_code != 200:
                raise ValueError
            body = answer.json()
            token, lives = body["access_token"], float(body.get("expires_in", SHORTEST))
        except (ValueError, TypeError, KeyError, AttributeError):
            body, token, lives = {}, "", 0.0
        if not (isinstance(token, str) and token.isascii() and token.isprintable() and token):
            raise self._asked.malformed(
                f"the token endpoint {self._auth.token_path} gave no access token "
                f"(status {answer.status_code})"
            )
        return token, lives, str(body.get("refresh_token") or "")
