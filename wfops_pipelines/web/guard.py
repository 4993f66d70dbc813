"""Refuses requests that change something in a way a browser can be tricked into."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from wfops_pipelines.errors import NotAllowed
from wfops_pipelines.identity import SECRET_HEADER, behind_proxy, identity_header, requester

_PULSE = re.compile(r"/wfops/pulse(/[\w-]+)?")


class Guard:
    """ASGI middleware around the Dagster webserver.

    Dagster executes mutations over GET and form posts; links, images and foreign pages could
    then act in a reviewer's name. Here `/graphql` takes JSON posts only, and no request with a
    foreign Origin gets through; behind a sign-in proxy, none that the proxy does not vouch for.
    `environ` is where the proxy's secret stands (see `identity.requester`).
    """

    def __init__(self, app: ASGIApp, environ: Mapping[str, str] | None = None) -> None:
        self.app, self.environ = app, environ or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        request = HTTPConnection(scope)
        refusal = refuse(request, scope.get("method", "GET")) or _stranger(request, self.environ)
        if refusal is None:
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await refusal(scope, receive, send)


def refuse(request: HTTPConnection, method: str) -> Response | None:
    """The answer to a request that must not get through, or None."""
    if _foreign(request) and not _asks_for_pulse(request, method):
        return _no(403, "requests from other sites are refused")
    if method not in ("GET", "HEAD") or request.scope["type"] == "websocket":
        return _graphql(request)
    if _is_graphql(request) and "query" in request.query_params:
        return _no(405, "GraphQL is answered to POST only", allow="POST")
    return None


def _stranger(request: HTTPConnection, environ: Mapping[str, str]) -> Response | None:
    """The answer to whoever did not come through the proxy; how the server is may be asked."""
    if not behind_proxy(environ) or request.url.path == "/server_info":
        return None
    if _asks_for_pulse(request, request.scope.get("method", "")):
        return None
    for name in (SECRET_HEADER, identity_header(environ)):
        if len(request.headers.getlist(name)) > 1:
            return _no(403, f"the header {name} came twice; the proxy must replace it, not add one")
    try:
        requester(request.headers.get, environ)
    except NotAllowed as refused:
        return _no(403, str(refused))
    return None


def _asks_for_pulse(request: HTTPConnection, method: str) -> bool:
    """Our sandboxed pages have no origin and bring no cookie; what they ask for says nothing."""
    return method == "GET" and _PULSE.fullmatch(request.url.path) is not None


def _graphql(request: HTTPConnection) -> Response | None:
    if not _is_graphql(request) or request.scope["type"] == "websocket":
        return None
    content = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if content != "application/json":
        return _no(415, "GraphQL is answered to JSON only")
    return None


def _is_graphql(request: HTTPConnection) -> bool:
    return request.url.path.rstrip("/").endswith("/graphql")


def _foreign(request: HTTPConnection) -> bool:
    if request.headers.get("sec-fetch-site") == "cross-site" and not _navigates(request):
        return True
    origin = request.headers.get("origin")
    if origin is None:
        return False
    return urlsplit(origin).netloc != request.headers.get("host")


def _navigates(request: HTTPConnection) -> bool:
    """Following a link from a chat or a mail is fine: a GET changes nothing."""
    mode = request.headers.get("sec-fetch-mode")
    return request.scope.get("method") == "GET" and mode == "navigate"


def _no(status: int, words: str, allow: str | None = None) -> Response:
    return PlainTextResponse(words + "\n", status, {"allow": allow} if allow else None)
