"""Put on a request what opens the system, and get a new access token when it is needed."""

from __future__ import annotations

import time
from base64 import b64encode
from typing import TYPE_CHECKING, Any

from wfops_pipelines.sources.connection import Auth, Connection, OAuth2
from wfops_pipelines.sources.failures import Asked

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

SHORTEST = 300.0  # seconds that an access token is taken to live when the vendor does not say
MARGIN = 60.0  # seconds before its end at which it is replaced


class Signer:
    """Signs requests; requests takes any callable. One for each extraction."""

    def __init__(
        self, auth: Auth | OAuth2, connection: Connection, asked: Asked, timeout: float
    ) -> None:
        self._auth, self._connection = auth, connection
        self._asked, self._timeout = asked, timeout
        self._token, self._until = "", 0.0
        self._refresh = connection.token.split(":", 2)[-1]

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
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
        import requests
        from requests.adapters import HTTPAdapter
        from urllib3.util import Retry

        assert isinstance(self._auth, OAuth2)
        id_, _, secret = self._connection.token.partition(":")
        form: dict[str, str] = {"grant_type": self._auth.grant}
        if self._auth.grant == "refresh_token":
            secret = secret.partition(":")[0]
            form["refresh_token"] = self._refresh
        if self._auth.scope:
            form["scope"] = self._auth.scope
        self._asked.hide(secret, self._refresh)
        retry = Retry(
            3, status_forcelist=(429, 500, 502, 503, 504), allowed_methods=None,
            backoff_factor=0.2, raise_on_status=False,
        )  # fmt: skip
        with requests.Session() as session:
            session.trust_env = False
            for scheme in ("http://", "https://"):
                session.mount(scheme, HTTPAdapter(max_retries=retry))
            try:
                answer = session.post(
                    self._connection.base_url + self._auth.token_path,
                    data=form, auth=(id_, secret), timeout=self._timeout, allow_redirects=False,
                )  # fmt: skip
            except requests.RequestException as error:
                where = f"the token endpoint {self._auth.token_path}"
                raise self._asked.unreachable(
                    f"{where} did not answer ({type(error).__name__})"
                ) from None
        return self._read(answer)

    def _read(self, answer: Response) -> tuple[str, float]:
        assert isinstance(self._auth, OAuth2)
        if answer.status_code in (400, 401, 403):  # RFC 6749 5.2: invalid_grant is a 400
            raise self._asked.status(401, answer.text, None)
        if answer.status_code != 200:
            raise self._asked.status(max(answer.status_code, 400), answer.text, None)
        try:
            body = answer.json()
            token, lives = body["access_token"], float(body.get("expires_in", SHORTEST))
        except (ValueError, TypeError, KeyError, AttributeError):
            token, lives = "", 0.0
        if not (isinstance(token, str) and token.isascii() and token.isprintable() and token):
            raise self._asked.malformed(
                f"the token endpoint {self._auth.token_path} gave no access token"
            )
        self._refresh = str(body.get("refresh_token") or self._refresh)
        return token, lives
