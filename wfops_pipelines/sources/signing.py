"""Put on a request what opens the system, and get a new access token when it is needed."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wfops_pipelines.sources.connection import Auth, Connection, OAuth2
from wfops_pipelines.sources.failures import Asked
from wfops_pipelines.sources.insisting import insisting, plain_patience
from wfops_pipelines.sources.keeping import in_turn, keep, newest
from wfops_pipelines.sources.rest import RestSource

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

SHORTEST = 300.0  # seconds that an access token is taken to live when the vendor does not say
MARGIN = 60.0  # seconds before its end at which it is replaced


class Signer:
    """Signs requests; requests takes any callable. One for each extraction."""

    def __init__(self, source: RestSource, connection: Connection, asked: Asked) -> None:
        self._auth, self._connection = source.auth, connection
        self._source, self._asked = source, asked
        self._token, self._until = "", 0.0
        self._refresh = ""

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
        self._until = 0.0
        request = response.request.copy()
        request.headers["Authorization"] = f"Bearer {self._access_token()}"
        again: Response = response.connection.send(request, **sent)
        again.history.append(response)
        again.request = request
        return again

    def _access_token(self) -> str:
        if time.monotonic() >= self._until:
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
        session = insisting(self._source.timeout, self._source.retries)
        try:
            return session.post(
                self._connection.base_url + self._auth.token_path,
                data=form, auth=auth, allow_redirects=False, hooks={"response": [self._saw]},
            )  # fmt: skip
        except requests.RequestException as error:
            if isinstance(error.request, requests.PreparedRequest):
                self._asked.saw(error.request, error.response)
            where = f"the token endpoint {self._auth.token_path}"
            raise self._asked.unreachable(
                f"{where} did not answer ({type(error).__name__})"
            ) from None
        finally:
            session.close()

    def _saw(self, response: Response, **_: Any) -> None:
        response.content  # noqa: B018 - read, so that it can be quoted
        plain_patience(response)
        self._asked.saw(response.request, response)

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
